"""A feed's bytes as they should have been sent: in the encoding that they say, without what stands before the XML,
ampersands escaped, references and bases that lead somewhere. The one place where bytes are mended before a parser.

An XML parser gives up at the first such fault, and what reads on after it reads everything otherwise: `AT&T,` as
`AT&T;,`, and the ids of all entries. So the fault is mended where it is, and the rest is read as ever.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import partial
from html import unescape
from html.entities import html5
from typing import Final

from ingest.encodings import charset_of, mostly_utf8
from ingest.urls import absolute, shown

DECLARATION_WITHIN: Final = 4_096
"""Bytes in which the XML declaration is looked for behind a warning, a comment or blank lines."""
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"(<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"'])([A-Za-z0-9._:-]{1,40})")
_HTML: Final = re.compile(rb"<!doctype\s+html|<html", re.IGNORECASE)
_SKIPPED: Final = (
    rb"<!\[CDATA\[(?:.*?\]\]>|.*)|<!--(?:.*?-->|.*)|<\?(?:.*?\?>|.*)"
    rb"|&(?:amp|lt|gt|quot|apos);|&#\d{1,7};|&#x[0-9a-fA-F]{1,6};|&#\d{8,}|&#[xX][0-9a-fA-F]{7,}"
)
"""What is no raw ampersand; references to characters that there are not are another fault."""
_FAULT: Final = re.compile(rb"(?P<kept>" + _SKIPPED + rb")|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31});|&", re.DOTALL)
CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")
"""What no XML document may hold."""
_ENTITY: Final = b"<!ENTITY"
_BAD_REFERENCE: Final = re.compile(rb"&#(?:[0-8]|1[124-9]|2\d|3[01]|x(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));", re.IGNORECASE)
_REFERENCE: Final = re.compile(rb"&#(?:[xX]0*(?P<hex>[0-9a-fA-F]{4,})|0*(?P<decimal>[0-9]{5,}));?")
_XML_BASE: Final = re.compile(rb"""\bxml:base\s*=\s*(?P<quote>["'])(?P<base>[^"'<>]*)(?P=quote)""")
_BROKEN: Final = "\ufffd".encode()
_UTF_8: Final = frozenset({"utf-8", "utf8", "utf_8"})
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
"""How UTF-16 and UTF-32 begin, in which nothing here can be looked for byte by byte."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The bytes to read, and what was wrong with those that came."""

    body: bytes
    problems: tuple[str, ...] = ()
    charset: str | None = None
    """What the bytes are in for certain, or by the server's label; None: the document says it."""


def repaired(body: bytes, *, url: str | None = None, content_type: str | None = None) -> Repaired:
    """`body`, an XML document served from `url`, as a parser can read it; what it was helped with is in `problems`.

    A byte order mark and valid UTF-8 are believed before the server's label, and that before the document's.
    """
    label = charset_of(content_type)
    if body.startswith(_WIDE) or body[:4] == b"\x00\x00\xfe\xff":
        return Repaired(body)
    problems: list[str] = []
    body = _from_declaration(body, problems)
    as_utf8 = _as_utf8(body, label, problems)
    body, charset = (body, _known(label)) if as_utf8 is None else (as_utf8, "utf-8")
    if b"\x1b" in body[:100_000]:  # ISO-2022-JP, whose letters look like anything
        return Repaired(body, tuple(problems), charset)
    plain = body.translate(None, CONTROLS)
    if left_out := len(body) - len(plain):
        problems.append(f"the document is ill-formed: {left_out:,} control characters: left out")
    if _ENTITY not in plain[:100_000]:
        plain = _mended(plain, problems)
    plain = _with_characters(plain, problems)
    if b"xml:base" in plain:
        plain = _XML_BASE.sub(partial(_whole_base, url, problems), plain)
    return Repaired(plain, tuple(problems), charset)


def _known(label: str | None) -> str | None:
    """A label that names an encoding; `uft-8` names none."""
    try:
        return codecs.lookup(label).name if label else None
    except (LookupError, ValueError):  # ValueError: a NUL in it
        return None


def _with_characters(body: bytes, problems: list[str]) -> bytes:
    """A reference to a character that there is not costs feedparser the whole feed."""
    wrong = sum(not _is_character(found) for found in _REFERENCE.finditer(body))
    if not wrong:
        return body
    problems.append(f"{wrong} references to characters that there are not: shown as \ufffd")
    return _REFERENCE.sub(lambda found: found.group() if _is_character(found) else b"&#xFFFD;", body)


def _is_character(reference: re.Match[bytes]) -> bool:
    digits = reference["hex"] or reference["decimal"]
    code = int(digits, 16 if reference["hex"] else 10) if len(digits) < 9 else 0xD800
    return code < 0xD800 or 0xDFFF < code <= 0x10FFFF


def _whole_base(url: str | None, problems: list[str], attribute: re.Match[bytes]) -> bytes:
    """An `xml:base` that is no address takes every link along."""
    given = unescape(attribute["base"].decode("utf-8", "replace"))
    if absolute(given or "/", url or "https://nowhere.invalid/"):
        return attribute.group()
    problems.append(f"xml:base {shown(given)} is no http(s) URL: dropped")
    return b""


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


def _as_utf8(body: bytes, label: str | None, problems: list[str]) -> bytes | None:
    """`body` with a declaration that tells the truth; None where it is in no UTF-8.

    No other encoding makes valid UTF-8 by chance, whatever the server (`label`) and the document say. A few broken
    characters in it are shown as such: the whole document in another encoding would be the greater loss.
    """
    declared = _ENCODING.match(body)
    stated = [name.lower() for name in (label, declared[2].decode() if declared else None) if name]
    if body.isascii():
        if not any(name.startswith(("utf-16", "utf16", "utf-32", "utf32", "ucs", "unicode")) for name in stated):
            return None  # the same in all encodings that are left
    elif (whole := mostly_utf8(body)) is None:
        return None
    elif whole is not body:
        broken = whole.count(_BROKEN) - body.count(_BROKEN)
        problems.append(f"the document is ill-formed: broken characters ({broken:,}) are shown as \ufffd")
        body = whole
    if stated and _UTF_8.isdisjoint(stated):
        who = "server" if label else "document"
        problems.append(f"the {who} says {stated[0]} and it is UTF-8: read as UTF-8")
    if declared and declared[2].decode().lower() not in _UTF_8:
        body = declared[1] + b"utf-8" + body[declared.end(2) :]
    return body


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
