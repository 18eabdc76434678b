"""When articles became visible to those who ask "what was added after …": a line of time over the ingest numbers.

A milestone says: at this moment every article with a lower ingest number could be found. Between two milestones the
time is interpolated by the number. So each article has one moment, which never changes, and later numbers have later
moments: who asks for all that was added after the moment of the last one that he has misses nothing, whatever was
written meanwhile, and whatever clock wrote it.

Milestones are made one after the other by compare-and-set of the last one (`head`), in microseconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from elasticsearch import ConflictError, Elasticsearch

from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, values
from store.elastic.faults import REFUSALS, store_error
from store.elastic.reading import get_one
from store.ingest_order import Horizon
from store.names import Names

HEAD: Final = "head"
LEAST_US: Final = 1_000_000
"""Minimum microseconds between two milestones."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Milestone:
    """From `at_us` on, every article with an ingest number below `seq` could be found."""

    seq: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Line:
    """Some milestones that follow one another, in order; at least one."""

    stones: Sequence[Milestone]

    def moment(self, seq: int) -> int:
        """When the article with that number was added, in microseconds since 1970; it must lie on the line."""
        place = bisect_right(self.stones, seq, key=lambda stone: stone.seq)
        before, after = self.stones[place - 1], self.stones[place]
        span, numbers = after.at_us - before.at_us - 1, after.seq - before.seq
        return before.at_us + 1 + (seq - before.seq) * span // numbers

    def first_after(self, moment_us: int) -> int:
        """The lowest number that was added later than that."""
        if moment_us >= self.stones[-1].at_us:
            return self.stones[-1].seq
        if moment_us < self.stones[0].at_us:
            return self.stones[0].seq
        place = bisect_right(self.stones, moment_us, key=lambda stone: stone.at_us)
        before, after = self.stones[place - 1], self.stones[place]
        span, numbers = after.at_us - before.at_us - 1, after.seq - before.seq
        # moment(seq) > moment_us, solved for seq, rounded up
        return min(before.seq - (-(moment_us - before.at_us) * numbers // span), after.seq)


def steady(horizon: Horizon) -> int:
    """Up to which number nothing can come late any more: the horizon, or the first attempt that may still write."""
    return min([horizon.below, *horizon.late])


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(us: int) -> datetime:
    """The inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=us)


class Milestones:
    """The milestones of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.milestones

    def reach(self, seq: int, now: datetime) -> Milestone:
        """The last milestone, after one was set at `seq` if that is beyond it.

        Raises:
            StoreError: it can't be written.
        """

        def attempt() -> Milestone | None:
            head = self._head()
            if head is None:
                first = self._first(now)
                self._write(first)
                done = put(self._es, self._index, HEAD, first, dump(first), None)
                return None if done is None or seq > first.seq else done.value
            last = head.value
            self._write(last)  # if the process before died in between
            at_us = micros(now)
            if seq <= last.seq or at_us - last.at_us < LEAST_US:
                return last
            made = put(self._es, self._index, HEAD, new := Milestone(seq, at_us), dump(new), head)
            if made is not None:
                self._write(made.value)
            return made.value if made else None

        try:
            return until_written(attempt, lambda: "Others keep setting milestones: try again.")
        except REFUSALS as error:
            raise store_error(error) from error

    def _head(self) -> Stored[Milestone] | None:
        return get_one(self._es, self._index, HEAD, _read)

    def _first(self, now: datetime) -> Milestone:
        """Number 0, at the time of the oldest article, so that what is there gets moments of about its time."""
        answer = self._es.search(
            index=self._names.articles,
            size=0,
            aggs={"oldest": {"min": {"field": "indexed_at"}}},
            ignore_unavailable=True,
        )
        oldest = answer.get("aggregations", {}).get("oldest", {}).get("value")
        day_before = now - timedelta(days=1)
        return Milestone(0, min(int(oldest) * 1_000 if oldest else micros(day_before), micros(day_before)))

    def _write(self, stone: Milestone) -> None:
        try:
            self._es.create(index=self._index, id=f"{stone.seq:020d}", document=dump(stone))
        except ConflictError:
            return

    def around(self, seq: int, moment_us: int | None, *, most: int = 1_000) -> Line:
        """The line from before `seq`, or before the moment if one is given, on: at most so many milestones."""
        self._es.indices.refresh(index=self._index)
        field, value = ("seq", seq) if moment_us is None else ("at_us", moment_us)
        below = self._search({"range": {field: {"lte": value}}}, "desc", 1)
        begin = below[0].seq if below else 0
        return Line(self._search({"range": {"seq": {"gte": begin}}}, "asc", most))

    def _search(self, query: Mapping[str, Any], order: str, size: int) -> list[Milestone]:
        no_head = {"bool": {"filter": [query], "must_not": [{"ids": {"values": [HEAD]}}]}}
        answer = self._es.search(index=self._index, query=no_head, size=size, sort=[{"seq": order}])
        return values(answer["hits"]["hits"], _read)


def _read(_id: str, document: Mapping[str, Any]) -> Milestone:
    return load(Milestone, document)
