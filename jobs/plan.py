"""`plan`: which feeds are due, and who polls them.

A feed that can't be asked is set aside and the others are planned; so it is with a wrong `feeds.yaml`, which keeps new
feeds out and no known one from being polled.
"""

from __future__ import annotations

import heapq
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import ceil

from ingest.feeds import load_feeds
from ingest.schedule import misaddressed, resting_hosts
from ingest.urls import host_of, is_address, site_of
from jobs.context import Context, job
from newswatch.errors import ConfigError
from newswatch.feed import FeedState
from newswatch.problems import Bulkhead, Problem
from store.batches import BatchStore
from store.documents import Stored
from store.feeds import FeedRecord, FeedStore, Longest, SyncReport

_WORTH_A_BATCH = 25
"""Feeds. An Airflow task costs more than polling fewer than that one after the other."""
_MOST_DUE = 10_000
"""Hits that Elasticsearch gives in one answer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was handed out."""

    batches: tuple[int, ...]
    feeds: int
    """How many feeds the batches hold together."""
    reaped: tuple[int, ...]
    """Batches whose worker was given up for dead."""
    sync: SyncReport
    config_error: str | None = None
    """Why `feeds.yaml` was not brought in, where it is wrong: the feeds known from before are polled."""


@job("plan")
def plan(context: Context) -> Plan:
    """Bring the configured feeds in, give up dead batches, and lease the due feeds to new batches.

    Raises:
        ConfigError: `feeds.yaml` is wrong, and no feed is known from before; nothing was changed.
        StoreError: Elasticsearch is unavailable; what was leased already is due again when its lease runs out.
    """
    settings, now, walls = context.settings, context.clock(), context.bulkhead("plan")
    feeds, batches = FeedStore(context.es, context.names), BatchStore(context.es, context.names)
    sync, config_error = _synced(context, feeds)
    reaped = batches.reap(now=now)
    due = _due(feeds, now, settings.feeds_per_poll, Longest.of(settings), walls)
    context.set_aside(walls)  # before anything is leased: if it fails, the next run finds the same feeds due
    numbers, leased = [], 0
    for group in divide(due, settings.batches_per_poll):
        batch = batches.open([feed.id for feed in group], now=now, lease_s=settings.lease_s)
        got = feeds.lease(group, batch)
        leased += len(got)
        if got:
            numbers.append(batch.number)
    return Plan(tuple(numbers), leased, tuple(reaped), sync, config_error)


def _synced(context: Context, feeds: FeedStore) -> tuple[SyncReport, str | None]:
    """What bringing `feeds.yaml` in has changed; where it is wrong, nothing, and why.

    It is one file, and is taken whole or not at all: half a list would disable the feeds of the other half. That a user
    errs in it must not keep the feeds that are known from being polled, though.
    """
    path, listing = context.settings.config_dir / "feeds.yaml", context.bulkhead("list feeds")
    report, wrong = SyncReport((), (), (), ()), None
    try:
        report = feeds.sync(load_feeds(path))
    except ConfigError as error:
        if not feeds.all():
            raise
        log.error("%s; the feeds known from before are polled", error)
        wrong = str(error)
        listing.note(Problem("feed", path.name, wrong, listing.stage))
    context.settle(listing)
    return report, wrong


def _due(feeds: FeedStore, now: datetime, limit: int, longest: Longest, walls: Bulkhead) -> list[Stored[FeedRecord]]:
    """The feeds that are due, can be asked, and whose host is free to be.

    A host that answered 429 is not asked for another feed while it rests; and a site that an earlier batch is still at
    is left to that batch, or two workers would ask it side by side, each at the pace that it is to have in all.
    """
    due = feeds.due(now, limit, longest)
    resting = resting_hosts(feeds.resting(now, longest), now)
    held = {site_of(state.url) for state in feeds.held(now, longest) if is_address(state.url)}
    good = _addressed(feeds, due, now, walls)
    if not resting and not held and len(good) == len(due):
        return due
    if len(due) == limit:  # those that wait stay due, and must not take the places of others
        good = _addressed(feeds, feeds.due(now, _MOST_DUE, longest), now, walls)
    urls = ((feed, feed.value.state.url) for feed in good)
    return [feed for feed, url in urls if host_of(url) not in resting and site_of(url) not in held][:limit]


def _addressed(
    feeds: FeedStore, due: Sequence[Stored[FeedRecord]], now: datetime, walls: Bulkhead
) -> list[Stored[FeedRecord]]:
    """Those of the feeds whose stored address can be asked; the others are set aside and put off (`misaddressed`)."""
    good: list[Stored[FeedRecord]] = []
    put_off: list[tuple[Stored[FeedRecord], FeedState]] = []
    for feed in due:
        state, feed_id = feed.value.state, feed.id
        wrong = walls.attempt(
            "feed", feed_id, partial(misaddressed, state, feed.value.feed, now), url=state.url, feed_id=feed_id
        )
        if wrong:
            put_off.append((feed, wrong.state))
            walls.note(Problem("feed", feed_id, wrong.reason, "plan", state.url, feed_id))
        elif not walls.has("feed", feed_id, feed_id=feed_id):
            good.append(feed)
    if put_off:
        feeds.save(put_off)
    return good


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
