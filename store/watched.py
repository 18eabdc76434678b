"""Reads what was watched and what was not: the feeds' outages and gaps, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.feed import Gap
from newswatch.outages import Cause, History
from store.elastic.documents import load, require_id, values
from store.elastic.reading import every
from store.names import Names
from store.outages import OutageStore

_PAGE: Final = 10_000
"""Feeds in one answer: as many as an index gives by default. They are a few hundred bytes each."""


@dataclass(frozen=True, slots=True)
class WatchedFeed:
    """What the readers of a feed's articles have to know of it."""

    id: str
    title: str
    url: str
    site: str | None = None
    country: str | None = None
    kind: str = "press"
    last_poll_at: datetime | None = None
    """None: it was never polled."""
    outages: History = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that was watched, up to a moment."""

    at: datetime
    feeds: tuple[WatchedFeed, ...] = ()
    """Those that are polled, by title."""
    own: Mapping[Cause, History] = field(default_factory=dict)
    """When newswatch itself stood still."""


_STATE: Final = ("outages", "gaps")
_OWN: Final = tuple(name for name in WatchedFeed.__dataclass_fields__ if name not in _STATE)


def read_watched(es: Elasticsearch, names: Names, now: datetime) -> Watched:
    """What was watched until `now`. It costs about five requests for each ten thousand feeds.

    A feed that can't be read is quarantined, and missing: it is not polled either.

    Raises:
        StoreError, elasticsearch's errors: an index can't be read.
    """
    es.indices.refresh(index=names.feeds)
    source = [*_OWN, *(f"state.{name}" for name in _STATE)]
    hits = every(es, names.feeds, {"term": {"enabled": True}}, size=_PAGE, source=source)
    feeds = sorted(values(hits, _read_feed), key=lambda feed: feed.title.casefold())
    return Watched(now, tuple(feeds), OutageStore(es, names).read())


def _read_feed(feed_id: str, document: Mapping[str, Any]) -> WatchedFeed:
    fields = {name: document[name] for name in _OWN if name in document}
    state = document.get("state", {})
    feed = load(WatchedFeed, fields | {name: state[name] for name in _STATE if name in state})
    require_id(feed_id, feed.id)
    return feed
