"""What is wrong now, for every page, probe and scrape: one reading of the pulse, kept for a few seconds.

Reading it never delays a page by more than `PATIENCE_S`, and never breaks one: what can't be read is a condition too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from jobs.context import Context
from newswatch.clock import utc_now
from newswatch.errors import ConfigError, NewswatchError
from observe.condition import Condition, Severity
from observe.conditions import conditions
from observe.metrics import Reading
from observe.reading import read_pulse
from store.elastic.faults import REFUSALS

log = logging.getLogger(__name__)

READ_FOR_S = 15
"""How old a reading may be that is shown."""
PATIENCE_S = 2
"""How long one page waits for a reading. The next ones don't wait for the same."""
STALE_S = 60
"""How old a reading may be that is shown because a newer one keeps pages waiting."""

Read = Callable[[Context], Reading]


@dataclass(frozen=True, slots=True)
class Unread:
    """Why there is no reading."""

    why: str
    next_step: str


_AWAY = Unread(
    "Elasticsearch does not answer", "Run `newswatch status`; it says whether Elasticsearch runs and why not."
)
_SLOW = Unread("Elasticsearch answers too slowly", _AWAY.next_step)
_FAULT = Unread("reading it fails", "Look into the log of Airflow's web server, and report what it says.")


class PulseNow:
    """The latest reading, renewed at most every `READ_FOR_S` seconds, by one request for all."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pulse")
        self._running: Future[Reading | Unread] | None = None
        self._begun = float("-inf")
        self._given_up: Future[Reading | Unread] | None = None
        self._last: Reading | None = None
        self._read_at = float("-inf")
        self._unread_since: datetime | None = None

    def now(self, context: Context) -> Reading:
        """The reading; the one before if it takes longer than `PATIENCE_S`; else one that says that there is none."""
        running = self._current(context)
        wait([running], 0 if running is self._given_up else PATIENCE_S)
        if running.done():
            return self._told(running.result())
        self._given_up = running
        if self._last is not None and time.monotonic() - self._read_at <= STALE_S:
            return self._last
        return self._told(_SLOW)

    def forget(self) -> None:
        """Read again for the next page."""
        self._begun = float("-inf")

    def _current(self, context: Context) -> Future[Reading | Unread]:
        """The request that is running or was answered lately. One that hangs is waited for, and no other begun."""
        with self._lock:
            fresh = time.monotonic() - self._begun <= READ_FOR_S
            if self._running is None or (self._running.done() and not fresh):
                self._running, self._begun = self._pool.submit(self._attempt, context), time.monotonic()
            return self._running

    def _attempt(self, context: Context) -> Reading | Unread:
        try:
            return self._read(context)
        except ConfigError as error:
            return Unread(str(error), "Correct the setting of Airflow's web server, and restart it.")
        except (NewswatchError, *REFUSALS):
            return _AWAY
        except Exception:  # the pages must not break because of what is said about them
            log.exception("the pulse could not be read")
            return _FAULT

    def _told(self, reading: Reading | Unread) -> Reading:
        if isinstance(reading, Reading):
            self._unread_since, self._last, self._read_at = None, reading, self._begun
            return reading
        self._unread_since = self._unread_since or utc_now()
        return unread(reading.why, reading.next_step, self._unread_since)


def unread(why: str, next_step: str, since: datetime | None) -> Reading:
    """The reading that says that there is none. Pure."""
    sentence = (
        f"Whether all is well can't be told: {why}. New articles and mails may be missing, and pages may be incomplete."
    )
    return Reading(None, (Condition("elasticsearch", Severity.CRITICAL, sentence, next_step, since),))


def away() -> Reading:
    """The reading of a server that could not even open its Elasticsearch."""
    return unread(_AWAY.why, _AWAY.next_step, None)


def read_now(context: Context) -> Reading:
    """One reading of everything, with the conditions that follow from it.

    Raises:
        StoreError, elasticsearch's errors: not even the clock can be read.
    """
    pulse = read_pulse(context.es, context.names, context.settings, context.clock())
    return Reading(None if pulse.storage.away else pulse, conditions(pulse, context.settings))
