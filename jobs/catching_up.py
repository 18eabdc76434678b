"""Mails what a saved search missed while it was off, as a person asks."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.saved import SavedSearches
from delivery.outbox import EnqueueReport, Outbox
from jobs.context import Context
from newswatch.alert import Match
from store.elastic.turns import BRIEF_S, OWING, turn


def enqueue_missed(context: Context, saved_search_id: str, matches: Sequence[Match]) -> EnqueueReport:
    """Enqueue matches of one saved search for those who are its recipients now. What was enqueued before stays one.

    The search is read in the turn for which an erasure waits: finding the matches took a while.

    Raises:
        NewswatchError: there is no such saved search any more.
        StoreError: Elasticsearch did not accept all, or others were busy for long; run it again.
    """
    with turn(context.es, context.names, OWING, most_s=BRIEF_S) as hold:
        search = SavedSearches(context.es, context.names).get(saved_search_id)
        hold()
        return Outbox(context.es, context.names).enqueue(matches, [search], context.clock())
