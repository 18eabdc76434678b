"""From a site to its feeds: those it advertises, else those it links to, else those where feeds usually are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ingest import bounds
from ingest.fetched import Fetched, FetchFailed, Request
from ingest.parsed import ParsedFeed
from ingest.urls import absolute, read_address

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

USUAL_PATHS: Final = ("/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feed.json", "/feeds")
MOST_LINKS: Final = 12
"""How many links that look like feeds are tried."""
MOST_CANDIDATES: Final = 30
"""How many of the feeds that a page advertises are tried, the most likely ones first."""
AT_ONCE: Final = 4
"""Candidates that are asked for at a time; the pace of each host holds besides."""

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
_LESS_LIKELY: Final = re.compile(r"comment|/replies|[?&/](?:s|q|search)[=/]|/(?:tag|author|user)s?/", re.IGNORECASE)
_LOOKS_LIKE_A_FEED: Final = re.compile(r"(?:^|[/._?=&-])(?:rss\d?|atom|feeds?|rdf)(?:[/._?=&-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was found, fetched and read."""

    url: str
    title: str
    format: str
    entries: int
    language: str | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found at an address."""

    feeds: tuple[FoundFeed, ...] = ()
    failure: str | None = None
    """Why the address itself could not be read, where that is so."""
    cut: str | None = None
    """How many addresses that the page names were not tried, where that is so."""


class _Links:
    """Collects `<link rel="alternate">`, links that look like feeds, and the page's base; needs no tree."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.hrefs: list[str] = []
        self.looking_like: list[str] = []

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        if tag == "base" and self.base is None:
            self.base = attrib.get("href")
        elif tag == "link" and _is_feed_link(attrib):
            self.hrefs.append(attrib["href"])
        elif tag == "a" and _LOOKS_LIKE_A_FEED.search(attrib.get("href", "")):
            self.looking_like.append(attrib["href"])

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
    links = _read_links(page)
    return _absolute(links.hrefs, links, url)


def linked(page: bytes | str, url: str | None) -> tuple[str, ...]:
    """What `page` links to that looks like a feed by its address; never raises."""
    links = _read_links(page)
    return _absolute(links.looking_like, links, url)


def likeliest(candidates: Sequence[str], most: int) -> tuple[tuple[str, ...], str | None]:
    """At most `most` of the candidates, and a sentence where that is not all of them. Pure.

    Feeds of comments and of searches come last; else the page's own order holds, in which the main feed comes first.
    """
    ordered = sorted(candidates, key=lambda url: bool(_LESS_LIKELY.search(url)))
    left = len(ordered) - most
    cut = f"the page names {len(ordered):,} addresses of feeds; the {most} likeliest were tried" if left > 0 else None
    return tuple(ordered[:most]), cut


async def discover(fetcher: Fetcher, url: str, *, now: datetime) -> Discovery:
    """The feeds of the site at `url`, each fetched and read; `url` itself, if it is one. Without any where none is.

    Of what a page names, `MOST_CANDIDATES` advertised feeds are tried, else `MOST_LINKS` links; `cut` tells of others.
    """
    from ingest.parse import parse

    outcome = await fetcher.fetch(Request(url))
    cuts: list[str] = []
    if isinstance(outcome, Fetched):
        kind = outcome.headers.get("content-type")
        parsed = await asyncio.to_thread(parse, outcome.body, url=outcome.final_url, content_type=kind, now=now)
        if isinstance(parsed, ParsedFeed):
            return Discovery((_found(outcome.final_url, parsed),))
        links, unread = await asyncio.to_thread(_linked_in_time, outcome.body, outcome.final_url)
        cuts += [unread] if unread else []
        for candidates, most in ((parsed.feeds, MOST_CANDIDATES), (links, MOST_LINKS)):
            tried, cut = likeliest(candidates, most)
            cuts += [cut] if cut else []
            if found := await _those_that_are(fetcher, tried, now):
                return Discovery(found, cut=cut)
    failure = outcome.reason if isinstance(outcome, FetchFailed) else None
    if isinstance(outcome, FetchFailed) and outcome.status is None:  # who does not answer has no feeds elsewhere
        return Discovery(failure=failure)
    home = read_address(url).origin
    found = await _those_that_are(fetcher, [home + path for path in USUAL_PATHS], now)
    return Discovery(found, failure, "; ".join(cuts) or None)


def _linked_in_time(page: bytes, url: str) -> tuple[tuple[str, ...], str | None]:
    """What `page` links to, and a sentence where it could not be read; one that may take long is read by a worker."""
    if bounds.is_harmless(page):
        return linked(page, url), None
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.PAGE_S, linked, page, url), None
    except OverBudgetError as error:
        return (), f"its links were not looked at: reading it {error}"


async def _those_that_are(fetcher: Fetcher, candidates: Sequence[str], now: datetime) -> tuple[FoundFeed, ...]:
    """Those of the candidates that are feeds, one a final address and content, in their order."""
    room = asyncio.Semaphore(AT_ONCE)
    tried = await asyncio.gather(*(_tried(fetcher, candidate, now, room) for candidate in candidates))
    found: dict[str, FoundFeed] = {}
    for one in tried:
        if one:
            found.setdefault(*one)
    return tuple(found.values())


async def _tried(
    fetcher: Fetcher, candidate: str, now: datetime, room: asyncio.Semaphore
) -> tuple[str, FoundFeed] | None:
    """The hash of its content, and the feed; None where it is none."""
    from ingest.parse import parse

    async with room:
        outcome = await fetcher.fetch(Request(candidate))
        if not isinstance(outcome, Fetched):
            return None
        kind = outcome.headers.get("content-type")
        parsed = await asyncio.to_thread(parse, outcome.body, url=outcome.final_url, content_type=kind, now=now)
        return (outcome.body_hash, _found(outcome.final_url, parsed)) if isinstance(parsed, ParsedFeed) else None


def _found(url: str, parsed: ParsedFeed) -> FoundFeed:
    return FoundFeed(url, parsed.title, parsed.format, len(parsed.entries), parsed.language)


def _read_links(page: bytes | str) -> _Links:
    from lxml import etree

    data = page.encode("utf-8", "replace") if isinstance(page, str) else page
    links = _Links()
    target: Any = links
    try:
        etree.fromstring(data, etree.HTMLParser(target=target, recover=True))
    except (etree.LxmlError, ValueError):
        return _Links()
    return links


def _absolute(hrefs: Iterable[str], links: _Links, url: str | None) -> tuple[str, ...]:
    base = absolute(links.base, url) or url
    found = (absolute(href, base) for href in hrefs)
    return tuple(dict.fromkeys(link for link in found if link))
