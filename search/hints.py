"""Explains an empty result: which short filter excludes everything, and which values were probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from search import personal
from search.asked import required, to_query, understood
from search.asking import TIMEOUT, answering, impatient
from search.filters import ADDING, FILTERS
from search.missing import missing_in
from search.syntax import Filter
from store.names import Names

_VALUES = 2_000
"""Number of values, the most frequent ones, that suggestions come from."""
_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """A short filter of a query that found nothing."""

    filter: str
    """As typed."""
    alone: int
    """Number of articles that the filter alone finds."""
    without: int
    """Number of articles that the query finds without the filter."""
    meant: tuple[str, ...] = ()
    """Similar values, if the filter alone finds nothing."""


def hints(es: Elasticsearch, names: Names, query: str, now: datetime, reader: str = "") -> tuple[Hint, ...]:
    """A hint for each short filter of the query whose counts are known. `reader` is who asks.

    Raises:
        QueryError: the query can't be parsed, or takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed = understood(query, names)
    parsed = replace(parsed, filters=tuple(one for one in parsed.filters if one.name not in ADDING))
    if not parsed.filters:
        return ()
    own, asked = personal.clauses(es, names, reader, parsed, now), []
    for filter_ in parsed.filters:
        others = tuple(other for other in parsed.filters if other is not filter_)
        asked += [replace(parsed, text="", words=(), filters=(filter_,)), replace(parsed, filters=others)]
    lines = [
        line
        for part in asked
        for line in ({"index": names.articles}, _counting(to_query(part, now, required(part, names), own)))
    ]
    with answering(es, names.articles, query):
        answers = impatient(es).msearch(searches=lines)["responses"]
    counted = []
    for filter_, of_alone, of_others in zip(parsed.filters, answers[::2], answers[1::2], strict=True):
        alone, without = _counted(of_alone), _counted(of_others)
        if alone is not None and without is not None:
            meant = () if alone else _meant(es, names, filter_)
            counted.append(Hint(parsed.query[filter_.start : filter_.end], alone, without, meant))
    return tuple(counted)


def has_articles(es: Elasticsearch, names: Names) -> bool:
    """Whether there is any article, or a slice that can't be searched and may have some."""
    try:
        answer = impatient(es).search(index=names.articles, size=0, terminate_after=1, track_total_hits=1)
    except NotFoundError:
        return False
    return bool(answer["hits"]["total"]["value"] or missing_in(answer.body))


def _counted(answer: Mapping[str, Any]) -> int | None:
    """The count in an answer; None after an error, a time-out or without a slice, which give no basis for a hint."""
    if "error" in answer or answer.get("timed_out") or missing_in(answer):
        return None
    return int(answer["hits"]["total"]["value"])


def _counting(query: dict[str, object]) -> dict[str, object]:
    return {"query": query, "size": 0, "track_total_hits": True, "timeout": TIMEOUT}


def _meant(es: Elasticsearch, names: Names, filter_: Filter) -> tuple[str, ...]:
    """Existing values that are similar to those of the filter."""
    field = FILTERS[filter_.name].field
    if field is None:
        return ()
    count = {"terms": {"field": field, "size": _VALUES}}
    answer = es.search(index=names.articles, size=0, aggs={"values": count})
    return like(filter_.values, [bucket["key"] for bucket in answer["aggregations"]["values"]["buckets"]])


def like(typed: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
    """The values that contain what was typed, otherwise those with a similar spelling, in order. Pure."""
    folded = {value.casefold(): value for value in values}
    similar: list[str] = []
    for word in (word.casefold() for word in typed):
        near = [value for value in folded if word in value] or get_close_matches(word, folded, _SUGGESTED)
        similar += [folded[value] for value in near[:_SUGGESTED]]
    return tuple(dict.fromkeys(similar))
