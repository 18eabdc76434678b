"""Converts Elasticsearch's times, which may lie in years that Python's calendar lacks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def moment_at(milliseconds: float) -> datetime:
    """The moment `milliseconds` after 1970, limited to the range from `FIRST` to `LAST`. Pure."""
    seconds = milliseconds / 1_000
    return datetime.fromtimestamp(min(max(seconds, FIRST.timestamp()), LAST.timestamp()), UTC)
