"""Which feeds the fast lane takes, which it does not, and why."""

from __future__ import annotations

from ingest.polling.fast import Pace, pace
from ingest.polling.hubs import Subscription, SubscriptionState, pushes_well
from jobs.context import Context
from newswatch.feed import Feed
from store.feeds import FeedRecord, FeedStore
from store.hubs import HubStore


def listed(context: Context) -> list[tuple[Feed, Pace]]:
    """The feeds that are wanted in the fast lane or have a hub, with how it treats each.

    Raises:
        StoreError: Elasticsearch is unavailable.
    """
    known = HubStore(context.es, context.names).all() if context.settings.websub else {}
    records = FeedStore(context.es, context.names).all()
    found = [(record.feed, _treated(context, record, known.get(record.feed.id))) for record in records]
    return [(feed, paced) for feed, paced in found if paced]


def _treated(context: Context, record: FeedRecord, subscription: Subscription | None) -> Pace | None:
    now = context.clock()
    paced = pace(record.feed, record.state, context.settings, now)
    if subscription is None or not record.feed.enabled:
        return paced
    if pushes_well(subscription, record.state, now):
        return Pace(None, f"pushed by {subscription.hub}")
    if subscription.is_active(now):
        told = f"subscribed at {subscription.hub}, which has not been the first to bring its latest news"
    elif subscription.state is SubscriptionState.DENIED:
        told = f"refused by {subscription.hub}: {subscription.why}"
    else:
        told = f"{subscription.hub} was asked and has not answered{subscription.why and f': {subscription.why}'}"
    return Pace(paced.seconds, f"{paced.why}; {told}") if paced else Pace(None, told)
