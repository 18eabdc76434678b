"""Batches: who polls what, and what waits to be matched.

A number must never come again, as ingest numbers are made of it, and matching goes by them. So a new one lies above all
that names a batch, also after the index was lost or restored from an older snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.batch import SEQ_PER_BATCH, Batch, BatchState
from newswatch.clock import SKEW
from newswatch.errors import StoreError
from store import bulk, faults
from store.compare_and_set import put, until_written
from store.documents import Stored, dump, load, require_id
from store.names import Names
from store.reading import find, get_one

_NUMBERS = 100
"""How many numbers are tried: others may be opening batches at the same time."""
MOST = 12_345_678_901
"""Highest number that is believed: a batch a second for four centuries. Ingest numbers still fit a long.

Not a round one, as those are what somebody types: the numbers after it would be believed no more."""


class BatchStore:
    """The batches of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.batches

    def open(self, feed_ids: Sequence[str], *, now: datetime, lease_s: int) -> Batch:
        """A new batch with the next free number, whoever else is opening one."""
        highest = self._highest_numbers()
        if highest["articles"] > highest["batches"]:
            self._match_again(now)
        number = max(highest.values()) + 1
        numbers, until = count(number), now + timedelta(seconds=lease_s)

        def attempt() -> Stored[Batch] | None:
            return self._create(Batch(next(numbers), tuple(feed_ids), BatchState.PLANNED, now, until))

        told = f"No free batch number within {_NUMBERS} of {number}: run it again."
        return until_written(attempt, lambda: told, tries=_NUMBERS).value

    def _create(self, batch: Batch) -> Stored[Batch] | None:
        return put(self._es, self._index, batch.id, batch, dump(batch), None)

    def _highest_numbers(self) -> dict[str, int]:
        """The highest number of a batch that each index names; what is nonsense is left out."""
        named = {
            "batches": (self._index, "number", 1),
            "articles": (self._names.articles, "seq", SEQ_PER_BATCH),
            "feeds": (self._names.feeds, "lease_batch", 1),
        }
        searches: list[dict[str, Any]] = []
        for index, field, per_batch in named.values():
            believed = {"range": {field: {"gte": 0, "lte": (MOST + 1) * per_batch - 1}}}
            sort = [{field: {"order": "desc", "unmapped_type": "long"}}]
            searches += [{"index": index}, {"query": believed, "size": 1, "sort": sort, "_source": False}]
        answers = self._es.msearch(searches=searches)["responses"]
        return {
            name: _highest(answer, index) // per_batch
            for (name, (index, _, per_batch)), answer in zip(named.items(), answers, strict=True)
        }

    def _match_again(self, now: datetime) -> None:
        """Write what was lost of the batches of the last day, as indexed: nobody knows which of them were matched.

        An article names its batch, and the outbox knows what was owed: to match it again owes only what was missed.
        Where the outbox is lost as well, that would mail a day's stories once more, so that nothing is done.
        """
        self._es.indices.refresh(index=f"{self._names.deliveries},{self._names.articles}")
        if not self._es.count(index=self._names.deliveries, terminate_after=1)["count"]:
            return
        recent = {"range": {"indexed_at": {"gte": (now - _PATIENCE).isoformat()}}}
        believed = {"range": {"seq": {"gte": 0, "lt": (MOST + 1) * SEQ_PER_BATCH}}}
        numbers = {"histogram": {"field": "seq", "interval": SEQ_PER_BATCH, "min_doc_count": 1}}
        found = self._es.search(
            index=self._names.articles, size=0, query={"bool": {"filter": [recent, believed]}}, aggs={"of": numbers}
        )
        for bucket in found["aggregations"]["of"]["buckets"]:
            lost = Batch(int(bucket["key"]) // SEQ_PER_BATCH, (), BatchState.INDEXED, now, now, indexed_at=now)
            self._create(lost)  # unless it is there

    def get(self, number: int) -> Stored[Batch]:
        """The batch, in real time.

        Raises:
            StoreError: there is none of that number.
            DocumentError: it can't be read.
        """
        batch_id = Batch(number, (), BatchState.PLANNED, _ANY, _ANY).id
        batch = get_one(self._es, self._index, batch_id, read_batch)
        if batch is None:
            raise StoreError(f"There is no batch {number}.")
        return batch

    def begin(self, number: int) -> Batch:
        """Note another attempt at the batch; its articles are numbered in a range of its own."""
        return self._change(number, lambda batch: replace(batch, attempts=batch.attempts + 1))

    def mark_indexed(self, number: int, *, counts: Mapping[str, int], now: datetime) -> Batch:
        """Everything of the batch is in the index and waits to be matched.

        Also when it was given up for dead meanwhile: what was written after that must be matched too.
        """

        def indexed(batch: Batch) -> Batch:
            return replace(batch, state=BatchState.INDEXED, indexed_at=now, counts=_sum(batch.counts, counts))

        return self._change(number, indexed)

    def mark_matched(self, was: Stored[Batch], *, now: datetime, unmatched: Iterable[str] = ()) -> bool:
        """The batch is done but for the saved searches `unmatched`.

        False: it was indexed once more since it was read, and stays to be matched again, whole.

        Raises:
            StoreError: the index can't be written to.
        """
        batch = replace(was.value, state=BatchState.MATCHED, matched_at=now, unmatched=tuple(unmatched))
        (result,) = bulk.write(self._es, [bulk.replace(was, dump(batch))])
        return bulk.require(result)

    def waiting(self, *, now: datetime, limit: int = 1_000) -> list[Stored[Batch]]:
        """The batches that wait to be matched, in ingest order.

        An abandoned one is given again until an hour after its lease: its worker may only have been slow, and have
        died after one last write. Matching again finds only what is new.
        """
        late = {"range": {"lease_until": {"gte": (now - _GRACE).isoformat()}}}
        abandoned = {"bool": {"filter": [{"term": {"abandoned": True}}, late]}}
        return self._find({"bool": {"should": [{"term": {"state": BatchState.INDEXED}}, abandoned]}}, limit)

    def unmatched(self, *, now: datetime, limit: int = 100) -> list[Stored[Batch]]:
        """Batches of the last day that some saved search could not be run against, oldest first."""
        recent = {"range": {"created_at": {"gte": (now - _PATIENCE).isoformat()}}}
        done = {"term": {"state": BatchState.MATCHED}}
        return self._find({"bool": {"filter": [recent, done, {"exists": {"field": "unmatched"}}]}}, limit)

    def reap(self, *, now: datetime) -> list[int]:
        """Give up the batches whose lease has run out: what they had indexed is matched, their feeds are due again.

        Also one that was opened in the future, by a clock that went back since: its lease means nothing.

        Raises:
            StoreError: the index can't be written to.
        """
        expired = {"range": {"lease_until": {"lt": now.isoformat()}}}
        ahead = {"range": {"created_at": {"gt": (now + SKEW).isoformat()}}}
        over = {"bool": {"should": [expired, ahead]}}
        dead = self._find({"bool": {"filter": [{"term": {"state": BatchState.PLANNED}}, over]}}, 1_000)
        actions = [bulk.replace(was, dump(_given_up(was.value, now))) for was in dead]
        return [int(result.id) for result in bulk.write(self._es, actions) if bulk.won(result)]

    def _find(self, query: dict[str, Any], limit: int) -> list[Stored[Batch]]:
        self._es.indices.refresh(index=self._index)
        return find(self._es, self._index, read_batch, query=query, size=limit, sort=[{"number": "asc"}])

    def _change(self, number: int, change: Callable[[Batch], Batch]) -> Batch:
        def attempt() -> Batch | None:
            was = self.get(number)
            batch = change(was.value)
            (result,) = bulk.write(self._es, [bulk.replace(was, dump(batch))])
            return batch if bulk.require(result) else None

        return until_written(attempt, lambda: f"Batch {number} keeps being changed by others: run it again.")


_ANY = datetime.min
_GRACE = timedelta(hours=1)
_PATIENCE = timedelta(days=1)


def _given_up(batch: Batch, now: datetime) -> Batch:
    return replace(batch, state=BatchState.INDEXED, indexed_at=now, abandoned=True)


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *other)}


def read_batch(batch_id: str, document: Mapping[str, Any]) -> Batch:
    """The batch of a document. Pure."""
    batch = load(Batch, {"feed_ids": []} | dict(document))
    require_id(batch_id, batch.id)
    return batch


def _highest(answer: Mapping[str, Any], index: str) -> int:
    """The value that the only hit is sorted by; 0 where there is none, or no such index yet."""
    if error := answer.get("error"):
        if error.get("type") == faults.MISSING:
            return 0
        raise faults.of_index(str(error.get("type")), str(error.get("reason")), index)
    hits = answer["hits"]["hits"]
    return int(hits[0]["sort"][0]) if hits else 0
