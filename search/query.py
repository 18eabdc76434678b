"""Searching the articles, in Lucene's syntax and with short filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from newswatch.errors import QueryError
from newswatch.model import Article
from search.documents import from_document
from search.mapping import DEFAULT_FIELDS
from search.names import Names

Sort = Literal["relevance", "time"]
MARK_START, MARK_END = "\ue000", "\ue001"
"""Around a highlighted term: private-use characters, which no publisher's text holds."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article found."""

    article: Article
    score: float
    highlights: Mapping[str, tuple[str, ...]]
    """Field → fragments, the terms between `MARK_START` and `MARK_END`."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of what was found."""

    total: int
    hits: tuple[Hit, ...]
    took_ms: int


def text_query(query: str) -> dict[str, Any]:
    """The clause for a query in Lucene's syntax: every word must be there, in the title, the text, or a stemmed form.

    Saved searches, `newswatch search` and (by its advanced setting) Kibana use this same clause.
    """
    if not query.strip() or query.strip() == "*":
        return {"match_all": {}}
    return {
        "query_string": {
            "query": query,
            "fields": DEFAULT_FIELDS,
            "default_operator": "AND",
            "analyze_wildcard": True,
            "lenient": False,
            "time_zone": "UTC",
        }
    }


def find(
    es: Elasticsearch, names: Names, query: str, *, size: int = 20, offset: int = 0, sort: Sort = "relevance"
) -> Results:
    """The articles that `query` finds, newest first or best first.

    Raises:
        QueryError: the query can't be parsed; the message says where.
    """
    order: list[dict[str, Any]] = [{"time": "desc"}] if sort == "time" else [{"_score": "desc"}, {"time": "desc"}]
    try:
        answer = es.search(
            index=names.articles,
            query=text_query(query),
            sort=order,
            size=size,
            from_=offset,
            track_total_hits=True,
            track_scores=True,
            highlight=_highlight(),
        )
    except BadRequestError as error:
        raise QueryError(explain_refusal(query, error)) from error
    except NotFoundError:
        return Results(0, (), 0)
    found = answer["hits"]
    return Results(found["total"]["value"], tuple(_hit(hit) for hit in found["hits"]), answer["took"])


def _highlight() -> dict[str, Any]:
    shown: dict[str, Any] = {"title": {"number_of_fragments": 0}, "summary": {}, "text": {"number_of_fragments": 2}}
    marks = {"pre_tags": [MARK_START], "post_tags": [MARK_END], "require_field_match": False}
    return {"fields": shown, "fragment_size": 200, **marks}


def _hit(hit: Mapping[str, Any]) -> Hit:
    highlights = {name: tuple(parts) for name, parts in hit.get("highlight", {}).items()}
    return Hit(from_document(hit["_id"], hit["_source"]), float(hit["_score"] or 0.0), highlights)


_PLACE = re.compile(r"line (\d+), column (\d+)")


def explain_refusal(query: str, error: BadRequestError) -> str:
    """One sentence on why Elasticsearch refuses the query, with the place pointed at where it gives one."""
    causes = error.body.get("error", {}) if isinstance(error.body, dict) else {}
    reason = str((causes.get("root_cause") or [{}])[0].get("reason") or error)
    deepest = causes.get("failed_shards", [{}])[0].get("reason", causes) if causes.get("failed_shards") else causes
    while isinstance(deepest, dict) and deepest.get("caused_by"):
        deepest = deepest["caused_by"]
        reason = str(deepest.get("reason") or reason)
    place = _PLACE.search(reason)
    if place is None:
        return f"The query {query!r} can't be run: {reason.splitlines()[0]}"
    line, column = int(place[1]), int(place[2])
    shown = query.splitlines()[line - 1] if line <= len(query.splitlines()) else query
    return f"The query can't be parsed at column {column + 1}:\n  {shown}\n  {' ' * column}^"
