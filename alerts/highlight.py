"""Finds where articles match: passages with the matching characters marked."""

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
"""Documents highlighted by one search, which analyzes each text again."""
_SEARCHES = 20
"""Searches in one `_msearch`."""

Wanted = tuple[str, Query, str | None, str]
"""Id of the saved search, its query, language of the article, id of the article."""
Place = tuple[str, str]
"""Id of the saved search and of the article."""


def highlights(es: Elasticsearch, names: Names, wanted: Iterable[Wanted]) -> dict[Place, tuple[Passage, ...]]:
    """The passages of each pair that has some. A pair whose highlighting fails has none, but stays a match."""
    requests = list(_requests(wanted))
    highlighted: dict[Place, tuple[Passage, ...]] = {}
    for start in range(0, len(requests), _SEARCHES):
        highlighted |= _ask(es, names, requests[start : start + _SEARCHES])
    return highlighted


def _requests(wanted: Iterable[Wanted]) -> Iterable[tuple[str, dict[str, Any]]]:
    """One search for each saved search, language and page of articles."""

    def group(item: Wanted) -> tuple[str, str]:
        return item[0], analyzer_of(item[2])

    for (search_id, analyzer), items in groupby(sorted(wanted, key=lambda w: (*group(w), w[3])), key=group):
        pairs = list(items)
        for start in range(0, len(pairs), _PAGE):
            ids = [article_id for _, _, _, article_id in pairs[start : start + _PAGE]]
            yield search_id, _body(pairs[0][1], analyzer, ids)


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
        # A failed highlight must not cost the match: ask one by one, and go without where that fails too.
        if len(requests) == 1:
            return {}
        singly = (_ask(es, names, [request]) for request in requests)
        return {place: passages_ for answer in singly for place, passages_ in answer.items()}
    if len(answers) != len(requests):
        raise AssertionError(f"{len(requests)} questions to _msearch, {len(answers)} answers")
    return {
        (search_id, hit["_id"]): passages(hit.get("highlight", {}))
        for (search_id, _), answer in zip(requests, answers, strict=True)
        for hit in answer.get("hits", {}).get("hits", [])
    }


def passages(fragments: Mapping[str, Sequence[str]]) -> tuple[Passage, ...]:
    """Elasticsearch's fragments as passages: title, summary, text. Pure."""
    return tuple(Passage(field, *unmarked(text)) for field in FIELDS for text in fragments.get(field, ()))
