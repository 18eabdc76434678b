"""The interface of a format: how its documents are requested, recognised, cut, mended and read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from ingest.bounds import Cut, entry_spans
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import repaired
from newswatch.feed import Rule

HEAD_BYTES: Final = 8_192
"""Bytes of a document that a format sees to recognise it: twice what may precede its first element."""
_BLANK_OR_BOM: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A document that may be a feed, unpacked."""

    body: bytes
    url: str | None
    """Where it was served; the base of relative links."""
    content_type: str | None
    """As the server sent it; often wrong."""
    country: str | None
    """The outlet's, ISO 3166: decides which zone an ambiguous name in a date means."""
    now: datetime
    """Decides which dates are plausible."""
    charset: str | None = None
    """The encoding of the body, certain or by the server's label; None: the document states it."""
    problems: tuple[str, ...] = ()
    """What was wrong with the received bytes."""
    rule: Rule | None = None
    """Where the items stand in a list that is not a feed; None: they are found unaided."""


class MediaType(NamedTuple):
    """A media type under which feeds of a format are served or advertised."""

    name: str
    weight: float = 1.0
    """Its `q` in the Accept header (RFC 9110, 12.4.2); 0: recognised in advertisements, but not requested."""


def uncut(body: bytes) -> Cut:
    """All of it; too many entries are cut after reading."""
    return Cut(body)


def as_sent(document: Document) -> Document:
    """The document unchanged."""
    return document


def mended(document: Document) -> Document:
    """A markup document in a form that a parser can read (`ingest.repair`), with the repairs in its problems."""
    result = repaired(document.body, url=document.url, content_type=document.content_type)
    return replace(document, body=result.body, charset=result.charset, problems=(*document.problems, *result.problems))


CUT_OFF: Final = (
    "the document is ill-formed: it ends before its last tag, so entries may be missing, and one that is not whole "
    "waits for the next poll"
)
_ROOT_BEGINS: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|urlset)(?:\s[^<>]*)?(?<!/)>", re.IGNORECASE)
_ROOT_ENDS: Final = re.compile(rb"</(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|urlset)\s*>", re.IGNORECASE)
_ENTRY_BEGINS: Final = re.compile(rb"<(?:[\w.-]{1,30}:)?(?:item|entry|url)[\s>]")
_TAIL: Final = 100_000
"""Bytes at the end in which the last tag is looked for, before what servers append."""


def before_its_break(document: Document) -> tuple[Document, bool]:
    """The document, and whether it breaks off, as one does that was stored or sent while it was being written.

    Then it is without the entry in which it does: half of one has another id and title, and an address that is none.
    """
    body = document.body
    begins = _ROOT_BEGINS.search(body, 0, HEAD_BYTES)
    if begins is None or _ROOT_ENDS.search(body, max(0, len(body) - _TAIL)):
        return document, False
    whole = entry_spans(body)
    half = _ENTRY_BEGINS.search(body, whole[-1][1] if whole else begins.end())
    return replace(document, body=body[: half.start()] if half else body), True


def unclaimed(head: bytes) -> bool:  # noqa: ARG001 - the signature of `Format.sniff`
    """False: the format is read only where a source says so, because articles and error pages look the same."""
    return False


@dataclass(frozen=True, slots=True)
class Format:
    """A format of feeds. Its functions are module-level, because they are passed to worker processes."""

    name: str
    """For people; a `ParsedFeed` also names the version."""
    media_types: tuple[MediaType, ...]
    sniff: Callable[[bytes], bool]
    """Whether a document with this beginning (`head_of`) claims to be of the format."""
    read: Callable[[Document], ParsedFeed | NotAFeed | None]
    """The feed in a document that was cut and mended, or why it is not one; None: the format can't read it at all.

    It need not handle hostile input, nor limit lengths and times: `ingest.parse` does.
    """
    cut: Callable[[bytes], Cut] = uncut
    """The document without the surplus entries; called before reading, because reading them is what takes long."""
    mend: Callable[[Document], Document] = as_sent
    usual_paths: tuple[str, ...] = ()
    """Addresses where sites keep feeds of the format; tried if a page names none."""
    address_words: tuple[str, ...] = ()
    """Regular expressions: a link with such a word in its address may lead to a feed."""


def head_of(body: bytes) -> bytes:
    """The beginning of a document, without byte order mark and blanks; empty for an empty document.

    NULs are removed, so that markup in UTF-16 and UTF-32 looks like ASCII.
    """
    return body.lstrip(_BLANK_OR_BOM)[:HEAD_BYTES].replace(b"\0", b"").lstrip(_BLANK_OR_BOM)
