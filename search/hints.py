"""Why a search found nothing: which of its short filters is to blame, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from elasticsearch import Elasticsearch

from search.asking import TIMEOUT, answering, impatient
from search.filters import FILTERS
from search.query import to_query
from search.syntax import Filter, parse
from store.names import Names

_VALUES = 2_000
"""Looked through for what may have been meant: the most frequent."""
_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """A short filter of a query that found nothing."""

    filter: str
    """As typed."""
    alone: int
    """How many articles it finds by itself."""
    without: int
    """How many articles the query finds without it."""
    meant: tuple[str, ...] = ()
    """Values like those typed, if it finds no article by itself."""


def hints(es: Elasticsearch, names: Names, query: str, now: datetime) -> tuple[Hint, ...]:
    """A hint for each short filter of the query that could be run.

    Raises:
        QueryError: the query can't be parsed, or not be answered in time.
        StoreError: Elasticsearch is in trouble of its own.
    """
    parsed = parse(query)
    if not parsed.filters:
        return ()
    asked = []
    for one in parsed.filters:
        others = tuple(other for other in parsed.filters if other is not one)
        asked += [replace(parsed, text="", filters=(one,)), replace(parsed, filters=others)]
    lines = [line for one in asked for line in ({"index": names.articles}, _counting(to_query(one, now)))]
    with answering(es, names.articles, query):
        answers = impatient(es).msearch(searches=lines)["responses"]
    pairs = zip(parsed.filters, map(_counted, answers[::2]), map(_counted, answers[1::2]), strict=True)
    return tuple(
        Hint(parsed.query[one.start : one.end], alone, without, () if alone else _meant(es, names, one))
        for one, alone, without in pairs
        if alone is not None and without is not None
    )


def _counted(answer: Mapping[str, Any]) -> int | None:
    """How many the answer counts; None if it counts none or not all, which is no ground for a hint."""
    if "error" in answer or answer.get("timed_out"):
        return None
    return int(answer["hits"]["total"]["value"])


def _counting(query: dict[str, object]) -> dict[str, object]:
    return {"query": query, "size": 0, "track_total_hits": True, "timeout": TIMEOUT}


def _meant(es: Elasticsearch, names: Names, one: Filter) -> tuple[str, ...]:
    """Values that articles have and that are like those of the filter."""
    field = FILTERS[one.name].field
    if field is None:
        return ()
    count = {"terms": {"field": field, "size": _VALUES}}
    answer = es.search(index=names.articles, size=0, aggs={"values": count})
    return like(one.values, [bucket["key"] for bucket in answer["aggregations"]["values"]["buckets"]])


def like(typed: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
    """Those of `values` that hold what was typed, or else are spelt much like it, the first first. Pure."""
    folded = {value.casefold(): value for value in values}
    found: list[str] = []
    for word in (word.casefold() for word in typed):
        near = [value for value in folded if word in value] or get_close_matches(word, folded, _SUGGESTED)
        found += [folded[value] for value in near[:_SUGGESTED]]
    return tuple(dict.fromkeys(found))
