"""What HTTP status codes and headers mean for a reader of feeds. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from newswatch.model import FailureKind

_TRY_AGAIN: Final = frozenset({408, 409, 421, 423, 425, 429})


def kind_of(status: int) -> FailureKind:
    """What a status code (RFC 9110) that brings no body means for the next try."""
    if status == 410:
        return FailureKind.GONE
    return FailureKind.TRANSIENT if status >= 500 or status in _TRY_AGAIN else FailureKind.PERMANENT


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """A Retry-After header (RFC 9110, 10.2.3) in seconds from `now`, never negative; None where it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
