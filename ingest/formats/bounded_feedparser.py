"""feedparser, kept from what is quadratic in it, and told to say what it left out.

Its parsers are classes made in `feedparser.api`; they are replaced there by subclasses, once, when a feed is first
parsed. What they leave out is noted under `NOTES` in the feed that `feedparser.parse` gives.
"""

from __future__ import annotations

import io
import re
from functools import cache
from itertools import islice
from typing import Any, Final
from xml.sax.xmlreader import AttributesNSImpl

NOTES: Final = "newswatch_left_out"
MAX_ATTRIBUTES: Final = 200
"""Of one element. feedparser looks each up in the list of all."""
MAX_NAMESPACES: Final = 100
"""Prefixes of one document. feedparser goes through all of them at each element."""
MAX_DEPTH: Final = 500
"""Of elements in each other, in a well-formed document. In an ill-formed one the time limit is the bound."""
MAX_ELEMENTS: Final = 50_000
"""Of one document."""
_ELEMENT: Final = re.compile(rb"<\w")
_BLANKS: Final = re.compile(rb"\s{100,}")
_RELATION: Final = re.compile(r"https?://www\.iana\.org/assignments/(?:link-)?relations?/", re.IGNORECASE)
_KEPT: Final = frozenset({"id", "link"})
"""Elements of which an empty one says nothing against one before it."""
_ELEMENTS: Final = f"it has more than {MAX_ELEMENTS:,} elements"
_ATTRIBUTES: Final = f"an element has more than {MAX_ATTRIBUTES} attributes: the others were not read"


class TooMuchError(Exception):
    """The document is refused; the message goes on after "reading it failed": "it has more than 500 …"."""


def parse(body: bytes, charset: str | None) -> Any:
    """What `feedparser.parse` gives; problems stand in `feed[NOTES]`. Dates stand as they are written, and only so.

    `charset` is what `body` is in; None: the document says it. The server's media type is not told: `text/xml` would
    mean ASCII to it (RFC 3023, which RFC 7303 took back), and most feeds are served as that.

    Raises:
        TooMuchError: more elements or deeper ones than are read.
    """
    # The sanitiser and the link resolver work on embedded markup, of which only the text is kept here. The document's
    # address is kept from it, or it would resolve relative ids too, and another address would make all entries new.
    headers = {"content-type": f"application/xml; charset={charset}" if charset else "application/xml"}
    return _feedparser().parse(
        io.BytesIO(_with_short_head(body)), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )


def _with_short_head(body: bytes) -> bytes:
    """Without the long blanks before the first element: feedparser looks for declarations from each blank line on."""
    first = _ELEMENT.search(body)
    at = first.start() if first else len(body)
    return _BLANKS.sub(b"\n", body[:at]) + body[at:]


@cache
def _feedparser() -> Any:
    import feedparser
    from feedparser import api, datetimes

    datetimes._date_handlers.clear()  # `ingest.dates` reads dates: feedparser takes unknown zones for UTC
    api.StrictFeedParser = type("StrictFeedParser", (_Strict, api.StrictFeedParser), {})
    api.LooseFeedParser = type("LooseFeedParser", (_Loose, api.LooseFeedParser), {})
    return feedparser


class _Bounded:
    """What both parsers have in common; methods and attributes without a word here are feedparser's own."""

    depth: int
    feeddata: dict[str, Any]
    namespaces_in_use: dict[str, str]
    guidislink: bool
    title_depth: int
    _elements = 0
    _title_depth_outside = -1

    def note(self, problem: str) -> None:
        """Tell that something was left out."""
        self.feeddata.setdefault(NOTES, {})[problem] = True

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        if len(self.namespaces_in_use) < MAX_NAMESPACES or (prefix or "") in self.namespaces_in_use:
            super().track_namespace(prefix, uri)  # type: ignore[misc]
        else:
            self.note(f"more than {MAX_NAMESPACES} namespaces are declared: elements of the others were not read")

    def _sync_author_detail(self, key: str = "author") -> None:
        """An author as it is written: feedparser cuts addresses out of it in pieces, in quadratic time."""
        context = self._get_context()  # type: ignore[attr-defined]
        details = context.get(f"{key}s") or [{}]
        if not details[-1] and context.get(key):
            details[-1]["name"] = context[key]

    def _start_link(self, attrs_d: dict[str, Any]) -> None:
        """A relation by its one name; it may be in capitals, beside others or an address (RFC 4287, 4.2.7.2)."""
        names = [_RELATION.sub("", name) for name in str(attrs_d.get("rel") or "").lower().split()]
        if names:
            attrs_d["rel"] = "alternate" if "alternate" in names else names[0]
        super()._start_link(attrs_d)  # type: ignore[misc]

    def pop(self, element: str, strip_whitespace: int = 1) -> Any:
        if element not in _KEPT:
            return super().pop(element, strip_whitespace)  # type: ignore[misc]
        context = self._get_context()  # type: ignore[attr-defined]
        before = dict.get(context, element)
        output = super().pop(element, strip_whitespace)  # type: ignore[misc]
        if before and not output and dict.get(context, element) == "":
            context[element] = before
        return output

    def _end_guid(self) -> None:
        """A guid is the link beside an empty link too."""
        context = self._get_context()  # type: ignore[attr-defined]
        if dict.get(context, "link") == "":
            del context["link"]
        super()._end_guid()  # type: ignore[misc]

    _end_id = _end_guid

    def _start_source(self, attrs_d: dict[str, Any]) -> None:
        """A source has a title of its own, and after it `media:title` would pass for the entry's."""
        self._title_depth_outside = self.title_depth
        super()._start_source(attrs_d)  # type: ignore[misc]

    def _end_source(self) -> None:
        super()._end_source()  # type: ignore[misc]
        self.title_depth = self._title_depth_outside

    def _add_tag(self, term: str, scheme: str, label: str) -> None:
        """Only the last category is kept: none is used, and feedparser compares each with all before it."""
        tag = {"term": term, "scheme": scheme, "label": label}
        self._get_context()["tags"] = [tag] if any(tag.values()) else []  # type: ignore[attr-defined]


class _Strict(_Bounded):
    """For well-formed documents: what Expat tells comes in here."""

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: N802 - SAX's own
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooMuchError(_ELEMENTS)
        if self.depth >= MAX_DEPTH:
            raise TooMuchError(f"elements are nested more than {MAX_DEPTH} deep")
        if len(attrs) > MAX_ATTRIBUTES:
            attrs = _first_attributes(attrs)
            self.note(_ATTRIBUTES)
        super().startElementNS(name, qname, attrs)  # type: ignore[misc]


class _Loose(_Bounded):
    """For ill-formed documents: tags as they come."""

    def unknown_starttag(self, tag: str, attrs: list[Any]) -> Any:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooMuchError(_ELEMENTS)
        if len(attrs) > MAX_ATTRIBUTES:
            attrs = attrs[:MAX_ATTRIBUTES]
            self.note(_ATTRIBUTES)
        return super().unknown_starttag(tag, attrs)  # type: ignore[misc]


def _first_attributes(attrs: Any) -> Any:
    names = dict(islice(attrs.items(), MAX_ATTRIBUTES))
    return AttributesNSImpl(names, {name: attrs.getQNameByName(name) for name in names})
