"""Edits the short filters of a typed query: adds, excludes and takes away values, one at a time. Pure.

The query is the whole state of a search, so every choice on the page is such an edit. The words stay as typed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from search.filters import FACETS, FILTERS, ONCE
from search.lucene import visible
from search.syntax import Filter, Parsed, places

_DAY: Final = timedelta(days=1)
_BARE: Final = re.compile(r"[\w./@+-]+")
_BARE_TIME: Final = re.compile(r"[\w:-]+")


def written(name: str, *values: str, negated: bool = False) -> str:
    """A filter as it is typed: `lang:fr,de`."""
    return f"{'-' if negated else ''}{name}:{','.join(_written_value(name, value) for value in values)}"


def _written_value(name: str, value: str) -> str:
    # Without quotation marks, letters that are drawn otherwise would be taken for plain ones.
    if (_BARE_TIME if FILTERS[name].is_time else _BARE).fullmatch(value) and visible(value) == value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def same(value: str, other: str) -> bool:
    """Whether two values of a filter are the same one: case does not matter."""
    return value.casefold() == other.casefold()


def with_value(query: Parsed, name: str, value: str) -> str:
    """The query that asks for the value besides.

    Of what an article has one of (its language), any of the values is asked for: `lang:fr,de`. Of what it may have
    several of (topics, names), each: `tag:a tag:b`. A filter that is allowed once replaces the one there is.
    """
    if name in ONCE:
        return _appended(_edited(query, dict.fromkeys(query.of(name), ())), written(name, value))
    if any(_has(one, value) for one in query.of(name) if not one.negated):
        return _edited(query, _lacking(query, name, value, negated=True))
    return _with_value(query, name, value, negated=False)


def excluding(query: Parsed, name: str, value: str) -> str:
    """The query that excludes the value; one that asked for it no longer does."""
    if any(_has(one, value) for one in query.of(name) if one.negated):
        return _edited(query, _lacking(query, name, value, negated=False))
    return _with_value(query, name, value, negated=True)


def without_value(query: Parsed, name: str, value: str) -> str:
    """The query that neither asks for the value nor excludes it; other values of its filter stay."""
    both = {**_lacking(query, name, value, negated=False), **_lacking(query, name, value, negated=True)}
    return _edited(query, both)


def without_filter(query: Parsed, filter_: Filter) -> str:
    """The query without one of its filters."""
    return _edited(query, {filter_: ()})


def instead(query: Parsed, filter_: Filter, value: str) -> str:
    """The query with another value in one of its filters."""
    return _edited(query, {filter_: (value,)})


def without(query: Parsed, *names: str) -> str:
    """The query without the filters of these names."""
    return _edited(query, dict.fromkeys((one for name in names for one in query.of(name)), ()))


def between(query: Parsed, since: str, until: str) -> str:
    """The query with these times in place of its own; an empty one is left open."""
    times = [written(name, value) for name, value in (("since", since), ("until", until)) if value]
    return _appended(without(query, "since", "until"), *times)


def until_before(end: datetime, step: timedelta) -> str:
    """The `until` for a time that ends before `end`, as `until` includes what it names: a minute or a day."""
    return _named(end - (_DAY if _is_days(end, step) else timedelta(minutes=1)), is_day=_is_days(end, step))


def since_from(start: datetime, step: timedelta) -> str:
    """The `since` for a time that starts then; a step of whole days, as they are in UTC, needs no time of day."""
    return _named(start, is_day=_is_days(start, step))


def _is_days(bound: datetime, step: timedelta) -> bool:
    """Whether the filter can name a day: it means days in UTC, and a reader's days may begin at another hour."""
    return step >= _DAY and bound.astimezone(UTC).time() == time()


def _named(moment: datetime, *, is_day: bool) -> str:
    here = moment.astimezone(UTC)
    return here.date().isoformat() if is_day else f"{here.date().isoformat()}T{here:%H:%M}"  # %Y has no leading zeros


def _with_value(query: Parsed, name: str, value: str, *, negated: bool) -> str:
    replaced = dict(_lacking(query, name, value, negated=not negated))
    joins = negated or not (name in FACETS and FACETS[name].many)
    alike = [one for one in query.of(name) if one.negated == negated]
    if joins and alike:
        return _edited(query, replaced | {alike[0]: (*alike[0].values, value)})
    return _appended(_edited(query, replaced), written(name, value, negated=negated))


def _has(filter_: Filter, value: str) -> bool:
    return any(same(value, one) for one in filter_.values)


def _lacking(query: Parsed, name: str, value: str, *, negated: bool) -> dict[Filter, Sequence[str]]:
    """The filters that have the value, each with its other values."""
    having = (one for one in query.of(name) if one.negated == negated and _has(one, value))
    return {one: tuple(other for other in one.values if not same(value, other)) for one in having}


def _appended(query: str, *filters: str) -> str:
    return " ".join(part for part in (query, *filters) if part)


def _edited(query: Parsed, values: dict[Filter, Sequence[str]]) -> str:
    """The query with other values in some of its filters; a filter without values is taken away."""
    text = query.query
    edits = [
        (one.start, one.end, written(one.name, *kept, negated=one.negated)) for one, kept in values.items() if kept
    ]
    edits += [(start, end, "") for one, kept in values.items() if not kept for start, end in places(one)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:] if new else f"{text[:start].rstrip()} {text[end:].lstrip()}"
    return text.strip()
