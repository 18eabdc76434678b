"""Subscriptions to hubs, and what hubs have pushed and nobody has read yet."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from elasticsearch import Elasticsearch

from ingest.polling.hubs import Subscription
from newswatch.feed import FeedState
from store.elastic import bulk
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, values
from store.elastic.reading import every, find, get_hit, get_one
from store.feeds import FeedRecord, read_feed
from store.names import Names

MOST_WAITING: Final = 1_000
"""Pushes that may wait to be read; beyond that hubs are told to come again later."""
EACH_WAITING: Final = 20
"""The same of one feed, so that one hub can't take the room of all."""
MOST_BYTES: Final = 200_000_000
"""Bytes of their bodies together, since a thousand of five megabytes would fill a small disk."""
_BELL: Final = "bell"


Change = Callable[[Subscription | None], Subscription | None]


@dataclass(frozen=True, slots=True)
class Push:
    """A document that a hub has pushed."""

    feed_id: str
    at: datetime
    content_type: str
    body: bytes


class HubStore:
    """The subscriptions and pushes of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index, self._feeds = es, names.lane, names.feeds

    # ── subscriptions ────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, feed_id: str) -> Subscription | None:
        """The feed's subscription, in real time.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._get(feed_id)
        return found.value if found else None

    def all(self) -> dict[str, Subscription]:
        """Feed id → its subscription, as of now."""
        self._es.indices.refresh(index=self._index)
        hits = every(self._es, self._index, {"term": {"kind": "subscription"}})
        return {found.feed_id: found for found in values(hits, _subscription)}

    def change(self, feed_id: str, changed: Change) -> Subscription | None:
        """Replace the subscription by what `changed` makes of it, whoever else writes; None: it stays as it is.

        Raises:
            StoreError: others keep writing it.
        """

        def attempt() -> tuple[Subscription | None] | None:
            was = self._get(feed_id)
            now = changed(was.value if was else None)
            if now is None:
                return (None,)
            document = {"kind": "subscription"} | dump(now)
            return (now,) if put(self._es, self._index, _id(feed_id), now, document, was) else None

        (done,) = until_written(attempt, lambda: f"The subscription of {feed_id} keeps being changed: try again.")
        return done

    def offers(self) -> dict[str, FeedState]:
        """Feed id → state of the enabled feeds that name a hub, as of the last refresh."""
        query = {"bool": {"filter": [{"term": {"enabled": True}}, {"exists": {"field": "hub"}}]}}
        records: Iterable[FeedRecord] = values(every(self._es, self._feeds, query), read_feed)
        return {record.feed.id: record.state for record in records}

    def _get(self, feed_id: str) -> Stored[Subscription] | None:
        return get_one(self._es, self._index, _id(feed_id), _subscription)

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def keep(self, push: Push) -> bool:
        """Keep a push until it is read, and ring the bell; False: too many wait, of this feed or of all, or too much.

        Raises:
            elasticsearch's errors: it is not kept.
        """
        if not self._has_room(push):
            return False
        document = {
            "kind": "push",
            "feed_id": push.feed_id,
            "at": push.at.isoformat(),
            "content_type": push.content_type,
            "body": base64.b64encode(push.body).decode(),
            "bytes": len(push.body),
        }
        self._es.create(index=self._index, id=f"push~{uuid.uuid4().hex}", document=document)
        self._es.index(index=self._index, id=_BELL, document={"kind": "bell", "at": push.at.isoformat()})
        return True

    def _has_room(self, push: Push) -> bool:
        its_own = {"filter": {"term": {"feed_id": push.feed_id}}}
        answer = self._es.search(
            index=self._index,
            query={"term": {"kind": "push"}},
            size=0,
            track_total_hits=True,
            aggs={"bytes": {"sum": {"field": "bytes"}}, "its_own": its_own},
        )
        waiting, found = answer["hits"]["total"]["value"], answer["aggregations"]
        fits = found["bytes"]["value"] + len(push.body) <= MOST_BYTES
        return bool(fits and waiting < MOST_WAITING and found["its_own"]["doc_count"] < EACH_WAITING)

    def rung(self) -> int:
        """A number that changes when the bell rings; in real time, and cheap."""
        hit = get_hit(self._es, self._index, _BELL)
        return int(hit["_seq_no"]) if hit else -1

    def waiting(self, limit: int, *, but: Collection[str] = ()) -> list[Stored[Push]]:
        """The first pushes that nobody has read, oldest first, without those of the feeds `but`."""
        self._es.indices.refresh(index=self._index)
        others = {"terms": {"feed_id": list(but)}}
        query = {"bool": {"filter": {"term": {"kind": "push"}}, "must_not": others}}
        return find(self._es, self._index, _push, query=query, size=limit, sort=[{"at": "asc"}])

    def done(self, pushes: Sequence[Stored[Push]]) -> None:
        """Forget pushes that were read.

        Raises:
            StoreError: the index can't be written to; they are read again.
        """
        for result in bulk.write(self._es, [bulk.delete(push) for push in pushes]):
            bulk.won(result)


def _id(feed_id: str) -> str:
    return f"subscription~{feed_id}"


def _subscription(_: str, document: Mapping[str, Any]) -> Subscription:
    return load(Subscription, {name: value for name, value in document.items() if name != "kind"})


def _push(_: str, document: Mapping[str, Any]) -> Push:
    return Push(
        document["feed_id"],
        datetime.fromisoformat(document["at"]),
        document["content_type"],
        base64.b64decode(document["body"], validate=True),
    )
