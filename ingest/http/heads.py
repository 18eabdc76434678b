"""Mends the head of an HTTP response so that a strict parser can read it. Pure.

aiohttp's parser refuses heads that browsers and curl read: `Server : x`, a line without a colon, a length given twice.
A feed reader is not a proxy, so such heads are harmless: a smuggled response (RFC 9112, 11.2) reaches nobody behind
it. So faults are mended before the parser sees them, and lines without meaning are left out.
"""

from __future__ import annotations

import re
from typing import Final

MAX_HEAD: Final = 1_000_000
"""Maximum bytes of a head, status line and fields together; a longer one is refused."""
MAX_FIELD: Final = 65_536
"""Maximum bytes of one field; a longer one is left out. Nothing that is used here is so long, and browsers refuse
cookies of more than 4,096 bytes."""
MAX_FIELDS: Final = 2_000
"""Maximum fields of one head; further ones are left out. Browsers read as many as fit."""
MAX_REASON: Final = 200
"""Maximum bytes of the reason in a status line, which nothing reads."""
_BLANKS_BEFORE: Final = 1_000
_LONGEST_END: Final = 4
_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE: Final = re.compile(
    rb"\s*(?:HTTP/(\d)(?:\.(\d))?|ICY)[ \t]+(\d{3})(?![\w.])[ \t]*([^\r\n]*)", re.IGNORECASE
)
_LINE_END: Final = re.compile(rb"\r?\n")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS: Final = bytes(code for code in range(0x20) if code != 9) + b"\x7f"
_BLANKED: Final = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_LENGTH: Final = b"content-length"
_MENDED_LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d+)\r\n")
_CODING: Final = b"transfer-encoding"
Field = tuple[bytes, bytes]
"""Name and value."""


class HeadError(ValueError):
    """A head that can't be mended; the message continues the host's name."""


def end_of_head(received: bytes | bytearray, seen: int = 0) -> int:
    """Where the head at the start of `received` ends, including its blank line; -1 if it is incomplete.

    `seen` bytes were examined before. Blank lines before the status line are part of the head: some servers end the
    previous response with one too many.
    """
    start = len(received) - len(received.lstrip(b"\r\n")) if seen < _LONGEST_END else seen - _LONGEST_END
    match = _END.search(received, start) if start < len(received) else None
    return match.end() if match else -1


def is_no_head(received: bytes | bytearray) -> bool:
    """Whether `received` can't be the beginning of a head, as far as it has arrived."""
    start = bytes(received[:_BLANKS_BEFORE]).lstrip()[:5].upper()
    return not any(begin.startswith(start[: len(begin)]) for begin in (b"HTTP/", b"ICY "))


def length_of(head: bytes) -> int | None:
    """The body's length according to a mended head; None if it gives none."""
    match = _MENDED_LENGTH.search(head)
    return int(match[1]) if match else None


def is_interim(received: bytes | bytearray) -> bool:
    """Whether `received` begins with a head that another follows: 1xx, except 101 (RFC 9110, 15.2)."""
    match = _STATUS_LINE.match(received)
    return match is not None and match[3].startswith(b"1") and match[3] != b"101"


def mended(head: bytes) -> bytes:
    """`head` with its faults corrected or removed; unchanged if its first line is not a status line.

    Fields are written as `Name: value`, folded ones on one line (RFC 9112, 5.2), without control characters. Fields
    with an invalid name, longer than `MAX_FIELD` or beyond the first `MAX_FIELDS` are left out. The length is given
    once, and left out if it is not a number or the body is chunked (RFC 9112, 6.3).

    Raises:
        HeadError: it gives contradictory lengths.
    """
    lines = _LINE_END.split(head.strip(b"\r\n"))
    status = _STATUS_LINE.fullmatch(lines[0])
    if status is None:
        return head
    fields = _framed([field for line in _unfolded(lines[1:]) if (field := _field(line))][:MAX_FIELDS])
    version = b"1.0" if status[1] in (None, b"0") or (status[1], status[2]) == (b"1", b"0") else b"1.1"
    first = b"HTTP/%b %b %b" % (version, status[3], status[4][:MAX_REASON].translate(_BLANKED).strip())
    return b"\r\n".join([first, *(b"%b: %b" % field for field in fields), b"", b""])


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Each field on one line: a line that begins with a blank continues the one before."""
    whole: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and whole:
            whole[-1].append(line.strip())
        else:
            whole.append([line])
    return [b" ".join(parts) for parts in whole]


def _field(line: bytes) -> Field | None:
    name, colon, value = line.partition(b":")
    name = name.strip()
    if not colon or len(line) > MAX_FIELD or not _NAME.fullmatch(name):
        return None
    return name, value.translate(_BLANKED).strip()


def _framed(fields: list[Field]) -> list[Field]:
    """The fields with at most one statement of where the body ends."""
    codings = [value for name, value in fields if name.lower() == _CODING]
    stated = [part.strip().lower() for value in codings for part in value.split(b",")]
    coding = list(dict.fromkeys(part for part in stated if part not in (b"", b"identity")))
    lengths = [part.strip() for name, value in fields if name.lower() == _LENGTH for part in value.split(b",")]
    length = [] if coding else list(dict.fromkeys(int(part) for part in lengths if part.isdigit() and len(part) < 19))
    if len(length) > 1:
        raise HeadError("gives contradictory lengths for its answer")
    framing = [(b"Content-Length", b"%d" % size) for size in length]
    if coding:
        framing = [(b"Transfer-Encoding", b", ".join(coding))]
    return [field for field in fields if field[0].lower() not in (_LENGTH, _CODING)] + framing
