"""From a site to its feeds: those it advertises, else those it links to, else those where feeds usually are."""

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
"""How many links that look like feeds are tried."""
MOST_CANDIDATES: Final = 30
"""How many of the feeds that a page advertises are tried, the most likely ones first."""
AT_ONCE: Final = 4
"""Candidates that are asked for at a time; the pace of each host holds besides."""
_LESS_LIKELY: Final = re.compile(r"comment|/replies|[?&/](?:s|q|search)[=/]|/(?:tag|author|user)s?/", re.IGNORECASE)


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
    found = await _those_that_are(fetcher, [home + path for path in registry.usual_paths()], now)
    return Discovery(found, failure, "; ".join(cuts) or None)


def _linked_in_time(page: bytes, url: str) -> tuple[tuple[str, ...], str | None]:
    """What `page` links to, and a sentence where it could not be read; one that may take long is read by a worker."""
    if bounds.is_harmless(page):
        return linked(page, url, registry.FORMATS), None
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.PAGE_S, linked, page, url, registry.FORMATS), None
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
    async with room:
        outcome = await fetcher.fetch(Request(candidate))
        if not isinstance(outcome, Fetched):
            return None
        kind = outcome.headers.get("content-type")
        parsed = await asyncio.to_thread(parse, outcome.body, url=outcome.final_url, content_type=kind, now=now)
        return (outcome.body_hash, _found(outcome.final_url, parsed)) if isinstance(parsed, ParsedFeed) else None


def _found(url: str, parsed: ParsedFeed) -> FoundFeed:
    return FoundFeed(url, parsed.title, parsed.format, len(parsed.entries), parsed.language)
