"""A feed's bytes as they should have been sent: unpacked, without what stands before the XML, ampersands escaped.

An XML parser gives up at the first such fault, and what reads on after it reads everything otherwise: `AT&T,` as
`AT&T;,`, and the ids of all entries. So the fault is mended where it is, and the rest is read as ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.entities import html5
from typing import Final

DECLARATION_WITHIN: Final = 4_096
"""Bytes in which the XML declaration is looked for behind a warning, a comment or blank lines."""
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"(<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"'])([A-Za-z0-9._:-]{1,40})")
_HTML: Final = re.compile(rb"<!doctype\s+html|<html", re.IGNORECASE)
_SKIPPED: Final = (
    rb"<!\[CDATA\[(?:.*?\]\]>|.*)|<!--(?:.*?-->|.*)|<\?(?:.*?\?>|.*)"
    rb"|&(?:amp|lt|gt|quot|apos);|&#\d{1,7};|&#x[0-9a-fA-F]{1,6};|&#\d{8,}|&#[xX][0-9a-fA-F]{7,}"
)
"""What is no raw ampersand; references to characters that there are not are left to `ingest.parse.readable`."""
_FAULT: Final = re.compile(rb"(?P<kept>" + _SKIPPED + rb")|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31});|&", re.DOTALL)
CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")
"""What no XML document may hold."""
_ENTITY: Final = b"<!ENTITY"
_BAD_REFERENCE: Final = re.compile(rb"&#(?:[0-8]|1[124-9]|2\d|3[01]|x(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));", re.IGNORECASE)
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
"""How UTF-16 and UTF-32 begin, in which nothing here can be looked for byte by byte."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The bytes to read, and what was wrong with those that came."""

    body: bytes
    problems: tuple[str, ...] = ()


def repaired(body: bytes) -> Repaired:
    """`body`, an XML document, as a parser can read it; what it had to be helped with stands in `problems`."""
    if body.startswith(_WIDE) or body[:4] == b"\x00\x00\xfe\xff":
        return Repaired(body)
    problems: list[str] = []
    body = _as_utf8(_from_declaration(body, problems), problems)
    if b"\x1b" in body[:100_000]:  # ISO-2022-JP, whose letters look like anything
        return Repaired(body, tuple(problems))
    plain = body.translate(None, CONTROLS)
    if left_out := len(body) - len(plain):
        problems.append(f"the document is ill-formed: {left_out:,} control characters: left out")
    return Repaired(plain if _ENTITY in plain[:100_000] else _mended(plain, problems), tuple(problems))


def _mended(body: bytes, problems: list[str]) -> bytes:
    """With its references as they should be; without a declaration of entities that only so came about."""
    found: list[str] = []
    mended = _with_ampersands(_BAD_REFERENCE.sub(b"", body), found)
    if mended.count(_ENTITY) > body.count(_ENTITY):
        return body
    problems += found
    return mended


def _from_declaration(body: bytes, problems: list[str]) -> bytes:
    """What stands before the declaration would hide the encoding that it declares."""
    found = _DECLARATION.search(body, 0, DECLARATION_WITHIN)
    before = body[: found.start()] if found else b""
    if not before or before == b"\xef\xbb\xbf" or _HTML.search(before):
        return body
    if before.strip(b"\xef\xbb\xbf \t\r\n"):
        problems.append(f"the document is ill-formed: {len(before):,} bytes stand before the XML declaration: left out")
    return body[len(before) :]


def _as_utf8(body: bytes, problems: list[str]) -> bytes:
    """`body` with a declaration that tells the truth: no other encoding makes valid UTF-8 by chance."""
    declared = _ENCODING.match(body)
    if not declared or declared[2].lower().replace(b"_", b"-") in (b"utf-8", b"utf8") or body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        return body
    problems.append(f"the document says {declared[2].decode()} and is UTF-8: read as UTF-8")
    return declared[1] + b"utf-8" + body[declared.end(2) :]


def _with_ampersands(body: bytes, problems: list[str]) -> bytes:
    if b"&" not in body:
        return body
    faults = 0

    def mend(found: re.Match[bytes]) -> bytes:
        nonlocal faults
        if found["kept"] is not None:
            return found[0]
        named = html5.get(f"{found['name'].decode()};") if found["name"] else None
        if named is not None:  # &nbsp; is HTML's, and XML knows five
            return "".join(f"&#{ord(char)};" for char in named).encode()
        faults += 1
        return b"&amp;" + found[0][1:]

    mended = _FAULT.sub(mend, body)
    if faults:
        problems.append(f"the document is ill-formed: it has {faults:,} raw ampersands: read as they stand")
    return mended
