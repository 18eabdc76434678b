"""Converts Elasticsearch's times, which may lie in years that Python's calendar lacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
