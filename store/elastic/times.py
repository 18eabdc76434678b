"""Converts Elasticsearch's times, which may lie in years that Python's calendar lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def moment_at(milliseconds: float) -> datetime:
    """The moment `milliseconds` after 1970, limited to the range from `FIRST` to `LAST`. Pure."""
    seconds = milliseconds / 1_000
    return datetime.fromtimestamp(min(max(seconds, FIRST.timestamp()), LAST.timestamp()), UTC)


def within(field: str, window: timedelta, *moments: datetime) -> dict[str, Any]:
    """The query for the documents whose `field` is no further from the moments than `window`. Pure."""
    seconds = round(window.total_seconds())  # Elasticsearch's to add: year 9999 has no next week in Python
    first, last = min(moments).isoformat(), max(moments).isoformat()
    return {"range": {field: {"gte": f"{first}||-{seconds}s", "lte": f"{last}||+{seconds}s"}}}


def daily(field: str, zone: tzinfo = UTC) -> dict[str, Any]:
    """The aggregation that counts by day of `zone`, UTC or a zone by its IANA name; days without any are left out."""
    asked = {"field": field, "min_doc_count": 1}
    if zone is UTC:
        return {"date_histogram": asked | {"fixed_interval": "1d"}}
    return {"date_histogram": asked | {"calendar_interval": "1d", "time_zone": str(zone)}}


def midnight(day: date, zone: tzinfo) -> datetime:
    """The beginning of a day in `zone`, in UTC: the first midnight of two, and the end of a gap that swallows it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
