"""Decodes a page by the label in its header or its head, which is read as browsers read it.

In the WHATWG's list `iso-8859-1` means windows-1252 and `iso-8859-9` windows-1254 (https://encoding.spec.whatwg.org):
publishers with these labels send the quotation marks of Windows, which ISO 8859 does not have.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_MORE_LABELS: Final = {
    "x-cp1250": "cp1250",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "x-cp1254": "cp1254",
    "iso-8859-8-i": "iso8859-8",
    "x-mac-roman": "mac-roman",
    "x-gbk": "gb18030",
}
"""Labels of the WHATWG's list that w3lib lacks."""
_NO_ENCODINGS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Python codecs that no server means: they interpret escapes in the page's text, or refuse everything."""
_WINDOWS: Final = {
    "iso8859-2": "cp1250",
    "iso8859-4": "cp1257",
    "iso8859-5": "cp1251",
    "iso8859-6": "cp1256",
    "iso8859-7": "cp1253",
    "iso8859-8": "cp1255",
    "iso8859-13": "cp1257",
    "iso8859-15": "cp1252",
}
"""The Windows encodings for the same languages. In them 0x80 to 0x9F are letters and marks; in ISO 8859, nothing."""
_MARKS: Final = re.compile(r"[\x80-\x9f]")
_TELLING: Final = {
    "iso8859-2": re.compile(rb"[\x8a\x8c-\x8f\x9a\x9c-\x9f]"),
    "iso8859-4": re.compile(rb"[\x80-\x9f]"),
    "iso8859-7": re.compile(rb"(?<![\xb8-\xfe])\xa2[\xe1-\xfe]"),
}
"""Bytes that occur only in Windows text: letters where ISO 8859 has none (Š Ś Ť Ž Ź) or a quotation mark (Ά), and all
marks of an encoding that shares hardly a letter with it."""
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
HEAD_BYTES: Final = 4_096
"""Number of bytes at the beginning of a page in which its encoding is looked for."""
SAID_BY_DEFAULT: Final = frozenset({"ascii", "cp1252", "iso8859-1", "iso8859-15", "latin-1", "utf-8"})
"""Encodings that servers and editors state for texts in any; for UTF-8 that is none, too."""
_MARKUP: Final = re.compile(rb"<[^<>]{0,2000}>|&#?\w{1,10};")
_VALUE: Final = re.compile(rb"=\s{0,9}[\"']([^\"'<>]{0,500}[\x80-\xff][^\"'<>]{0,500})")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]{3,}")
_REPEATED: Final = re.compile(rb"([\x80-\xff])\1{2,}")
_SIGNS: Final = "€…‘’“”•–—™\xa0§©«®°·»".encode("cp1252")
"""Signs that stand in rows in Latin text, too: blanks that don't break, dashes, quotation marks."""
_GUESSED_FROM: Final = 200_000
_SAMPLE: Final = 5_000
"""Bytes that an encoding is guessed from, of the first `_GUESSED_FROM`."""
_TAG: Final = b"<?xml version='1.0'?><rss>"
"""What an encoding must leave as it is: UTF-16 and EBCDIC don't."""
_BEYOND_LATIN: Final = "\u0370"
_PAIR: Final = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
"""A character beyond the first 65,536 as CESU-8 writes it: two halves of three bytes, which UTF-8 forbids. Oracle's
`UTF8` and Java's modified UTF-8 do."""
_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
BROKEN_SHARE: Final = 0.001
"""Maximum share of broken characters in a page that says it is UTF-8."""


def charset_of(content_type: str | None) -> str | None:
    """The label in a Content-Type, as written; None if there is none."""
    match = _CHARSET.search(content_type or "")
    return match[1] if match else None


def mostly_utf8(body: bytes) -> bytes | None:
    """`body` if it is UTF-8, with U+FFFD for a few broken characters; None if it is another encoding.

    A few are at most a quarter of the valid ones: no other encoding contains so many valid UTF-8 sequences.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        body = joined(body)
        text = body.decode("utf-8", "replace")
        broken = text.count("\ufffd")
        whole = len(text) - len(body.translate(None, _BEYOND_ASCII)) - broken
        return text.encode() if 4 * broken <= whole else None
    return body


def guessed(body: bytes) -> str | None:
    """The encoding of a text in another script than the Latin one, by its bytes; None if it is not such a text.

    In Latin text, letters beyond ASCII stand alone; in Cyrillic, Greek, Arabic or Chinese, nearly all are.
    """
    text = _MARKUP.sub(b" ", body[:_GUESSED_FROM])
    if text.isascii():  # a list of subscriptions has its words in attributes
        text = b" ".join(_VALUE.findall(body, 0, _GUESSED_FROM))
    letters_only = _REPEATED.sub(rb"\1", text.translate(None, _SIGNS))
    runs = _HIGH_RUN.findall(letters_only)
    high = len(letters_only) - len(letters_only.translate(None, _BEYOND_ASCII))
    if sum(map(len, runs)) < 0.6 * high or high < 20:
        return None
    from charset_normalizer import from_bytes

    # Runs alone would break characters whose second byte is one of ASCII.
    best = from_bytes(text[:_SAMPLE] if len(runs) > 200 else text[-_SAMPLE:]).best()
    letters = [char for char in str(best or "") if char.isalpha() and not char.isascii()]
    foreign = sum(char >= _BEYOND_LATIN for char in letters)
    if not best or not letters or foreign < 0.9 * len(letters):
        return None
    return best.encoding if _TAG.decode(best.encoding, "replace") == _TAG.decode("ascii") else None


def joined(body: bytes) -> bytes:
    """`body` with each character that is written as two halves in one piece, as UTF-8 writes it."""
    return _PAIR.sub(lambda pair: _whole_of(pair[0]), body) if b"\xed" in body else body


def _whole_of(halves: bytes) -> bytes:
    return halves.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()


def decoded(body: bytes, content_type: str | None) -> bytes | str:
    """The page as text; unchanged, for the parser to guess, if no label is given or none can be right."""
    unicode_text = _as_unicode(body)
    if unicode_text is not None:
        return unicode_text
    for codec in _labels(body, content_type):
        # A wrong UTF-8 is left to the parser, as is no label at all.
        if codec in SAID_BY_DEFAULT and codec != "utf-8" and (other := guessed(body)):
            return body.decode(other, "replace")
        text = _read(body, codec)
        if text is not None:
            return text
    return body


def _as_unicode(body: bytes) -> str | None:
    """The text, if its bytes prove that it is Unicode: no other encoding is valid UTF-8 by chance."""
    if body.startswith(codecs.BOM_UTF8):
        return body.decode("utf-8-sig", "replace")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace")
    if body.isascii():
        return None
    for candidate in (body, joined(body)):
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(candidate)
        except UnicodeDecodeError:
            continue
    return None


def _labels(body: bytes, content_type: str | None) -> Iterator[str]:
    """The server's label, then the page's, as Python codecs."""
    from w3lib.encoding import html_body_declared_encoding, resolve_encoding

    stated = _CHARSET.search(body[:HEAD_BYTES].decode("latin-1"))  # w3lib skips labels that it does not know
    inside = html_body_declared_encoding(body) or (stated[1] if stated else None)
    for label in (charset_of(content_type), inside):
        codec = _MORE_LABELS.get(label.lower()) or resolve_encoding(label) if label else None
        if codec and codec not in ("utf-16", "utf-16-le", "utf-16-be") and codec.replace("_", "-") not in _NO_ENCODINGS:
            yield codec


def _read(body: bytes, codec: str) -> str | None:
    """`body` decoded by `codec`; None if the label can't be right."""
    if codec == "utf-8":
        text = body.decode(codec, "replace")
        return text if text.count("\ufffd") <= BROKEN_SHARE * len(text) else None
    windows = _WINDOWS.get(codec)
    if windows and (telling := _TELLING.get(codec)) and telling.search(body):
        codec = windows
    try:
        text = body.decode(codec, "replace" if codec.startswith("cp125") else "strict")
    except (LookupError, UnicodeError):
        return body.decode(windows, "replace") if windows else None
    if not windows or codec == windows:
        return text
    other = body.decode(windows, "replace")
    if _oddity(other) < _oddity(text):
        return other
    return _MARKS.sub(lambda mark: mark[0].encode("latin-1").decode(windows, "replace"), text)


def _oddity(text: str) -> int:
    """Number of words in `text` that have a capital after a small letter, as no word has."""
    return sum(1 for word in _LETTERS.findall(text) if word[1:] != word[1:].lower() and word != word.upper())
