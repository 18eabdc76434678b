"""Shares, F1, κ and B³, each with its interval. Pure, and the same on every run.

Every figure is a share in [0, 1] and higher is better, so that one rule can guard them all.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TypeVar

CONFIDENCE = 0.95
"""Of the intervals that are published."""
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
Z_NOISE = NormalDist().inv_cdf(0.9)
"""Of the one-sided 90 % bound: what is below it has dropped beyond noise. In a perfect cell one error is noise."""
RESAMPLES = 1_000
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share with its interval."""

    value: float
    low: float
    high: float
    """Bounds of the 95 % interval."""
    noise: float
    """One-sided 90 % lower bound: what is measured on the same data must not fall below it."""
    cases: int
    """What the interval rests on: texts, pages or pairs; for F1 those that should be found or were."""
    texts: int
    """All that were judged, the rightly silent ones too."""


def share(hits: int, of: int) -> Figure | None:
    """`hits` of `of` with the Wilson interval (Wilson, 1927); None where there is nothing to count."""
    if not of:
        return None
    low, high = _wilson(hits, of, Z)
    return Figure(hits / of, low, high, _wilson(hits, of, Z_NOISE)[0], of, of)


def f1(pairs: Iterable[tuple[bool, bool]]) -> Figure | None:
    """F1 of (wanted, got) pairs; None where nothing was wanted and nothing was got.

    F1 is 2J / (1 + J) of the Jaccard index J, the share of hits among the texts that are wanted or got. So the Wilson
    interval of J, mapped likewise, is F1's: no resampling, and sound in small cells and at 1.
    """
    listed = list(pairs)
    hits, either = sum(w and g for w, g in listed), sum(w or g for w, g in listed)
    index = share(hits, either)
    if index is None:
        return None
    value, low, high, noise = (2 * j / (1 + j) for j in (index.value, index.low, index.high, index.noise))
    return Figure(value, low, high, noise, cases=either, texts=len(listed))


def precision(pairs: Iterable[tuple[bool, bool]]) -> Figure | None:
    """Share of the got that was wanted."""
    got = [wanted for wanted, got in pairs if got]
    return share(sum(got), len(got))


def recall(pairs: Iterable[tuple[bool, bool]]) -> Figure | None:
    """Share of the wanted that was got."""
    wanted = [got for wanted, got in pairs if wanted]
    return share(sum(wanted), len(wanted))


def _wilson(hits: int, of: int, z: float) -> tuple[float, float]:
    p, spread = hits / of, z * z / of
    middle, half = p + spread / 2, z * sqrt(p * (1 - p) / of + spread / (4 * of))
    # A share of all or nothing has its own end, which rounding would miss by an ulp.
    low = 0.0 if hits == 0 else (middle - half) / (1 + spread)
    high = 1.0 if hits == of else (middle + half) / (1 + spread)
    return low, high


def resampled(items: Sequence[Item], statistic: Callable[[Sequence[Item]], float]) -> Figure | None:
    """`statistic` of `items` with its bootstrap interval (percentiles of 1,000 resamples); None without items."""
    if not items:
        return None
    dice = random.Random(0)
    drawn = sorted(statistic(dice.choices(items, k=len(items))) for _ in range(RESAMPLES))
    value = statistic(items)
    low, high, noise = (drawn[int(q * (RESAMPLES - 1))] for q in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2, 0.1))
    return Figure(value, min(low, value), max(high, value), min(noise, value), len(items), len(items))


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> Figure | None:
    """Cohen's κ of two readers, with its large-sample interval (Cohen, 1960); None where chance alone would agree."""
    count = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[label] * second[label] for label in first) / count**2 if count else 1.0
    if chance == 1:
        return None
    agreed = sum(a == b for a, b in pairs) / count
    value = (agreed - chance) / (1 - chance)
    error = sqrt(agreed * (1 - agreed) / count) / (1 - chance)
    return Figure(value, value - Z * error, min(1.0, value + Z * error), value - Z_NOISE * error, count, count)


@dataclass(frozen=True, slots=True)
class BCubed:
    """B³ of one article (Bagga and Baldwin, 1998): the shares of its cluster and of its event that are common."""

    event: str
    precision: float
    recall: float


def b_cubed(
    wanted: Mapping[str, str], got: Mapping[str, str], skip: frozenset[frozenset[str]] = frozenset()
) -> list[BCubed]:
    """Each article of `wanted` (article → event) against the cluster it got; pairs in `skip` count neither way."""
    events: dict[str, set[str]] = defaultdict(set)
    clusters: dict[str, set[str]] = defaultdict(set)
    for article, event in wanted.items():
        events[event].add(article)
        clusters[got[article]].add(article)
    partners: dict[str, set[str]] = defaultdict(set)
    for pair in skip:
        for article in pair:
            partners[article] |= pair - {article}
    scores = []
    for article, event in wanted.items():
        true, cluster = events[event] - partners[article], clusters[got[article]] - partners[article]
        common = len(true & cluster)
        scores.append(BCubed(event, common / len(cluster), common / len(true)))
    return scores


def b_cubed_f1(articles: Iterable[BCubed]) -> float:
    """F1 of mean precision and mean recall, 0 for none."""
    listed = list(articles)
    whole, recall = sum(a.precision for a in listed), sum(a.recall for a in listed)
    return 2 * whole * recall / (whole + recall) / len(listed) if whole + recall else 0.0


def by_event(articles: Iterable[BCubed]) -> list[list[BCubed]]:
    """The articles event by event, by the events' names: articles of one event stand or fall together.

    So events are what is resampled, and the order makes the draw the same on every run.
    """
    events: dict[str, list[BCubed]] = defaultdict(list)
    for article in articles:
        events[article.event].append(article)
    return [events[event] for event in sorted(events)]
