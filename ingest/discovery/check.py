"""Tries feeds: whether each answers now, and with what. Stores nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ingest.discovery.discover import MOST_CANDIDATES, likeliest
from ingest.discovery.preview import OLD
from ingest.http.fetch import Fetcher
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, Request
from ingest.http.silence import answered
from ingest.listings import bring_list
from ingest.parse import parse
from ingest.parsed import NotAFeed
from ingest.polling.schedule import permanent_target
from newswatch.feed import Feed

Finding = Literal["answers", "moved", "undated", "stale", "empty", "not a feed", "refused", "gone", "failing"]
"""What was found: it answers with recent entries; its address has moved for good; its entries have no dates; its newest
entry is older than `preview.OLD`; it has none; something else stands there; it or we refuse; 410; it fails."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of trying a feed."""

    id: str
    title: str
    url: str
    ok: bool
    """Whether it is a feed with at least one entry; `finding` says whether it is of use."""
    why: str
    """The result, or what is wrong, in words."""
    status: int | None = None
    format: str | None = None
    entries: int = 0
    newest: datetime | None = None
    """The latest date among its entries."""
    moved_to: str | None = None
    """Where permanent redirects lead; the list should be changed to it."""
    advertises: tuple[str, ...] = ()
    """The feeds that the page names, if the address is a page."""
    elapsed_s: float = 0.0
    problems: tuple[str, ...] = ()
    finding: Finding = "answers"
    answered: bool = True
    """Whether anything came back; if nothing does of any feed, our own network is down."""


async def check(
    fetcher: Fetcher, feeds: Sequence[Feed], *, now: datetime, progress: Callable[[Checked], None] = lambda _: None
) -> tuple[Checked, ...]:
    """Fetch and parse the feeds; returns the results in order, and calls `progress` with each as it arrives."""

    async def checked(feed: Feed) -> Checked:
        request = Request(feed.url)
        outcome = await (fetcher.fetch(request) if feed.read == "feed" else bring_list(fetcher, request, feed.read))
        result = await asyncio.to_thread(judge, feed, outcome, now)
        progress(result)
        return result

    return tuple(await asyncio.gather(*(checked(feed) for feed in feeds)))


def judge(feed: Feed, outcome: FetchResult, now: datetime) -> Checked:
    """The verdict on a feed from the outcome of an unconditional fetch."""

    def result(ok: bool, why: str, **facts: object) -> Checked:
        common = {"status": outcome.status, "elapsed_s": round(outcome.elapsed_s, 3), **facts}
        return Checked(feed.id, feed.title, feed.url, ok, why, **common)  # type: ignore[arg-type]

    if isinstance(outcome, FetchFailed):
        refused = outcome.kind is FailureKind.REFUSED or outcome.status in (401, 403, 451)
        found: Finding = "gone" if outcome.kind is FailureKind.GONE else "refused" if refused else "failing"
        return result(False, outcome.reason, finding=found, answered=answered(outcome))
    if not isinstance(outcome, Fetched):
        return result(False, f"answered {outcome.status} to an unconditional request", finding="failing")
    moved = permanent_target(outcome)
    kind = outcome.headers.get("content-type")
    parsed = parse(
        outcome.body,
        url=outcome.final_url,
        content_type=kind,
        country=feed.country,
        now=now,
        as_a=feed.read,
        rule=feed.rule,
    )
    if isinstance(parsed, NotAFeed):
        named, cut = likeliest(parsed.feeds, MOST_CANDIDATES)
        why = (
            f"{parsed.reason}; it names {len(parsed.feeds):,} feeds, {len(named)} are listed" if cut else parsed.reason
        )
        return result(False, why, advertises=named, moved_to=moved, finding="not a feed")
    dates = [entry.published or entry.updated for entry in parsed.entries]
    facts = {
        "format": parsed.format,
        "entries": len(parsed.entries),
        "newest": max((date for date in dates if date), default=None),
        "moved_to": moved,
        "problems": parsed.problems,
    }
    if not parsed.entries:
        return result(False, "a feed without any entry", finding="empty", **facts)
    newest = facts["newest"]
    if isinstance(newest, datetime) and now - newest > OLD:
        why = f"answers, but its newest entry is of {newest:%d %B %Y}"
        return result(True, why, finding="stale", **facts)
    if newest is None and feed.read == "feed":
        return result(True, "answers, without dates", finding="moved" if moved else "undated", **facts)
    return result(True, "moved for good" if moved else "answers", finding="moved" if moved else "answers", **facts)
