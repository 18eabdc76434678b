"""What HTTP status codes and headers mean for a reader of feeds. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.fetched import FailureKind

_TRY_AGAIN: Final = frozenset({408, 409, 421, 423, 425, 429})


MAX_RETRY_AFTER_S: Final = 31_536_000.0
"""A year: whoever asks for more is taken to ask for that."""
MAX_VALIDATOR_CHARS: Final = 1_000
"""A longer ETag or Last-Modified is not sent back, as if there were none: the feed is asked for whole."""
HEADER_CHARS: Final = 8_190
"""Of one header's value: what is longer is cut there before it is looked at."""
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_RAW_BYTE: Final = re.compile(r"[\udc80-\udcff]")


def kind_of(status: int) -> FailureKind:
    """What a status code (RFC 9110) that brings no body means for the next try."""
    if status == 410:
        return FailureKind.GONE
    passing = status >= 500 or status < 300 or status in _TRY_AGAIN
    return FailureKind.TRANSIENT if passing else FailureKind.PERMANENT


def seconds_of(value: str) -> float | None:
    """A number of seconds as headers give it, digits only (RFC 9110, 10.2.3); None where it is none.

    `str.isdigit` takes `²` for one, which no number can be made of.
    """
    digits = value.strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(float(digits), MAX_RETRY_AFTER_S) if _DIGITS.fullmatch(digits) else MAX_RETRY_AFTER_S


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """A Retry-After header (RFC 9110, 10.2.3) in seconds from `now`; None where it says nothing.

    Never negative, and at most `MAX_RETRY_AFTER_S`.
    """
    if not value:
        return None
    if (seconds := seconds_of(value)) is not None:
        return seconds
    try:
        until = parsedate_to_datetime(value)
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):  # what comes out of a date by strangers has no list
        return None
    return min(max(0.0, wait), MAX_RETRY_AFTER_S)


def header_text(value: str) -> str:
    """A header's value as text that can be stored and printed, at most `HEADER_CHARS` long.

    Bytes that are no UTF-8 come as halves of characters; they are read as Latin-1, which HTTP once was.
    """
    readable = _RAW_BYTE.sub(lambda byte: chr(ord(byte.group()) - 0xDC00), value[:HEADER_CHARS])
    return readable.encode("utf-8", "replace").decode()


def validator(value: str | None) -> str | None:
    """An ETag or Last-Modified to be sent back at the next poll; None for one that can't be.

    It must have no more than `MAX_VALIDATOR_CHARS` characters, all of them visible ASCII or blanks: with any other, the
    next request could not be written, and the feed would never be read again.
    """
    given = (value or "").strip()
    fit = len(given) <= MAX_VALIDATOR_CHARS and given.isascii() and given.isprintable()
    return given if given and fit else None


def location_of(values: Sequence[str]) -> str:
    """Where a redirect leads, as its Location header gives it, raw bytes percent-encoded as browsers do.

    Raises:
        ValueError: there are several that differ, so that nobody knows.
    """
    if len(set(values)) > 1:
        raise ValueError(f"it names {len(set(values))} different places")
    return _RAW_BYTE.sub(lambda byte: f"%{ord(byte.group()) - 0xDC00:02X}", values[0].strip())
