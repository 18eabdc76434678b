"""Converts a saved search to an Elasticsearch query, and checks that Elasticsearch can run it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.alert import SavedSearch, TagFilter
from newswatch.errors import QueryError
from newswatch.languages import languages
from newswatch.reliability import at_least
from search.asked import text_query
from search.asking import answering, ask, impatient
from search.hints import like
from search.limits import TooCostlyError, shown
from search.lucene import as_lucene, visible
from search.missing import whole
from search.senses import with_entities
from search.syntax import bare_words, check_signs, parts
from search.syntax_error import QuerySyntaxError, pointed_at
from store.generations import create_slice
from store.names import Names

Query = dict[str, Any]

_VALUES = 2_000
"""Number of values, the most frequent ones, that are known to exist."""
_UNMAPPED = re.compile(r"unmapped fields? \[([^\]]+)\]|failed to find field \[([^\]]+)\]", re.IGNORECASE)


def to_query(search: SavedSearch) -> Query:
    """The Elasticsearch query of `search`. It consists of filters only, so that nothing is scored. Pure.

    A phrase matches the same as in Kibana, which sets no `quote_field_suffix` either.

    Raises:
        TooCostlyError: its query exceeds the limits of a query (`search.limits`).
    """
    filters = filters_of(search)
    if search.query.strip():
        filters.append(text_query(search.query))
    return {"bool": {"filter": filters}} if filters else {"match_all": {}}


def marking_query(search: SavedSearch) -> Query:
    """`to_query` for highlighting in a mail; nothing is highlighted for a query beyond the limits. Pure."""
    try:
        return to_query(search)
    except TooCostlyError:
        return {"match_none": {}}


def filters_of(search: SavedSearch) -> list[Query]:
    """The filters of `search`, without its query. Pure."""
    if not (
        search.languages or search.countries or search.sources or search.kinds or search.tags or search.min_reliability
    ):
        return []  # the common case, with up to 100,000 searches
    lists = (
        ("language", search.languages),
        ("source.country", search.countries),
        ("source.domain", search.sources),
        ("source.kind", search.kinds),
        ("source.reliability", at_least(search.min_reliability) if search.min_reliability else ()),
    )
    filters: list[Query] = [{"terms": {field: list(values)}} for field, values in lists if values]
    return filters + [part for tag in search.tags for part in _tag_filters(tag, search.min_score)]


def _tag_filters(tag: TagFilter, min_score: float) -> list[Query]:
    carried: Query = {"term": {"tags_main" if tag.level == "main" else "tags": tag.tag}}
    return [carried, {"range": {f"scores.{tag.tag}": {"gte": min_score}}}] if min_score > 0 else [carried]


def check(es: Elasticsearch, names: Names, search: SavedSearch) -> None:
    """Check that Elasticsearch can run the search, and that its query names only existing fields.

    Raises:
        QueryError: it can't be run; the message points at the place in the query, or says what it has too much of.
        StoreError: Elasticsearch is unavailable.
    """
    query = to_query(search)
    _some_slice(es, names)
    ask(es, names.articles, search.query, lacking=[], query=query, size=0, request_cache=False)
    check_signs(as_lucene(search.query))
    with answering(es, names.articles, search.query):
        answer = impatient(es).indices.validate_query(index=names.articles, query=query, explain=True, rewrite=True)
    for explanation in answer.get("explanations", []):
        if unmapped := _UNMAPPED.search(str(explanation)):
            raise QueryError(_unknown_field(search.query, unmapped[1] or unmapped[2]))


def check_values(es: Elasticsearch, names: Names, search: SavedSearch) -> None:
    """Check that what the search asks for exists: a misspelt topic, language or outlet would match nothing, silently.

    So is what its query names in these fields: `tags:("a" OR "b")`, which a typed `tag:a,b` becomes. What an article
    carries exists, too: a topic may have left the taxonomy. An outlet that resembles none may come yet.

    Raises:
        QueryError: a value does not exist; the message says which one was probably meant.
        StoreError: Elasticsearch is unavailable.
    """
    topics, named = names.shown_topics().paths, _named_values(search.query)
    tags = [*(tag.tag for tag in search.tags), *named["tags"], *named["tags_main"]]
    asked = (
        ("topic", "tags", tags, topics, bool(topics)),
        ("language", "language", [*search.languages, *named["language"]], (*languages(),), True),
        ("outlet", "source.domain", [*search.sources, *named["source.domain"]], (), False),
    )
    for kind, field, values, known, is_complete in asked:
        unknown = [value for value in dict.fromkeys(values) if value not in known]
        if unknown:
            _check_known(es, names, kind, field, unknown, known, is_complete=is_complete)


_NAMED = re.compile(r"(tags|tags_main|language|source\.domain):(?![\[{<>/])(.+)", re.DOTALL)
_NAMED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s()"]+)')
_NO_VALUE = re.compile(r"AND|OR|NOT|&&|\|\||.*[*?~^].*")


def _named_values(query: str) -> Mapping[str, list[str]]:
    """Field → the whole values that a query in Lucene's syntax names in it."""
    named: dict[str, list[str]] = defaultdict(list)
    for part in filter(None, map(_NAMED.fullmatch, parts(as_lucene(query)))):
        for quoted, bare in _NAMED_VALUE.findall(part[2]):
            if quoted or not _NO_VALUE.fullmatch(bare):
                named[part[1]].append(re.sub(r"\\(.)", r"\1", quoted or bare.lstrip("+-!")))
    return named


def check_meaning(names: Names, query: str) -> None:
    """Check that no word of a saved search's query means an entity, as it does in a search: `IS` would match "is".

    For a query that a person writes. One that is saved already keeps its meaning, which is Kibana's.

    Raises:
        QueryError: a word does; the message says how to write the entity, and how the word.
    """
    lucene = as_lucene(query)
    for start, end in bare_words(lucene):
        word = lucene[start:end]
        meant = with_entities(word, names.taxonomy_in_force())
        if meant != word:
            fault = f"A search takes {word} for a name, a saved search for the word: write {meant} for the name"
            raise QuerySyntaxError(visible(query), start, end, f'{fault}, or "{word}" in quotation marks for the word.')


def _check_known(
    es: Elasticsearch,
    names: Names,
    kind: str,
    field: str,
    values: Sequence[str],
    known: Sequence[str],
    *,
    is_complete: bool,
) -> None:
    _some_slice(es, names)
    count = {"values": {"terms": {"field": field, "size": _VALUES}}}
    with answering(es, names.articles, ", ".join(values)):
        answer = whole(impatient(es).search(index=names.articles, size=0, aggs=count).body)
    carried = [str(bucket["key"]) for bucket in answer["aggregations"]["values"]["buckets"]]
    for value in values:
        meant = like([value], dict.fromkeys((*known, *carried)))
        if value not in carried and not any(one.endswith(f".{value}") for one in carried) and (meant or is_complete):
            question = f": did you mean {' or '.join(meant)}?" if meant else "."
            raise QueryError(f"There is no {kind} {shown(value)}{question}")


def _some_slice(es: Elasticsearch, names: Names) -> None:
    """Create this month's slice if there is none yet, because a query can only be checked against an index."""
    if es.indices.exists_alias(name=names.alias):
        return
    create_slice(es, names, f"{datetime.now(UTC):%Y.%m}")


def _unknown_field(query: str, field: str) -> str:
    """The message for an unmapped field. It would silently match nothing, and the analyst would wait for mails."""
    start = max(query.find(f"{field}:"), 0)
    fault = f"The query names a field {shown(field)} that articles don't have"
    return f"{fault}:\n{pointed_at(query, start, start + 1)}"
