"""Which feeds the fast lane takes, which it does not, and why."""

from __future__ import annotations

from ingest.fast import Pace, pace
from jobs.context import Context
from newswatch.feed import Feed
from store.feeds import FeedStore


def listed(context: Context) -> list[tuple[Feed, Pace]]:
    """The feeds that are wanted in the fast lane, with how it treats each.

    Raises:
        StoreError: Elasticsearch is unavailable.
    """
    now = context.clock()
    found = [
        (record.feed, pace(record.feed, record.state, context.settings, now))
        for record in FeedStore(context.es, context.names).all()
    ]
    return [(feed, paced) for feed, paced in found if paced]
