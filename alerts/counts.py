"""What saved searches have found lately: how much is new, the last match, the mails a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch

from alerts.query import to_query
from newswatch.alert import SavedSearch
from newswatch.errors import QueryError
from search.asking import impatient
from search.missing import missing_in
from store.elastic.times import moment_at
from store.names import Names

MOST: Final = 50
"""Saved searches that are counted at once."""
DAYS: Final = 30
"""How far back the last match is looked for."""
WEEKS: Final = 4
"""Weeks over which mails are counted."""
_PATIENCE_S: Final = 5
_TIMEOUT: Final = "2s"
"""For each saved search; they are counted side by side."""
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one saved search has found."""

    new: int = 0
    """Number of articles that are new to who asks."""
    last: datetime | None = None
    """When the last article that matches was indexed; None: none in the last `DAYS` days."""
    per_week: float = 0.0
    """Mails a week, to all recipients together, over the last `WEEKS` weeks or since the first of them."""
    fault: str = ""
    """Why it can't be counted; its other figures are not known then, but `per_week`."""


def counts(
    es: Elasticsearch, names: Names, searches: Sequence[SavedSearch], new: Mapping[str, Any], now: datetime
) -> dict[str, Counts]:
    """Id of each saved search → its counts. `new` is the clause of what is new (`search.personal.new_to`).

    It costs two requests, however many saved searches there are. One that can't be run or takes too long has a `fault`.

    Raises:
        ValueError: there are more than `MOST`.
        elasticsearch's errors: it can't be asked.
    """
    if len(searches) > MOST:
        raise ValueError(f"{len(searches)} saved searches at once; {MOST} is the most")
    mails = _mails(es, names, searches, now)
    return {
        search.id: Counts(*found, mails.get(search.id, 0.0))
        if isinstance(found, tuple)
        else Counts(per_week=mails.get(search.id, 0.0), fault=found)
        for search, found in zip(searches, _found(es, names, searches, new, now), strict=True)
    }


def _found(
    es: Elasticsearch, names: Names, searches: Sequence[SavedSearch], new: Mapping[str, Any], now: datetime
) -> list[tuple[int, datetime | None] | str]:
    """For each search the number of new articles and the last match, or why it can't be counted."""
    recent = {"range": {"indexed_at": {"gte": (now - timedelta(days=DAYS)).isoformat()}}}
    queries = [_query(search) for search in searches]
    bodies = [
        {
            "query": {"bool": {"filter": [recent, query]}},
            "size": 0,
            "track_total_hits": False,
            "timeout": _TIMEOUT,
            "aggs": {"last": {"max": {"field": "indexed_at"}}, "new": {"filter": new}},
        }
        for query in queries
        if not isinstance(query, str)
    ]
    lines = [line for body in bodies for line in ({"index": names.articles, "ignore_unavailable": True}, body)]
    responses = impatient(es, _PATIENCE_S).msearch(searches=lines)["responses"] if lines else []
    if len(responses) != len(bodies):
        raise AssertionError(f"{len(bodies)} questions to _msearch, {len(responses)} answers")
    answers = iter(responses)
    return [query if isinstance(query, str) else _read(next(answers)) for query in queries]


def _query(search: SavedSearch) -> Mapping[str, Any] | str:
    try:
        return to_query(search)
    except QueryError as error:
        return str(error)


def _read(answer: Mapping[str, Any]) -> tuple[int, datetime | None] | str:
    if "error" in answer:
        return str(answer["error"].get("reason") or answer["error"].get("type"))
    if answer.get("timed_out"):
        return f"it takes more than {_TIMEOUT.removesuffix('s')} seconds"
    if missing := missing_in(answer):
        return str(missing)
    found = answer.get("aggregations")
    if not found:
        return 0, None  # no article was ever indexed
    last = found["last"]["value"]
    return found["new"]["doc_count"], moment_at(last) if last is not None else None


def _mails(es: Elasticsearch, names: Names, searches: Sequence[SavedSearch], now: datetime) -> dict[str, float]:
    """Id of each saved search that has sent mails lately → how many a week. A digest is one mail to each recipient."""
    ids = [search.id for search in searches]
    start = now - WEEKS * _WEEK
    about = [{"terms": {"alert_id": ids}}, {"range": {"sent_at": {"gte": start.isoformat()}}}]
    one = {"first": {"min": {"field": "sent_at"}}, "mails": {"cardinality": {"field": "reference"}}}
    answer = impatient(es, _PATIENCE_S).search(
        index=names.outcomes,
        query={"bool": {"filter": about}},
        size=0,
        aggs={"alerts": {"terms": {"field": "alert_id", "size": MOST}, "aggs": one}},
    )
    return {
        bucket["key"]: bucket["mails"]["value"] / _weeks(moment_at(bucket["first"]["value"]), now)
        for bucket in answer["aggregations"]["alerts"]["buckets"]
    }


def _weeks(first: datetime, now: datetime) -> float:
    """Weeks over which mails were sent; one at least, as half a day says nothing of a week."""
    return min(max((now - first) / _WEEK, 1.0), float(WEEKS))
