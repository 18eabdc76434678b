"""Reads and writes subscription lists (OPML 2.0, http://opml.org/spec2.opml); reads nested and ill-formed ones too.

Values that OPML has no attribute for are kept in attributes of our own namespace, which the specification allows, so
that a list survives being written and read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree
from pydantic import ValidationError

from ingest.addresses import shown, without_feed_scheme
from ingest.encodings import guessed
from ingest.feed_list.feeds import RULES, FallbackSpec, FeedSpec, RatingSpec
from ingest.urls import article_id
from newswatch.feed import Feed
from newswatch.wording import worded

NAMESPACE: Final = "https://newswatch.invalid/opml"
_DECLARATION: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["'][^>]*\?>""")
_WIDE: Final = re.compile(r"(?:utf|ucs)[-_]?(?:16|32|2|4)|unicode", re.IGNORECASE)
_ANY_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_END: Final = re.compile(r"</opml\s*>", re.IGNORECASE)
_FEEDS: Final = ("rss", "atom", "feed", "rdf")
_OWN: Final = ("country", "kind", "owner", "full_text", "enabled", "fast", "id", "state_media")
_FALLBACK: Final = ("url", "read")
_RATING: Final = ("grade", "rated", "why")


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The content of a subscription list."""

    feeds: tuple[FeedSpec, ...]
    """In the list's order, each URL once; the names of a feed's folders are its topics."""
    problems: tuple[str, ...]
    """Outlines that are not feeds we can poll, and why."""


class _Outlines:
    """Collects the outlines of feeds, with the folders that contain them."""

    def __init__(self) -> None:
        self._folders: list[str | None] = []
        self.feeds: list[tuple[dict[str, str], tuple[str, ...]]] = []
        self.others: list[str] = []
        """Addresses of outlines that are links or other lists."""

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        if tag != "outline":
            return
        attributes = {name.lower(): value.strip() for name, value in attrib.items()}
        kind = attributes.get("type", "").lower()
        if attributes.get("url") and not attributes.get("xmlurl"):
            if kind in _FEEDS:  # some programs write `url` for `xmlUrl`
                attributes["xmlurl"] = attributes["url"]
            else:
                self.others.append(attributes["url"])
        if attributes.get("xmlurl"):
            self.feeds.append((attributes, tuple(folder for folder in self._folders if folder)))
            self._folders.append(None)
        else:
            self._folders.append(attributes.get("text") or attributes.get("title"))

    def end(self, tag: str) -> None:
        if tag == "outline" and self._folders:
            self._folders.pop()

    def data(self, data: str) -> None: ...

    def close(self) -> None: ...


def read_opml(document: bytes) -> Subscriptions:
    """The feeds listed in `document`, read like HTML: missing quotes, ampersands and end tags do no harm."""
    outlines = _Outlines()
    target: Any = outlines
    text = _decoded(document)
    if text.strip():
        try:
            etree.HTML(text, etree.HTMLParser(target=target, recover=True))
        except (etree.LxmlError, ValueError) as error:
            return Subscriptions((), (f"the document can't be read: {error}",))
    feeds: dict[str, FeedSpec] = {}
    problems = [] if outlines.feeds else ["the document lists no feed"]
    if outlines.feeds and not _END.search(text):
        problems.append("the document ends without </opml>: feeds may be missing")
    problems += [f"{shown(url)}: the outline is not a feed" for url in outlines.others]
    for attributes, folders in outlines.feeds:
        try:
            spec = _spec(attributes, folders, problems)
        except ValidationError as error:
            why = worded(error.errors(include_url=False)[0])
            problems.append(f"{shown(attributes['xmlurl'])}: {why}")
            continue
        known = feeds.setdefault(spec.feed().id, spec)
        if article_id(known.url) != article_id(spec.url):
            problems.append(f"{shown(spec.url)}: its id {spec.id} is already that of {shown(known.url)}")
    return Subscriptions(tuple(feeds.values()), tuple(problems))


def _decoded(document: bytes) -> str:
    return _ANY_DECLARATION.sub("", _text(document)).replace("\x00", "")


def _text(document: bytes) -> str:
    declared = _DECLARATION.match(document)
    stated = declared[1].decode("ascii") if declared else "utf-8-sig"
    # Without a byte order mark or NULs it is not UTF-16: half of all texts in Latin-1 can be decoded as that.
    is_wide = document.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in document
    if _WIDE.match(stated):  # the declaration was found byte by byte, so it lies
        stated = "utf-8-sig"
    for encoding in (stated, "utf-8-sig", *(("utf-16",) if is_wide else ())):
        try:
            return document.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    try:
        return document.decode(guessed(document) or "cp1252")
    except UnicodeDecodeError:
        return document.decode("latin-1")


def _spec(attributes: dict[str, str], folders: tuple[str, ...], problems: list[str]) -> FeedSpec:
    """The feed of an outline; invalid optional values are left out, with a note, but the URL must be valid."""
    url = without_feed_scheme(attributes["xmlurl"])
    given: dict[str, Any] = {
        "url": url,
        "title": attributes.get("title") or attributes.get("text") or attributes["xmlurl"],
        "topics": tuple(topic.strip() for topic in attributes.get("category", "").split(",") if topic.strip())
        or tuple(dict.fromkeys(folders)),
    }
    FeedSpec.model_validate(given)
    optional = {"site": attributes.get("htmlurl"), "language": attributes.get("language", "")[:2].lower()}
    optional |= {name: attributes.get(f"nw:{name}") for name in _OWN}
    for name, value in optional.items():
        if value:
            try:
                FeedSpec.model_validate({**given, name: value})
            except ValidationError as error:
                problems.append(f"{shown(url)}: its {name} is left out: {worded(error.errors(include_url=False)[0])}")
                continue
            given[name] = value
    more = _list_of(attributes) | _rating_of(attributes) | _fallback_of(attributes)
    return FeedSpec.model_validate(given | more)


def _list_of(attributes: dict[str, str]) -> dict[str, Any]:
    """How a list that is not a feed is read; without it, it would be polled as a feed and fail."""
    if not attributes.get("nw:read"):
        return {}
    rule = {name: attributes[f"nw:rule-{name}"] for name in RULES if attributes.get(f"nw:rule-{name}")}
    return {"read": attributes["nw:read"], **({"rule": rule} if rule else {})}


def _fallback_of(attributes: dict[str, str]) -> dict[str, Any]:
    """Another way to the same source, if one is stated that can be used."""
    said: dict[str, Any] = {name: attributes.get(f"nw:fallback-{name}") for name in _FALLBACK}
    rule = {name: value for name in RULES if (value := attributes.get(f"nw:fallback-rule-{name}"))}
    try:
        return {"fallback": FallbackSpec.model_validate(said | {"rule": rule or None})} if said["url"] else {}
    except ValidationError:
        return {}


def _rating_of(attributes: dict[str, str]) -> dict[str, Any]:
    """The rating, if it is whole; a grade without its reason and date is none."""
    said = {name: attributes.get(f"nw:rating-{name}") for name in _RATING}
    try:
        return {"reliability": RatingSpec.model_validate(said)} if all(said.values()) else {}
    except ValidationError:
        return {}


def write_opml(feeds: Iterable[Feed], title: str = "newswatch") -> bytes:
    """The feeds as an OPML 2.0 document in UTF-8, in folders by their first topic; without a topic in none."""
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
    own[f"{{{NAMESPACE}}}fast"] = feed.fast or None
    if feed.read != "feed":
        own[f"{{{NAMESPACE}}}read"] = feed.read
        own |= {f"{{{NAMESPACE}}}rule-{name}": getattr(feed.rule, name) for name in RULES if feed.rule}
    if feed.fallback:
        own |= {f"{{{NAMESPACE}}}fallback-{name}": getattr(feed.fallback, name) for name in _FALLBACK}
        rule = feed.fallback.rule
        own |= {f"{{{NAMESPACE}}}fallback-rule-{name}": getattr(rule, name) for name in RULES if rule}
    if feed.reliability:
        own |= {f"{{{NAMESPACE}}}rating-{name}": str(getattr(feed.reliability, name)) for name in _RATING}
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
