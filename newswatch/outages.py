"""Outages: periods in which something was not read, matched or mailed, and how their history is kept. Pure.

A history has its oldest outage first, and at most one that is not over. Every change is harmless when it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

WORTH_TELLING: Final = timedelta(minutes=15)
"""Shorter outages are not kept: a poll that failed once and succeeded a minute later hid nothing from anybody."""
OUTAGES_KEPT: Final = 50
"""Maximum outages of a history. Beyond it the oldest is dropped, like the oldest gaps of a feed."""
OUTAGE_DAYS: Final = 35
"""Days for which an outage is kept: longer than the week between two weekly digests, and than any page shows."""
_WHY: Final = 300
"""Maximum characters of a reason."""


class Cause(StrEnum):
    """What of newswatch itself stood still."""

    NETWORK = "network"
    """No publisher could be reached, because our own network was down."""
    POLLING = "polling"
    """Feeds were due and nothing was polled."""
    MATCHING = "matching"
    """Articles were indexed and waited to be matched."""
    MAIL = "mail"
    """Mails were due and none could be sent."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A period in which something did not work."""

    since: datetime
    until: datetime | None = None
    """None: it is not over."""
    why: str = ""

    def lasted(self, now: datetime) -> timedelta:
        """How long it has lasted so far."""
        return max((self.until or now) - self.since, timedelta())


History = tuple[Outage, ...]


def begun(history: History, at: datetime, why: str = "") -> History:
    """The history once something has failed at `at`; unchanged if the last outage is not over."""
    if history and history[-1].until is None:
        return history
    return _bounded((*history, Outage(at, None, why[:_WHY])), at)


def ended(history: History, at: datetime) -> History:
    """The history once something has worked at `at`; an outage that was not worth telling is dropped."""
    if not history or history[-1].until is not None:
        return history
    *before, last = history
    over = replace(last, until=max(at, last.since))
    return _bounded((*before, *((over,) if over.lasted(at) >= WORTH_TELLING else ())), at)


def added(history: History, since: datetime, until: datetime, why: str = "") -> History:
    """The history with a period that was noticed when it was over, as one with those that it touches."""
    if until - since < WORTH_TELLING:
        return history
    touching = [one for one in history if one.until and one.until >= since and one.since <= until]
    first = min([since, *(one.since for one in touching)])
    last = max([until, *(one.until for one in touching if one.until)])
    whole = Outage(first, last, (touching[0].why if touching else why)[:_WHY])
    others = [one for one in history if one not in touching]
    return _bounded(sorted((*others, whole), key=lambda one: (one.until is None, one.since)), until)


def overlapping(history: Iterable[Outage], since: datetime, now: datetime) -> History:
    """The outages that are worth telling and touch the time from `since` to `now`."""
    touching = (one for one in history if one.since < now and (one.until is None or one.until > since))
    return tuple(one for one in touching if one.lasted(now) >= WORTH_TELLING)


def _bounded(history: Iterable[Outage], now: datetime) -> History:
    oldest = now - timedelta(days=OUTAGE_DAYS)
    return tuple(one for one in history if one.until is None or one.until >= oldest)[-OUTAGES_KEPT:]
