"""Converts between a feed with its state and its document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from newswatch.feed import Feed, FeedState
from store.elastic.documents import Document, dump, load

_SHOWN = (
    "next_poll_at",
    "paused_until",
    "health",
    "health_since",
    "health_why",
    "failures",
    "last_poll_at",
    "last_success_at",
    "last_new_at",
    "last_status",
    "last_error",
    "interval_s",
    "new_articles",
    "hub",
)


def feed_document(feed: Feed, state: FeedState) -> Document:
    """A feed's document without a lease: writing it gives the feed back."""
    remembered = dump(state)
    return dump(feed) | {name: remembered[name] for name in _SHOWN if name in remembered} | {"state": remembered}


def feed_from_document(document: Mapping[str, Any]) -> tuple[Feed, FeedState]:
    """The feed and its state."""
    names = Feed.__dataclass_fields__
    return load(Feed, {k: v for k, v in document.items() if k in names}), load(FeedState, document["state"])
