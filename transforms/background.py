"""How common words are: a fixed base for each language, and what an installation has stored.

A word of most articles does not identify an event. Counted in the stream alone, a word's weight would depend on how
much else there is to read: the words of a large event would be common in a small stream. The base
(`data/stem_counts.json`, made by `benchmarks/fit_stories.py`) keeps them steady.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SCALE = 1_000
"""Weights are those among so many articles, however many are counted: a word would weigh more in a larger stream."""
BASE = Path(__file__).with_name("data") / "stem_counts.json"


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of articles, and for each stem the number of those that have it."""

    documents: int = 0
    stems: Mapping[str, int] = field(default_factory=dict)


@cache
def base() -> Mapping[str, Counts]:
    """Language → the counts that every installation has."""
    read = json.loads(BASE.read_text(encoding="utf-8"))
    return {language: Counts(one["documents"], _by_stem(one["stems"])) for language, one in read.items()}


def _by_stem(by_count: Mapping[str, str]) -> dict[str, int]:
    """Stem → count, of count → stems: the file's shorter form."""
    return {stem: int(count) for count, stems in by_count.items() for stem in stems.split()}


def has_base(language: str) -> bool:
    """Whether the words of the language are weighed against the base alone, whatever an installation has stored."""
    return language in base()


_NOTHING = Counts()


class _Rarities(dict[float, float]):
    """Number of articles that have a stem → its rarity, computed when first asked for: few numbers recur."""

    def __init__(self, documents: int) -> None:
        super().__init__()
        self._documents, self._scale = documents, min(SCALE, documents)

    def __missing__(self, having: float) -> float:
        expected = self._scale * having / self._documents if self._documents else 0.0
        rarity = self[having] = max(0.0, math.log((self._scale + 20) / (expected + 0.5) / 2))
        return rarity


@cache
def _of_base(language: str) -> _Rarities:
    return _Rarities(base()[language].documents)


class Background:
    """Document frequencies of stems, by language: those of the base and those given or added."""

    def __init__(self, counted: Mapping[str, Counts] | None = None) -> None:
        self._documents: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        for language, counts in (counted or {}).items():
            self._documents[language] = counts.documents
            self._counts[language] = Counter(counts.stems)

    def add(self, language: str, stems: Iterable[str]) -> None:
        """Count one article."""
        self._documents[language] += 1
        self._counts[language].update(stems)

    def rarities(self, language: str, stems: Iterable[str]) -> dict[str, float]:
        """Stem → inverse document frequency, at least 0, as among `SCALE` articles; an unknown stem weighs most.

        What is counted here weighs at most as much as the base.
        """
        fixed = base().get(language, _NOTHING)
        in_base = fixed.stems.get
        documents = self._documents[language]
        if not documents and fixed.documents:  # nearly always, so without further steps for each stem
            by_base = _of_base(language)
            return {stem: by_base[in_base(stem, 0)] for stem in stems}
        counted, times, over = self._counts[language], 1, 1
        if fixed.documents and documents > fixed.documents:
            times, over, documents = fixed.documents, documents, fixed.documents
        rarities = _Rarities(fixed.documents + documents)
        return {stem: rarities[counted[stem] * times / over + in_base(stem, 0)] for stem in stems}
