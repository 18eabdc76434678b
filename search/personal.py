"""The filters whose answer depends on who asks (`is:new`, `is:starred`, …), as Elasticsearch clauses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.desk import OVERLAP, looked
from newswatch.errors import QueryError
from search.asking import count
from search.filter_clauses import Own
from search.syntax import Parsed
from search.time_spans import span
from store.desk import MOST, DeskStore, Found
from store.names import Names

Clause = dict[str, Any]

_CLOCKS: Final = timedelta(days=1)
"""How far publishers' clocks may be ahead: an article may have been read so long before its own time."""


def clauses(
    es: Elasticsearch, names: Names, reader: str, parsed: Parsed, now: datetime, begun: datetime | None = None
) -> Own:
    """Value of each personal filter in the query → its clause for `reader`; none without a reader.

    On a later page of results, whose first one was read when they had `begun`, what he has opened since is unread.

    Raises:
        QueryError: the reader has marked more articles than one query can name.
        StoreError, elasticsearch's errors: his desk can't be read.
    """
    asked = {value for filter_ in parsed.personal for value in filter_.values if value in _MADE}
    if not reader or not asked:
        return {}
    store = DeskStore(es, names)
    store.refresh()
    return {value: _MADE[value](store, reader, parsed, now, begun) for value in sorted(asked)}


def new_since(since: datetime) -> Clause:
    """The clause for what was indexed since a visit that ended then. Pure."""
    return {"range": {"indexed_at": {"gt": (since - OVERLAP).isoformat()}}}


def new_now(store: DeskStore, reader: str, now: datetime) -> Clause:
    """`new_since` his last visit for a reader who looks now, which may begin a new one."""
    return new_since(looked(store.read(reader, ()).look, reader, now).since)


def _new(store: DeskStore, reader: str, _parsed: Parsed, now: datetime, _begun: datetime | None) -> Clause:
    return new_now(store, reader, now)


def _unread(store: DeskStore, reader: str, parsed: Parsed, now: datetime, begun: datetime | None) -> Clause:
    """What was published since a day can't have been read before it, so fewer articles have to be named."""
    day = parsed.first("since")
    since = span(day, now)[0] - _CLOCKS if day else None
    return {"bool": {"must_not": [_these(store.marked(reader, "read_at", since, begun), "is:unread")]}}


def _starred(store: DeskStore, reader: str, _parsed: Parsed, _now: datetime, _begun: datetime | None) -> Clause:
    return _these(store.marked(reader, "starred_at"), "is:starred")


def _noted(store: DeskStore, reader: str, _parsed: Parsed, _now: datetime, _begun: datetime | None) -> Clause:
    return _these(store.marked(reader, "noted_at"), "is:noted")


def _mine(store: DeskStore, reader: str, _parsed: Parsed, _now: datetime, _begun: datetime | None) -> Clause:
    return _these(store.held(reader), "is:mine")


_MADE: Final[Mapping[str, Callable[[DeskStore, str, Parsed, datetime, datetime | None], Clause]]] = {
    "new": _new,
    "unread": _unread,
    "starred": _starred,
    "noted": _noted,
    "mine": _mine,
}


def _these(found: Found, asked: str) -> Clause:
    if found.total > MOST:
        told = f"{asked} would have to name {found.total:,} articles, and {MOST:,} is the most"
        step = "Narrow it by a time, such as since:7d." if asked == "is:unread" else "Take marks off old ones."
        raise QueryError(f"{told}. {step}")
    return {"ids": {"values": [*found.ids]}}


def count_new(es: Elasticsearch, names: Names, since: datetime) -> int:
    """The number of articles that `is:new` finds for a reader whose last visit ended at `since`.

    Raises:
        QueryError: it takes too long.
        StoreError, elasticsearch's errors: the index can't be read.
    """
    try:
        return count(es, names.articles, "is:new", new_since(since))
    except NotFoundError:
        return 0  # no article was ever indexed
