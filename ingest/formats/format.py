"""What a format is: how its documents are asked for, recognised, cut down, mended and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from ingest.bounds import Cut
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import repaired

HEAD_BYTES: Final = 8_192
"""How much of a document a format sees to recognise it: what may stand before its first element, twice over."""
_BLANK_OR_BOM: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A document that may be a feed, unpacked."""

    body: bytes
    url: str | None
    """Where it was served: relative links are read by it."""
    content_type: str | None
    """As the server said; often wrong."""
    country: str | None
    """The outlet's, ISO 3166: tells what zone a date means by a name of several."""
    now: datetime
    """Decides which dates are plausible."""
    charset: str | None = None
    """What the body is in for certain, or by the server's label; None: the document says it."""
    problems: tuple[str, ...] = ()
    """What was wrong with the bytes that came."""


class MediaType(NamedTuple):
    """A media type that feeds of a format are served or advertised as."""

    name: str
    weight: float = 1.0
    """Its `q` in the Accept header (RFC 9110, 12.4.2); 0: recognised where a page advertises it, and not asked for."""


def uncut(body: bytes) -> Cut:
    """All of it: what has too many entries is cut after it was read."""
    return Cut(body)


def as_sent(document: Document) -> Document:
    """The document as it came."""
    return document


def mended(document: Document) -> Document:
    """A markup document as a parser can read it (`ingest.repair`), with what it was helped with in its problems."""
    found = repaired(document.body, url=document.url, content_type=document.content_type)
    return replace(document, body=found.body, charset=found.charset, problems=(*document.problems, *found.problems))


@dataclass(frozen=True, slots=True)
class Format:
    """A format of feeds. Its functions are module-level ones: worker processes are handed it."""

    name: str
    """For people; a `ParsedFeed` names the version too."""
    media_types: tuple[MediaType, ...]
    sniff: Callable[[bytes], bool]
    """Whether a document that begins so (`head_of`) claims to be of the format."""
    read: Callable[[Document], ParsedFeed | NotAFeed | None]
    """The feed in a document that was cut and mended, or why it is none; None: it is nothing of the kind.

    It need not catch what hostile input provokes, nor bound lengths and times: `ingest.parse` does.
    """
    cut: Callable[[bytes], Cut] = uncut
    """The document without the entries that are too many; before it is read, as reading them is what takes long."""
    mend: Callable[[Document], Document] = as_sent
    usual_paths: tuple[str, ...] = ()
    """Where sites keep their feeds of the format: they are tried where a page names none."""
    address_words: tuple[str, ...] = ()
    """Regular expressions: a link with such a word in its address may lead to a feed."""


def head_of(body: bytes) -> bytes:
    """How a document begins, without byte order mark and blanks; empty for an empty document.

    Without NULs, so that markup in UTF-16 and UTF-32 reads as in ASCII.
    """
    return body.lstrip(_BLANK_OR_BOM)[:HEAD_BYTES].replace(b"\0", b"").lstrip(_BLANK_OR_BOM)
