"""The head of an HTTP response as a strict parser can read it. Pure.

aiohttp's parser refuses heads that browsers and curl read: `Server : x`, a line without a colon, a length given twice.
A reader of feeds has nothing to fear from them, as it is not a proxy: what is smuggled past a client (RFC 9112, 11.2)
reaches nobody behind it. So the faults are mended before the parser sees them, and lines that say nothing are left out.
"""

from __future__ import annotations

import re
from typing import Final

MAX_HEAD: Final = 1_000_000
"""Bytes of a head, status line and fields together; one that goes on after them is refused."""
MAX_FIELD: Final = 65_536
"""Bytes of one field; a longer one is left out. Nothing that is read here is so long, and browsers refuse cookies from
4,096 bytes on."""
MAX_FIELDS: Final = 2_000
"""Fields of one head; those after them are left out. Browsers read as many as fit."""
MAX_REASON: Final = 200
"""Bytes of the reason in a status line; nobody reads it."""
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
    """A head that can't be mended; the message goes on after the host's name."""


def end_of_head(received: bytes | bytearray, seen: int = 0) -> int:
    """Where the head that `received` begins with ends, its blank line included; -1 where more of it is to come.

    `seen`: so many bytes were looked at before. Blank lines before the status line are part of the head: some servers
    end the response before with one too many.
    """
    start = len(received) - len(received.lstrip(b"\r\n")) if seen < _LONGEST_END else seen - _LONGEST_END
    found = _END.search(received, start) if start < len(received) else None
    return found.end() if found else -1


def is_no_head(received: bytes | bytearray) -> bool:
    """Whether `received` begins as no head does, as far as it has come."""
    start = bytes(received[:_BLANKS_BEFORE]).lstrip()[:5].upper()
    return not any(begin.startswith(start[: len(begin)]) for begin in (b"HTTP/", b"ICY "))


def length_of(head: bytes) -> int | None:
    """The length that a mended head gives the body; None: it doesn't say."""
    found = _MENDED_LENGTH.search(head)
    return int(found[1]) if found else None


def is_interim(received: bytes | bytearray) -> bool:
    """Whether `received` begins with a head after which another comes: 1xx, but for 101 (RFC 9110, 15.2)."""
    found = _STATUS_LINE.match(received)
    return found is not None and found[3].startswith(b"1") and found[3] != b"101"


def mended(head: bytes) -> bytes:
    """`head` with what is wrong in it put right, or without it; as it is where its first line is no status line.

    Fields are written `Name: value`, folded ones in one line (RFC 9112, 5.2), without control characters. One whose
    name is none, one beyond `MAX_FIELD` and those beyond `MAX_FIELDS` are left out. A length is given once, and left
    out where it is no number or the body comes in chunks (RFC 9112, 6.3).

    Raises:
        HeadError: it gives lengths that differ.
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
    """Each field in one line: one that begins with a blank goes on where the line before ended."""
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
    """With one statement of where the body ends, at most."""
    codings = [value for name, value in fields if name.lower() == _CODING]
    stated = [part.strip().lower() for value in codings for part in value.split(b",")]
    coding = list(dict.fromkeys(part for part in stated if part not in (b"", b"identity")))
    lengths = [part.strip() for name, value in fields if name.lower() == _LENGTH for part in value.split(b",")]
    length = [] if coding else list(dict.fromkeys(int(part) for part in lengths if part.isdigit() and len(part) < 19))
    if len(length) > 1:
        raise HeadError("gives its answer lengths that differ")
    framing = [(b"Content-Length", b"%d" % size) for size in length]
    if coding:
        framing = [(b"Transfer-Encoding", b", ".join(coding))]
    return [field for field in fields if field[0].lower() not in (_LENGTH, _CODING)] + framing
