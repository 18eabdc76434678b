"""Trying feeds out: whether each answers now, and with what. Nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.discover import MOST_CANDIDATES, likeliest
from ingest.fetch import Fetcher
from ingest.fetched import Fetched, FetchFailed, FetchResult, Request
from ingest.parse import parse
from ingest.parsed import NotAFeed
from ingest.schedule import permanent_target
from newswatch.feed import Feed


@dataclass(frozen=True, slots=True)
class Checked:
    """What a feed answered."""

    id: str
    title: str
    url: str
    ok: bool
    """It is a feed, with at least one entry."""
    why: str
    """What it is, or what is wrong, for a person."""
    status: int | None = None
    format: str | None = None
    entries: int = 0
    newest: datetime | None = None
    """The latest date among its entries."""
    moved_to: str | None = None
    """Where permanent redirects lead: the list should say so."""
    advertises: tuple[str, ...] = ()
    """The feeds that the page there names, where it is no feed."""
    elapsed_s: float = 0.0
    problems: tuple[str, ...] = ()


async def check(
    fetcher: Fetcher, feeds: Sequence[Feed], *, now: datetime, progress: Callable[[Checked], None] = lambda _: None
) -> tuple[Checked, ...]:
    """Fetch and read every one of the feeds, in their order; `progress` is told of each as it comes in."""

    async def one(feed: Feed) -> Checked:
        outcome = await fetcher.fetch(Request(feed.url))
        checked = await asyncio.to_thread(judge, feed, outcome, now)
        progress(checked)
        return checked

    return tuple(await asyncio.gather(*(one(feed) for feed in feeds)))


def judge(feed: Feed, outcome: FetchResult, now: datetime) -> Checked:
    """What the outcome of an unconditional fetch says of the feed."""

    def told(ok: bool, why: str, **facts: object) -> Checked:
        common = {"status": outcome.status, "elapsed_s": round(outcome.elapsed_s, 3), **facts}
        return Checked(feed.id, feed.title, feed.url, ok, why, **common)  # type: ignore[arg-type]

    if isinstance(outcome, FetchFailed):
        return told(False, outcome.reason)
    if not isinstance(outcome, Fetched):
        return told(False, f"answered {outcome.status} to a request that asked for the whole feed")
    moved = permanent_target(outcome)
    kind = outcome.headers.get("content-type")
    parsed = parse(outcome.body, url=outcome.final_url, content_type=kind, country=feed.country, now=now)
    if isinstance(parsed, NotAFeed):
        named, cut = likeliest(parsed.feeds, MOST_CANDIDATES)
        why = (
            f"{parsed.reason}; it names {len(parsed.feeds):,} feeds, {len(named)} are listed" if cut else parsed.reason
        )
        return told(False, why, advertises=named, moved_to=moved)
    dates = [entry.published or entry.updated for entry in parsed.entries]
    facts = {
        "format": parsed.format,
        "entries": len(parsed.entries),
        "newest": max((date for date in dates if date), default=None),
        "moved_to": moved,
        "problems": parsed.problems,
    }
    if not parsed.entries:
        return told(False, "a feed without any entry", **facts)
    return told(True, "moved for good" if moved else "answers", **facts)
