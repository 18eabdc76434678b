"""Kind `spike`: reports far more matching articles than is usual for the hour and weekday."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, fsum, lgamma, log
from typing import Any

from elasticsearch import Elasticsearch

from alerts.kinds.kind import Event, Kind
from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.texts import grouped
from search.asking import ask
from store.names import Names

HOUR = timedelta(hours=1)
WEEKS = 8
"""Past weeks to compare with, at the same hour and weekday."""
ENOUGH_WEEKS = 3
"""Minimum number of weeks with articles; with fewer, no spike is reported."""
LEAST = 5
"""Minimum number of articles in an hour for a spike."""
RARE = 1e-4
"""Maximum probability of the hour's count for a spike: about one a year for a search that is checked every hour."""
QUIET = timedelta(hours=6)
"""A spike is reported once in each such interval."""
_NONE, _WHOLE = 0.05, 10
"""A usual number below the first is said as "none", from the second on without a fraction."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Number of articles in the last hour, and in the same hour of earlier weeks."""

    now: int
    before: tuple[int, ...]
    """Only weeks in which anything was indexed."""

    @property
    def usual(self) -> float:
        """Average number of articles in such an hour."""
        return sum(self.before) / len(self.before) if self.before else 0.0

    @property
    def spike(self) -> bool:
        """Whether the count is at least twice the usual one, and improbable at the usual rate (Poisson)."""
        if len(self.before) < ENOUGH_WEEKS or self.now < max(LEAST, 2 * self.usual):
            return False
        # Add half an article, so that eight hours without any don't make a single article impossible.
        rate = (sum(self.before) + 0.5) / len(self.before)
        return tail(self.now, rate) < RARE


def tail(count: int, rate: float) -> float:
    """The probability of `count` or more events where `rate` are expected (Poisson). Pure."""
    if not rate:
        return float(not count)
    # By logarithms: of a rate above 745, e to the power of -rate is too small for a float.
    below = fsum(exp(k * log(rate) - rate - lgamma(k + 1)) for k in range(count))
    return max(1.0 - below, 0.0)


def look(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Event | None:
    """The event that the hour up to `now` is a spike; None otherwise. Raises the errors of `measure`."""
    volume = measure(es, names, search, now)
    if not volume.spike:
        return None
    stretch = datetime.fromtimestamp(now.timestamp() // QUIET.total_seconds() * QUIET.total_seconds(), now.tzinfo)
    headline = f"{search.name}: {grouped(volume.now)} articles within an hour, usually {_usual(volume)}"
    return Event(search.id, KIND.name, f"spike-{stretch:%Y%m%dT%H}", headline)


def preview(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> str:
    """The last hour's count, the usual one, and the verdict, as a sentence. Raises the errors of `measure`."""
    return in_words(measure(es, names, search, now))


def in_words(volume: Volume) -> str:
    """A volume as a sentence. Pure."""
    number = grouped(volume.now)
    if not volume.before:
        return f"In the last hour {number}; the usual number is known after three weeks."
    return f"In the last hour {number}, usually {_usual(volume)}: {'a spike' if volume.spike else 'no spike'}."


def _usual(volume: Volume) -> str:
    """The usual number of articles, no more precise than it is known."""
    if volume.usual < _NONE:
        return "none"
    return f"{volume.usual:.1f}" if volume.usual < _WHOLE else grouped(volume.usual)


def measure(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Volume:
    """The volume of a search in the hour up to `now`, and in the same hour of earlier weeks.

    Raises:
        QueryError: it can't be run, takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    hours = {str(week): _hour(now - timedelta(weeks=week)) for week in range(WEEKS + 1)}
    matching: dict[str, Any] = {"matching": {"filter": to_query(search)}}
    aggs = {"weeks": {"filters": {"filters": hours}, "aggs": matching}}
    # A week without any article is left out, because newswatch did not run then.
    weeks = {str(week): _week(now - timedelta(weeks=week)) for week in range(WEEKS + 1)}
    answer = ask(
        es,
        names.articles,
        search.query,
        size=0,
        aggs={**aggs, "alive": {"filters": {"filters": weeks}}},
        request_cache=False,
    )["aggregations"]
    counts: Sequence[int] = [answer["weeks"]["buckets"][w]["matching"]["doc_count"] for w in hours]
    alive = [answer["alive"]["buckets"][w]["doc_count"] > 0 for w in hours]
    return Volume(counts[0], tuple(n for n, ran in zip(counts[1:], alive[1:], strict=True) if ran))


def _hour(end: datetime) -> Query:
    return {"range": {"first_seen": {"gt": (end - HOUR).isoformat(), "lte": end.isoformat()}}}


def _week(middle: datetime) -> Query:
    half = timedelta(days=3, hours=12)
    return {"range": {"first_seen": {"gt": (middle - half).isoformat(), "lte": (middle + half).isoformat()}}}


KIND = Kind(
    "spike",
    "A spike: far more in an hour than is usual for that hour and weekday",
    watches="a spike in",
    look=look,
    preview=preview,
    label="Unusually many articles",
)
