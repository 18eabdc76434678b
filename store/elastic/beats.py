"""Signs of life of workers: what a worker has claimed stays its own while it lives, however long one piece of it takes.

A claim says until when it holds at least. A worker that lives prolongs all its claims at once, by one small document;
when it dies, they end within `LASTS`, and another worker takes over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final

from newswatch.clock import SKEW, Clock
from newswatch.errors import StoreError
from store.elastic import bulk
from store.elastic.client import Client
from store.elastic.faults import REFUSALS
from store.elastic.reading import get_hits
from store.names import Names

LASTS: Final = timedelta(seconds=60)
"""How long after its last sign a worker counts as alive."""
EVERY_S: Final = 15.0
"""Seconds between two signs."""

log = logging.getLogger(__name__)


class Beat:
    """The signs of life of one worker, for the block."""

    def __init__(self, es: Client, names: Names, worker: str, clock: Clock, *, every_s: float = EVERY_S) -> None:
        self._es, self._index, self._worker, self._clock, self._every_s = es, names.lane, worker, clock, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=f"signs of life of {worker}", daemon=True)
        self.until = clock()
        """Until when others count this worker as alive: what it has claimed is its own."""

    def __enter__(self) -> Beat:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        try:
            self._es.options(ignore_status=404).delete(index=self._index, id=_id(self._worker))
        except (StoreError, *REFUSALS) as trouble:
            log.warning("The sign of life of %s stays until it ends by itself: %s", self._worker, trouble)

    def _go_on(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._write()
            except (StoreError, *REFUSALS) as error:
                log.warning("%s could not give a sign of life: %s", self._worker, error)

    def _write(self) -> None:
        until = self._clock() + LASTS
        fields = {"kind": "beat", "holder": self._worker, "until": until.isoformat()}
        for result in bulk.write(self._es, [bulk.put(self._index, _id(self._worker), fields)]):
            bulk.require(result)
        self.until = until


def alive_until(es: Client, names: Names, workers: Iterable[str], now: datetime) -> Mapping[str, datetime]:
    """Worker → until when it counts as alive, for those of the workers that do now; in real time.

    A time further ahead than a sign lasts was written before the clock was set back, and does not count.
    """
    found: dict[str, datetime] = {}
    wanted = {_id(worker): worker for worker in workers if worker}
    for hit in get_hits(es, names.lane, wanted) if wanted else ():
        until = _moment(hit["_source"])
        if until is not None and now < until <= now + LASTS + SKEW:
            found[wanted[hit["_id"]]] = until
    return found


def _id(worker: str) -> str:
    return f"beat~{worker}"


def _moment(document: Mapping[str, Any]) -> datetime | None:
    """The end of a sign of life; None if somebody has edited it: then its worker's claims end by themselves."""
    try:
        moment = datetime.fromisoformat(document["until"])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
