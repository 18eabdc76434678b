"""From a site to its feeds: the ones it advertises, else the ones it links to, else the usual addresses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ingest import bounds
from ingest.fetched import Fetched, FetchFailed, Request
from ingest.formats import registry
from ingest.page_links import linked
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.urls import read_address

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

MOST_LINKS: Final = 12
"""Maximum number of links that look like feeds that are tried."""
MOST_CANDIDATES: Final = 30
"""Maximum number of advertised feeds that are tried, the likeliest first."""
SHOWN: Final = 5
"""Entries whose titles are told of each feed found."""
AT_ONCE: Final = 4
"""Candidates that are requested at the same time; the pace of each host applies too."""
_LESS_LIKELY: Final = re.compile(r"comment|/replies|[?&/](?:s|q|search)[=/]|/(?:tag|author|user)s?/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was fetched and parsed."""

    url: str
    title: str
    format: str
    entries: int
    language: str | None
    newest: datetime | None = None
    """The latest date among its entries."""
    titles: tuple[str, ...] = ()
    """Of its first `SHOWN` entries."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of looking for feeds at an address."""

    feeds: tuple[FoundFeed, ...] = ()
    failure: str | None = None
    """Why the address itself could not be read, if it could not."""
    cut: str | None = None
    """How many of the page's addresses were not tried, if any."""


def likeliest(candidates: Sequence[str], most: int) -> tuple[tuple[str, ...], str | None]:
    """At most `most` of the candidates, and a sentence if some are left out. Pure.

    Feeds of comments and of searches come last. Otherwise the page's own order applies, in which the main feed is
    first.
    """
    ordered = sorted(candidates, key=lambda url: bool(_LESS_LIKELY.search(url)))
    left = len(ordered) - most
    cut = f"the page names {len(ordered):,} addresses of feeds; the {most} likeliest were tried" if left > 0 else None
    return tuple(ordered[:most]), cut


async def discover(fetcher: Fetcher, url: str, *, now: datetime) -> Discovery:
    """The feeds of the site at `url`, each fetched and parsed, or `url` itself if it is a feed; none if there is none.

    It tries at most `MOST_CANDIDATES` advertised feeds, else at most `MOST_LINKS` links; `cut` says if there were more.
    """
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
            feeds = await _feeds_among(fetcher, tried, now)
            if feeds:
                return Discovery(feeds, cut=cut)
    failure = outcome.reason if isinstance(outcome, FetchFailed) else None
    if isinstance(outcome, FetchFailed) and outcome.status is None:  # a host that does not answer has no feeds
        return Discovery(failure=failure)
    home = read_address(url).origin
    feeds = await _feeds_among(fetcher, [home + path for path in registry.usual_paths()], now)
    return Discovery(feeds, failure, "; ".join(cuts) or None)


def _linked_in_time(page: bytes, url: str) -> tuple[tuple[str, ...], str | None]:
    """The links of `page`, and a sentence if it could not be read; a worker reads a page that may take long."""
    if bounds.is_harmless(page):
        return linked(page, url, registry.FORMATS), None
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.PAGE_S, linked, page, url, registry.FORMATS), None
    except OverBudgetError as error:
        return (), f"its links were not read: reading it {error}"


async def _feeds_among(fetcher: Fetcher, candidates: Sequence[str], now: datetime) -> tuple[FoundFeed, ...]:
    """Those of the candidates that are feeds, in order; one for each final address and content."""
    room = asyncio.Semaphore(AT_ONCE)
    tried = await asyncio.gather(*(_tried(fetcher, candidate, now, room) for candidate in candidates))
    feeds: dict[str, FoundFeed] = {}
    for content_and_feed in tried:
        if content_and_feed:
            feeds.setdefault(*content_and_feed)
    return tuple(feeds.values())


async def _tried(
    fetcher: Fetcher, candidate: str, now: datetime, room: asyncio.Semaphore
) -> tuple[str, FoundFeed] | None:
    """The hash of its content, and the feed; None if it is not a feed."""
    async with room:
        outcome = await fetcher.fetch(Request(candidate))
        if not isinstance(outcome, Fetched):
            return None
        kind = outcome.headers.get("content-type")
        parsed = await asyncio.to_thread(parse, outcome.body, url=outcome.final_url, content_type=kind, now=now)
        return (outcome.body_hash, _found(outcome.final_url, parsed)) if isinstance(parsed, ParsedFeed) else None


def _found(url: str, parsed: ParsedFeed) -> FoundFeed:
    dates = [date for entry in parsed.entries if (date := entry.published or entry.updated)]
    titles = tuple(entry.title for entry in parsed.entries[:SHOWN])
    newest = max(dates, default=None)
    return FoundFeed(url, parsed.title, parsed.format, len(parsed.entries), parsed.language, newest, titles)
