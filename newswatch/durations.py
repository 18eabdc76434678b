"""Lengths of time for people: "5 min", "5 minutes", "3 h ago", and "90m" as `alerts.yaml` has them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of time."""

    seconds: int
    short: str
    name: str
    letter: str
    """As it is typed: `30m`."""


UNITS: Final = (
    Unit(1, "s", "second", "s"),
    Unit(60, "min", "minute", "m"),
    Unit(3_600, "h", "hour", "h"),
    Unit(86_400, "d", "day", "d"),
    Unit(604_800, "w", "week", "w"),
)
_TOLD: Final = UNITS[:-1]
"""Weeks can be typed but are shown as days."""
_TYPED: Final = re.compile(r"([0-9]{1,15}) ?([smhdw])")


def short(seconds: float) -> str:
    """In the largest unit, rounded: "45 s", "5 min", "3 h", "12 d"."""
    count, unit = _rounded(seconds)
    return f"{count} {unit.short}"


def long(seconds: float) -> str:
    """The same in full: "45 seconds", "1 hour"."""
    return in_words(*_rounded(seconds))


def ago(moment: datetime, now: datetime) -> str:
    """A past or future moment: "3 min ago", "in 2 h"."""
    seconds = (now - moment).total_seconds()
    return f"{short(seconds)} ago" if seconds >= 0 else f"in {short(-seconds)}"


def in_words(count: int, unit: Unit) -> str:
    """A count of units: "1 hour", "90 minutes"."""
    return f"{count} {unit.name}{'s' * (count != 1)}"


def typed(text: str) -> tuple[int, Unit] | None:
    """The count and unit in `90s`, `30m`, `2h`, `7d` or `1w`; None if the text is not a duration."""
    parsed = _TYPED.fullmatch(text.strip().lower())
    if parsed is None:
        return None
    return int(parsed[1]), next(unit for unit in UNITS if unit.letter == parsed[2])


def exact(seconds: int) -> str:
    """In the largest unit that divides it, as `typed` reads it: 5400 → "90m"."""
    unit = next((unit for unit in reversed(UNITS) if seconds and seconds % unit.seconds == 0), UNITS[0])
    return f"{seconds // unit.seconds}{unit.letter}"


def _rounded(seconds: float) -> tuple[int, Unit]:
    """How many of the largest unit: 3599 seconds are an hour, not 60 minutes."""
    for unit, larger in pairwise(_TOLD):
        count = round(seconds / unit.seconds)
        if count * unit.seconds < larger.seconds:
            return count, unit
    return round(seconds / _TOLD[-1].seconds), _TOLD[-1]
