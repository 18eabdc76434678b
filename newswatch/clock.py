"""Clocks that can be passed as arguments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

Clock = Callable[[], datetime]

SKEW = timedelta(minutes=15)
"""How far apart the clocks of two workers may be. A time that lies further in the future is rejected."""


def utc_now() -> datetime:
    """The time of this machine, aware."""
    return datetime.now(UTC)


def local_time(moment: datetime, zone: tzinfo) -> datetime:
    """The moment in `zone`; in UTC on the calendar's first and last day, which another zone may lack. Pure."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def monotonic_s() -> float:
    """Seconds that never go back; they include the machine's sleep where the system counts it (CLOCK_BOOTTIME)."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def running_from(now: datetime, *, progress: Callable[[], float] = monotonic_s) -> Clock:
    """A clock that starts at `now` and runs on, whatever is done to the machine's clock."""
    started = progress()
    return lambda: now + timedelta(seconds=progress() - started)


class SharedClock:
    """The clock of a server that all workers ask, so that they agree whatever their own clocks say.

    It asks again when the last answer is `MEASURED_FOR_S` old, and runs on by a monotonic clock in between. If asking
    fails, it continues from the last answer.
    """

    MEASURED_FOR_S = 600.0
    """Two quartz clocks drift apart by less than a tenth of a second in that time."""

    def __init__(
        self, ask: Callable[[], datetime | None], *, progress: Callable[[], float] = monotonic_s, local: Clock = utc_now
    ) -> None:
        """`ask` returns the time, or None if it is not available; then `local` is used."""
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
            measured_s, moment = self._measured
            return moment + timedelta(seconds=self._progress() - measured_s)

    def _measure(self) -> None:
        began = self._progress()
        moment = self._ask()
        self._looked = self._progress()
        if moment is not None:
            # The server read its clock at some time between the question and the answer.
            self._measured = ((began + self._looked) / 2, moment)
