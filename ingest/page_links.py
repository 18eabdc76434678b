"""The feeds that a page names, in its head or by links that look like feeds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ingest.addresses import absolute, without_feed_scheme
from ingest.formats.format import Format
from ingest.formats.registry import feed_types, looks_like_a_feed


class _Links:
    """Collects `<link rel="alternate">`, links that look like feeds, and the page's base; builds no tree."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self._formats, self._types = formats, feed_types(formats)
        self.base: str | None = None
        self.hrefs: list[str] = []
        self.looking_like: list[str] = []

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        if tag == "base" and self.base is None:
            self.base = attrib.get("href")
        elif tag == "link" and _is_feed_link(attrib, self._types):
            self.hrefs.append(attrib["href"])
        elif tag == "a" and looks_like_a_feed(attrib.get("href", ""), self._formats):
            self.looking_like.append(attrib["href"])

    def end(self, tag: str) -> None: ...

    def data(self, data: str) -> None: ...

    def close(self) -> _Links:
        return self


def _is_feed_link(attrib: dict[str, str], types: frozenset[str]) -> bool:
    rels = attrib.get("rel", "").lower().split()
    kind = attrib.get("type", "").partition(";")[0].strip().lower()
    if not attrib.get("href") or "stylesheet" in rels:
        return False
    return "feed" in rels or ("alternate" in rels and kind in types and "oembed" not in attrib["href"])


def advertised(page: bytes | str, url: str | None, formats: Sequence[Format]) -> tuple[str, ...]:
    """The feeds that `page` names in its head: absolute, in order, each once. Never raises."""
    links = _read_links(page, formats)
    return _absolute(links.hrefs, links, url)


def linked(page: bytes | str, url: str | None, formats: Sequence[Format]) -> tuple[str, ...]:
    """The links of `page` whose address looks like a feed's. Never raises."""
    links = _read_links(page, formats)
    return _absolute(links.looking_like, links, url)


def _read_links(page: bytes | str, formats: Sequence[Format]) -> _Links:
    from lxml import etree

    data = page.encode("utf-8", "replace") if isinstance(page, str) else page
    links = _Links(formats)
    target: Any = links
    try:
        etree.fromstring(data, etree.HTMLParser(target=target, recover=True))
    except (etree.LxmlError, ValueError):
        return _Links(formats)
    return links


def _absolute(hrefs: Iterable[str], links: _Links, url: str | None) -> tuple[str, ...]:
    base = absolute(links.base, url) or url
    links_to = (absolute(without_feed_scheme(href), base) for href in hrefs)
    return tuple(dict.fromkeys(link for link in links_to if link))
