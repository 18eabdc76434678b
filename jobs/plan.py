"""`plan`: which feeds are due, and who polls them."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from ingest.feeds import load_feeds
from ingest.schedule import resting_hosts
from ingest.urls import host_of, site_of
from jobs.context import Context, job
from search.batches import BatchStore
from search.documents import Stored
from search.feeds import FeedRecord, FeedStore, Longest, SyncReport

_WORTH_A_BATCH = 25
"""Feeds. An Airflow task costs more than polling fewer than that one after the other."""
_MOST_DUE = 10_000
"""Hits that Elasticsearch gives in one answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was handed out."""

    batches: tuple[int, ...]
    feeds: int
    """How many feeds the batches hold together."""
    reaped: tuple[int, ...]
    """Batches whose worker was given up for dead."""
    sync: SyncReport


@job("plan")
def plan(context: Context) -> Plan:
    """Bring the configured feeds in, give up dead batches, and lease the due feeds to new batches.

    Raises:
        ConfigError: `feeds.yaml` is wrong; nothing was changed.
        StoreError: Elasticsearch is unavailable; what was leased already is due again when its lease runs out.
    """
    settings, now = context.settings, context.clock()
    feeds, batches = FeedStore(context.es, context.names), BatchStore(context.es, context.names)
    sync = feeds.sync(load_feeds(settings.config_dir / "feeds.yaml"))
    reaped = batches.reap(now=now)
    numbers, leased = [], 0
    for group in divide(_due(feeds, now, settings.feeds_per_poll, Longest.of(settings)), settings.batches_per_poll):
        batch = batches.open([feed.id for feed in group], now=now, lease_s=settings.lease_s)
        got = feeds.lease(group, batch)
        leased += len(got)
        if got:
            numbers.append(batch.number)
    return Plan(tuple(numbers), leased, tuple(reaped), sync)


def _due(feeds: FeedStore, now: datetime, limit: int, longest: Longest) -> list[Stored[FeedRecord]]:
    """The feeds that are due and whose host is free to be asked.

    A host that answered 429 is not asked for another feed while it rests; and a site that an earlier batch is still at
    is left to that batch, or two workers would ask it side by side, each at the pace that it is to have in all.
    """
    due = feeds.due(now, limit, longest)
    resting = resting_hosts(feeds.resting(now, longest), now)
    held = {site_of(state.url) for state in feeds.held(now, longest)}
    if not resting and not held:
        return due
    # Those that wait stay due, and must not take the places of others.
    due = feeds.due(now, _MOST_DUE, longest) if len(due) == limit else due
    urls = ((feed, feed.value.state.url) for feed in due)
    return [feed for feed, url in urls if host_of(url) not in resting and site_of(url) not in held][:limit]


def divide(due: Sequence[Stored[FeedRecord]], parts: int) -> list[list[Stored[FeedRecord]]]:
    """The feeds in at most `parts` groups of like size, the feeds of one site all in one group.

    The requests to a host are paced by one worker that way, without workers having to talk to each other: those for its
    article pages too, which mostly stand on another host of the feed's own site.
    """
    by_site: dict[str, list[Stored[FeedRecord]]] = defaultdict(list)
    for feed in due:
        by_site[site_of(feed.value.state.url)].append(feed)
    count = min(parts, ceil(len(due) / _WORTH_A_BATCH), len(by_site))
    groups: list[tuple[int, int, list[Stored[FeedRecord]]]] = [(0, number, []) for number in range(count)]
    for site in sorted(by_site.values(), key=len, reverse=True):
        size, number, group = heapq.heappop(groups)
        heapq.heappush(groups, (size + len(site), number, group + site))
    return [group for _, _, group in sorted(groups, key=lambda entry: entry[1])]
