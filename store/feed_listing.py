"""What a list of feeds changes of the stored ones: the file's against those in Elasticsearch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.urls import article_id
from newswatch.feed import Feed, FeedState
from store.elastic.documents import Document, dump
from store.feed_documents import feed_document

if TYPE_CHECKING:
    from store.feeds import FeedRecord


def compared(present: Mapping[str, Document], wanted: Mapping[str, Feed]) -> dict[str, str]:
    """Stored feed → what the file changes of it: "changed" or "disabled"; the others are missing. Pure."""
    beside = any(was.get("origin") == "store" for was in present.values())
    addresses = {article_id(feed.url) for feed in wanted.values()} if beside else set()
    outcome: dict[str, str] = {}
    for feed_id, was in present.items():
        origin, enabled = was.get("origin", "file"), was.get("enabled", True)
        if feed_id in wanted:
            as_in_file = {"read": "feed", "state_media": False, "fast": False} | was | {"origin": "file"} == dump(
                wanted[feed_id]
            )
            # What was edited in Elasticsearch is the file's again once the file says the same.
            if {"file": not as_in_file, "store": True, "edited": as_in_file, "removed": False}[origin]:
                outcome[feed_id] = "changed"
        elif origin == "removed" or (origin == "edited" and not enabled):
            outcome[feed_id] = "changed"
        elif enabled and (origin in ("file", "edited") or address_of(was) in addresses):
            outcome[feed_id] = "disabled"
    return outcome


def listed_beside(file: Iterable[Feed], stored: Iterable[Feed]) -> tuple[Feed, ...]:
    """The feeds that are listed after a `sync` of the file: Elasticsearch removed, edited or added some. Pure."""
    stored = tuple(stored)
    removed = {feed.id for feed in stored if feed.origin == "removed"}
    edited = {feed.id: feed for feed in stored if feed.origin == "edited"}
    named = tuple(file)
    ids, addresses = {feed.id for feed in named}, {article_id(feed.url) for feed in named}
    beside = (feed for feed in stored if feed.origin == "store" and feed.enabled and feed.id not in ids)
    return (
        *(edited.get(feed.id, feed) for feed in named if feed.id not in removed),
        *(feed for feed in beside if article_id(feed.url) not in addresses),
    )


def address_of(was: Mapping[str, Any]) -> str:
    """What tells two stored addresses apart; the address itself if it was edited to something that is none."""
    url = str(was.get("url", ""))
    try:
        return article_id(url)
    except ValueError:
        return url


def record_document(record: FeedRecord) -> Document:
    """The document of a feed with its state and its lease."""
    document = feed_document(record.feed, record.state)
    if record.lease_until is not None:
        document |= {"lease_batch": record.lease_batch, "lease_until": record.lease_until.isoformat()}
    return document


def reconfigured(record: FeedRecord, feed: Feed) -> Document:
    """The document under a new configuration. The state is kept unless the URL changed, or what it leads to.

    Under another rule the document is read again, though it may be unchanged.

    What was not read of the feed is kept in any case: its readers have missed it.
    """
    moved = (record.feed.url, record.feed.read) != (feed.url, feed.read)
    afresh = FeedState(feed.id, feed.url, gaps=record.state.gaps, outages=record.state.outages)
    state = afresh if moved else record.state
    if record.feed.rule != feed.rule:
        state = replace(state, etag=None, last_modified=None, body_hash=None, next_poll_at=None)
    lease: dict[str, Any] = {k: v for k, v in record_document(record).items() if k.startswith("lease_")}
    return feed_document(feed, state) | lease
