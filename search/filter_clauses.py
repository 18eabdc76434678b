"""The short filters of a query as Elasticsearch clauses. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from search.filters import ADDING, FILTERS, TIMES, Personal, State, fields_of, on_scale
from search.syntax import Filter, Parsed
from search.syntax_error import QuerySyntaxError
from search.time_spans import span

Clause = dict[str, Any]
Own = Mapping[str, Clause]
"""Value of a personal filter → its clause for the reader who asks (`search.personal`); empty where nobody is known."""


def clauses(parsed: Parsed, now: datetime, own: Own | None = None) -> tuple[list[Clause], list[Clause]]:
    """The short filters as Elasticsearch clauses: those that must match, and those that must not.

    Raises:
        QuerySyntaxError: a filter depends on who asks, and `own` does not have it; or `until:` is before `since:`.
    """
    level = parsed.first("level")
    _check_range(parsed, now)
    must: list[Clause] = []
    must_not: list[Clause] = []
    for filter_ in parsed.filters:
        if filter_.name != "level" and filter_.name not in ADDING:
            (must_not if filter_.negated else must).append(_clause(parsed, filter_, level, now, own or {}))
    if level and not any(not f.negated for f in parsed.of("tag")):
        must.append({"exists": {"field": "tags_main" if level == "main" else "tags"}})
    return must, must_not


def _check_range(parsed: Parsed, now: datetime) -> None:
    since, until = parsed.of("since"), parsed.of("until")
    if not (since and until):
        return
    begin, (first, end) = span(since[0].values[0], now)[0], span(until[0].values[0], now)
    if begin > end or (begin == end and end > first):
        fault = "until: ends before since: begins, so no article can match: exchange them."
        raise QuerySyntaxError(parsed.query, until[0].start, until[0].end, fault)


def clause_of(name: str, value: str, level: str | None) -> Clause:
    """The clause for one value of a filter that takes no time, and does not depend on who asks."""
    return _value_clause(Filter(name, (value,), negated=False, start=0, end=0), level, value, {})


def _clause(parsed: Parsed, filter_: Filter, level: str | None, now: datetime, own: Own) -> Clause:
    if filter_.name not in TIMES:
        return _value_clause(filter_, level, parsed.query, own)
    start, end = span(filter_.values[0], now)
    if filter_.name == "since":
        return {"range": {"time": {"gte": start.isoformat()}}}
    return {"range": {"time": {"lt" if end > start else "lte": end.isoformat()}}}


def _value_clause(filter_: Filter, level: str | None, query: str, own: Own) -> Clause:
    values = list(filter_.values)
    match filter_.name:
        case "tag":
            # A negated tag must be absent at every level.
            main = level == "main" and not filter_.negated
            return {"terms": {"tags_main" if main else "tags": [value.lower() for value in values]}}
        case "source":
            return _any([clause for value in values for clause in _source(value)])
        case "entity":
            return _any([{"terms": {"entities": values}}, {"terms": {"entity_ids": [_as_id(v) for v in values]}}])
    if FILTERS[filter_.name].scale:
        return _graded(filter_)
    states = [state for value in values if (state := _state(query, filter_, value, own))]
    if states:
        return _any(states)
    return {"terms": {fields_of(filter_.name): [FILTERS[filter_.name].case(value) for value in values]}}


def _graded(filter_: Filter) -> Clause:
    """The clause for values of a scale; what has none counts as its last."""
    field, scale = fields_of(filter_.name), FILTERS[filter_.name].scale
    asked = {one for value in filter_.values for one in on_scale(filter_.name, value)}
    clause: Clause = {"terms": {field: [one for one in scale if one in asked]}}
    return _any([clause, {"bool": {"must_not": [{"exists": {"field": field}}]}}]) if scale[-1] in asked else clause


def _state(query: str, filter_: Filter, value: str, own: Own) -> Clause | None:
    """The clause of a value with a meaning of its own; None if it has none."""
    match FILTERS[filter_.name].choices.get(value):
        case State(clause):
            return dict(clause)
        case Personal(what):
            if value not in own:
                fault = f"{filter_.name}:{value} asks for {what}: only the News page knows who asks."
                raise QuerySyntaxError(query, filter_.start, filter_.end, fault)
            return dict(own[value])
    return None


def _any(clauses_: list[Clause]) -> Clause:
    return clauses_[0] if len(clauses_) == 1 else {"bool": {"should": clauses_, "minimum_should_match": 1}}


def _source(value: str) -> list[Clause]:
    below = "*." + re.sub(r"([*?\\])", r"\\\1", value.lower())
    return [
        {"term": {"source.domain": value.lower()}},
        {"wildcard": {"source.domain": {"value": below}}},
        {"term": {"source.name": value}},
    ]


def _as_id(name: str) -> str:
    return re.sub(r"\s+", "-", name.strip().lower())
