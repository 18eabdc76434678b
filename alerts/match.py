"""Which saved searches a batch matches: all of them against the new articles only, many in one request.

Every search is one filter of a `filters` aggregation, with the batch's range of ingest numbers inside it; a `terms`
sub-aggregation on the ingest number says which articles. Documents are asked for afterwards, and only for what matched;
where they match is asked when a mail is written, since most of what matches is of a story told before. One bad search
must not hide the others: a request that fails is halved until what fails is alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from elasticsearch import ApiError, ConnectionTimeout, Elasticsearch, NotFoundError, TransportError

from alerts.confirmed import confirmed
from alerts.query import Query, to_query
from newswatch.errors import StoreError
from newswatch.model import Batch, Match, SavedSearch
from search.mapping import ANALYZERS, UNSTEMMED
from search.names import Names

CHUNK = 500
"""Saved searches in one request: 250 to 1,000 were equally fast, below and above it slows down."""
AT_ONCE = 2
_NUMBERS = 1_000
"""Articles a search may have in the aggregation; those that match more are asked on their own, page by page."""
_PAGE = 5_000

Numbers = dict[str, list[int]]
"""Id of a saved search → ingest numbers of the articles it matches, ascending."""


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What a batch matches."""

    matches: tuple[Match, ...] = ()
    """In ingest order; those of searches that wait for independent sources come last."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


@dataclass(frozen=True, slots=True)
class _Found:
    id: str
    story_id: str
    language: str | None
    published: datetime | None
    fetched_at: datetime | None
    indexed_at: datetime | None


def match_batch(es: Elasticsearch, names: Names, batch: Batch, searches: Sequence[SavedSearch]) -> MatchReport:
    """What of `searches` matches which articles of `batch`, also if it holds a million of them.

    Raises:
        StoreError: Elasticsearch is not there or in trouble of its own: match the batch again later.
    """
    watching = [search for search in searches if search.kind == "query"]
    if not watching:
        return MatchReport()
    es.options(ignore_status=404).indices.refresh(index=names.articles)
    asker = _Asker(es, names, batch)
    analyzers = asker.analyzers()
    numbers = asker.ask({search.id: narrowed(to_query(search), analyzers) for search in watching})
    articles = asker.articles({number for found in numbers.values() for number in found})
    pairs = [
        (search, number, articles[number])
        for search in searches
        for number in numbers.get(search.id, ())
        if number in articles  # else a newer version has taken it to a later batch, which matches it there
    ]
    found = _matches(pairs)
    waiting = [search for search in watching if search.min_sources > 1]
    sure = confirmed(es, names, batch, waiting, _of(waiting, found))
    others = _of([search for search in watching if search.min_sources <= 1], found)
    return MatchReport((*others, *sure.matches), {**(sure.failed or {}), **asker.failed})


def narrowed(query: Query, analyzers: Collection[str]) -> Query:
    """The query without the stemmed fields that no article of the batch has: the same answer for much less work.

    An article has one stemmed field, its language's; a word of a query is looked for in thirty. Pure.
    """

    def kept(field: str) -> bool:
        parent, _, name = field.partition("^")[0].partition(".")
        return parent != "stemmed" or name in analyzers

    def clause(part: Query) -> Query:
        words = part.get("query_string")
        if words is None:
            return part
        return {"query_string": {**words, "fields": [field for field in words["fields"] if kept(field)]}}

    filters = query.get("bool", {}).get("filter")
    return {"bool": {"filter": [clause(part) for part in filters]}} if filters else query


def _of(searches: Iterable[SavedSearch], matches: Iterable[Match]) -> tuple[Match, ...]:
    ids = {search.id for search in searches}
    return tuple(match for match in matches if match.alert_id in ids)


Pair = tuple[SavedSearch, int, _Found]


def _matches(pairs: Sequence[Pair]) -> tuple[Match, ...]:
    return tuple(
        Match(
            alert_id=search.id,
            article_id=article.id,
            story_id=article.story_id,
            published=article.published,
            fetched_at=article.fetched_at,
            indexed_at=article.indexed_at,
        )
        for search, _, article in sorted(pairs, key=lambda pair: (pair[1], pair[0].id))
    )


class _Asker:
    """Asks Elasticsearch about one batch, and remembers which searches failed."""

    def __init__(self, es: Elasticsearch, names: Names, batch: Batch) -> None:
        self._es, self._index = es, names.articles
        self._range: Query = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
        self.failed: dict[str, str] = {}

    def analyzers(self) -> set[str]:
        """The stemmed fields that the articles of the batch have."""
        languages = {"languages": {"terms": {"field": "language", "size": 1_000}}}
        try:
            answer = self._es.search(
                index=self._index, size=0, query=self._range, aggs=languages, allow_partial_search_results=False
            )
        except NotFoundError:
            return set()
        except (ApiError, TransportError) as error:
            raise StoreError(f"Elasticsearch can't search now: {error}") from error
        found = answer["aggregations"]["languages"]["buckets"]
        return {UNSTEMMED, *(ANALYZERS.get(bucket["key"], UNSTEMMED) for bucket in found)}

    def ask(self, queries: Mapping[str, Query]) -> Numbers:
        items = list(queries.items())
        chunks = [dict(items[at : at + CHUNK]) for at in range(0, len(items), CHUNK)]
        with ThreadPoolExecutor(AT_ONCE, "match") as pool:
            answers = list(pool.map(self._chunk, chunks))
        return {alert_id: numbers for answer in answers for alert_id, numbers in answer.items()}

    def _chunk(self, queries: Mapping[str, Query]) -> Numbers:
        try:
            return self._complete(queries, self._aggregate(queries))
        except NotFoundError:
            return {}  # no article was ever indexed
        except (ApiError, ConnectionTimeout) as error:
            if len(queries) == 1:
                (alert_id,) = queries
                return self._alone(alert_id, queries[alert_id], error)
            items = list(queries.items())
            half = len(items) // 2
            return self._chunk(dict(items[:half])) | self._chunk(dict(items[half:]))
        except TransportError as error:
            raise StoreError(f"Elasticsearch can't be reached: {error}") from error

    def _alone(self, alert_id: str, query: Query, error: ApiError | ConnectionTimeout) -> Numbers:
        """A search that failed in company of none: too many articles, or a fault of its own, or of Elasticsearch."""
        try:
            self._es.count(index=self._index, query=self._range)
        except (ApiError, TransportError) as trouble:
            raise StoreError(f"Elasticsearch can't search now: {trouble}") from trouble
        if "too_many_buckets" in str(error):
            return {alert_id: self._all(query)}
        self.failed[alert_id] = _reason(error)
        return {}

    def _aggregate(self, queries: Mapping[str, Query]) -> Mapping[str, Any]:
        """Elasticsearch's bucket for each search."""
        filters = {alert_id: {"bool": {"filter": [self._range, query]}} for alert_id, query in queries.items()}
        numbers = {"terms": {"field": "seq", "size": _NUMBERS, "order": {"_key": "asc"}}}
        answer = self._es.search(
            index=self._index,
            size=0,
            query=self._range,
            aggs={"searches": {"filters": {"filters": filters}, "aggs": {"numbers": numbers}}},
            track_total_hits=False,
            request_cache=False,
            # A shard that doesn't answer is a missed alert: rather an error, and the batch matched again.
            allow_partial_search_results=False,
        )
        buckets: Mapping[str, Any] = answer["aggregations"]["searches"]["buckets"]
        if buckets.keys() != queries.keys():
            raise StoreError(f"{len(queries)} searches were asked, {len(buckets)} answered: match the batch again.")
        return buckets

    def _complete(self, queries: Mapping[str, Query], buckets: Mapping[str, Any]) -> Numbers:
        """The numbers in the buckets; a search with more than a bucket tells is asked again, on its own."""
        found: Numbers = {}
        for alert_id, bucket in buckets.items():
            if bucket["numbers"]["sum_other_doc_count"]:
                found[alert_id] = self._all(queries[alert_id])
            elif bucket["doc_count"]:
                found[alert_id] = [int(item["key"]) for item in bucket["numbers"]["buckets"]]
        return found

    def _all(self, query: Query) -> list[int]:
        """Every number the query matches in the batch, page by page."""
        numbers: list[int] = []
        after: dict[str, Any] = {}
        while True:
            answer = self._es.search(
                index=self._index,
                query={"bool": {"filter": [self._range, query]}},
                size=_PAGE,
                source=False,
                sort=[{"seq": "asc"}],
                track_total_hits=False,
                request_cache=False,
                allow_partial_search_results=False,
                **after,
            )
            page = [int(hit["sort"][0]) for hit in answer["hits"]["hits"]]
            numbers += page
            if len(page) < _PAGE:
                return numbers
            after = {"search_after": [page[-1]]}

    def articles(self, numbers: Iterable[int]) -> dict[int, _Found]:
        """What is needed of the articles with these ingest numbers."""
        ordered = sorted(numbers)
        found: dict[int, _Found] = {}
        for at in range(0, len(ordered), _PAGE):
            page = ordered[at : at + _PAGE]
            answer = self._es.search(
                index=self._index,
                query={"terms": {"seq": page}},
                size=len(page),
                source_includes=["seq", "story_id", "language", "published", "provenance.fetched_at", "indexed_at"],
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            found |= {int(hit["_source"]["seq"]): _found(hit) for hit in answer["hits"]["hits"]}
        return found


def _found(hit: Mapping[str, Any]) -> _Found:
    source = hit["_source"]
    return _Found(
        hit["_id"],
        source.get("story_id") or hit["_id"],
        source.get("language"),
        _time(source.get("published")),
        _time(source.get("provenance", {}).get("fetched_at")),
        _time(source.get("indexed_at")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _reason(error: ApiError | ConnectionTimeout) -> str:
    """The deepest cause that Elasticsearch names."""
    if not isinstance(error, ApiError) or not isinstance(error.body, dict):
        return str(error)
    cause = error.body.get("error", {})
    shards = cause.get("failed_shards") if isinstance(cause, dict) else None
    cause = shards[0]["reason"] if shards else cause
    while isinstance(cause, dict) and cause.get("caused_by"):
        cause = cause["caused_by"]
    return str(cause.get("reason") or error) if isinstance(cause, dict) else str(cause)
