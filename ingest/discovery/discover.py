"""From a site to its feeds: the ones it advertises, else the ones it links to, else the usual addresses.

A site without feeds may have a sitemap whose addresses have a day or a date, or a list of articles on the page itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from ingest import bounds
from ingest.addresses import read_address
from ingest.discovery.preview import Preview, preview, preview_live
from ingest.formats import registry
from ingest.http.fetched import Fetched, FetchFailed, FetchResult, Request
from ingest.page_links import linked
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from newswatch.feed import Read

if TYPE_CHECKING:
    from ingest.http.fetch import Fetcher

MOST_LINKS: Final = 12
"""Maximum number of links that look like feeds that are tried."""
MOST_CANDIDATES: Final = 30
"""Maximum number of advertised feeds that are tried, the likeliest first."""
SHOWN: Final = 5
"""Entries whose titles are told of each feed found."""
AT_ONCE: Final = 4
"""Candidates that are requested at the same time; the pace of each host applies too."""
SITEMAP_PATHS: Final = ("/news-sitemap.xml", "/sitemap_index.xml", "/sitemap.xml")
"""Where sites usually keep sitemaps; tried after those that robots.txt names."""
MOST_SITEMAPS: Final = 6
"""Maximum number of sitemaps that are tried."""
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
    read: Read = "feed"
    """What it is, for the list of feeds."""
    warnings: tuple[str, ...] = ()
    """What is missing: dates, titles, anything recent."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of looking for feeds at an address."""

    feeds: tuple[FoundFeed, ...] = ()
    failure: str | None = None
    """Why the address itself could not be read, if it could not."""
    cut: str | None = None
    """How many of the page's addresses were not tried, if any."""
    tried: tuple[str, ...] = ()
    """What was tried in place of a feed, and with which result, in words; empty if there is a feed."""


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
    cut = "; ".join(cuts) or None
    if feeds:
        return Discovery(feeds, failure, cut)
    found, tried = await _list_at(fetcher, url, outcome, now)
    return Discovery((found,) if found else (), failure, cut, tried)


async def _list_at(
    fetcher: Fetcher, url: str, outcome: FetchResult, now: datetime
) -> tuple[FoundFeed | None, tuple[str, ...]]:
    """The site's sitemap or the page's list, whichever is of use first; and what was tried, in words."""
    tried = [f"no feed at {url}"]
    home = read_address(url).origin
    named = (*await fetcher.sitemaps(url), *(home + path for path in SITEMAP_PATHS))
    for address in tuple(dict.fromkeys(named))[:MOST_SITEMAPS]:
        shown = await preview_live(fetcher, address, now=now, read="sitemap")
        if shown.is_usable and shown.newest and any(entry.published for entry in shown.entries):
            tried.append(f"sitemap {address}: {_newest(shown)}")
            return _list(shown, address), tuple(tried)
        tried.append(f"sitemap {address}: {_why_unused(shown)}")
    if not isinstance(outcome, Fetched):
        return None, tuple(tried)
    kind = outcome.headers.get("content-type")
    page = partial(preview, outcome.body, url=outcome.final_url, content_type=kind, now=now)
    shown = await asyncio.to_thread(page)
    if shown.entries:
        tried.append(f"{shown.format} at {shown.url}: {_newest(shown)}")
        return _list(shown, shown.url), tuple(tried)
    return None, (*tried, f"list at {shown.url}: {_why_unused(shown)}")


def _newest(shown: Preview) -> str:
    found = f"{len(shown.entries)} articles, "
    found += f"the newest of {shown.newest:%d %B %Y}" if shown.newest else "without dates"
    return "; ".join((found, *shown.warnings))


def _why_unused(shown: Preview) -> str:
    return shown.why_not or "; ".join(shown.warnings) or "its addresses have no dates, so articles can't be told apart"


def _list(shown: Preview, address: str) -> FoundFeed:
    return FoundFeed(
        address,
        shown.title,
        shown.format or shown.read,
        len(shown.entries),
        shown.language,
        shown.newest,
        tuple(entry.title for entry in shown.entries[:SHOWN]),
        shown.read,
        shown.warnings,
    )


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
