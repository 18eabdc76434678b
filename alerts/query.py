"""A saved search as an Elasticsearch query, and a plain word on what is wrong with one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.alert import SavedSearch, TagFilter
from newswatch.errors import QueryError
from search.asking import answering, ask, impatient
from search.limits import TooCostlyError, shown
from search.lucene import as_lucene
from search.query import text_query
from search.syntax import check_signs, pointed_at
from store.generations import create_slice
from store.names import Names

Query = dict[str, Any]

_UNMAPPED = re.compile(r"unmapped fields? \[([^\]]+)\]|failed to find field \[([^\]]+)\]", re.IGNORECASE)


def to_query(search: SavedSearch) -> Query:
    """The query that finds what `search` watches; it only filters, so that nothing need be scored. Pure.

    A phrase finds here what it finds in Kibana: there is no `quote_field_suffix`, which Kibana doesn't set either.

    Raises:
        TooCostlyError: its query asks for more than one may (`search.limits`).
    """
    filters = filters_of(search)
    if search.query.strip():
        filters.append(text_query(search.query))
    return {"bool": {"filter": filters}} if filters else {"match_all": {}}


def marking_query(search: SavedSearch) -> Query:
    """`to_query` for marking what matched in a mail; of a search beyond the limits nothing is marked. Pure."""
    try:
        return to_query(search)
    except TooCostlyError:
        return {"match_none": {}}


def filters_of(search: SavedSearch) -> list[Query]:
    """What `search` asks for beside its words. Pure."""
    if not (search.languages or search.countries or search.sources or search.kinds or search.tags):
        return []  # as most: there may be a hundred thousand of them
    lists = (
        ("language", search.languages),
        ("source.country", search.countries),
        ("source.domain", search.sources),
        ("source.kind", search.kinds),
    )
    filters: list[Query] = [{"terms": {field: list(values)}} for field, values in lists if values]
    return filters + [part for tag in search.tags for part in _tag_filters(tag, search.min_score)]


def _tag_filters(tag: TagFilter, min_score: float) -> list[Query]:
    carried: Query = {"term": {"tags_main" if tag.level == "main" else "tags": tag.tag}}
    return [carried, {"range": {f"scores.{tag.tag}": {"gte": min_score}}}] if min_score > 0 else [carried]


def check(es: Elasticsearch, names: Names, search: SavedSearch) -> None:
    """Refuse a search that Elasticsearch can't run, or whose query names a field that doesn't exist.

    Raises:
        QueryError: with the query and a mark under the place; or a sentence on what it asks too much of.
        StoreError: Elasticsearch is in trouble of its own.
    """
    query = to_query(search)
    _some_slice(es, names)
    ask(es, names.articles, search.query, query=query, size=0, request_cache=False)
    check_signs(as_lucene(search.query))
    with answering(es, names.articles, search.query):
        answer = impatient(es).indices.validate_query(index=names.articles, query=query, explain=True, rewrite=True)
    for explanation in answer.get("explanations", []):
        if found := _UNMAPPED.search(str(explanation)):
            raise QueryError(_no_such_field(search.query, found[1] or found[2]))


def _some_slice(es: Elasticsearch, names: Names) -> None:
    """A query can only be checked against an index: before the first article there is none, so make this month's."""
    if es.indices.exists_alias(name=names.articles):
        return
    create_slice(es, names, f"{datetime.now(UTC):%Y.%m}")


def _no_such_field(query: str, field: str) -> str:
    """A field that isn't mapped matches nothing, in silence: the analyst would wait for mails for ever."""
    at = max(query.find(f"{field}:"), 0)
    told = f"The query names a field {shown(field)} that articles don't have"
    return f"{told}:\n{pointed_at(query, at, at + 1)}"
