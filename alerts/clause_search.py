"""Lets Elasticsearch find the articles of a batch's piece in which clauses occur.

Each clause is one filter of a `filters` aggregation, which contains the piece's range of ingest numbers; a `terms`
sub-aggregation on the ingest number lists the articles. One bad clause must not hide the others: a request that fails
is halved to isolate the clause that fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from elasticsearch import (
    ApiError,
    BadRequestError,
    ConnectionTimeout,
    Elasticsearch,
    SerializationError,
    TransportError,
)

from alerts.formula import Clause, query_of
from alerts.query import Query
from newswatch.errors import StoreError
from newswatch.texts import cut_short

SLOW_CHUNK = 20
"""Clauses in one request if one of them may be slow."""
PATIENCE_S = 5.0
"""Time-out of a request. A slower request is halved; a slower single clause makes its saved searches fail."""
LOST_S = 30.0
"""Seconds that failing clauses may cost in one piece of a batch; after that, failing requests are not halved."""
PAUSES_S = (0.5, 2.0, 4.0)
"""Seconds before the retries of a clause that Elasticsearch rejected for lack of memory or time."""
_ELSEWHERE = (502, 503)
"""Statuses of an answer that another node may give at once."""
_TOO_MUCH = (429, *_ELSEWHERE)
"""Statuses after which less is asked for, or the same later: what 429 refuses, it would refuse again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a batch's articles."""

    first: int
    """The first ingest number. An article's place is its ingest number minus this."""
    size: int
    articles: int
    analyzers: frozenset[str]
    """The stemmed fields that these articles have."""

    @property
    def range(self) -> Query:
        return {"range": {"seq": {"gte": self.first, "lt": self.first + self.size}}}


class _TooSlowError(Exception):
    """Elasticsearch stopped at the time-out, so its answer is incomplete."""


class ClauseSearch:
    """Lets Elasticsearch find the places of clauses in one piece of a batch, and records the clauses that fail."""

    def __init__(self, es: Elasticsearch, index: str, piece: Piece) -> None:
        self._es, self._index, self._piece = es, index, piece
        self._patient = es.options(retry_on_status=_ELSEWHERE, retry_on_timeout=False, request_timeout=2 * PATIENCE_S)
        self._lost_s = 0.0
        self.faults: dict[Clause, str] = {}
        """Clause → why it failed."""
        self.postponed: set[Clause] = set()
        """The clauses in `faults` that were searched with others, and may have no fault."""

    def places(self, chunk: Sequence[Clause], pauses: Sequence[float] = PAUSES_S) -> dict[Clause, int]:
        """The places of each clause; without those that fail, which are in `faults` afterwards."""
        started = time.monotonic()
        try:
            return dict(zip(chunk, self._aggregate(chunk), strict=True))
        except (ApiError, ConnectionTimeout, SerializationError, ValueError, _TooSlowError) as error:
            self._lost_s += time.monotonic() - started
            refused = isinstance(
                error, BadRequestError | SerializationError | ValueError
            )  # at once, so it cost no time
            too_much = isinstance(error, ApiError) and error.status_code in _TOO_MUCH
            if too_much and len(chunk) == 1 and pauses and self._lost_s <= LOST_S:
                time.sleep(pauses[0])  # an abandoned request may still hold its memory
                self._lost_s += pauses[0]
                return self.places(chunk, pauses[1:])
            if len(chunk) == 1 or (self._lost_s > LOST_S and not refused):
                self._record_fault(chunk, error)
                return {}
            if too_much:
                self._probe()  # raises if Elasticsearch can't even answer a trivial search
            smaller = chunks(chunk, 1 if len(chunk) <= SLOW_CHUNK else len(chunk) // 2 + 1)
            return {clause: places for part in smaller for clause, places in self.places(part).items()}
        except TransportError as error:
            raise StoreError(f"Elasticsearch can't be reached: {error}") from error

    def _record_fault(self, chunk: Sequence[Clause], error: Exception) -> None:
        """Record that a single clause failed, or that several are left to a later run after too much time was lost.

        Raises:
            StoreError: Elasticsearch does not answer a trivial search either.
        """
        self._probe()
        reason = _reason(error)
        if len(chunk) > 1:
            self.postponed.update(chunk)
            reason = f"Slow or heavy searches used up this run's time ({LOST_S:g} s); it is tried again. Last: {reason}"
            log.warning("%s clauses are left to a later run. %s", len(chunk), reason)
        self.faults.update(dict.fromkeys(chunk, reason))

    def _probe(self) -> None:
        """Raise a StoreError if Elasticsearch does not answer a trivial search."""
        try:
            self._es.count(index=self._index, query=self._piece.range)
        except (ApiError, TransportError) as trouble:
            raise StoreError(f"Elasticsearch can't search now: {trouble}") from trouble

    def _aggregate(self, chunk: Sequence[Clause]) -> Iterator[int]:
        """The places of each clause."""
        query = partial(query_of, analyzers=self._piece.analyzers)
        # The range is in every filter too, because otherwise each one would scan the older articles.
        filters = [{"bool": {"filter": [self._piece.range, query(clause)]}} for clause in chunk]
        numbers = {"terms": {"field": "seq", "size": self._piece.size, "order": {"_key": "asc"}}}
        answer = self._patient.search(
            index=self._index,
            size=0,
            query=self._piece.range,
            aggs={"clauses": {"filters": {"filters": filters}, "aggs": {"numbers": numbers}}},
            track_total_hits=False,
            request_cache=False,
            timeout=f"{PATIENCE_S * 1_000:.0f}ms",
            # A shard that doesn't answer would be a missed alert, so it is an error, and the batch is matched again.
            allow_partial_search_results=False,
        )
        if answer["timed_out"]:
            raise _TooSlowError
        buckets = answer["aggregations"]["clauses"]["buckets"]
        if len(buckets) != len(chunk):
            raise StoreError(f"{len(chunk)} clauses were searched, {len(buckets)} answered: match the batch again.")
        return (self._bits_of(bucket["numbers"]["buckets"]) for bucket in buckets)

    def _bits_of(self, buckets: Iterable[Mapping[str, int]]) -> int:
        places = 0
        for bucket in buckets:
            places |= 1 << (bucket["key"] - self._piece.first)
        return places


def chunks(clauses: Sequence[Clause], size: int) -> list[Sequence[Clause]]:
    return [clauses[start : start + size] for start in range(0, len(clauses), size)]


_REASON_CHARS = 300


def _reason(error: Exception) -> str:
    """The deepest cause that Elasticsearch names, cut because it repeats the query."""
    if isinstance(error, ConnectionTimeout | _TooSlowError):
        return f"It took Elasticsearch more than {PATIENCE_S:g} seconds."
    if not isinstance(error, ApiError) or not isinstance(error.body, dict):
        return cut_short(str(error), _REASON_CHARS)
    cause = error.body.get("error", {})
    shards = cause.get("failed_shards") if isinstance(cause, dict) else None
    cause = shards[0]["reason"] if shards else cause
    while isinstance(cause, dict) and cause.get("caused_by"):
        cause = cause["caused_by"]
    return cut_short(str(cause.get("reason") or error) if isinstance(cause, dict) else str(cause), _REASON_CHARS)
