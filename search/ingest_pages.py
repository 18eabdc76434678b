"""Pages of what a query finds, in ingest order: for readers who must get everything, once (`store.ingest_order`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.batch import SEQ_PER_ATTEMPT
from search.asked import filled_fields, required, to_query, understood
from search.asking import Answer, ask
from store.article_documents import from_document
from store.elastic.documents import Hit, readable
from store.ingest_order import Cursor, CursorError, Horizon, Horizons, latest
from store.names import Names

Query = dict[str, Any]
NOW: Final = "now"
"""In place of a cursor: only what comes from now on."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An article with its ingest number."""

    seq: int
    article: Article
    indexed_at: datetime
    """When this version of it was indexed."""
    marks: Mapping[str, tuple[str, ...]]
    """Where the query matches, if that was asked for: field → passages as Elasticsearch highlights them."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of articles in ingest order."""

    articles: tuple[Numbered, ...]
    cursor: Cursor
    """For the next page; also when there is no more now."""
    has_more: bool
    """Whether there is more now."""


def query_of(es: Elasticsearch, names: Names, typed: str, now: datetime) -> Query:
    """The query for what is typed, as the search page has it; an article must have all the words.

    Raises:
        QueryError: it can't be parsed, or asks for what only a reader knows.
    """
    parsed = understood(typed, names)
    try:
        fields = filled_fields(es, names, parsed) if parsed.text.strip() else []
    except NotFoundError:  # before the first article
        fields = []
    return to_query(parsed, now, required(parsed, names, fields) if fields else required(parsed, names))


def page_after(
    es: Elasticsearch,
    names: Names,
    query: Query,
    after: str,
    *,
    typed: str = "",
    size: int,
    horizons: Horizons,
    now: datetime,
) -> Page:
    """The first `size` articles that `query` finds after the cursor; an empty cursor is the beginning.

    Raises:
        CursorError: the cursor can't be read, or is of other numbers than these.
        QueryError: the query can't be run, or takes too long.
        StoreError, elasticsearch's errors: Elasticsearch is unavailable.
    """
    horizon = horizons.now(es, names, now)
    if after == NOW:
        return Page((), latest(horizon, lambda start: _highest(es, names, start, horizon)), has_more=False)
    cursor = Cursor.of(after)
    if cursor.after >= horizon.end > 0:  # another process may have seen a newer horizon
        horizon = horizons.now(es, names, now, fresh=True)
        if cursor.after >= horizon.end > 0:
            raise CursorError(
                "This cursor is ahead of all articles: it is another installation's, or the index was made anew.",
                is_gone=True,
            )
    wanted = {"bool": {"filter": [cursor.clause(horizon), query]}}
    answer = _ask(es, names, typed, query=wanted, size=size + 1, sort=[{"seq": "asc"}])
    hits: list[Hit] = answer["hits"]["hits"] if answer else []
    got = hits[:size]
    return Page(_numbered(got), cursor.moved(map(_seq, got), horizon), has_more=len(hits) > size)


def page_before(
    es: Elasticsearch,
    names: Names,
    query: Query,
    before: int | None,
    *,
    typed: str = "",
    size: int,
    horizons: Horizons,
    now: datetime,
    highlight: Mapping[str, Any] | None = None,
) -> tuple[tuple[Numbered, ...], int | None]:
    """The newest `size` articles with numbers below `before`, newest first; and `before` of the next page, if any.

    What comes in meanwhile has higher numbers, so it moves nothing from page to page.

    Raises:
        QueryError, StoreError, elasticsearch's errors: as `page_after`.
    """
    horizon = horizons.now(es, names, now)
    below = horizon.below if before is None else min(before, horizon.below)
    wanted = {"bool": {"filter": [{"range": {"seq": {"lt": below}}}, query]}}
    more = {"highlight": dict(highlight)} if highlight else {}
    answer = _ask(es, names, typed, query=wanted, size=size + 1, sort=[{"seq": "desc"}], **more)
    hits: list[Hit] = answer["hits"]["hits"] if answer else []
    return _numbered(hits[:size]), _seq(hits[size - 1]) if len(hits) > size else None


def articles_between(
    es: Elasticsearch, names: Names, query: Query, begin: int, end: int, *, size: int, typed: str = ""
) -> list[tuple[int, Article | None]]:
    """The first `size` articles that `query` finds among the ingest numbers from `begin` to below `end`, in order.

    None in place of an unreadable one, which is quarantined.

    Raises:
        QueryError, StoreError, elasticsearch's errors: as `page_after`.
    """
    wanted = {"bool": {"filter": [{"range": {"seq": {"gte": begin, "lt": end}}}, query]}}
    answer = _ask(es, names, typed, query=wanted, size=size, sort=[{"seq": "asc"}])
    hits: list[Hit] = answer["hits"]["hits"] if answer else []
    articles = {hit["_id"]: article for hit, article in readable(hits, from_document)}
    return [(_seq(hit), articles.get(hit["_id"])) for hit in hits]


def _ask(es: Elasticsearch, names: Names, typed: str, **body: Any) -> Answer | None:
    """The answer; None before the first article."""
    asked = {"track_total_hits": False, **body}
    try:
        return ask(es, names.articles, typed, **asked)
    except NotFoundError:
        if not es.indices.exists_alias(name=names.alias):
            return None
        return ask(es, names.articles, typed, **asked)  # an upgrade has replaced a slice meanwhile


def _highest(es: Elasticsearch, names: Names, start: int, horizon: Horizon) -> int:
    """The highest number in the attempt that begins with `start`; `start` - 1 if there is none."""
    query = {"range": {"seq": {"gte": start, "lt": min(start + SEQ_PER_ATTEMPT, horizon.below)}}}
    answer = _ask(es, names, "", query=query, size=1, sort=[{"seq": "desc"}], source=False)
    hits = answer["hits"]["hits"] if answer else []
    return _seq(hits[0]) if hits else start - 1


def _seq(hit: Hit) -> int:
    return int(hit["sort"][0])


def _numbered(hits: list[Hit]) -> tuple[Numbered, ...]:
    """The articles of the hits. An unreadable one is quarantined, and costs only itself."""
    return tuple(
        Numbered(
            _seq(hit),
            article,
            datetime.fromisoformat(hit["_source"]["indexed_at"]),
            {name: tuple(found) for name, found in hit.get("highlight", {}).items()},
        )
        for hit, article in readable(hits, _with_time)
    )


def _with_time(article_id: str, document: Mapping[str, Any]) -> Article:
    datetime.fromisoformat(document["indexed_at"])
    return from_document(article_id, document)
