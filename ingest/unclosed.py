"""Closes what an entry of a feed leaves open, so that it costs that entry alone. Pure.

A CDATA section or a comment without an end hides every entry behind it from any parser, and so does a title without an
end tag from a lenient one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from lxml import etree

_ENTRY: Final = rb"(?:[\w.-]{1,30}:)?(?:item|entry|url)"
_OVER: Final = re.compile(
    rb"</" + _ENTRY + rb"\s{0,20}>\s{0,200}<(?:" + _ENTRY + rb"[\s>]|/(?:channel|feed|rss|rdf:RDF|urlset)\s{0,20}>)"
)
"""The end of an entry that another entry, or the end of the feed, follows."""
_OPENED: Final = re.compile(rb"<(?P<name>[A-Za-z][\w.:-]{0,40})(?:\s[^<>]{0,300})?>\s{0,50}\Z")
_BEFORE: Final = 400
_SECTION, _COMMENT = b"<![CDATA[", b"<!--"
_PARTS: Final = frozenset(
    {"title", "link", "guid", "id", "pubdate", "published", "updated", "description", "summary", "content", "encoded"}
    | {"category", "author", "creator", "date", "comments", "enclosure", "thumbnail", "group", "source"}
    | {"loc", "lastmod", "news", "image", "video"}
)
"""Local names of what an entry consists of, in lower case; none belongs inside another."""
_PLAIN: Final = frozenset({"title", "link", "guid", "id", "pubdate", "published", "updated", "creator", "date", "loc"})
"""Those of them that hold a text without elements."""
_NONE_WITHIN: Final = _PLAIN | {"description", "summary", "encoded"}
"""Those of them that hold no other, though they may hold markup."""
NO_MARKUP: Final = rb"<!\[CDATA\[(?:.*?\]\]>|.*)|<!--(?:.*?-->|.*)|<\?(?:.*?\?>|.*)"
"""Sections, comments and instructions, up to the end of the document if they have none; for patterns with DOTALL."""
_TAG: Final = re.compile(
    NO_MARKUP + rb"|<(?P<end>/?)(?P<name>[A-Za-z][\w.:-]{0,60})[^<>]*?(?P<empty>/?)>",
    re.DOTALL,
)


def closed(body: bytes, problems: list[str]) -> bytes:
    """`body` with an end for each CDATA section that runs over the end of its entry, without an endless comment."""
    pieces: list[bytes] = []
    done = position = end = 0
    over: re.Match[bytes] | None = None
    while (start := body.find(_SECTION, position)) >= 0:
        if 0 <= end < start:  # looked for once for many sections, which may all lack an end
            end = body.find(b"]]>", start)
        if end >= 0 and body.find(_SECTION, start + len(_SECTION), end) < 0:  # the end is its own
            position = end + 3
            continue
        if over is None or over.start() < start:  # looked for once for many, too
            over = _OVER.search(body, start)
        if over is None:
            break
        if 0 <= end < over.start():
            position = end + 3
            continue
        opened = _OPENED.search(body[max(0, start - _BEFORE) : start])
        own = body.find(b"</%b>" % opened["name"], start, over.start()) if opened else -1
        place = own if own >= 0 else over.start()
        pieces += [body[done:place], b"]]>", b"</%b>" % opened["name"] if opened and own < 0 else b""]
        done = position = place
    if pieces:
        problems.append("the document is ill-formed: a CDATA section runs into the next entry: closed before it")
    return _without_endless_comment(b"".join([*pieces, body[done:]]), problems)


def _without_endless_comment(body: bytes, problems: list[str]) -> bytes:
    start = body.rfind(_COMMENT)
    if start < 0 or body.find(b"-->", start) >= 0 or not _OVER.search(body, start):
        return body
    if body.rfind(_SECTION, 0, start) > body.rfind(b"]]>", 0, start):  # it stands in a CDATA section
        return body
    problems.append("the document is ill-formed: a comment has no end: its beginning is left out")
    return body[:start] + body[start + len(_COMMENT) :]


def apart(body: bytes, entries: Iterable[tuple[int, int]]) -> tuple[bytes, int]:
    """A document in UTF-8 with each ill-formed entry made well-formed by itself, and how many of them there are.

    `entries` says where they begin and end (`bounds.entry_spans`).
    """
    pieces: list[bytes] = []
    done = count = 0
    for start, end in entries:
        entry = body[start:end]
        if not _is_well_formed(entry):
            pieces += [body[done:start], _mended(entry)]
            done, count = end, count + 1
    return b"".join([*pieces, body[done:]]), count


def _is_well_formed(entry: bytes) -> bool:
    try:
        expat.ParserCreate("utf-8").Parse(entry, True)
    except expat.ExpatError:
        return False
    return True


def _mended(entry: bytes) -> bytes:
    """The entry as far as a lenient parser understands it; empty if it does not at all."""
    from lxml import etree

    parser: Any = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, encoding="utf-8")
    root = etree.fromstring(_without_stray_ends(entry), parser)
    if root is None:
        return b""
    for part in [each for each in root.iter() if _name(each) in _NONE_WITHIN]:
        _lift(part)
    return bytes(etree.tostring(root, encoding="utf-8"))


def _without_stray_ends(entry: bytes) -> bytes:
    """The entry without end tags of what is not open: the parser would close the entry there, and read no further."""
    open_ = Counter[bytes]()

    def kept(tag: re.Match[bytes]) -> bytes:
        if not tag["name"] or tag["empty"]:
            return tag[0]
        if tag["end"] and not open_[tag["name"]]:
            return b""
        open_[tag["name"]] += -1 if tag["end"] else 1
        return tag[0]

    return _TAG.sub(kept, entry)


def _lift(part: etree._Element) -> None:
    """Put what is in a part that was not closed, but is a part of the entry itself, behind that part."""
    parent, inner = part.getparent(), [child for child in part if _name(child) in _PARTS]
    if parent is None:
        return
    for child in reversed(inner):
        child.tail = None
        parent.insert(parent.index(part) + 1, child)


def _name(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(element.tag, str) else ""
