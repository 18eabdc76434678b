"""How long an attempt at a batch may run, and whether it still holds the batch."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from newswatch.batch import Batch, BatchState
from newswatch.clock import Clock
from store.batches import BatchStore

BEGIN_UNTIL: Final = 0.85
"""Share of the lease after which no request is started; running requests then have a tenth of it to finish."""
WORK_UNTIL: Final = 0.95
"""Share of the lease after which running requests are cancelled and only what has arrived is written."""


class Lease:
    """The lease of one attempt. Its feeds go to other workers when it ends, so nothing may be done after that."""

    def __init__(self, batch: Batch, batches: BatchStore, clock: Clock) -> None:
        self._batch, self._batches, self._clock = batch, batches, clock
        length = max(timedelta(), batch.lease_until - batch.created_at)
        self._begin_until = batch.lease_until - (1 - BEGIN_UNTIL) * length
        self._work_until = batch.lease_until - (1 - WORK_UNTIL) * length
        self.is_lost = False
        """Another attempt has taken the batch over, or the batch was given up."""

    def may_begin(self) -> bool:
        """Whether there is time for another feed or page."""
        return not self.is_lost and self._clock() < self._begin_until

    def seconds_left(self) -> float:
        """Seconds until running requests are cancelled; 0 if that moment has passed."""
        return max(0.0, (self._work_until - self._clock()).total_seconds())

    def holds(self) -> bool:
        """Whether something may be written now: the lease runs, and the batch in Elasticsearch is this attempt's.

        Raises:
                StoreError, elastic_transport's errors: it can't be determined.
        """
        if not self.is_lost and self._clock() < self._batch.lease_until:
            now = self._batches.get(self._batch.number).value
            self.is_lost = now.state is not BatchState.PLANNED or now.attempts != self._batch.attempts
        else:
            self.is_lost = True
        return not self.is_lost

    def was_taken_over(self) -> bool:
        """Whether another attempt has started on the batch and will record its end."""
        return self._batches.get(self._batch.number).value.attempts != self._batch.attempts
