"""Looks for what could replace a source of the list that is no longer of use. Stores nothing, changes nothing.

Tried in order: where the source's own address has moved for good, the fall-back that the list names, the feeds that
stand in its place, and what its site offers (`ingest.discovery.discover`). Nothing is proposed that does not work now.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import yaml

from ingest.discovery.check import Checked, Finding
from ingest.discovery.discover import FoundFeed, discover
from ingest.discovery.preview import OLD, Preview, preview_live
from ingest.feed_list.feeds import RULES
from ingest.http.fetch import Fetcher
from ingest.urls import article_id
from newswatch.feed import Feed, Read, Rule

PROPOSE_S: Final = 60.0
"""Seconds for one source."""
AT_ONCE: Final = 4
"""Sources at the same time; the pace of each host applies too."""
MOST: Final = 60
"""Maximum number of sources in one run; of a list that is worse, the rest waits for the next run."""
OF_NO_USE: Final[frozenset[Finding]] = frozenset({"stale", "empty", "not a feed", "refused", "gone", "failing"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could replace a source; it was read just now."""

    url: str
    read: Read
    rule: Rule | None
    why: str
    """Where it comes from, in words."""
    format: str | None
    entries: int
    newest: datetime | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposals:
    """The results of a check, with what could replace those of no use."""

    checked: tuple[Checked, ...]
    found: dict[str, Proposal]
    """Feed id → what could replace it."""
    untried: tuple[str, ...] = ()
    """Ids of feeds for which nothing was looked for, as there were too many."""
    offline: bool = False
    """Nobody answered at all, so nothing was looked for: our own network is down."""


async def propose(fetcher: Fetcher, feeds: Sequence[Feed], checked: Sequence[Checked], *, now: datetime) -> Proposals:
    """What could replace those of the `checked` feeds that are of no use, and those that moved. Never raises."""
    results = {result.id: result for result in checked}
    if checked and not any(result.answered for result in checked):
        return Proposals(tuple(checked), {}, offline=True)
    wanting = [feed for feed in feeds if _wants(results.get(feed.id))]
    room = asyncio.Semaphore(AT_ONCE)

    async def look(feed: Feed) -> Proposal | None:
        async with room:
            try:
                async with asyncio.timeout(PROPOSE_S):
                    return await _look(fetcher, feed, results[feed.id], now)
            except TimeoutError:
                return None

    found = await asyncio.gather(*map(look, wanting[:MOST]))
    proposals = {feed.id: one for feed, one in zip(wanting, found, strict=False) if one}
    return Proposals(tuple(checked), proposals, tuple(feed.id for feed in wanting[MOST:]))


def _wants(result: Checked | None) -> bool:
    return result is not None and (result.finding in OF_NO_USE or result.moved_to is not None)


async def _look(fetcher: Fetcher, feed: Feed, result: Checked, now: datetime) -> Proposal | None:
    if result.moved_to and result.ok and result.finding != "stale":
        facts = (result.format, result.entries, result.newest)
        return Proposal(result.moved_to, feed.read, feed.rule, "it has moved there for good", *facts)
    if feed.fallback:
        ways = feed.fallback
        shown = await preview_live(fetcher, ways.url, now=now, read=ways.read, rule=ways.rule)
        if _is_better(shown.newest, result, now) and shown.is_usable:
            return _of_preview(shown, ways.url, ways.rule, "the list names it as the fall-back")
    tried = {article_id(feed.url)}
    for address in filter(None, (feed.url if result.finding == "not a feed" else None, feed.site)):
        discovery = await discover(fetcher, address, now=now)
        for one in discovery.feeds:
            if article_id(one.url) not in tried and one.entries and _is_better(one.newest, result, now):
                return _of_found(one, f"found at {address}")
    return None


def _is_better(newest: datetime | None, result: Checked, now: datetime) -> bool:
    """Whether it brings something recent; one without dates does, unless the source's own fault is that it is stale."""
    if newest is None:
        return result.finding != "stale"
    return now - newest <= OLD and (result.newest is None or newest >= result.newest)


def _of_preview(shown: Preview, url: str, rule: Rule | None, why: str) -> Proposal:
    return Proposal(url, shown.read, rule, why, shown.format, len(shown.entries), shown.newest, shown.warnings)


def _of_found(one: FoundFeed, why: str) -> Proposal:
    return Proposal(one.url, one.read, None, why, one.format, one.entries, one.newest, one.warnings)


def command(feed: Feed, proposal: Proposal) -> str:
    """The command that adds the proposal; the source itself is then removed by its id."""

    words = ["newswatch", "feeds", "add", proposal.url]
    words += ["--read", proposal.read] if proposal.read != "feed" else []
    words += ["--rule", _written(proposal.rule)] if proposal.rule else []
    for option, value in (
        ("--title", feed.title),
        ("--country", feed.country),
        ("--language", feed.language),
        ("--kind", feed.kind),
        ("--owner", feed.owner),
    ):
        words += [option, value] if value else []
    if feed.reliability:
        words += ["--reliability", feed.reliability.grade, "--because", feed.reliability.why]
    words += ["--state-media"] if feed.state_media else []
    for topic in feed.topics:
        words += ["--topic", topic]
    return shlex.join(words)


def _written(rule: Rule) -> str:
    """The rule as `feeds.yaml` writes it."""
    stated = {name: getattr(rule, name) for name in RULES if getattr(rule, name)}
    return yaml.safe_dump(stated, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000).strip()
