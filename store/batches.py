"""Batches: which worker polls which feeds, and what waits to be matched.

A batch number is never reused: ingest numbers derive from it, and matching selects articles by them. A new number
therefore exceeds every number that any index names, also after the batches were lost or restored from an old snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from elasticsearch import Elasticsearch

from ingest.given import IMPORTED
from newswatch.batch import SEQ_PER_BATCH, Batch, BatchState
from newswatch.clock import SKEW
from newswatch.errors import StoreError
from store.elastic import bulk, faults
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, require_id
from store.elastic.reading import find, get_one
from store.names import Names

_NUMBERS = 100
"""How many numbers to try, because other workers may open batches at the same time."""
MOST = 12_345_678_901
"""Highest plausible batch number: a batch a second for four centuries. Its ingest numbers still fit a long.

Not a round number: somebody could type a round one into a document, and every number after it would be implausible."""


class BatchStore:
    """The batches of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.batches

    def open(
        self, feed_ids: Sequence[str], *, now: datetime, lease_s: int, imported: bool = False, planned_by: str = ""
    ) -> Batch:
        """A new batch with the next free number, also while others open theirs."""
        highest = self._highest_numbers()
        if highest["articles"] > highest["batches"]:
            self._match_again(now)
        number = max(highest.values()) + 1
        numbers = count(number)
        batch = Batch(
            number,
            tuple(feed_ids),
            BatchState.PLANNED,
            now,
            now + timedelta(seconds=lease_s),
            imported=imported,
            planned_by=planned_by,
        )

        def attempt() -> Stored[Batch] | None:
            return self._create(replace(batch, number=next(numbers)))

        failure = f"No free batch number within {_NUMBERS} of {number}: run it again."
        return until_written(attempt, lambda: failure, tries=_NUMBERS).value

    def leave_out(self, number: int, *, now: datetime) -> tuple[int, int]:
        """Leave out the next `number` batch numbers; the first ingest number before that and after.

        Raises:
            StoreError: the index can't be written to; run it again.
        """
        self._es.indices.refresh(index=self._index)
        last = max(self._highest_numbers().values())
        gap = Batch(last + number, (), BatchState.MATCHED, now, now, matched_at=now)
        self._create(gap)  # if it exists, there are higher numbers by now
        self._es.indices.refresh(index=self._index)  # the next number is the highest that is found, plus one
        return (last + 1) * SEQ_PER_BATCH, gap.seq_to

    def _create(self, batch: Batch) -> Stored[Batch] | None:
        return put(self._es, self._index, batch.id, batch, dump(batch), None)

    def _highest_numbers(self) -> dict[str, int]:
        """The highest batch number that each index names, without implausible ones."""
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
        """Restore the lost batches of the last day as indexed, because it is unknown which of them were matched.

        Articles name their batch, and the outbox knows what was enqueued, so matching again enqueues only what was
        missed. If the outbox is lost too, matching again would mail a day's stories twice, so nothing is restored.
        """
        self._es.indices.refresh(index=f"{self._names.deliveries},{self._names.articles}")
        if not self._es.count(index=self._names.deliveries, terminate_after=1)["count"]:
            return
        recent = {"range": {"indexed_at": {"gte": (now - _PATIENCE).isoformat()}}}
        believed = {"range": {"seq": {"gte": 0, "lt": (MOST + 1) * SEQ_PER_BATCH}}}
        numbers = {"histogram": {"field": "seq", "interval": SEQ_PER_BATCH, "min_doc_count": 1}}
        news = {"bool": {"filter": [recent, believed], "must_not": {"prefix": {"provenance.extractor": IMPORTED}}}}
        answer = self._es.search(index=self._names.articles, size=0, query=news, aggs={"of": numbers})
        for bucket in answer["aggregations"]["of"]["buckets"]:
            lost = Batch(int(bucket["key"]) // SEQ_PER_BATCH, (), BatchState.INDEXED, now, now, indexed_at=now)
            self._create(lost)  # does nothing if the batch exists

    def get(self, number: int) -> Stored[Batch]:
        """The batch, in real time.

        Raises:
            StoreError: no batch has that number.
            DocumentError: the document can't be read.
        """
        batch_id = Batch(number, (), BatchState.PLANNED, _ANY, _ANY).id
        batch = get_one(self._es, self._index, batch_id, read_batch)
        if batch is None:
            raise StoreError(f"There is no batch {number}.")
        return batch

    def begin(self, number: int) -> Batch:
        """Record another attempt at the batch. Each attempt numbers its articles in a range of its own."""
        return self._change(number, lambda batch: replace(batch, attempts=batch.attempts + 1))

    def mark_indexed(
        self, number: int, *, counts: Mapping[str, float], now: datetime, months: Iterable[str] | None = None
    ) -> Batch:
        """Record that the batch's articles are in the index and wait to be matched.

        Also if the batch was abandoned meanwhile, because what was written after that must be matched too. `months` are
        those that it wrote to; of a batch that was begun more than once, nobody knows what the others wrote.
        """
        known = () if months is None else tuple(sorted({*months, f"{now:%Y.%m}"}))

        def indexed(batch: Batch) -> Batch:
            counted = _sum(batch.counts, counts)
            wrote = known if batch.attempts == 1 else ()
            return replace(batch, state=BatchState.INDEXED, indexed_at=now, counts=counted, months=wrote)

        return self._change(number, indexed)

    def mark_matched(self, was: Stored[Batch], *, now: datetime, unmatched: Iterable[str] = ()) -> bool:
        """Record that the batch was matched against all saved searches but `unmatched`.

        False: it was indexed again since `was` was read, and must be matched again as a whole.

        Raises:
            StoreError: the index can't be written to.
        """
        batch = replace(was.value, state=BatchState.MATCHED, matched_at=now, unmatched=tuple(unmatched))
        (result,) = bulk.write(self._es, [bulk.replace(was, dump(batch))])
        return bulk.require(result)

    def note_joined(self, was: Stored[Batch], joined: Iterable[tuple[str, str]]) -> Stored[Batch] | None:
        """Record stories that are about to be joined, so that whoever goes on after a crash joins them.

        None: the batch was indexed again since `was` was read, and must be matched again as a whole.

        Raises:
            elasticsearch's errors: the index can't be written to.
        """
        batch = replace(was.value, joined=tuple(dict.fromkeys((*was.value.joined, *joined))))
        return put(self._es, self._index, was.id, batch, dump(batch), was)

    def match_again_since(self, since: datetime, *, now: datetime) -> None:
        """Have the batches matched again that were matched since then; the outbox knows what was enqueued for them.

        Raises:
            StoreError: the index can't be written to; run it again.
        """
        done = [{"term": {"state": BatchState.MATCHED}}, {"range": {"matched_at": {"gte": since.isoformat()}}}]
        while matched := self._find({"bool": {"filter": done}}, 1_000):
            actions = (bulk.replace(was, dump(_unmatched(was.value, now))) for was in matched)
            for result in bulk.write(self._es, actions):
                bulk.won(result)

    def waiting(self, *, now: datetime, limit: int = 1_000) -> list[Stored[Batch]]:
        """The batches that wait to be matched, in ingest order.

        An abandoned batch is returned again until an hour after its lease, because its worker may have been slow and
        have died after a last write. Matching again enqueues only what is new.
        """
        late = {"range": {"lease_until": {"gte": (now - GRACE).isoformat()}}}
        abandoned = {"bool": {"filter": [{"term": {"abandoned": True}}, late]}}
        return self._find({"bool": {"should": [{"term": {"state": BatchState.INDEXED}}, abandoned]}}, limit)

    def unmatched(self, *, now: datetime, limit: int = 100) -> list[Stored[Batch]]:
        """Batches of the last day against which some saved search could not be run, oldest first."""
        recent = {"range": {"created_at": {"gte": (now - _PATIENCE).isoformat()}}}
        done = {"term": {"state": BatchState.MATCHED}}
        return self._find({"bool": {"filter": [recent, done, {"exists": {"field": "unmatched"}}]}}, limit)

    def unfinished_imports(self) -> list[Stored[Batch]]:
        """Batches of imports that nobody has finished, in ingest order: those of imports that died or are under way."""
        imported, done = {"term": {"imported": True}}, {"term": {"state": BatchState.MATCHED}}
        return self._find({"bool": {"filter": [imported], "must_not": [done]}}, 1_000)

    def reap(self, *, now: datetime) -> list[int]:
        """Abandon the batches whose lease has expired; their numbers. Their articles get matched, their feeds are due.

        A batch created in the future is abandoned too: the clock was set back since, so its lease is meaningless.

        Raises:
            StoreError: the index can't be written to.
        """
        expired = {"range": {"lease_until": {"lt": now.isoformat()}}}
        ahead = {"range": {"created_at": {"gt": (now + SKEW).isoformat()}}}
        over = {"bool": {"should": [expired, ahead]}}
        dead = self._find({"bool": {"filter": [{"term": {"state": BatchState.PLANNED}}, over]}}, 1_000)
        actions = [bulk.replace(was, dump(_given_up(was.value, now))) for was in dead]
        return [int(result.id) for result in bulk.write(self._es, actions) if bulk.won(result)]

    def give_up(self, number: int, *, now: datetime) -> None:
        """Abandon a batch before its lease is over, if it is not indexed yet."""
        if self.get(number).value.state is BatchState.PLANNED:
            self._change(number, lambda one: _given_up(one, now) if one.state is BatchState.PLANNED else one)

    def left_by(self, planned_by: str, *, now: datetime) -> list[Batch]:
        """The batches of this run of a scheduler that no worker has begun, in order."""
        by = {"term": {"planned_by": planned_by}}
        return [found.value for found in self._find({"bool": {"filter": [by, *_not_begun(now)]}}, 1_000)]

    def feeds_not_begun(self, *, now: datetime) -> int:
        """The number of feeds in batches that wait for a worker."""
        self._es.indices.refresh(index=self._index)
        answer = self._es.search(
            index=self._index,
            size=0,
            query={"bool": {"filter": _not_begun(now)}},
            aggs={"feeds": {"value_count": {"field": "feed_ids"}}},
        )
        return int(answer["aggregations"]["feeds"]["value"])

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
GRACE = timedelta(hours=1)
"""How long after its lease an abandoned batch may still be written, by a worker that was only slow."""
_PATIENCE = timedelta(days=1)


def _not_begun(now: datetime) -> list[dict[str, Any]]:
    leased = {"range": {"lease_until": {"gte": now.isoformat()}}}
    return [{"term": {"state": BatchState.PLANNED}}, {"term": {"attempts": 0}}, leased]


def _given_up(batch: Batch, now: datetime) -> Batch:
    return replace(batch, state=BatchState.INDEXED, indexed_at=now, abandoned=True)


def _unmatched(batch: Batch, now: datetime) -> Batch:
    return replace(batch, state=BatchState.INDEXED, indexed_at=now)


def _sum(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in (*left, *right)}


def read_batch(batch_id: str, document: Mapping[str, Any]) -> Batch:
    """The batch of a document. Pure."""
    batch = load(Batch, {"feed_ids": []} | dict(document))
    require_id(batch_id, batch.id)
    return batch


def _highest(answer: Mapping[str, Any], index: str) -> int:
    """The sort value of the only hit; 0 without a hit, or if the index does not exist yet."""
    if error := answer.get("error"):
        if error.get("type") == faults.MISSING:
            return 0
        raise faults.of_index(str(error.get("type")), str(error.get("reason")), index)
    hits = answer["hits"]["hits"]
    return int(hits[0]["sort"][0]) if hits else 0
