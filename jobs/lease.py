"""How long an attempt at a batch may work, and whether the batch is still its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from newswatch.batch import Batch, BatchState
from newswatch.clock import Clock
from store.batches import BatchStore

BEGIN_UNTIL: Final = 0.85
"""Share of the lease after which no request is begun: what is under way has a tenth of it to come to its end."""
WORK_UNTIL: Final = 0.95
"""Share of the lease after which what is under way is broken off, and only what is there is written."""


class Lease:
    """The lease of one attempt. Its feeds are given to others once it ends, so nothing is done beyond it."""

    def __init__(self, batch: Batch, batches: BatchStore, clock: Clock) -> None:
        self._batch, self._batches, self._clock = batch, batches, clock
        length = max(timedelta(), batch.lease_until - batch.created_at)
        self._begin_until = batch.lease_until - (1 - BEGIN_UNTIL) * length
        self._work_until = batch.lease_until - (1 - WORK_UNTIL) * length
        self.is_lost = False
        """Another attempt has taken the batch over, or it was given up for dead."""

    def may_begin(self) -> bool:
        """Whether there is time for another feed or page."""
        return not self.is_lost and self._clock() < self._begin_until

    def seconds_left(self) -> float:
        """Until what is under way is broken off; 0 when it is to be by now."""
        return max(0.0, (self._work_until - self._clock()).total_seconds())

    def holds(self) -> bool:
        """Whether something may be written now: the lease runs, and the batch is this attempt's in Elasticsearch.

        Raises:
            StoreError, elastic_transport's errors: it can't be told.
        """
        if not self.is_lost and self._clock() < self._batch.lease_until:
            now = self._batches.get(self._batch.number).value
            self.is_lost = now.state is not BatchState.PLANNED or now.attempts != self._batch.attempts
        else:
            self.is_lost = True
        return not self.is_lost

    def was_taken_over(self) -> bool:
        """Whether another attempt has begun on the batch: its end is then that one's to note."""
        return self._batches.get(self._batch.number).value.attempts != self._batch.attempts
