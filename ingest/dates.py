"""Dates that strangers give: which are plausible, and what to do with one that is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""News on the web is younger; 1970 is a zero, 1900 a default."""
LEEWAY: Final = timedelta(hours=26)
"""A publisher who gives local time as UTC is at most 14 hours ahead; embargoed items stand a day ahead."""


def implausible(when: datetime, now: datetime) -> str | None:
    """Why `when` can't be the date of an article that is seen at `now`; None when it can."""
    if when < EARLIEST:
        return f"{when:%Y-%m-%d} is before {EARLIEST:%Y}"
    if when > now + LEEWAY:
        return f"{when:%Y-%m-%d} is in the future"
    return None


def in_utc(when: datetime) -> datetime:
    """`when` as an aware time in UTC; a naive one is taken for UTC."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
