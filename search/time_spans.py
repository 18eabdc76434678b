"""Times as they are typed in filters: `7d`, `yesterday`, `2026-03`. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

TYPED_TIME = re.compile(
    r"(?P<count>\d{1,5})(?P<unit>[hdwy])|today|yesterday"
    r"|(?P<year>\d{4})(-(?P<month>\d\d?)(-(?P<day>\d\d?)(T(?P<hour>\d\d):(?P<minute>\d\d)Z?)?)?)?"
)
"""A time without its meaning: whether a value can be one at all."""
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


def span(value: str, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a time, and the first moment after it, in UTC; both are the same for "7d".

    Raises:
        ValueError, OverflowError: the date does not exist.
    """
    parts = TYPED_TIME.fullmatch(value)
    if parts is None:
        raise ValueError("not a time")
    if parts["count"]:
        moment = now - int(parts["count"]) * _UNITS[parts["unit"]]
        return moment, moment
    if not parts["year"]:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight - timedelta(days=value == "yesterday")
        return start, start + timedelta(days=1)
    return _calendar_span(parts)


def _calendar_span(parts: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(parts["year"]), int(parts["month"] or 1), int(parts["day"] or 1)
    start = datetime(year, month, day, int(parts["hour"] or 0), int(parts["minute"] or 0), tzinfo=UTC)
    if parts["hour"]:
        return start, start + timedelta(minutes=1)
    if parts["day"]:
        return start, start + timedelta(days=1)
    if parts["month"]:
        return start, start + timedelta(days=monthrange(year, month)[1])
    return start, start.replace(year=year + 1)
