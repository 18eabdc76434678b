"""Saved searches about how much is written, not what: far more than usual (`spike`), nothing for long (`silence`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import exp
from typing import Any, Literal

from elasticsearch import Elasticsearch

from alerts.bounds import unusable
from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.clock import SKEW
from newswatch.errors import QueryError
from newswatch.problems import Bulkhead
from search.asking import ask
from store.names import Names

HOUR = timedelta(hours=1)
WEEKS = 8
"""How far back the usual is looked for: this hour of this weekday, in so many weeks."""
ENOUGH_WEEKS = 3
"""With fewer weeks of articles there is no usual yet, and no spike is told."""
LEAST = 5
"""Fewer articles in an hour are never a spike."""
RARE = 1e-4
"""How unlikely the hour's number must be: about once a year for a search that is held against it every hour."""
QUIET = timedelta(hours=6)
"""A spike is told once in such a stretch of time."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Articles in the hour up to now, and in the same hour of the weeks before."""

    now: int
    before: tuple[int, ...]
    """Only of weeks in which anything was indexed at all."""

    @property
    def usual(self) -> float:
        """Articles in such an hour, on average."""
        return sum(self.before) / len(self.before) if self.before else 0.0

    @property
    def spike(self) -> bool:
        """Whether so many are improbable if they come at the usual rate, by a Poisson law, and twice the usual."""
        if len(self.before) < ENOUGH_WEEKS or self.now < max(LEAST, 2 * self.usual):
            return False
        # Eight hours with nothing don't make one article a miracle: half an article is counted in.
        rate = (sum(self.before) + 0.5) / len(self.before)
        return tail(self.now, rate) < RARE


@dataclass(frozen=True, slots=True)
class Event:
    """What a saved search has to tell that is about no article."""

    alert_id: str
    kind: Literal["spike", "silence"]
    id: str
    """The same for as long as it lasts: it is told once."""
    headline: str
    """The sentence that tells it."""


def tail(count: int, rate: float) -> float:
    """The probability of `count` or more events where `rate` are expected (Poisson). Pure."""
    term, below = exp(-rate), 0.0
    for k in range(count):
        below += term
        term *= rate / (k + 1)
    return max(1.0 - below, 0.0)


def events(
    es: Elasticsearch,
    names: Names,
    searches: Iterable[SavedSearch],
    now: datetime,
    *,
    bulkhead: Bulkhead | None = None,
    resting: Collection[str] = (),
) -> list[Event]:
    """What the searches of kinds `spike` and `silence` have to tell at this hour.

    A search that can't be run is set aside in `bulkhead`, the others are worked on; one that is `resting` is not run.
    """
    walls = bulkhead or Bulkhead("match")
    watching = [search for search in searches if search.kind != "query" and search.id not in resting]
    if not watching or not es.indices.exists_alias(name=names.articles):
        return []
    es.indices.refresh(index=names.articles)
    found = (walls.attempt("search", search.id, partial(_event, es, names, search, now)) for search in watching)
    return [event for event in found if event]


def _event(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Event | None:
    if why := unusable(search):
        raise QueryError(why)
    return _spike(es, names, search, now) if search.kind == "spike" else _silence(es, names, search, now)


def _spike(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Event | None:
    volume = measure(es, names, search, now)
    if not volume.spike:
        return None
    stretch = datetime.fromtimestamp(now.timestamp() // QUIET.total_seconds() * QUIET.total_seconds(), now.tzinfo)
    told = f"{search.name}: {volume.now} articles within an hour, usually {volume.usual:.1f}"
    return Event(search.id, "spike", f"spike-{stretch:%Y%m%dT%H}", told)


def _silence(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Event | None:
    newest = {"last": {"max": {"field": "first_seen"}}}
    # A moment that is yet to come was written by a clock that is wrong, or by hand: it would hide the silence.
    so_far = {"range": {"first_seen": {"lte": (now + SKEW).isoformat()}}}
    query = {"bool": {"filter": [to_query(search), so_far]}}
    answer = ask(es, names.articles, search.query, size=0, query=query, aggs=newest)
    last = answer["aggregations"]["last"]
    if last["value"] is None:
        return None
    since = datetime.fromisoformat(last["value_as_string"])
    if now - since < timedelta(seconds=search.silence_s):
        return None
    told = f"{search.name}: nothing since {since:%d %b %Y, %H:%M} UTC"
    return Event(search.id, "silence", f"silence-{since:%Y%m%dT%H%M%S}", told)


def measure(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Volume:
    """The volume of a search in the hour up to `now`, and what is usual for it.

    Raises:
        QueryError: it can't be run, takes too long or needs too much.
        StoreError: Elasticsearch is in trouble of its own.
    """
    hours = {str(week): _hour(now - timedelta(weeks=week)) for week in range(WEEKS + 1)}
    matching: dict[str, Any] = {"matching": {"filter": to_query(search)}}
    aggs = {"weeks": {"filters": {"filters": hours}, "aggs": matching}}
    # The week as a whole tells whether newswatch ran then: one that it slept through is no week without news.
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
