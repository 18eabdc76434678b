"""Vectors that were recorded for the evaluation, and the pairs that were read."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.evaluate.labels import LABELS, LabelError
from benchmarks.evaluate.recorded import Recorded, record
from benchmarks.language_means import FILE
from benchmarks.ranking import kept_vectors
from transforms.encoder import DIMENSIONS, LEAD_CHARS, Vector, cosine, unit


class _Encoder:
    name = "of the test"

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        return [unit([math.sin(len(text) * n) for n in range(DIMENSIONS)]) if text else None for text in texts]


def test_a_recorded_vector_is_the_one_that_was_encoded(tmp_path: Path) -> None:
    texts = ["Ministers met in Oslo", "Two quakes", ""]
    record(texts, _Encoder(), tmp_path / "vectors")
    recorded = Recorded(tmp_path / "vectors")
    assert recorded.name == "of the test"
    one, other, none = zip(_Encoder().encode(texts), recorded.encode(texts), strict=True)
    assert all(a and b and cosine(a, b) > 0.999 for a, b in (one, other))
    assert none == (None, None)


def test_a_text_that_was_not_recorded_is_an_error(tmp_path: Path) -> None:
    record(["one"], _Encoder(), tmp_path / "vectors")
    with pytest.raises(LabelError, match="no vector is recorded of 'two'"):
        Recorded(tmp_path / "vectors").encode(["two"])


def test_all_vectors_that_are_committed_are_of_one_encoder_and_of_as_much_text_as_is_encoded_now() -> None:
    means = json.loads(FILE.read_text(encoding="utf-8"))["encoder"]
    assert {means, *(one.by for one in kept_vectors().values())} == {Recorded().name}
    assert means.endswith(f"/{LEAD_CHARS}")


def test_pairs_of_the_stream_are_well_formed() -> None:
    with (LABELS / "story_pairs_stream.csv").open(encoding="utf-8", newline="") as file:
        pairs = {(row["a"], row["b"]): row for row in csv.DictReader(file)}
    with (LABELS / "story_pairs_stream_again.csv").open(encoding="utf-8", newline="") as file:
        again = [(row["a"], row["b"]) for row in csv.DictReader(file)]
    assert len(pairs) == 378
    assert {row["same"] for row in pairs.values()} == {"yes", "no", "open"}
    halves: dict[str, set[str]] = {}
    for pair, row in pairs.items():
        for article in pair:
            halves.setdefault(article, set()).add(row["half"])
    assert all(len(of) == 1 for of in halves.values()), "an article is in one half"
    assert set(again) <= pairs.keys()
