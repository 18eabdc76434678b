"""Feeds, their state and their leases; every change is a compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch

from ingest.polling.rhythm import WEEK_S
from ingest.urls import article_id
from newswatch.batch import Batch
from newswatch.clock import SKEW
from newswatch.feed import Feed, FeedHealth, FeedState
from newswatch.settings import Settings
from store.applied import apply_again
from store.configuration import FEEDS
from store.elastic import bulk
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Document, Stored, load, require_id, values
from store.elastic.reading import every, find, get_one, get_stored
from store.elastic.times import moment_at
from store.feed_documents import feed_document, feed_from_document
from store.feed_listing import address_of, compared, reconfigured, record_document
from store.names import Names


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


_BUSY = "Feed {} keeps being changed by others: try again."


class FeedStore:
    """The feeds of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.feeds

    def is_empty(self) -> bool:
        """Whether no feed was ever listed, as of the last refresh."""
        return not self._es.count(index=self._index, terminate_after=1)["count"]

    def all(self) -> list[FeedRecord]:
        """Every readable feed, by title, as of now."""
        self._es.indices.refresh(index=self._index)
        records = values(every(self._es, self._index), read_feed)
        return sorted(records, key=lambda record: record.feed.title.casefold())

    def get(self, feed_id: str) -> FeedRecord | None:
        """The feed, in real time; None if it does not exist.

        Raises:
            DocumentError: its document can't be read.
        """
        stored = get_one(self._es, self._index, feed_id, read_feed)
        return stored.value if stored else None

    def sync(self, feeds: Iterable[Feed]) -> SyncReport:
        """Apply the configuration `feeds` to the store; a feed that it no longer lists is disabled and keeps its state.

        The file wins for the feeds that it names, save those that were edited or removed in Elasticsearch, which stay
        so while the file names them. Feeds that are listed only in Elasticsearch stay beside it, unless the file has
        one of the same address. A feed whose document can't be read stays unchanged, and is quarantined.

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
        outcome = compared(present, wanted)
        for was in self._get(list(outcome)):
            kind, feed = outcome[was.id], was.value.feed
            if kind == "disabled":
                origin = "file" if feed.origin == "edited" else feed.origin
                document = record_document(replace(was.value, feed=replace(feed, enabled=False, origin=origin)))
            else:  # what the file no longer names is removed for good
                document = reconfigured(was.value, wanted.get(was.id) or replace(feed, origin="file"))
            plan.append((kind, was.id, bulk.replace(was, document)))
        return self._carry_out(plan)

    def add(self, feeds: Iterable[Feed]) -> tuple[Feed, ...]:
        """List feeds in Elasticsearch, beside those of the file; returns those that were not listed already.

        A feed that was removed, here or from the file, is polled again.

        Raises:
            DocumentError: a feed's document can't be read.
            StoreError: others keep writing it, or the index can't be written to.
        """
        self._es.indices.refresh(index=self._index)
        listed = {
            address_of(was): feed_id for feed_id, was in self._configurations().items() if was.get("enabled", True)
        }
        added: list[Feed] = []
        for feed in feeds:
            if listed.setdefault(article_id(feed.url), feed.id) != feed.id:
                continue
            if until_written(partial(self._add, feed), partial(_BUSY.format, feed.id)):
                added.append(feed)
        self._changed()
        return tuple(added)

    def _changed(self) -> None:
        """Show what was changed beside the file at once, and have the file compared with it."""
        apply_again(self._es, self._names, FEEDS)
        self._es.indices.refresh(index=self._index)

    def _add(self, feed: Feed) -> bool | None:
        """Whether the feed was not listed already; None: another worker wrote it first."""
        was = get_one(self._es, self._index, feed.id, read_feed)
        if was is None:
            document = feed_document(replace(feed, origin="store"), FeedState(feed.id, feed.url))
            action = bulk.create(self._index, feed.id, document)
        elif was.value.feed.enabled:
            return False
        elif was.value.feed.origin == "removed":
            restored = replace(was.value.feed, origin="file", enabled=True)
            action = bulk.replace(was, reconfigured(was.value, restored))
        else:
            action = bulk.replace(was, reconfigured(was.value, replace(feed, origin="store", enabled=True)))
        (result,) = bulk.write(self._es, [action])
        return True if bulk.require(result) else None

    def edit(self, was: Feed, feed: Feed) -> Feed | None:
        """Change `was` to `feed`, which has the same id, in Elasticsearch; returns the feed as it is then.

        A feed of the file stays edited while the file names it. None: `was` is not what is listed any more.

        Raises:
            DocumentError: the feed's document can't be read.
            StoreError: others keep writing it, or the index can't be written to.
        """

        def attempt() -> tuple[Feed | None] | None:
            stored = get_one(self._es, self._index, was.id, read_feed)
            if stored is None or stored.value.feed != was:
                return (None,)
            edited = replace(feed, id=was.id, origin="store" if was.origin == "store" else "edited")
            (result,) = bulk.write(self._es, [bulk.replace(stored, reconfigured(stored.value, edited))])
            return (edited,) if bulk.require(result) else None

        (done,) = until_written(attempt, partial(_BUSY.format, was.id))
        self._changed()
        return done

    def remove(self, feed_id: str) -> bool:
        """Remove a feed from the list in Elasticsearch; False: it is not listed.

        Its state and articles stay. While the file names it, it stays disabled.

        Raises:
            DocumentError: the feed's document can't be read.
            StoreError: others keep writing it, or the index can't be written to.
        """

        def attempt() -> bool | None:
            was = get_one(self._es, self._index, feed_id, read_feed)
            if was is None or not was.value.feed.enabled:
                return False
            feed = was.value.feed
            gone = replace(feed, enabled=False, origin="store" if feed.origin == "store" else "removed")
            (result,) = bulk.write(self._es, [bulk.replace(was, record_document(replace(was.value, feed=gone)))])
            return True if bulk.require(result) else None

        done = until_written(attempt, partial(_BUSY.format, feed_id))
        self._changed()
        return done

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
            size=limit,
        )

    def fast_candidates(
        self, now: datetime, most_interval_s: int, pushed: Iterable[str] = ()
    ) -> list[Stored[FeedRecord]]:
        """The enabled feeds that the fast lane may want, and nobody holds: marked, `pushed`, or polled often."""
        self._es.indices.refresh(index=self._index)
        wanted: list[Document] = [{"term": {"fast": True}}, {"range": {"interval_s": {"lte": most_interval_s}}}]
        wanted.append({"terms": {"id": list(pushed)}})
        enabled: list[Document] = [{"term": {"enabled": True}}, {"bool": {"should": wanted}}]
        return find(
            self._es,
            self._index,
            read_feed,
            query={"bool": {"filter": enabled, "must_not": [_until("lease_until", "gte", now, None)]}},
            sort=[{"next_poll_at": {"order": "asc", "missing": "_first"}}],
            size=10_000,
        )

    def hold(self, feeds: Sequence[tuple[Stored[FeedRecord], FeedState]], until: datetime) -> list[Stored[FeedRecord]]:
        """Write the states and keep the feeds from every other worker until `until`; those that are held now.

        A held feed belongs to no batch. A feed that another worker wrote meanwhile is missing.

        Raises:
            StoreError: the index can't be written to.
        """
        lease = {"lease_until": until.isoformat()}
        actions = (bulk.replace(was, feed_document(was.value.feed, state) | lease) for was, state in feeds)
        won = [result.id for result in bulk.write(self._es, actions) if bulk.won(result)]
        return [feed for feed in self._get(won) if is_held_by(feed.value, until)]

    def at(self, ids: Sequence[str]) -> list[Stored[FeedRecord]]:
        """The readable feeds among `ids`, in real time."""
        return self._get(ids)

    def resting(self, now: datetime, longest: Longest | None = None) -> list[FeedState]:
        """The feeds whose hosts requested a pause beyond `now`, as `held`. Call it after `due`, which refreshes."""
        return self._states(_until("paused_until", "gt", now, longest.wait if longest else None))

    def held(self, now: datetime, longest: Longest | None = None) -> list[FeedState]:
        """The feeds that are leased at `now`: of their states, address and pause."""
        self._es.indices.refresh(index=self._index)
        return self._states(_until("lease_until", "gte", now, longest.lease if longest else None))

    def polled_since(self, since: datetime) -> list[Stored[FeedRecord]]:
        """The readable feeds that were polled since then."""
        self._es.indices.refresh(index=self._index)
        polled = {"range": {"last_poll_at": {"gte": since.isoformat()}}}
        return self._get([hit["_id"] for hit in every(self._es, self._index, polled, source=False)])

    def _states(self, query: Document) -> list[FeedState]:
        return values(every(self._es, self._index, query, source=_PLACE), _read_place)

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


_PLACE = ["state.feed_id", "state.url", "state.paused_until"]


def _read_place(_: str, document: Mapping[str, Any]) -> FeedState:
    return load(FeedState, document["state"])


def is_held_by(record: FeedRecord, until: datetime) -> bool:
    """Whether the feed is held by whoever held it until this moment, and by no batch. Pure."""
    return record.lease_batch is None and record.lease_until == until


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
