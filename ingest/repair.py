"""Repairs the bytes of a feed before a parser sees them: encoding, text before the XML, raw ampersands, references and
bases. All repairs of bytes before parsing are here.

An XML parser stops at the first such fault, and a lenient parser that continues reads everything differently: `AT&T,`
becomes `AT&T;,`, and the ids of all entries change. So each fault is repaired in place, and the rest is unaffected.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import partial
from html import unescape
from html.entities import html5
from typing import Final

from ingest.addresses import absolute, shown
from ingest.encodings import SAID_BY_DEFAULT, charset_of, guessed, mostly_utf8
from ingest.unclosed import NO_MARKUP, closed

DECLARATION_WITHIN: Final = 4_096
"""Bytes in which the XML declaration is looked for, behind a warning, a comment or blank lines."""
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"(<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"'])([A-Za-z0-9._:-]{1,40})")
_HTML: Final = re.compile(rb"<!doctype\s+html|<html", re.IGNORECASE)
_SKIPPED: Final = (
    NO_MARKUP + rb"|&(?:amp|lt|gt|quot|apos);|&#\d{1,7};|&#x[0-9a-fA-F]{1,6};|&#\d{8,}|&#[xX][0-9a-fA-F]{7,}"
)
"""What is not a raw ampersand. References to characters that don't exist are handled separately."""
_FAULT: Final = re.compile(rb"(?P<kept>" + _SKIPPED + rb")|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31});|&", re.DOTALL)
_ESCAPED_SECTION: Final = re.compile(
    rb"(?P<begin><(?:[\w.-]{1,30}:)?(?:title|link|guid|id|description|summary|content|encoded|creator|category|name)"
    rb"(?:\s[^<>]{0,300})?>\s{0,20})&lt;!\[CDATA\[(?P<text>[^<]*?)\]\]&gt;(?=\s{0,20}</)"
)
"""A CDATA section that was escaped, as of a text that it is not: its marks would be a comment of HTML."""
_RAW_LESS: Final = re.compile(rb"<(?=[\s\d=])")
"""A sign that no tag begins with: `5 < 6`."""
_LESS_OUTSIDE: Final = re.compile(rb"(?P<kept>" + NO_MARKUP + rb")|" + _RAW_LESS.pattern, re.DOTALL)
CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")
"""Characters that no XML document may contain."""
_ENTITY: Final = b"<!ENTITY"
_BAD_REFERENCE: Final = re.compile(rb"&#(?:[0-8]|1[124-9]|2\d|3[01]|x(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));", re.IGNORECASE)
_REFERENCE: Final = re.compile(rb"&#(?:[xX]0*(?P<hex>[0-9a-fA-F]{4,})|0*(?P<decimal>[0-9]{5,}));?")
_XML_BASE: Final = re.compile(rb"""\bxml:base\s*=\s*(?P<quote>["'])(?P<base>[^"'<>]*)(?P=quote)""")
_PREFIXES: Final = {
    b"atom": b"http://www.w3.org/2005/Atom",
    b"content": b"http://purl.org/rss/1.0/modules/content/",
    b"dc": b"http://purl.org/dc/elements/1.1/",
    b"dcterms": b"http://purl.org/dc/terms/",
    b"image": b"http://www.google.com/schemas/sitemap-image/1.1",
    b"itunes": b"http://www.itunes.com/dtds/podcast-1.0.dtd",
    b"media": b"http://search.yahoo.com/mrss/",
    b"news": b"http://www.google.com/schemas/sitemap-news/0.9",
    b"rdf": b"http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    b"slash": b"http://purl.org/rss/1.0/modules/slash/",
    b"sy": b"http://purl.org/rss/1.0/modules/syndication/",
    b"video": b"http://www.google.com/schemas/sitemap-video/1.1",
    b"wfw": b"http://wellformedweb.org/CommentAPI/",
}
"""The usual meaning of prefixes in feeds and sitemaps, for documents that don't declare them."""
_MORE_NAMESPACES: Final = (b"http://purl.org/rss/1.0/", b"http://www.sitemaps.org/schemas/sitemap/0.9")
_DECLARED: Final = re.compile(rb"""(\bxmlns(?::[\w.-]{1,40})?\s*=\s*["'])\s*https?://([^"'\s<>]{1,200})(?=\s*["'])""")
_PREFIXED: Final = re.compile(rb"<(" + rb"|".join(_PREFIXES) + rb"):")
_ROOT: Final = re.compile(rb"<(?:\w[\w.-]*:)?(?:rss|feed|RDF|urlset|sitemapindex)(?=[\s>])")
_BROKEN: Final = "\ufffd".encode()
_UTF_8: Final = frozenset({"utf-8", "utf8", "utf_8"})
_WIDE: Final = {
    "utf-32": re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"),
    "utf-16": re.compile(rb"\xff\xfe|\xfe\xff"),
    "utf-32-le": re.compile(rb"(?:[\t\n\r ]\x00{3})*<\x00{3}"),
    "utf-32-be": re.compile(rb"(?:\x00{3}[\t\n\r ])*\x00{3}<"),
    "utf-16-le": re.compile(rb"(?:[\t\n\r ]\x00)*<\x00"),
    "utf-16-be": re.compile(rb"(?:\x00[\t\n\r ])*\x00<"),
}
"""How UTF-16 and UTF-32 documents begin. Nothing here could be searched in them byte by byte."""
_WIDE_MARKS: Final = ("utf-32", "utf-16")
"""Those of them that are known by their byte order mark."""
_HALVES: Final = re.compile(
    rb"&#(?:[xX](?P<high>[dD][89abAB][0-9a-fA-F]{2})|(?P<high_decimal>5[56]\d{3}));"
    rb"&#(?:[xX](?P<low>[dD][c-fC-F][0-9a-fA-F]{2})|(?P<low_decimal>5[67]\d{3}));"
)
"""One character as two references, as programs write it that count in UTF-16."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The bytes to read, and what was wrong with the received ones."""

    body: bytes
    problems: tuple[str, ...] = ()
    charset: str | None = None
    """The encoding of the bytes, certain or by the server's label; None: the document states it."""


def repaired(body: bytes, *, url: str | None = None, content_type: str | None = None) -> Repaired:
    """`body`, an XML document served from `url`, in a form that a parser can read; `problems` lists the repairs.

    A byte order mark and valid UTF-8 take precedence over the server's label, and that over the document's.
    """
    label = charset_of(content_type)
    problems: list[str] = []
    body, wide = _wide(body, problems)
    if wide:
        body, label = _narrowed(body, wide, problems), None
    body = _from_declaration(body, problems)
    as_utf8 = _as_utf8(body, label, problems)
    if as_utf8 is None and not body.isascii():
        as_utf8 = _by_its_bytes(body, label, problems)
    body, charset = (body, _known(label)) if as_utf8 is None else (as_utf8, "utf-8")
    if b"\x1b" in body[:100_000]:  # ISO-2022-JP, whose bytes can look like any characters
        return Repaired(body, tuple(problems), charset)
    body = closed(_ESCAPED_SECTION.sub(rb"\g<begin>\g<text>", body), problems)
    plain = body.translate(None, CONTROLS)
    if left_out := len(body) - len(plain):
        problems.append(f"the document is ill-formed: {left_out:,} control characters: left out")
    if _ENTITY not in plain[:100_000]:
        plain = _mended(plain, problems)
    plain = _with_namespaces(_with_characters(plain, problems), problems)
    if b"xml:base" in plain:
        plain = _XML_BASE.sub(partial(_whole_base, url, problems), plain)
    return Repaired(plain, tuple(problems), charset)


def _wide(body: bytes, problems: list[str]) -> tuple[bytes, str | None]:
    """`body`, without a byte order mark that is wrong, and its encoding if that has two or four bytes a character."""
    codec = _begun_as(body)
    if codec not in _WIDE_MARKS or "<" in body[:DECLARATION_WITHIN].decode(codec, "ignore"):
        return body, codec
    problems.append(f"the document is ill-formed: it has a byte order mark of {codec}, but is not: left out")
    rest = body[4 if codec == "utf-32" else 2 :]
    codec = _begun_as(rest)
    return rest, None if codec in _WIDE_MARKS else codec


def _begun_as(body: bytes) -> str | None:
    return next((codec for codec, begins in _WIDE.items() if begins.match(body)), None)


def _named(address: bytes) -> bytes:
    """A namespace's address without the parts that are often wrong: scheme, final slash or hash sign, capitals."""
    return address.partition(b"://")[2].rstrip(b"/#").lower()


_BY_NAME: Final = {_named(address): address for address in (*_PREFIXES.values(), *_MORE_NAMESPACES)}


def _with_right_address(declared: re.Match[bytes]) -> bytes:
    """Correct a declared namespace: with another scheme it is another name, and its elements are unknown."""
    return declared[1] + _BY_NAME.get(_named(b"://" + declared[2]), declared[0][len(declared[1]) :])


def _with_namespaces(body: bytes, problems: list[str]) -> bytes:
    """Declare undeclared prefixes, at which a strict parser stops, and whose elements a lenient one ignores."""
    head = body[:DECLARATION_WITHIN]
    body = _DECLARED.sub(_with_right_address, head) + body[DECLARATION_WITHIN:] if b"xmlns" in head else body
    used = {prefix for prefix in set(_PREFIXED.findall(body)) if not re.search(rb"xmlns:" + prefix + rb"\s*=", body)}
    root = _ROOT.search(body, 0, DECLARATION_WITHIN) if used else None
    if root is None:
        return body
    names = sorted(used)
    problems.append(f"the document is ill-formed: undeclared prefixes ({b', '.join(names).decode()}): taken as usual")
    declared = b"".join(b' xmlns:%b="%b"' % (name, _PREFIXES[name]) for name in names)
    return body[: root.end()] + declared + body[root.end() :]


def _known(label: str | None) -> str | None:
    """The codec that a label names; None for a label such as `uft-8` that names none."""
    try:
        return codecs.lookup(label).name if label else None
    except (LookupError, ValueError):  # ValueError: a NUL in it
        return None


def _with_characters(body: bytes, problems: list[str]) -> bytes:
    """Replace references to characters that don't exist, because feedparser would drop the whole feed."""
    body = _HALVES.sub(_in_one, body)
    wrong = sum(not _is_character(reference) for reference in _REFERENCE.finditer(body))
    if not wrong:
        return body
    problems.append(f"{wrong} references to characters that don't exist: shown as \ufffd")
    return _REFERENCE.sub(lambda reference: reference[0] if _is_character(reference) else b"&#xFFFD;", body)


def _in_one(halves: re.Match[bytes]) -> bytes:
    high = int(halves["high"], 16) if halves["high"] else int(halves["high_decimal"])
    low = int(halves["low"], 16) if halves["low"] else int(halves["low_decimal"])
    is_pair = 0xD800 <= high < 0xDC00 <= low < 0xE000
    return b"&#%d;" % (0x10000 + ((high - 0xD800) << 10) + low - 0xDC00) if is_pair else halves[0]


def _is_character(reference: re.Match[bytes]) -> bool:
    digits = reference["hex"] or reference["decimal"]
    code = int(digits, 16 if reference["hex"] else 10) if len(digits) < 9 else 0xD800
    return code < 0xD800 or 0xDFFF < code <= 0x10FFFF


def _whole_base(url: str | None, problems: list[str], attribute: re.Match[bytes]) -> bytes:
    """Drop an `xml:base` that is not an address, because it would break every link."""
    given = unescape(attribute["base"].decode("utf-8", "replace"))
    if absolute(given or "/", url or "https://nowhere.invalid/"):
        return attribute.group()
    problems.append(f"xml:base {shown(given)} is not an http(s) URL: dropped")
    return b""


def _mended(body: bytes, problems: list[str]) -> bytes:
    """Correct the references; but keep the body if that would create a declaration of entities."""
    noted: list[str] = []
    mended = _with_less_signs(_with_ampersands(_BAD_REFERENCE.sub(b"", body), noted), noted)
    if mended.count(_ENTITY) > body.count(_ENTITY):
        return body
    problems += noted
    return mended


def _from_declaration(body: bytes, problems: list[str]) -> bytes:
    """Remove what precedes the declaration and would hide the encoding in it."""
    declaration = _DECLARATION.search(body, 0, DECLARATION_WITHIN)
    before = body[: declaration.start()] if declaration else b""
    if not before or before == b"\xef\xbb\xbf" or _HTML.search(before):
        return body
    if before.strip(b"\xef\xbb\xbf \t\r\n"):
        problems.append(f"the document is ill-formed: {len(before):,} bytes before the XML declaration: left out")
    return body[len(before) :]


def _narrowed(body: bytes, codec: str, problems: list[str]) -> bytes:
    """Convert a document from UTF-16 or UTF-32 to UTF-8, with its declaration, so that it is mended like others."""
    text = body.decode(codec, "replace")
    if broken := text.count("\ufffd"):
        problems.append(f"the document is ill-formed: broken characters ({broken:,}) are shown as \ufffd")
    narrow = text.encode()
    stated = _ENCODING.search(narrow, 0, DECLARATION_WITHIN)
    return narrow[: stated.start(2)] + b"utf-8" + narrow[stated.end(2) :] if stated else narrow


def in_utf8(body: bytes, charset: str | None) -> bytes | None:
    """A repaired document in UTF-8, from `charset`, or else what it declares; None if that is no encoding."""
    if charset == "utf-8" or body.isascii():
        return body
    declared = _ENCODING.search(body, 0, DECLARATION_WITHIN)
    codec = charset or _known(declared[2].decode() if declared else None)
    return _narrowed(body, codec, []) if codec else None


def _as_utf8(body: bytes, label: str | None, problems: list[str]) -> bytes | None:
    """`body` with a correct declaration if it is UTF-8; None if it is another encoding.

    No other encoding is valid UTF-8 by chance, whatever the server (`label`) and the document state. A few broken
    characters are shown as U+FFFD: reading the whole document in another encoding would be the greater loss.
    """
    declared = _ENCODING.match(body)
    stated = [name.lower() for name in (label, declared[2].decode() if declared else None) if name]
    if body.isascii():
        if not any(name.startswith(("utf-16", "utf16", "utf-32", "utf32", "ucs", "unicode")) for name in stated):
            return None  # the same in all remaining encodings
    elif (whole := mostly_utf8(body)) is None:
        return None
    elif whole is not body:
        if broken := whole.count(_BROKEN) - body.count(_BROKEN):
            problems.append(f"the document is ill-formed: broken characters ({broken:,}) are shown as \ufffd")
        body = whole
    if stated and _UTF_8.isdisjoint(stated):
        who = "server" if label else "document"
        problems.append(f"the {who} says {stated[0]}, but it is UTF-8: read as UTF-8")
    if declared and declared[2].decode().lower() not in _UTF_8:
        body = declared[1] + b"utf-8" + body[declared.end(2) :]
    return body


def _with_less_signs(body: bytes, problems: list[str]) -> bytes:
    if not _RAW_LESS.search(body):
        return body
    mended = _LESS_OUTSIDE.sub(lambda found: found["kept"] or b"&lt;", body)
    if mended != body:
        problems.append('the document is ill-formed: it has "<" that begin no tag: read as signs')
    return mended


def _by_its_bytes(body: bytes, label: str | None, problems: list[str]) -> bytes | None:
    """`body` in UTF-8, if it is in another script than its encoding has, as server and document state it; else None."""
    declared = _ENCODING.match(body)
    stated = [name for name in (label, declared[2].decode() if declared else None) if name]
    if any(_known(name) not in (None, *SAID_BY_DEFAULT) for name in stated[:1]):
        return None
    codec = guessed(body)
    if codec is None:
        return None
    others = [known for name in stated[1:] if (known := _known(name)) and known not in SAID_BY_DEFAULT]
    codec = next(iter(others), codec)
    said = f"is said to be {stated[0]}, but " if stated else "does not say its encoding: "
    problems.append(f"the document {said}it is {codec}: read as that")
    return _narrowed(body, codec, problems)


def _with_ampersands(body: bytes, problems: list[str]) -> bytes:
    if b"&" not in body:
        return body
    faults = 0

    def mend(ampersand: re.Match[bytes]) -> bytes:
        nonlocal faults
        if ampersand["kept"] is not None:
            return ampersand[0]
        named = html5.get(f"{ampersand['name'].decode()};") if ampersand["name"] else None
        if named is not None:  # &nbsp; is defined in HTML; XML defines only five names
            return "".join(f"&#{ord(char)};" for char in named).encode()
        faults += 1
        return b"&amp;" + ampersand[0][1:]

    mended = _FAULT.sub(mend, body)
    if faults:
        problems.append(f"the document is ill-formed: it has {faults:,} raw ampersands: read as ampersands")
    return mended
