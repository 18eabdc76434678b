"""`check`: tries every source of the list, looks for what could replace those of no use, and tells the operator.

It changes nothing: whoever minds the list decides. The finding is a moment of the job's pulse, which
`observe.conditions` turns into a condition; it is over once a check finds nothing to replace.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.discovery.check import check as try_feeds
from ingest.discovery.replacement import OF_NO_USE, Proposals, propose
from ingest.http.fetch import Fetcher
from jobs.context import Context, job
from newswatch.feed import Feed
from newswatch.some_of import some_of
from observe.record import noted
from store.feeds import FeedStore

log = logging.getLogger(__name__)

REPLACEABLE = "replaceable"
"""The moment since when sources of no use have a replacement."""
POLLED = 3
"""Polls after which a source is tried. Airflow runs a weekly DAG as soon as it is installed, when the first polls have
just asked everybody."""
NAMED = 5
"""Sources that the operator is told by name."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found."""

    feeds: int
    useless: int
    """Sources that bring nothing: stale, empty, no feed any more, refused, gone, failing."""
    replaceable: int
    """Sources for which something better was found."""
    offline: bool = False
    """Nobody answered: our own network was down, and nothing is concluded."""


@job("check")
def check(context: Context) -> CheckReport:
    """Try all enabled sources that have been polled a few times, within the usual pace.

    Raises:
        StoreError: Elasticsearch is unavailable.
    """
    records = FeedStore(context.es, context.names).all()
    feeds = [record.feed for record in records if record.feed.enabled and record.state.polls >= POLLED]
    proposals = asyncio.run(_tried(context, feeds))
    found = Counter(result.finding for result in proposals.checked)
    for result in proposals.checked:
        if result.finding in OF_NO_USE:
            log.warning("feed %s: %s: %s", result.id, result.finding, result.why)
    titles = {feed.id: feed.title for feed in feeds}
    for feed_id, one in proposals.found.items():
        log.warning("feed %s could be replaced by %s (read: %s): %s", feed_id, one.url, one.read, one.why)
    if proposals.found:
        noted(REPLACEABLE, told(proposals, titles))
    useless = sum(found[finding] for finding in OF_NO_USE)
    return CheckReport(len(feeds), useless, len(proposals.found), proposals.offline)


async def _tried(context: Context, feeds: list[Feed]) -> Proposals:
    now = context.clock()
    async with Fetcher(context.settings, clock=context.clock) as fetcher:
        return await propose(fetcher, feeds, await try_feeds(fetcher, feeds, now=now), now=now)


def told(proposals: Proposals, titles: Mapping[str, str]) -> str:
    """The sources that could be replaced, by what, in one sentence. Pure."""
    pairs = [f"{titles[feed_id]} by {one.url}" for feed_id, one in proposals.found.items()]
    return some_of(pairs, NAMED, "; ")
