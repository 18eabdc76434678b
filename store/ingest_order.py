"""Reads articles in ingest order, nothing missed and nothing twice, while others write.

Batches are written side by side, so an article with a lower number may become visible after one with a higher number.
A reader therefore goes no further than the horizon: below it every batch is finished. Its articles were acknowledged
before the horizon was read, and one refresh after that makes them visible.

A worker that was given up for dead may have been slow only, and write below the horizon. What it writes has the highest
numbers of its attempt. For an hour after the lease the reader's cursor remembers how far it has read in each such
attempt, and what comes later is still given.

An update gives its article a new number, so a reader gets it again, as the new version. Tagging again, placing in a
story and new generations of an index keep the number.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.batch import SEQ_PER_ATTEMPT, SEQ_PER_BATCH, Batch
from newswatch.errors import NewswatchError
from store.batches import GRACE, MOST, read_batch
from store.elastic import faults
from store.elastic.documents import values
from store.names import Names

PLACING: Final = timedelta(minutes=5)
"""How long an indexed batch holds the horizon until it is matched, which decides its articles' stories."""
WRITING: Final = timedelta(minutes=2)
"""How long after its lease a batch that was given up holds it: a write that had begun ends within that."""
MOST_LATE: Final = 64
"""Attempts that a cursor remembers; with more of them, the horizon waits before the first."""
CACHED_S: Final = 1.0
"""Seconds for which a horizon is used; an old one is only nearer than need be."""

Json = dict[str, Any]


class CursorError(NewswatchError):
    """A cursor can't be read; `is_gone`: it can, but the numbers that it goes by are not these."""

    exit_code = 2

    def __init__(self, message: str, *, is_gone: bool = False) -> None:
        self.is_gone = is_gone
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far articles can be read now."""

    below: int
    """All articles with a lower ingest number can be found, but for those that come late."""
    end: int
    """No number from here on was ever given."""
    late: tuple[int, ...] = ()
    """First numbers of the attempts below that may still be written to."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a reader has got: a text for him, which he gives back."""

    after: int = -1
    """Every article up to this number."""
    late: Mapping[int, int] = field(default_factory=dict)
    """First number of an attempt below that → the highest number that he has got of it."""

    def __str__(self) -> str:
        parts = [f"{self.after}", *(f"{start}-{got - start}" for start, got in sorted(self.late.items()))]
        return "_".join(parts)

    @classmethod
    def of(cls, text: str) -> Cursor:
        """The cursor of a text; an empty text is the beginning.

        Raises:
            CursorError: the text is none.
        """
        if not text:
            return cls()
        if not _CURSOR.fullmatch(text):
            raise CursorError("This is no cursor: give back `next` of the answer before, as it is.")
        first, *late = text.split("_")
        pairs = [part.partition("-")[::2] for part in late]
        return cls(int(first), {int(start): int(start) + int(got) for start, got in pairs})

    def clause(self, horizon: Horizon) -> Json:
        """What he has not got yet, as an Elasticsearch clause."""
        ranges = [{"gt": self.after, "lt": horizon.below}]
        ranges += [
            {"gt": got, "lt": min(start + SEQ_PER_ATTEMPT, self.after + 1)}
            for start, got in self.late.items()
            if start in horizon.late
        ]
        clauses: list[Json] = [{"range": {"seq": one}} for one in ranges if one["lt"] > one["gt"] + 1]
        return {"bool": {"should": clauses, "minimum_should_match": 1}} if clauses else {"match_none": {}}

    def moved(self, got: Iterable[int], horizon: Horizon) -> Cursor:
        """The cursor after a page with these numbers."""
        numbers = [*got]
        after = max([self.after, *numbers])
        # What stands beyond the horizon, which goes back while an old batch is matched again, is not judged now.
        late = {start: number for start, number in self.late.items() if start >= horizon.below}
        for start in horizon.late:
            end = start + SEQ_PER_ATTEMPT
            if start > after:
                continue
            before = self.late.get(start, min(self.after, end - 1) if self.after >= start else start - 1)
            late[start] = max([before, *(number for number in numbers if start <= number < end)])
        return Cursor(after, late)


_CURSOR: Final = re.compile(rf"(?:-1|\d{{1,18}})(?:_\d{{1,18}}-(?:-1|\d{{1,6}})){{0,{2 * MOST_LATE}}}", re.ASCII)


def latest(horizon: Horizon, highest: Callable[[int], int]) -> Cursor:
    """The cursor of a reader who wants only what comes from now on.

    `highest` gives the highest number that an attempt has, by the attempt's first number.
    """
    return Cursor(horizon.below - 1, {start: highest(start) for start in horizon.late})


class Horizons:
    """Tells the horizon of one installation, without asking for it more than once a second."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: tuple[float, str, Horizon] | None = None

    def now(self, es: Elasticsearch, names: Names, now: datetime, *, fresh: bool = False) -> Horizon:
        """The horizon; every article below it is visible. `fresh` asks for it in any case.

        Raises:
            elasticsearch's errors, StoreError: it can't be read.
        """
        with self._lock:
            known = self._known
            if not fresh and known and known[1] == names.prefix and self._clock() - known[0] < CACHED_S:
                return known[2]
            asked = self._clock()
            horizon = read_horizon(es, names, now)
            if known is None or known[1] != names.prefix or known[2] != horizon or horizon.late:
                es.indices.refresh(index=names.articles, ignore_unavailable=True)
            self._known = asked, names.prefix, horizon
            return horizon


def read_horizon(es: Elasticsearch, names: Names, now: datetime) -> Horizon:
    """The horizon as the batches have it; articles below it are visible after the next refresh.

    A batch that is opened after this was read has a higher number than all that exist.

    Raises:
        elasticsearch's errors, StoreError: the batches can't be read.
    """
    index = names.batches
    es.indices.refresh(index=index)
    placing = {"range": {"indexed_at": {"gte": (now - PLACING).isoformat()}}}
    writing = {"range": {"lease_until": {"gte": (now - WRITING).isoformat()}}}
    late = {"range": {"lease_until": {"gte": (now - GRACE).isoformat()}}}
    tried_again = _any({"term": {"abandoned": True}}, {"range": {"attempts": {"gt": 1}}})
    state: Callable[[str], Json] = lambda name: {"term": {"state": name}}  # noqa: E731
    open_ = _any(state("planned"), _all(state("indexed"), placing), _all({"term": {"abandoned": True}}, writing))
    believed = {"range": {"number": {"gte": 0, "lte": MOST}}}
    asked: list[tuple[Json, str, int]] = [
        (_all(open_, believed), "asc", 1),
        (believed, "desc", 1),
        (_all(tried_again, late, believed), "asc", MOST_LATE + 1),
    ]
    lines: list[Json] = []
    for query, order, size in asked:
        body = {"query": query, "size": size, "sort": [{"number": order}], "track_total_hits": False}
        lines += [{"index": index}, body]
    first, last, doubtful = (_hits(answer, index) for answer in es.msearch(searches=lines)["responses"])
    end = (_number(last[0]) + 1) * SEQ_PER_BATCH if last else 0
    below = _number(first[0]) * SEQ_PER_BATCH if first else end
    return _with_late(below, end, values(doubtful, read_batch))


def _with_late(below: int, end: int, doubtful: Iterable[Batch]) -> Horizon:
    """The horizon, with the attempts of the doubtful batches below it. Pure."""
    late: list[int] = []
    for batch in doubtful:
        if batch.seq_from >= below:
            break
        attempts = [batch.seq_from + number * SEQ_PER_ATTEMPT for number in range(1, batch.attempts + 1)]
        if len(late) + len(attempts) > MOST_LATE:
            return Horizon(batch.seq_from, end, tuple(late))
        late += attempts
    return Horizon(below, end, tuple(late))


def _hits(answer: Mapping[str, Any], index: str) -> list[Any]:
    if error := answer.get("error"):
        raise faults.of_index(str(error.get("type")), str(error.get("reason")), index)
    hits: list[Any] = answer["hits"]["hits"]
    return hits


def _number(hit: Mapping[str, Any]) -> int:
    return int(hit["sort"][0])


def _any(*clauses: Json) -> Json:
    return {"bool": {"should": [*clauses], "minimum_should_match": 1}}


def _all(*clauses: Json) -> Json:
    return {"bool": {"filter": [*clauses]}}
