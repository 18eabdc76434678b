"""The boxes of a page that shows many things at once: each fails alone, with a sentence, and the page has a budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from search.asking import SlowSearchError
from web.faults import fault_of, is_away

log = logging.getLogger(__name__)

T = TypeVar("T")

BOX_S = 3.0
"""Seconds that Elasticsearch may take for each question of a box."""
PAGE_S = 8.0
"""Seconds after which a page asks for no further box."""
_LATE = "The rest of the page took too long, so this was not asked for: load the page again."
_SLOW = f"Elasticsearch took more than {BOX_S:g} seconds for this: load the page again in a minute."


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    """What a box shows, or why it shows nothing."""

    value: T | None = None
    fault: str = ""
    """A sentence; empty: there is a value."""


class Boxes:
    """The boxes of one page, filled one after the other within `PAGE_S`."""

    def __init__(self, *, progress: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._end = progress() + PAGE_S
        self._has_filled = False

    def fill(self, name: str, read: Callable[[float], T]) -> Box[T]:
        """The box with what `read` gives, which is told how many seconds each of its questions may take.

        Raises:
            StoreError, TransportError: Elasticsearch is away, and no box has anything: the page would say so in each.
        """
        left = self._end - self._progress()
        if left <= 0:
            return Box(fault=_LATE)
        try:
            value = read(min(BOX_S, left))
        except SlowSearchError:
            return Box(fault=_SLOW)
        except Exception as error:  # whatever it is, it must not take the other boxes with it
            if is_away(error) and not self._has_filled:
                raise
            fault = fault_of(error)
            if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                log.error("the box %r: fault %s", name, fault.reference, exc_info=error)
            number = f" (fault {fault.reference})" if fault.reference else ""
            return Box(fault=f"{fault.text}{number}")
        self._has_filled = True
        return Box(value)
