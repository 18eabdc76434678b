"""What has failed lately in this process, for the pages and the metrics of the same process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

MANY: Final = 10
"""Failures that are told of as something wrong with the server."""
RECENT_S: Final = 900.0
"""Seconds within which they must have happened."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Searches of this process that failed in one way."""

    count: int = 0
    """Since the process began."""
    reason: str = ""
    """Of the last one, as the end of a sentence."""
    times: tuple[float, ...] = ()
    """Of the last `MANY`, by the monotonic clock."""

    @property
    def are_many(self) -> bool:
        """Whether there were `MANY` in the last `RECENT_S`: one is told on its page alone."""
        return len(self.times) == MANY and time.monotonic() - self.times[0] < RECENT_S


class Tally:
    """Counts failures of one kind, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.failures = Failures()

    def add(self, reason: str) -> None:
        """Count one."""
        with self._lock:
            before = self.failures
            times = (*before.times, time.monotonic())[-MANY:]
            self.failures = Failures(before.count + 1, reason, times)
