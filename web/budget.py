"""A budget of requests for pages that anybody may ask for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

WINDOW_S: Final = 60
"""Seconds for which a budget is."""


@dataclass
class RateBudget:
    """So many requests a minute for each key, and so many for all; each web server process has its own."""

    each: int
    overall: int
    clock: Callable[[], float] = time.monotonic
    _since: float = 0.0
    _counts: dict[str, int] = field(default_factory=dict)
    _all: int = 0
    _lock: Lock = field(default_factory=Lock)

    def wait_s(self, key: str, each: int | None = None) -> int:
        """Count a request; returns the seconds after which to come again, or 0 if it is within the budget.

        `each` is this key's own budget.
        """
        with self._lock:
            wait = self._wait_s(key, self.each if each is None else each)
            if not wait:
                self._counts[key], self._all = self._counts.get(key, 0) + 1, self._all + 1
            return wait

    def spent_s(self, key: str) -> int:
        """The same without counting a request."""
        with self._lock:
            return self._wait_s(key, self.each)

    def _wait_s(self, key: str, each: int) -> int:
        now = self.clock()
        if now - self._since >= WINDOW_S:
            self._since, self._all = now, 0
            self._counts.clear()
        if self._counts.get(key, 0) < each and self._all < self.overall:
            return 0
        return max(1, round(WINDOW_S - (now - self._since)))
