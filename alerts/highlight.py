"""Where an article matches: passages with the matching characters marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from elasticsearch import ApiError, ConnectionTimeout, Elasticsearch

from alerts.query import Query
from newswatch.alert import Passage
from newswatch.article import TextField
from search.asking import TIMEOUT, impatient
from search.highlight import analyzer_of, highlighting, unmarked
from store.names import Names

FIELDS: tuple[TextField, ...] = ("title", "summary", "text")
_PAGE = 50
"""Documents highlighted by one search: a text is analysed anew for each."""
_SEARCHES = 20
"""Searches in one `_msearch`."""

Wanted = tuple[str, Query, str | None, str]
"""Id of the saved search, its query, language and id of the article."""
Place = tuple[str, str]
"""Id of the saved search and of the article."""


def highlights(es: Elasticsearch, names: Names, wanted: Iterable[Wanted]) -> dict[Place, tuple[Passage, ...]]:
    """The passages for each pair that has some; a pair whose highlighting fails has none, but stays a match."""
    requests = list(_requests(wanted))
    found: dict[Place, tuple[Passage, ...]] = {}
    for at in range(0, len(requests), _SEARCHES):
        found |= _ask(es, names, requests[at : at + _SEARCHES])
    return found


def _requests(wanted: Iterable[Wanted]) -> Iterable[tuple[str, dict[str, Any]]]:
    """One search for each saved search, language and page of articles."""

    def group(item: Wanted) -> tuple[str, str]:
        return item[0], analyzer_of(item[2])

    for (alert_id, analyzer), items in groupby(sorted(wanted, key=lambda w: (*group(w), w[3])), key=group):
        pairs = list(items)
        for at in range(0, len(pairs), _PAGE):
            ids = [article_id for _, _, _, article_id in pairs[at : at + _PAGE]]
            yield alert_id, _body(pairs[0][1], analyzer, ids)


def _body(query: Query, analyzer: str, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "query": {"bool": {"filter": [{"ids": {"values": list(ids)}}, query]}},
        "size": len(ids),
        "_source": False,
        "highlight": highlighting(analyzer),
        "timeout": TIMEOUT,
    }


def _ask(
    es: Elasticsearch, names: Names, requests: Sequence[tuple[str, dict[str, Any]]]
) -> dict[Place, tuple[Passage, ...]]:
    lines = [line for _, body in requests for line in ({"index": names.articles}, body)]
    try:
        answers = impatient(es).msearch(searches=lines)["responses"]
    except (ApiError, ConnectionTimeout):
        # Highlights are dear to a reader but not worth a match: ask one by one, and go without where that fails too.
        if len(requests) == 1:
            return {}
        return {place: found for request in requests for place, found in _ask(es, names, [request]).items()}
    if len(answers) != len(requests):
        raise AssertionError(f"{len(requests)} questions to _msearch, {len(answers)} answers")
    return {
        (alert_id, hit["_id"]): passages(hit.get("highlight", {}))
        for (alert_id, _), answer in zip(requests, answers, strict=True)
        for hit in answer.get("hits", {}).get("hits", [])
    }


def passages(fragments: Mapping[str, Sequence[str]]) -> tuple[Passage, ...]:
    """Elasticsearch's fragments as passages: title, summary, text. Pure."""
    return tuple(Passage(field, *unmarked(text)) for field in FIELDS for text in fragments.get(field, ()))
