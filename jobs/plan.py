"""`plan`: decides which feeds are due and which batch polls them.

A feed that can't be requested goes into quarantine, and the others are planned. If `feeds.yaml` is wrong, the version
in force is used; without one, no new feeds come in, but the known ones are polled.
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

from ingest.addresses import host_of, is_address, site_of
from ingest.http.silence import resting_hosts
from ingest.polling.schedule import misaddressed
from jobs.applied import feeds_to_apply
from jobs.audited import note_key
from jobs.configuration import look_at_all
from jobs.context import Context, job
from newswatch.errors import ConfigError
from newswatch.feed import FeedState
from newswatch.outages import WORTH_TELLING, Cause, added
from newswatch.problems import Bulkhead, Problem
from newswatch.settings import Settings
from store.batches import BatchStore
from store.configuration import FEEDS
from store.elastic.documents import Stored
from store.feeds import FeedRecord, FeedStore, Longest, SyncReport
from store.outages import OutageStore

_WORTH_A_BATCH = 25
"""Feeds. For fewer, an Airflow task costs more than polling them one after the other."""
_MOST_DUE = 10_000
"""Maximum number of hits in one answer of Elasticsearch."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches that were created."""

    batches: tuple[int, ...]
    feeds: int
    """Total number of feeds in the batches."""
    reaped: tuple[int, ...]
    """Batches that were given up because their worker was presumed dead."""
    sync: SyncReport
    config_error: str | None = None
    """What is wrong with `feeds.yaml` on this machine; the feeds of the version in force are polled."""


@job("plan")
def plan(context: Context, planned_by: str = "") -> Plan:
    """Read the configured feeds, give up dead batches, and lease the due feeds to new batches.

    `planned_by` names the run of a scheduler that this is part of. A repetition of it also hands out the batches of the
    first try, which nobody knows of, since that died before it could return them: their feeds are leased.

    Raises:
        ConfigError: `feeds.yaml` is wrong, no version of it is kept, and no feed is known from before; nothing was
        changed.
        StoreError: Elasticsearch is unavailable; feeds that were already leased come due again when their lease ends.
    """
    settings, now, walls = context.settings, context.clock(), context.bulkhead("plan")
    feeds, batches = FeedStore(context.es, context.names), BatchStore(context.es, context.names)
    look_at_all(context)
    note_key(context)
    sync, config_error = _synced(context, feeds)
    reaped = batches.reap(now=now)
    due = _due(feeds, now, _room(batches, settings, now), Longest.of(settings), walls)
    _note_standstill(context, feeds, due, now, walls)
    context.keep_problems(walls)  # before leasing: if it fails, the next run finds the same feeds due
    left = batches.left_by(planned_by, now=now) if planned_by else []
    numbers, leased = [batch.number for batch in left], sum(len(batch.feed_ids) for batch in left)
    for group in divide(due, settings.batches_per_poll, settings.feeds_per_batch):
        batch = batches.open([feed.id for feed in group], now=now, lease_s=settings.lease_s, planned_by=planned_by)
        got = feeds.lease(group, batch)
        leased += len(got)
        if got:
            numbers.append(batch.number)
    return Plan(tuple(numbers), leased, tuple(reaped), sync, config_error)


def _room(batches: BatchStore, settings: Settings, now: datetime) -> int:
    """How many feeds may be leased now. What waits for a worker would only lose its lease there, and be polled late."""
    waiting = batches.feeds_not_begun(now=now)
    if waiting >= settings.feeds_per_poll:
        log.warning("No feed is leased: %s wait in batches that no worker has begun", f"{waiting:,}")
    return max(0, settings.feeds_per_poll - waiting)


def _note_standstill(
    context: Context, feeds: FeedStore, due: Sequence[Stored[FeedRecord]], now: datetime, walls: Bulkhead
) -> None:
    """Record that feeds were due and nothing was polled: the scheduler stood still, or the machine slept."""
    states = [feed.value.state for feed in due]
    first = min((state.next_poll_at for state in states if state.next_poll_at), default=now)
    if now - first < WORTH_TELLING:
        return
    # What waits for its host's pause or was just put off is no standstill, nor is a backlog that is being worked off.
    resumed = [state.paused_until for state in states if state.paused_until and state.paused_until <= now]
    since = max(filter(None, (first, feeds.last_polled(now), *resumed)))
    outages, stood = OutageStore(context.es, context.names), partial(added, since=since, until=now)
    walls.attempt("document", f"{Cause.POLLING} outages", partial(outages.change, Cause.POLLING, stood))


def _synced(context: Context, feeds: FeedStore) -> tuple[SyncReport, str | None]:
    """What a new version of `feeds.yaml` in force has changed, and what is wrong with this machine's file.

    A version is used whole or not at all, because half a list would disable the feeds of the other half. A mistake in
    it must not keep the known feeds from being polled, though.
    """
    listing, report = context.bulkhead("list feeds"), SyncReport((), (), (), ())
    try:
        listed = feeds_to_apply(context)
        wrong = listed.wrong
        if listed.found and listed.found.is_in_force:
            report = feeds.sync(listed.found.value)
            if not report.postponed:
                listed.done(context.clock())
    except ConfigError as error:
        if feeds.is_empty():
            raise
        wrong = f"{error}. The feeds known from before are polled"
    if wrong:
        log.error("%s", wrong)
        listing.note(Problem("feed", FEEDS, wrong, listing.stage))
    context.replace_problems(listing)
    return report, wrong or None


def _due(feeds: FeedStore, now: datetime, limit: int, longest: Longest, walls: Bulkhead) -> list[Stored[FeedRecord]]:
    """The feeds that are due, have a usable address, and whose host may be contacted.

    A host that answered 429 is not contacted for any feed while it rests. A site that an earlier batch is still polling
    is left to that batch: two workers, each at the permitted pace, would together exceed it.
    """
    due = feeds.due(now, limit, longest) if limit else []
    resting = resting_hosts(feeds.resting(now, longest), now)
    held = {site_of(state.url) for state in feeds.held(now, longest) if is_address(state.url)}
    good = _addressed(feeds, due, now, walls)
    if not resting and not held and len(good) == len(due):
        return due
    if limit and len(due) == limit:  # feeds that must wait stay due, and must not take the places of others
        good = _addressed(feeds, feeds.due(now, _MOST_DUE, longest), now, walls)
    urls = ((feed, feed.value.state.url) for feed in good)
    return [feed for feed, url in urls if host_of(url) not in resting and site_of(url) not in held][:limit]


def _addressed(
    feeds: FeedStore, due: Sequence[Stored[FeedRecord]], now: datetime, walls: Bulkhead
) -> list[Stored[FeedRecord]]:
    """The feeds with a usable stored address; the others go into quarantine and are postponed (`misaddressed`)."""
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


def divide(due: Sequence[Stored[FeedRecord]], parts: int, full: int) -> list[list[Stored[FeedRecord]]]:
    """The feeds in groups of similar size, with all feeds of a site in one group.

    At most `parts` groups, unless those would have more than `full` feeds. So one worker paces all requests to a site,
    without workers having to coordinate. That includes the site's article pages, which are mostly on another host of
    the same site.
    """
    by_site: dict[str, list[Stored[FeedRecord]]] = defaultdict(list)
    for feed in due:
        by_site[site_of(feed.value.state.url)].append(feed)
    wanted = max(min(parts, ceil(len(due) / _WORTH_A_BATCH)), ceil(len(due) / full))
    groups: list[tuple[int, int, list[Stored[FeedRecord]]]] = [(0, n, []) for n in range(min(wanted, len(by_site)))]
    for site in sorted(by_site.values(), key=len, reverse=True):
        size, number, group = heapq.heappop(groups)
        heapq.heappush(groups, (size + len(site), number, group + site))
    return [group for _, _, group in sorted(groups, key=lambda entry: entry[1])]
