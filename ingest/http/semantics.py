"""The meaning of HTTP status codes and headers for a feed reader. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.http.fetched import FailureKind

_TRY_AGAIN: Final = frozenset({408, 409, 421, 423, 425, 429})


MAX_RETRY_AFTER_S: Final = 31_536_000.0
"""A year. A longer wait is taken as a year."""
MAX_VALIDATOR_CHARS: Final = 1_000
"""A longer ETag or Last-Modified is not sent back; the next request is then unconditional."""
HEADER_CHARS: Final = 8_190
"""Maximum characters of one header's value; a longer value is cut before it is read."""
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_RAW_BYTE: Final = re.compile(r"[\udc80-\udcff]")


def kind_of(status: int) -> FailureKind:
    """What a status code (RFC 9110) without a usable body means for the next try."""
    if status == 410:
        return FailureKind.GONE
    passing = status >= 500 or status < 300 or status in _TRY_AGAIN
    return FailureKind.TRANSIENT if passing else FailureKind.PERMANENT


def seconds_of(value: str) -> float | None:
    """The number of seconds in a header, digits only (RFC 9110, 10.2.3); None if it is not one.

    `str.isdigit` accepts `²`, which `int` does not.
    """
    digits = value.strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(float(digits), MAX_RETRY_AFTER_S) if _DIGITS.fullmatch(digits) else MAX_RETRY_AFTER_S


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """The wait in a Retry-After header (RFC 9110, 10.2.3), in seconds from `now`; None if it states none.

    Never negative, and at most `MAX_RETRY_AFTER_S`.
    """
    if not value:
        return None
    if (seconds := seconds_of(value)) is not None:
        return seconds
    try:
        until = parsedate_to_datetime(value)
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):  # there is no list of what a hostile date raises
        return None
    return min(max(0.0, wait), MAX_RETRY_AFTER_S)


def header_text(value: str) -> str:
    """A header's value as text that can be stored and printed, at most `HEADER_CHARS` long.

    Bytes that are not UTF-8 arrive as surrogates; they are read as Latin-1, which HTTP once used.
    """
    readable = _RAW_BYTE.sub(lambda byte: chr(ord(byte.group()) - 0xDC00), value[:HEADER_CHARS])
    return readable.encode("utf-8", "replace").decode()


def validator(value: str | None) -> str | None:
    """An ETag or Last-Modified to send back at the next poll; None if it can't be sent.

    It may have at most `MAX_VALIDATOR_CHARS` characters, all of them visible ASCII or blanks. With any other, the next
    request could not be written, and the feed would never be read again.
    """
    given = (value or "").strip()
    fit = len(given) <= MAX_VALIDATOR_CHARS and given.isascii() and given.isprintable()
    return given if given and fit else None


def location_of(values: Sequence[str]) -> str:
    """Where a redirect leads according to its Location header, with raw bytes percent-encoded as browsers do.

    Raises:
        ValueError: there are several different ones.
    """
    if len(set(values)) > 1:
        raise ValueError(f"it names {len(set(values))} different places")
    return _RAW_BYTE.sub(lambda byte: f"%{ord(byte.group()) - 0xDC00:02X}", values[0].strip())
