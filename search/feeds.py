"""Feeds, their state and who polls them: each change is a compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from newswatch.model import Batch, Feed, FeedState
from search import bulk
from search.documents import Document, Stored, dump, feed_document, feed_from_document, stored
from search.names import Names

_GETS = 5_000
"""Documents asked for in one multi-get."""


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed with what is remembered of it, and the batch that holds it."""

    feed: Feed
    state: FeedState
    lease_batch: int | None = None
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What bringing the configuration in has changed, by feed id."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    disabled: tuple[str, ...]
    postponed: tuple[str, ...]
    """Somebody else wrote the feed meanwhile: the next poll brings the change in."""


class FeedStore:
    """The feeds of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.feeds

    def all(self) -> list[FeedRecord]:
        """Every feed, by title, as it is at this moment."""
        self._es.indices.refresh(index=self._index)
        return sorted((found.value for found in self._scan()), key=lambda record: record.feed.title.casefold())

    def sync(self, feeds: Iterable[Feed]) -> SyncReport:
        """Make the store's configuration that of `feeds`; a feed that is no longer among them is disabled, not lost."""
        wanted = {feed.id: feed for feed in feeds}
        self._es.indices.refresh(index=self._index)
        present = self._configurations()
        plan: list[tuple[str, str, Document]] = []
        for feed_id, feed in wanted.items():
            if feed_id not in present:
                document = feed_document(feed, FeedState(feed_id, feed.url))
                plan.append(("added", feed_id, bulk.create(self._index, feed_id, document)))
        changed = [name for name, was in present.items() if name in wanted and was != dump(wanted[name])]
        dropped = [name for name, was in present.items() if name not in wanted and was["enabled"]]
        for was in self._get([*changed, *dropped]):
            if was.id in wanted:
                plan.append(("changed", was.id, bulk.replace(was, _reconfigured(was.value, wanted[was.id]))))
            else:
                document = _leased_document(was.value) | {"enabled": False}
                plan.append(("disabled", was.id, bulk.replace(was, document)))
        return self._carry_out(plan)

    def _configurations(self) -> dict[str, Document]:
        """Of every feed what it is configured as, and nothing of its state: most polls change no configuration."""
        query = {"_source": list(Feed.__dataclass_fields__)}
        return {hit["_id"]: hit["_source"] for hit in scan(self._es, index=self._index, query=query, size=1000)}

    def _carry_out(self, plan: list[tuple[str, str, Document]]) -> SyncReport:
        done: dict[str, list[str]] = {name: [] for name in SyncReport.__dataclass_fields__}
        results = bulk.write(self._es, (action for _, _, action in plan))
        for (kind, feed_id, _), result in zip(plan, results, strict=True):
            done["postponed" if result.reason else kind].append(feed_id)
        return SyncReport(**{name: tuple(ids) for name, ids in done.items()})

    def due(self, now: datetime, limit: int) -> list[Stored[FeedRecord]]:
        """The feeds that are due and held by nobody, longest overdue first, at most `limit`."""
        self._es.indices.refresh(index=self._index)
        free = {"bool": {"must_not": {"range": {"lease_until": {"gte": now.isoformat()}}}}}
        overdue = {"bool": {"must_not": {"range": {"next_poll_at": {"gt": now.isoformat()}}}}}
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": [{"term": {"enabled": True}}, free, overdue]}},
            sort=[{"next_poll_at": {"order": "asc", "missing": "_first"}}],
            size=min(limit, 10_000),
            seq_no_primary_term=True,
        )
        return [stored(_record(hit["_source"]), hit) for hit in answer["hits"]["hits"]]

    def resting(self, now: datetime) -> list[FeedState]:
        """The states of the feeds whose hosts asked for rest beyond `now`; after `due`, whose refresh it relies on."""
        query = {"query": {"range": {"paused_until": {"gt": now.isoformat()}}}, "seq_no_primary_term": True}
        return [found.value.state for found in self._scan(query)]

    def held(self, now: datetime) -> list[FeedState]:
        """The states of the feeds that a batch holds at `now`; after `due`, whose refresh it relies on."""
        query = {"query": {"range": {"lease_until": {"gte": now.isoformat()}}}, "seq_no_primary_term": True}
        return [found.value.state for found in self._scan(query)]

    def well(self, *, limit: int = 50) -> list[str]:
        """Where feeds are polled that are well and that no batch holds, the one that answered last first."""
        wanted = [{"term": {"enabled": True}}, {"term": {"failures": 0}}, {"exists": {"field": "last_success_at"}}]
        unwanted = [{"exists": {"field": "lease_batch"}}, {"exists": {"field": "paused_until"}}]
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": wanted, "must_not": unwanted}},
            sort=[{"last_success_at": "desc"}],
            size=limit,
        )
        return [_record(hit["_source"]).state.url for hit in answer["hits"]["hits"]]

    def lease(self, feeds: Sequence[Stored[FeedRecord]], batch: Batch) -> list[str]:
        """Give the feeds to the batch; the ids of those that it got (a feed that somebody else took is missing)."""
        lease = {"lease_batch": batch.number, "lease_until": batch.lease_until.isoformat()}
        actions = (bulk.replace(was, feed_document(was.value.feed, was.value.state) | lease) for was in feeds)
        return [result.id for result in bulk.write(self._es, actions) if result.reason is None]

    def leased(self, batch: Batch) -> list[Stored[FeedRecord]]:
        """The feeds that the batch still holds, in real time."""
        return [feed for feed in self._get(batch.feed_ids) if feed.value.lease_batch == batch.number]

    def _get(self, ids: Sequence[str]) -> list[Stored[FeedRecord]]:
        """Those of the feeds that exist, in real time."""
        answers = (self._es.mget(index=self._index, ids=ids[at : at + _GETS]) for at in range(0, len(ids), _GETS))
        docs = (doc for answer in answers for doc in answer["docs"])
        return [stored(_record(doc["_source"]), doc) for doc in docs if doc.get("found")]

    def save(self, polled: Sequence[tuple[Stored[FeedRecord], FeedState]]) -> list[str]:
        """Remember the states and give the feeds back; the ids of feeds that were taken away meanwhile."""
        actions = (bulk.replace(was, feed_document(was.value.feed, state)) for was, state in polled)
        return [result.id for result in bulk.write(self._es, actions) if result.reason is not None]

    def _scan(self, query: Document | None = None) -> Iterable[Stored[FeedRecord]]:
        hits = scan(self._es, index=self._index, query=query or {"seq_no_primary_term": True}, size=1000)
        return (stored(_record(hit["_source"]), hit) for hit in hits)


def _record(document: Document) -> FeedRecord:
    feed, state = feed_from_document(document)
    until = document.get("lease_until")
    return FeedRecord(feed, state, document.get("lease_batch"), datetime.fromisoformat(until) if until else None)


def _leased_document(record: FeedRecord) -> Document:
    document = feed_document(record.feed, record.state)
    if record.lease_until is not None:
        document |= {"lease_batch": record.lease_batch, "lease_until": record.lease_until.isoformat()}
    return document


def _reconfigured(record: FeedRecord, feed: Feed) -> Document:
    """The document under a new configuration; the state stays, unless the URL is another: then it means nothing."""
    moved = record.feed.url != feed.url
    state = FeedState(feed.id, feed.url) if moved else record.state
    lease: dict[str, Any] = {k: v for k, v in _leased_document(record).items() if k.startswith("lease_")}
    return feed_document(feed, state) | lease
