"""How long things took, counted by upper bounds, so that the counts of many runs can be added up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

BOUNDS_S: Final = (15, 30, 60, 90, 120, 180, 300, 600, 1_800, 3_600, 21_600)
"""Upper bounds in seconds. Most lie around a minute or two, which is what an instant mail is promised to take."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """A histogram of seconds."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    """How many took at most the bound and more than the one before; the last: more than every bound."""
    seconds: float = 0.0
    """All of them together."""

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latencies:
        """The histogram of these durations; a negative one, of clocks that disagree, counts as 0."""
        taken = [max(0.0, one) for one in seconds]
        places = [bisect_left(BOUNDS_S, one) for one in taken]
        return cls(tuple(places.count(place) for place in range(len(BOUNDS_S) + 1)), sum(taken))

    def __add__(self, other: Latencies) -> Latencies:
        counts = tuple(mine + its for mine, its in zip(self.counts, other.counts, strict=True))
        return Latencies(counts, self.seconds + other.seconds)

    def totals(self, name: str) -> dict[str, float]:
        """Named numbers that may be added up over runs: `name_le_15` … `name_le_inf` (cumulative), `name_seconds`."""
        return {
            **{f"{name}_le_{bound}": count for bound, count in zip(bounds(), accumulate(self.counts), strict=True)},
            f"{name}_seconds": self.seconds,
        }


def bounds() -> tuple[str, ...]:
    """The bounds as names, the last one for all."""
    return (*(str(bound) for bound in BOUNDS_S), "inf")


def buckets(totals: Mapping[str, float], name: str) -> tuple[list[tuple[str, float]], float]:
    """The inverse of `Latencies.totals`: upper bound → cumulative count as Prometheus names them, and the seconds."""
    named = [("+Inf" if bound == "inf" else f"{bound}.0", totals.get(f"{name}_le_{bound}", 0.0)) for bound in bounds()]
    return named, totals.get(f"{name}_seconds", 0.0)
