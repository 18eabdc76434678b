"""The time, as something that can be handed in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

SKEW = timedelta(minutes=15)
"""How far apart the clocks of two workers may be; a moment further in the future than it can lie is not believed."""


def utc_now() -> datetime:
    """The time of this machine, aware."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds that only ever grow, while the machine sleeps too where the system counts that (CLOCK_BOOTTIME)."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def running_from(now: datetime, *, progress: Callable[[], float] = monotonic_s) -> Clock:
    """A clock that stands at `now` and goes on from there, whatever happens to the machine's."""
    started = progress()
    return lambda: now + timedelta(seconds=progress() - started)


class SharedClock:
    """A clock that is asked for elsewhere: the same for all who ask there, whatever their machines say.

    It is asked again once the answer is `MEASURED_FOR_S` old; in between it goes on by a monotonic clock. Where asking
    fails, what was measured before stands.
    """

    MEASURED_FOR_S = 600.0
    """Two quartz clocks drift apart by less than a tenth of a second in that time."""

    def __init__(
        self, ask: Callable[[], datetime | None], *, progress: Callable[[], float] = monotonic_s, local: Clock = utc_now
    ) -> None:
        """`ask` gives the time, or None where it can't be had; then it is `local`'s."""
        self._ask, self._progress, self._local = ask, progress, local
        self._lock = threading.Lock()
        self._measured: tuple[float, datetime] | None = None
        self._looked = -self.MEASURED_FOR_S

    def __call__(self) -> datetime:
        """The time, aware."""
        with self._lock:
            if self._progress() - self._looked >= self.MEASURED_FOR_S:
                self._measure()
            if self._measured is None:
                return self._local()
            at, moment = self._measured
            return moment + timedelta(seconds=self._progress() - at)

    def _measure(self) -> None:
        began = self._progress()
        moment = self._ask()
        self._looked = self._progress()
        if moment is not None:
            # It was read somewhere between the question and the answer.
            self._measured = ((began + self._looked) / 2, moment)
