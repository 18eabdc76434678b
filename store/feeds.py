"""Feeds, their state and their leases; every change is a compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from ingest.schedule import WEEK_S
from newswatch.batch import Batch
from newswatch.clock import SKEW
from newswatch.feed import Feed, FeedHealth, FeedState
from newswatch.settings import Settings
from store import bulk
from store.documents import Document, Stored, dump, feed_document, feed_from_document, load, require_id, values
from store.names import Names
from store.reading import every, find, get_stored
from store.times import moment_at


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed with its state and its lease."""

    feed: Feed
    state: FeedState
    lease_batch: int | None = None
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Longest:
    """How far in the future a feed's times can be. A later one was written by a wrong clock."""

    lease: timedelta
    wait: timedelta
    """Between two polls."""

    @classmethod
    def of(cls, settings: Settings) -> Longest:
        """The longest times under these settings, with a tolerance of `SKEW` for clocks that differ."""
        # A wait that a host requested is prolonged by up to a tenth.
        wait_s = 1.1 * max(WEEK_S, settings.poll_max_interval_s, settings.poll_min_interval_s)
        return cls(timedelta(seconds=settings.lease_s) + SKEW, timedelta(seconds=wait_s) + SKEW)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The ids of the feeds that `sync` changed."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    disabled: tuple[str, ...]
    postponed: tuple[str, ...]
    """Another worker wrote the feed meanwhile; the next poll applies the change."""


class FeedStore:
    """The feeds of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.feeds

    def all(self) -> list[FeedRecord]:
        """Every readable feed, by title, as of now."""
        self._es.indices.refresh(index=self._index)
        records = values(every(self._es, self._index), read_feed)
        return sorted(records, key=lambda record: record.feed.title.casefold())

    def sync(self, feeds: Iterable[Feed]) -> SyncReport:
        """Apply the configuration `feeds` to the store; a feed that it no longer lists is disabled and keeps its state.

        A feed whose document can't be read stays unchanged, and is quarantined.

        Raises:
            StoreError: the index can't be written to.
        """
        wanted = {feed.id: feed for feed in feeds}
        self._es.indices.refresh(index=self._index)
        present = self._configurations()
        plan: list[tuple[str, str, Document]] = []
        for feed_id, feed in wanted.items():
            if feed_id not in present:
                document = feed_document(feed, FeedState(feed_id, feed.url))
                plan.append(("added", feed_id, bulk.create(self._index, feed_id, document)))
        changed = [name for name, was in present.items() if name in wanted and was != dump(wanted[name])]
        dropped = [name for name, was in present.items() if name not in wanted and was.get("enabled", True)]
        for was in self._get([*changed, *dropped]):
            if was.id in wanted:
                plan.append(("changed", was.id, bulk.replace(was, _reconfigured(was.value, wanted[was.id]))))
            else:
                document = _leased_document(was.value) | {"enabled": False}
                plan.append(("disabled", was.id, bulk.replace(was, document)))
        return self._carry_out(plan)

    def _configurations(self) -> dict[str, Document]:
        """Feed id → stored configuration, without the state, which `sync` rarely needs: most polls change nothing."""
        hits = every(self._es, self._index, source=list(Feed.__dataclass_fields__))
        return {hit["_id"]: dict(hit["_source"]) for hit in hits}

    def _carry_out(self, plan: list[tuple[str, str, Document]]) -> SyncReport:
        done: dict[str, list[str]] = {name: [] for name in SyncReport.__dataclass_fields__}
        results = bulk.write(self._es, (action for _, _, action in plan))
        for (kind, feed_id, _), result in zip(plan, results, strict=True):
            done[kind if bulk.won(result) else "postponed"].append(feed_id)
        return SyncReport(**{name: tuple(ids) for name, ids in done.items()})

    def due(self, now: datetime, limit: int, longest: Longest | None = None) -> list[Stored[FeedRecord]]:
        """The feeds that are due and not leased, longest overdue first, at most `limit`.

        With `longest`, times too far in the future are ignored, so that a clock that was set back stops no feed: such a
        feed is due, and such a lease has no effect.
        """
        self._es.indices.refresh(index=self._index)
        held = _until("lease_until", "gte", now, longest.lease if longest else None)
        waits = _until("next_poll_at", "gt", now, longest.wait if longest else None)
        # Polled in the future: the clock was set back since, so the next poll that it planned is void.
        ahead = {"range": {"last_poll_at": {"gt": (now + SKEW).isoformat()}}} if longest else {"match_none": {}}
        waits = {"bool": {"filter": [waits], "must_not": [ahead]}}
        gone = {"bool": {"filter": [{"term": {"health": FeedHealth.GONE}}, _until("next_poll_at", "gt", now, None)]}}
        return find(
            self._es,
            self._index,
            read_feed,
            query={"bool": {"filter": [{"term": {"enabled": True}}], "must_not": [held, waits, gone]}},
            sort=[{"next_poll_at": {"order": "asc", "missing": "_first"}}],
            size=min(limit, 10_000),
        )

    def resting(self, now: datetime, longest: Longest | None = None) -> list[FeedState]:
        """The states of the feeds whose hosts requested a pause beyond `now`. Call it after `due`, which refreshes."""
        return self._states(_until("paused_until", "gt", now, longest.wait if longest else None))

    def held(self, now: datetime, longest: Longest | None = None) -> list[FeedState]:
        """The states of the feeds that are leased at `now`. Call it after `due`, which refreshes."""
        return self._states(_until("lease_until", "gte", now, longest.lease if longest else None))

    def _states(self, query: Document) -> list[FeedState]:
        return [record.state for record in values(every(self._es, self._index, query), read_feed)]

    def well(self, *, limit: int = 50) -> list[str]:
        """The URLs of healthy feeds that no batch holds, the most recently successful first."""
        wanted = [{"term": {"enabled": True}}, {"term": {"failures": 0}}, {"exists": {"field": "last_success_at"}}]
        unwanted = [{"exists": {"field": "lease_batch"}}, {"exists": {"field": "paused_until"}}]
        records = find(
            self._es,
            self._index,
            read_feed,
            query={"bool": {"filter": wanted, "must_not": unwanted}},
            sort=[{"last_success_at": "desc"}],
            size=limit,
        )
        return [record.value.state.url for record in records]

    def last_polled(self, now: datetime) -> datetime | None:
        """When any feed was last polled, as of the last refresh; None: never. A time after `now` is a wrong clock's."""
        so_far = {"range": {"last_poll_at": {"lte": now.isoformat()}}}
        aggs = {"last": {"max": {"field": "last_poll_at"}}}
        last = self._es.search(index=self._index, size=0, query=so_far, aggs=aggs)["aggregations"]["last"]["value"]
        return None if last is None else moment_at(last)

    def lease(self, feeds: Sequence[Stored[FeedRecord]], batch: Batch) -> list[str]:
        """Lease the feeds to the batch; the ids of those it got. A feed that another worker took first is missing.

        Raises:
            StoreError: the index can't be written to.
        """
        lease = {"lease_batch": batch.number, "lease_until": batch.lease_until.isoformat()}
        actions = (bulk.replace(was, feed_document(was.value.feed, was.value.state) | lease) for was in feeds)
        return [result.id for result in bulk.write(self._es, actions) if bulk.won(result)]

    def leased(self, batch: Batch) -> list[Stored[FeedRecord]]:
        """The feeds that the batch still holds, in real time."""
        return [feed for feed in self._get(batch.feed_ids) if feed.value.lease_batch == batch.number]

    def _get(self, ids: Sequence[str]) -> list[Stored[FeedRecord]]:
        """The existing, readable feeds among `ids`, in real time."""
        return get_stored(self._es, self._index, ids, read_feed)

    def save(self, polled: Sequence[tuple[Stored[FeedRecord], FeedState]]) -> list[str]:
        """Write the states and end the leases; the ids of the feeds that another worker wrote meanwhile.

        Raises:
            StoreError: the index can't be written to.
        """
        actions = (bulk.replace(was, feed_document(was.value.feed, state)) for was, state in polled)
        return [result.id for result in bulk.write(self._es, actions) if not bulk.won(result)]


@dataclass(frozen=True, slots=True)
class _Lease:
    lease_batch: int | None = None
    lease_until: datetime | None = None


def read_feed(feed_id: str, document: Mapping[str, Any]) -> FeedRecord:
    """The feed record of a document. Pure."""
    feed, state = feed_from_document(document)
    require_id(feed_id, feed.id)
    require_id(feed_id, state.feed_id)
    lease = load(_Lease, {name: document.get(name) for name in _Lease.__dataclass_fields__})
    return FeedRecord(feed, state, lease.lease_batch, lease.lease_until)


def _until(field: str, bound: str, now: datetime, most: timedelta | None) -> Document:
    """The clause that the time in `field` is in the future, at most `most` away."""
    near = {"lte": (now + most).isoformat()} if most else {}
    return {"range": {field: {bound: now.isoformat(), **near}}}


def _leased_document(record: FeedRecord) -> Document:
    document = feed_document(record.feed, record.state)
    if record.lease_until is not None:
        document |= {"lease_batch": record.lease_batch, "lease_until": record.lease_until.isoformat()}
    return document


def _reconfigured(record: FeedRecord, feed: Feed) -> Document:
    """The document under a new configuration. The state is kept unless the URL changed, which makes it meaningless.

    What was not read of the feed is kept in any case: its readers have missed it.
    """
    moved = record.feed.url != feed.url
    afresh = FeedState(feed.id, feed.url, gaps=record.state.gaps, outages=record.state.outages)
    state = afresh if moved else record.state
    lease: dict[str, Any] = {k: v for k, v in _leased_document(record).items() if k.startswith("lease_")}
    return feed_document(feed, state) | lease
