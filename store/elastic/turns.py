"""Turns: work that only one worker may do at a time, whichever process or machine it is on.

A turn is a document. Its holder writes it anew every few seconds; a waiting worker takes it over by compare-and-set
once the holder has not written it for a while by the waiter's own monotonic clock, so that no clocks are compared. A
holder that died on the waiter's own machine is noticed at once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from newswatch.errors import StoreError
from store.elastic import bulk
from store.elastic.client import Client
from store.elastic.compare_and_set import put
from store.elastic.documents import Stored, dump, load
from store.elastic.faults import REFUSALS
from store.elastic.reading import get_one
from store.names import Names

RENEWED_S: Final = 5.0
"""Seconds between two signs of life of a holder."""
LOST_S: Final = 20.0
"""Seconds without one after which a turn is taken over."""
LOOK_S: Final = 0.2
"""Seconds between two looks of a waiting worker."""
MOST_S: Final = 600.0
"""Seconds after which a worker gives up waiting for others, unless it says how long it can wait."""
BRIEF_S: Final = 30.0
"""The same where a person waits, or a task that others wait for; longer than a dead worker's turn lasts."""

MATCHING: Final = "match"
"""The turn of who places articles into stories, or writes deliveries of matches."""
OWING: Final = "owe"
"""The turn of who writes deliveries to the recipients of a saved search, and does not match."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as it is stored."""

    kind: str
    holder: str
    """Machine, process and thread."""
    beats: int = 0
    """How often the holder has written it."""


@contextmanager
def turn(
    es: Client,
    names: Names,
    work: str,
    *,
    pause: Callable[[float], None] = time.sleep,
    most_s: float = MOST_S,
) -> Iterator[Callable[[], None]]:
    """Wait up to `most_s` for the turn of this kind of work, hold it for the block, and give it back.

    The block gets a function to call before what only the holder may write. It raises a StoreError if the turn is lost,
    or could not be renewed for so long that another worker may have taken it.

    Raises:
        StoreError: others held it for that long, one after the other; run it again.
    """
    lock = _here.setdefault(work, threading.Lock())
    if not lock.acquire(timeout=most_s):
        raise StoreError("Another thread of this process has done this for long: run it again later.")
    try:
        holding = _Holding(es, names, work)
        holding.take(pause, most_s)
        try:
            yield holding.check
        finally:
            holding.end()
    finally:
        lock.release()


_here: dict[str, threading.Lock] = {}
"""Kind of work → the lock of this process's threads."""


def _forget_locks() -> None:
    """In a forked process: its parent's threads may hold them."""
    _here.clear()


os.register_at_fork(after_in_child=_forget_locks)


class _Holding:
    def __init__(self, es: Client, names: Names, work: str) -> None:
        self._es, self._index, self._id = es, names.lane, f"turn~{work}"
        self._me = f"{socket.gethostname()}:{os.getpid()}"
        self._mine: Stored[Turn] | None = None
        self._written_s = 0.0
        """When the turn was last written, by our monotonic clock: just before, as others may see it from then on."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"turn of {work}", daemon=True)

    def take(self, pause: Callable[[float], None], most_s: float) -> None:
        """Wait until the turn is ours."""
        seen: tuple[int, int] | None = None
        began_s = since_s = time.monotonic()
        while True:
            was = get_one(self._es, self._index, self._id, _read)
            if was is not None and (was.seq_no, was.primary_term) != seen:
                seen, since_s = (was.seq_no, was.primary_term), time.monotonic()
            if was is None or self._is_dead(was.value) or time.monotonic() - since_s > LOST_S:
                fresh = Turn("turn", self._me)
                written_s = time.monotonic()
                self._mine = put(self._es, self._index, self._id, fresh, dump(fresh), was)
                if self._mine:
                    self._written_s = written_s
                    self._thread.start()
                    return
            if time.monotonic() - began_s > most_s:
                holder = was.value.holder if was else "unknown"
                raise StoreError(f"Another worker ({holder}) has done this for long: run it again later.")
            pause(LOOK_S)

    def _is_dead(self, held: Turn) -> bool:
        """Whether the holder is a process of this machine that is gone; our own process holds none by now."""
        host, _, pid = held.holder.rpartition(":")
        if host != socket.gethostname() or not pid.isdigit():
            return False
        if int(pid) == os.getpid():
            return True
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _renew(self) -> None:
        while not self._over.wait(RENEWED_S):
            was = self._mine
            if was is None:
                return
            fresh = Turn("turn", self._me, was.value.beats + 1)
            written_s = time.monotonic()
            try:
                self._mine = put(self._es, self._index, self._id, fresh, dump(fresh), was)
            except REFUSALS as error:
                log.warning("%s: its turn could not be renewed: %s", self._id, error)
            else:
                if self._mine is not None:
                    self._written_s = written_s
                else:
                    log.warning("%s: another worker has taken the turn over, and may do the same work now", self._id)

    def check(self) -> None:
        """Raise a StoreError if another worker may have the turn by now."""
        if self._mine is None or time.monotonic() - self._written_s > LOST_S:
            raise StoreError(f"{self._id} is lost: another worker may do the same work by now. Run it again.")

    def end(self) -> None:
        """Give the turn back; if that fails, the next worker finds out by itself."""
        self._over.set()
        self._thread.join()
        if self._mine is None:
            return
        try:
            list(bulk.write(self._es, [bulk.delete(self._mine)]))
        except (StoreError, *REFUSALS) as error:
            log.warning("%s: its turn could not be given back: %s", self._id, error)


def _read(_: str, document: Mapping[str, Any]) -> Turn:
    return load(Turn, document)
