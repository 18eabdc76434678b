"""Subscription lists (OPML 2.0, http://opml.org/spec2.opml), in and out: nested ones, and ill-formed ones in.

What OPML has no attribute for is kept in attributes of our own namespace, which the specification allows, so that a
list that is written and read again is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree
from pydantic import ValidationError

from ingest.feeds import FeedSpec
from ingest.urls import shown
from newswatch.feed import Feed

NAMESPACE: Final = "https://newswatch.invalid/opml"
_DECLARATION: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["'][^>]*\?>""")
_ANY_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_FEEDS: Final = ("rss", "atom", "feed", "rdf")
_OWN: Final = ("country", "kind", "owner", "full_text", "enabled", "id")


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """What a subscription list holds."""

    feeds: tuple[FeedSpec, ...]
    """In the list's order, each URL once; the names of the folders that a feed stands in are its topics."""
    problems: tuple[str, ...]
    """Outlines that are no feeds we can poll, and why."""


class _Outlines:
    """Collects the feeds' outlines, with the folders they stand in."""

    def __init__(self) -> None:
        self._folders: list[str | None] = []
        self.found: list[tuple[dict[str, str], tuple[str, ...]]] = []
        self.others: list[str] = []
        """Addresses of outlines that are links and other lists."""

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        if tag != "outline":
            return
        attributes = {name.lower(): value.strip() for name, value in attrib.items()}
        kind = attributes.get("type", "").lower()
        if attributes.get("url") and not attributes.get("xmlurl"):
            if kind in _FEEDS:  # some write `url` for `xmlUrl`
                attributes["xmlurl"] = attributes["url"]
            else:
                self.others.append(attributes["url"])
        if attributes.get("xmlurl"):
            self.found.append((attributes, tuple(folder for folder in self._folders if folder)))
            self._folders.append(None)
        else:
            self._folders.append(attributes.get("text") or attributes.get("title"))

    def end(self, tag: str) -> None:
        if tag == "outline" and self._folders:
            self._folders.pop()

    def data(self, data: str) -> None: ...

    def close(self) -> None: ...


def read_opml(document: bytes) -> Subscriptions:
    """The feeds listed in `document`. It is read like HTML, so missing quotes, ampersands and end tags do no harm."""
    outlines = _Outlines()
    target: Any = outlines
    text = _decoded(document)
    if text.strip():
        try:
            etree.HTML(text, etree.HTMLParser(target=target, recover=True))
        except (etree.LxmlError, ValueError) as error:
            return Subscriptions((), (f"the document can't be read: {error}",))
    feeds: dict[str, FeedSpec] = {}
    problems = [] if outlines.found else ["the document lists no feed"]
    problems += [f"{shown(url)}: an outline that is no feed" for url in outlines.others]
    for attributes, folders in outlines.found:
        try:
            spec = _spec(attributes, folders)
        except ValidationError as error:
            told = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            problems.append(f"{shown(attributes['xmlurl'])}: {told}")
            continue
        feeds.setdefault(spec.feed().id, spec)
    return Subscriptions(tuple(feeds.values()), tuple(problems))


def _decoded(document: bytes) -> str:
    declared = _DECLARATION.match(document)
    for encoding in (declared[1].decode("ascii") if declared else "utf-8-sig", "utf-8-sig", "utf-16", "latin-1"):
        try:
            return _ANY_DECLARATION.sub("", document.decode(encoding)).replace("\x00", "")
        except (UnicodeError, LookupError):
            continue
    raise AssertionError("latin-1 decodes everything")


def _spec(attributes: dict[str, str], folders: tuple[str, ...]) -> FeedSpec:
    """The feed of an outline; what is optional and wrong is left out, the URL must be one."""
    given: dict[str, Any] = {
        "url": attributes["xmlurl"].replace("feed://", "http://", 1),
        "title": attributes.get("title") or attributes.get("text") or attributes["xmlurl"],
        "topics": tuple(topic.strip() for topic in attributes.get("category", "").split(",") if topic.strip())
        or folders,
    }
    optional = {"site": attributes.get("htmlurl"), "language": attributes.get("language", "")[:2].lower()}
    optional |= {name: attributes.get(f"nw:{name}") for name in _OWN}
    for name, value in optional.items():
        if value:
            try:
                FeedSpec.model_validate({**given, name: value})
            except ValidationError:
                continue
            given[name] = value
    return FeedSpec.model_validate(given)


def write_opml(feeds: Iterable[Feed], title: str = "newswatch") -> bytes:
    """The feeds as an OPML 2.0 document in UTF-8, in folders by their first topic; those without one in none."""
    root = etree.Element("opml", {"version": "2.0"}, nsmap={"nw": NAMESPACE})
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    folders: dict[str, etree._Element] = {}
    for feed in feeds:
        folder = body
        if feed.topics:
            topic = feed.topics[0]
            if topic not in folders:
                folders[topic] = etree.SubElement(body, "outline", {"text": topic})
            folder = folders[topic]
        etree.SubElement(folder, "outline", _attributes(feed))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))


def _attributes(feed: Feed) -> dict[str, str]:
    own = {f"{{{NAMESPACE}}}{name}": getattr(feed, name) for name in _OWN}
    attributes = {
        "type": "rss",
        "text": feed.title,
        "title": feed.title,
        "xmlUrl": feed.url,
        "htmlUrl": feed.site,
        "language": feed.language,
        "category": ",".join(feed.topics) or None,
        **own,
    }
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in attributes.items()
        if value is not None
    }
