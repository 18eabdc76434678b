"""The feeds that the fast lane holds: taken, renewed and given back by compare-and-set, so that none is in two hands.

A held feed belongs to no batch, and its site to the process that holds it: `plan` leaves the whole site alone, so one
process keeps the pace of its hosts. What else is due on such a site, this process polls. When it dies, the holds end
within a minute, and the minute's poll has the feeds again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from ingest.addresses import host_of, is_address, site_of
from ingest.http.silence import resting_hosts
from ingest.polling.fast import is_well, pace, wait_s
from ingest.polling.schedule import misaddressed
from jobs.context import Context
from newswatch.batch import Batch
from newswatch.feed import FeedState
from store.batches import BatchStore
from store.elastic.documents import Stored
from store.entries import EntryStore
from store.feeds import FeedRecord, FeedStore, Longest, is_held_by

HOLD: Final = timedelta(seconds=60)
"""How long a feed is held. It is renewed three times as often."""
MARGIN: Final = timedelta(seconds=10)
"""Nothing is asked in the last seconds of a hold, as the answer might come after its end."""
MOST: Final = 300
"""Feeds of one process; at one request every ten seconds each, they take a fifth of a core."""
COMPANIONS: Final = 50
"""Other feeds of the same sites that are polled at once."""

LEASE_S: Final = 90
"""Seconds that a batch of the fast lane may take. What it does not reach, such as its hundredth page, stays due."""


class Holds:
    """What one process holds. Its functions wait for Elasticsearch; one is called at a time."""

    def __init__(self, context: Context) -> None:
        self._context, self._settings = context, context.settings
        self.feeds = FeedStore(context.es, context.names)
        self._entries = EntryStore(context.es, context.names)
        self._until: datetime | None = None
        self._written: dict[str, FeedState] = {}
        self.pushed: Mapping[str, bool] = {}
        """Feed with a subscription → whether its hub is relied on: then it is asked by its own rhythm only."""
        self.left_out = 0
        """Feeds that were not taken because there are more than `MOST`."""

    def is_valid(self) -> bool:
        """Whether the held feeds may be asked now."""
        return self._until is not None and self._context.clock() < self._until - MARGIN

    def renew(self, states: Mapping[str, FeedState], in_vain: Mapping[str, int]) -> list[Stored[FeedRecord]]:
        """Write the states of the held feeds, renew the holds, give back what is not for the fast lane any more, and
        take what is; all that is held now.

        A feed that somebody else has changed meanwhile has the state that it was given. One that was taken away is
        missing.

        Raises:
            StoreError: Elasticsearch is unavailable; what is held stays so until its time is over.
        """
        now = self._context.clock()
        keep: list[tuple[Stored[FeedRecord], FeedState]] = []
        leave: list[tuple[Stored[FeedRecord], FeedState]] = []
        for feed in self._mine(states):
            state = states[feed.id] if feed.value.state == self._written.get(feed.id) else feed.value.state
            (keep if self._is_for_us(feed, state, now, in_vain) else leave).append((feed, state))
        if leave:
            self.feeds.save(leave)
        taken = [(feed, feed.value.state) for feed in self._wanted(now, in_vain, {feed.id for feed, _ in keep})]
        self.left_out = max(0, len(keep) + len(taken) - MOST)
        return self._hold([*keep, *taken][:MOST], now + HOLD)

    def retake(self, feed_id: str, in_vain: int) -> Stored[FeedRecord] | None:
        """Hold a feed again whose batch is done; None: somebody else has it, or it is not for the fast lane any more.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        now = self._context.clock()
        if self._until is None or not self.is_valid():
            return None
        for feed in self.feeds.at([feed_id]):
            if feed.value.lease_until is None and self._is_for_us(feed, feed.value.state, now, {feed_id: in_vain}):
                held = self.feeds.hold([(feed, feed.value.state)], self._until)
                self._written |= {one.id: one.value.state for one in held}
                return next(iter(held), None)
        return None

    def release(self, states: Mapping[str, FeedState]) -> None:
        """Give all feeds back, with their states.

        Raises:
            StoreError: Elasticsearch is unavailable; the holds end by themselves.
        """
        self.feeds.save([(feed, states[feed.id]) for feed in self._mine(states)])
        self._until = None

    def companions(self, held: Mapping[str, FeedState]) -> list[Stored[FeedRecord]]:
        """The other due feeds on the sites of the held ones, which `plan` leaves to us.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        now, longest = self._context.clock(), Longest.of(self._settings)
        sites = {site_of(state.url) for state in held.values()}
        due = self.feeds.due(now, 10_000, longest) if sites else []
        resting = resting_hosts(self.feeds.resting(now, longest), now) if due else {}
        ours = [feed for feed in due if is_address(feed.value.state.url) and site_of(feed.value.state.url) in sites]
        return [feed for feed in ours if host_of(feed.value.state.url) not in resting][:COMPANIONS]

    def pages_due(self, ids: Sequence[str]) -> set[str]:
        """Those of the feeds with entries whose page is due for another try (`jobs.pull.select`).

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        return {entry.feed_id for entry in self._entries.pages_due(ids, now=self._context.clock(), per_feed=1)}

    def lease(self, feeds: Sequence[Stored[FeedRecord]]) -> Batch | None:
        """A new batch of these feeds, leased to it; None: others have them.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        batches = BatchStore(self._context.es, self._context.names)
        batch = batches.open([feed.id for feed in feeds], now=self._context.clock(), lease_s=LEASE_S)
        return batch if self.feeds.lease(feeds, batch) else None

    def lease_free(self, feed_id: str, held: Mapping[str, FeedState]) -> Batch | None:
        """A batch of a feed that is `free`; None: it is in other hands."""
        free = self.free(feed_id, held)
        return self.lease(free) if free else None

    def free(self, feed_id: str, held: Mapping[str, FeedState]) -> list[Stored[FeedRecord]]:
        """The feed, if nobody holds it and no other process polls its site, whose pace would be exceeded by two.

        `held` are the feeds that this process holds.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        now = self._context.clock()
        found = self.feeds.at([feed_id])
        free = [feed for feed in found if feed.value.lease_until is None or feed.value.lease_until < now]
        sites = self._sites_of_others(now, held) if free else set()
        urls = [(feed, feed.value.state.url) for feed in free]
        return [feed for feed, url in urls if not is_address(url) or site_of(url) not in sites]

    def _sites_of_others(self, now: datetime, ours: Collection[str]) -> set[str]:
        held = self.feeds.held(now, Longest.of(self._settings))
        return {site_of(state.url) for state in held if state.feed_id not in ours and is_address(state.url)}

    def _mine(self, states: Mapping[str, FeedState]) -> list[Stored[FeedRecord]]:
        if self._until is None:
            return []
        return [feed for feed in self.feeds.at(list(states)) if is_held_by(feed.value, self._until)]

    def _hold(self, feeds: list[tuple[Stored[FeedRecord], FeedState]], until: datetime) -> list[Stored[FeedRecord]]:
        held = self.feeds.hold(feeds, until) if feeds else []
        self._until, self._written = until, {feed.id: feed.value.state for feed in held}
        return held

    def _wanted(self, now: datetime, in_vain: Mapping[str, int], ours: set[str]) -> list[Stored[FeedRecord]]:
        """The feeds that nobody holds and the fast lane wants, marked ones first; no site that a batch is polling."""
        candidates = self.feeds.fast_candidates(now, self._settings.poll_min_interval_s, self.pushed)
        wanted = [feed for feed in candidates if self._is_for_us(feed, feed.value.state, now, in_vain)]
        if not wanted:
            return []
        sites = self._sites_of_others(now, ours)
        resting = resting_hosts(self.feeds.resting(now, Longest.of(self._settings)), now)
        urls = [(feed, feed.value.state.url) for feed in wanted]
        free = [feed for feed, url in urls if site_of(url) not in sites and host_of(url) not in resting]
        return sorted(free, key=lambda feed: not feed.value.feed.fast)

    def _is_for_us(self, feed: Stored[FeedRecord], state: FeedState, now: datetime, in_vain: Mapping[str, int]) -> bool:
        if not feed.value.feed.enabled or misaddressed(state, feed.value.feed, now) or not is_well(state, now):
            return False
        return self.wait_s(feed, state, in_vain.get(feed.id, 0)) is not None

    def wait_s(self, feed: Stored[FeedRecord], state: FeedState, in_vain: int) -> float | None:
        """Seconds until a held feed is asked again; None: it is not for the fast lane."""
        now = self._context.clock()
        paced = pace(feed.value.feed, state, self._settings, now, in_vain=in_vain)
        return wait_s(paced, state, now, relied_on=self.pushed.get(feed.id))
