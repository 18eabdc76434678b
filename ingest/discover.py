"""From a page to the feeds it advertises."""

from __future__ import annotations

from typing import Any, Final

from ingest.urls import absolute

FEED_TYPES: Final = frozenset(
    {
        "application/rss+xml",
        "application/atom+xml",
        "application/rdf+xml",
        "application/feed+json",
        "application/json",
        "application/xml",
        "text/xml",
        "text/rss+xml",
        "application/x-rss+xml",
    }
)


class _Links:
    """Collects `<link rel="alternate">` and the page's base; needs no tree."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.hrefs: list[str] = []

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        if tag == "base" and self.base is None:
            self.base = attrib.get("href")
        elif tag == "link" and _is_feed_link(attrib):
            self.hrefs.append(attrib["href"])

    def end(self, tag: str) -> None: ...

    def data(self, data: str) -> None: ...

    def close(self) -> _Links:
        return self


def _is_feed_link(attrib: dict[str, str]) -> bool:
    rels = attrib.get("rel", "").lower().split()
    kind = attrib.get("type", "").partition(";")[0].strip().lower()
    if not attrib.get("href") or "stylesheet" in rels:
        return False
    return "feed" in rels or ("alternate" in rels and kind in FEED_TYPES and "oembed" not in attrib["href"])


def advertised(page: bytes | str, url: str | None) -> tuple[str, ...]:
    """The feeds that `page` names in its head, absolute, in its order, each once; never raises."""
    from lxml import etree

    data = page.encode("utf-8", "replace") if isinstance(page, str) else page
    links = _Links()
    target: Any = links
    try:
        etree.fromstring(data, etree.HTMLParser(target=target, recover=True))
    except (etree.LxmlError, ValueError):
        return ()
    base = absolute(links.base, url) or url
    found = (absolute(href, base) for href in links.hrefs)
    return tuple(dict.fromkeys(link for link in found if link))
