"""feedparser, protected from input on which it is quadratic, and reporting what it left out.

Its parsers are classes created in `feedparser.api`. When the first feed is parsed, they are replaced there by
subclasses, once. What these leave out is noted under `NOTES` in the feed that `feedparser.parse` returns.
"""

from __future__ import annotations

import io
import re
from functools import cache
from itertools import islice
from threading import Lock
from typing import Any, Final
from xml.sax.xmlreader import AttributesNSImpl

NOTES: Final = "newswatch_left_out"
MAX_ATTRIBUTES: Final = 200
"""Maximum attributes of one element. feedparser looks each up in the list of all."""
MAX_NAMESPACES: Final = 100
"""Maximum prefixes of one document. feedparser goes through all of them at each element."""
MAX_DEPTH: Final = 500
"""Maximum nesting of elements in a well-formed document. For ill-formed ones, the time limit applies."""
MAX_ELEMENTS: Final = 50_000
"""Maximum elements of one document."""
_ELEMENT: Final = re.compile(rb"<\w")
_BLANKS: Final = re.compile(rb"\s{100,}")
_RELATION: Final = re.compile(r"https?://www\.iana\.org/assignments/(?:link-)?relations?/", re.IGNORECASE)
_KEPT: Final = frozenset({"id", "link", "published", "updated", "created"})
"""Elements where an empty one must not replace an earlier one."""
_ELEMENTS: Final = f"it has more than {MAX_ELEMENTS:,} elements"
_ATTRIBUTES: Final = f"an element has more than {MAX_ATTRIBUTES} attributes: the others were not read"


class TooMuchError(Exception):
    """The document is refused; the message continues "reading it failed": "it has more than 500 …"."""


def parse(body: bytes, charset: str | None) -> Any:
    """The result of `feedparser.parse`, with problems in `feed[NOTES]`. Dates are only given as written.

    `charset` is the encoding of `body`; None: the document states it. The server's media type is withheld: for
    feedparser `text/xml` would mean ASCII (RFC 3023, which RFC 7303 withdrew), and most feeds are served with it.

    Raises:
        TooMuchError: there are more or deeper elements than are read.
    """
    # The sanitiser and the link resolver work on embedded markup, of which only the text is kept here. The document's
    # address is withheld: feedparser would resolve relative ids with it, and a new address would make all entries new.
    headers = {"content-type": f"application/xml; charset={charset}" if charset else "application/xml"}
    return _feedparser().parse(
        io.BytesIO(_with_short_head(body)), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )


def _with_short_head(body: bytes) -> bytes:
    """`body` without long blanks before the first element: feedparser searches declarations from each blank line."""
    first = _ELEMENT.search(body)
    start = first.start() if first else len(body)
    return _BLANKS.sub(b"\n", body[:start]) + body[start:]


def _feedparser() -> Any:
    with _FIRST:  # two threads that read their first feed at once would derive the classes twice
        return _patched()


_FIRST: Final = Lock()


@cache
def _patched() -> Any:
    import feedparser
    from feedparser import api, datetimes

    datetimes._date_handlers.clear()  # `ingest.dates` reads dates; feedparser takes unknown zones as UTC
    api.StrictFeedParser = type("StrictFeedParser", (_Strict, api.StrictFeedParser), {})
    api.LooseFeedParser = type("LooseFeedParser", (_Loose, api.LooseFeedParser), {})
    return feedparser


class _Bounded:
    """What both parsers share; methods and attributes without a docstring are feedparser's own."""

    depth: int
    feeddata: dict[str, Any]
    namespaces_in_use: dict[str, str]
    guidislink: bool
    inentry: int
    title_depth: int
    _elements = 0
    _title_depth_outside = -1

    def note(self, problem: str) -> None:
        """Note that something was left out."""
        self.feeddata.setdefault(NOTES, {})[problem] = True

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        if len(self.namespaces_in_use) < MAX_NAMESPACES or (prefix or "") in self.namespaces_in_use:
            super().track_namespace(prefix, uri)  # type: ignore[misc]
        else:
            self.note(f"more than {MAX_NAMESPACES} namespaces are declared: elements of the others were not read")

    def _sync_author_detail(self, key: str = "author") -> None:
        """An author as written: feedparser cuts addresses out of it piece by piece, in quadratic time."""
        context = self._get_context()  # type: ignore[attr-defined]
        details = context.get(f"{key}s") or [{}]
        if not details[-1] and context.get(key):
            details[-1]["name"] = context[key]

    def _start_link(self, attrs_d: dict[str, Any]) -> None:
        """A relation by its name; feeds write it in capitals, beside others or as an address (RFC 4287, 4.2.7.2)."""
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
        """A guid is also the link if the link is empty."""
        context = self._get_context()  # type: ignore[attr-defined]
        if dict.get(context, "link") == "":
            del context["link"]
        super()._end_guid()  # type: ignore[misc]

    _end_id = _end_guid

    def _start_source(self, attrs_d: dict[str, Any]) -> None:
        """A source has its own title, after which `media:title` would be taken for the entry's."""
        self._title_depth_outside = self.title_depth
        super()._start_source(attrs_d)  # type: ignore[misc]

    def _end_source(self) -> None:
        super()._end_source()  # type: ignore[misc]
        self.title_depth = self._title_depth_outside

    def _start_image(self, attrs_d: dict[str, Any]) -> None:
        """A picture in an entry has its own title (RSS 0.91), which would be taken for the entry's."""
        outside = self.title_depth
        super()._start_image(attrs_d)  # type: ignore[misc]
        if self.inentry:
            self._title_depth_outside, self.title_depth = outside, 0  # 0: no title is stored

    def _end_image(self) -> None:
        super()._end_image()  # type: ignore[misc]
        if self.inentry:
            self.title_depth = self._title_depth_outside

    def _start_media_description(self, _attrs_d: dict[str, Any]) -> None:
        """The caption of a picture or film, which feedparser takes for the entry's own text."""
        self.push("media_description", 1)  # type: ignore[attr-defined]

    def _end_media_description(self) -> None:
        self.pop("media_description")

    def _add_tag(self, term: str, scheme: str, label: str) -> None:
        """Keep only the last category: none is used, and feedparser compares each with all before it."""
        tag = {"term": term, "scheme": scheme, "label": label}
        self._get_context()["tags"] = [tag] if any(tag.values()) else []  # type: ignore[attr-defined]


class _Strict(_Bounded):
    """For well-formed documents, as Expat reports them."""

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
    """For ill-formed documents, tag by tag."""

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
