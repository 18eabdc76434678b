"""Counts the articles that searches by short filters find: the very number that their pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from search.asked import to_query
from search.asking import ask_within
from search.syntax import parse
from search.usual import Basis, Window, basis, candidates
from store.elastic.times import moment_at
from store.names import Names

Json = dict[str, Any]
Answer = Mapping[str, Any]


def clause(query: str, now: datetime) -> Json:
    """The clause of a query that consists of short filters, as `search.query.find` makes it.

    Raises:
        QueryError: it can't be parsed.
    """
    parsed = parse(query)
    assert not parsed.text.strip(), "words are not counted by filters alone"
    return to_query(parsed, now, {"match_all": {}})


def within(window: Window) -> Json:
    """The clause for articles that were published in the window."""
    return {"range": {"time": {"gte": window.start.isoformat(), "lt": window.end.isoformat()}}}


def answer_to(es: Elasticsearch, names: Names, seconds: float, **body: Any) -> Answer | None:
    """The answer to a search of the articles that may take so long; None before the first article.

    Raises:
        QueryError: it takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    try:
        return ask_within(seconds, es, names.articles, "", **body)
    except NotFoundError:
        return None


def counts(es: Elasticsearch, names: Names, queries: Sequence[str], now: datetime, *, seconds: float) -> list[int]:
    """How many articles each of the queries finds. Raises the errors of `clause` and `answer_to`."""
    if not queries:
        return []
    aggs = {"each": {"filters": {"filters": [clause(query, now) for query in queries]}}}
    answer = answer_to(es, names, seconds, size=0, track_total_hits=False, aggs=aggs)
    return [b["doc_count"] for b in answer["aggregations"]["each"]["buckets"]] if answer else [0] * len(queries)


def windowed(
    es: Elasticsearch, names: Names, window: Window, *, query: Json, seconds: float, **aggs: Json
) -> tuple[Basis, list[Answer]]:
    """What to compare `window` with, and the bucket of each window: `window` itself first, then those of the basis.

    A bucket has the number of articles that `query` finds in the window, and their aggregations. Raises the errors of
    `answer_to`.
    """
    compared = read_basis(es, names, window, seconds=seconds)
    wanted = (window, *compared.windows)
    inside = {"bool": {"should": [within(one) for one in wanted], "minimum_should_match": 1}}
    windows = {"windows": {"date_range": {"field": "time", "ranges": _ranges(wanted)}, "aggs": aggs}}
    asked = {"bool": {"filter": [query, inside]}}
    answer = answer_to(es, names, seconds, query=asked, size=0, track_total_hits=False, aggs=windows)
    if answer is None:
        return compared, [{"doc_count": 0}]
    buckets = _by_start(answer["aggregations"]["windows"]["buckets"])
    return compared, [buckets[one.start] for one in wanted]


def read_basis(es: Elasticsearch, names: Names, window: Window, *, seconds: float) -> Basis:
    """What to compare `window` with. Raises the errors of `answer_to`."""
    wanted = (window, *candidates(window))
    # Without a query and sub-aggregations, Elasticsearch counts by its index of times and reads no article.
    aggs: Json = {
        "first": {"min": {"field": "first_seen"}},
        "taken_in": {"date_range": {"field": "first_seen", "ranges": _ranges(wanted)}},
    }
    answer = answer_to(es, names, seconds, size=0, track_total_hits=False, aggs=aggs)
    if answer is None or answer["aggregations"]["first"]["value"] is None:
        return basis(window, None)
    taken_in = _by_start(answer["aggregations"]["taken_in"]["buckets"])
    quiet = [one for one in wanted if not taken_in[one.start]["doc_count"]]
    return basis(window, moment_at(answer["aggregations"]["first"]["value"]), quiet)


def _ranges(windows: Sequence[Window]) -> list[Json]:
    return [{"from": one.start.isoformat(), "to": one.end.isoformat()} for one in windows]


def _by_start(buckets: Sequence[Answer]) -> dict[datetime, Answer]:
    return {moment_at(bucket["from"]): bucket for bucket in buckets}
