"""Elasticsearch's times as ours: it takes years that a calendar has no room for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def moment_at(milliseconds: float) -> datetime:
    """The moment so many milliseconds after 1970; `FIRST` or `LAST` where it lies beyond them. Pure."""
    seconds = milliseconds / 1_000
    return datetime.fromtimestamp(min(max(seconds, FIRST.timestamp()), LAST.timestamp()), UTC)
