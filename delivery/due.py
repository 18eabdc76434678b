"""Whose turn it is: everybody to whom something is due, whoever has waited longest first.

Who rests isn't due: who was mailed a moment ago (grouping), whose saved search is throttled, whose channel has put
them off, whom another worker serves. Thousands of them cost a few requests, and none of what a run may send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from alerts import schedule
from alerts.saved import SavedSearches
from delivery.channels.registry import longest_s
from delivery.compose import throttled_until
from delivery.mailbox import Mailbox, Mailboxes, believed, is_held
from delivery.outbox import Outbox, Waiting
from newswatch.alert import SavedSearch
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.client import Client
from store.names import Names


@dataclass(frozen=True, slots=True)
class Due:
    """Who is due, and when somebody else will be."""

    recipients: tuple[str, ...] = ()
    """Whoever has waited longest comes first."""
    later: datetime | None = None
    """When the first of those who rest comes due."""
    resting: int = 0
    """Recipients who rest."""


LEASE = timedelta(minutes=5)
"""How long a worker may take for one mail, at least; after that another takes its recipient over."""


def lease_of(settings: Settings) -> timedelta:
    """How long a worker holds a recipient for one mail."""
    return max(LEASE, timedelta(seconds=2 * longest_s(settings)))


def look(es: Client, names: Names, settings: Settings, *, now: datetime, bulkhead: Bulkhead) -> Due:
    """Who is due now.

    Raises:
        StoreError: Elasticsearch is in trouble.
    """
    outbox = Outbox(es, names)
    outbox.refresh()
    waiting: dict[str, list[Waiting]] = {}
    for one in outbox.due(now):
        waiting.setdefault(one.recipient, []).append(one)
    searches = SavedSearches(es, names).of(w.alert_id for ws in waiting.values() for w in ws)
    group, lease = timedelta(seconds=settings.mail_group_s), lease_of(settings)
    # Elasticsearch takes no empty id. Nobody has that address, which is told when it is served.
    addresses = [recipient for recipient in waiting if recipient]
    moments: dict[str, datetime] = {"": _first(waiting[""])} if "" in waiting else {}
    for recipient, found in zip(addresses, Mailboxes(es, names).many(addresses), strict=True):
        if found is None:
            continue
        box = believed(found, now)
        of_searches = [
            moment
            for one in waiting[recipient]
            if (moment := bulkhead.attempt("search", one.alert_id, partial(moment_of, box, one, searches, group, now)))
        ]
        moment = bulkhead.attempt("recipient", recipient, partial(due_at, box, of_searches, now, lease))
        moments |= {recipient: moment} if moment else {}
    return sorted_out(moments, now)


def due_at(box: Mailbox, moments: Sequence[datetime], now: datetime, lease: timedelta = LEASE) -> datetime | None:
    """When a recipient is, or was, to be served; None: never. `moments` are those of the saved searches. Pure."""
    if is_held(box, now, lease):
        return box.claimed_until
    if box.retry_at and box.retry_at > now:
        return box.retry_at
    if box.retry_at or box.claimed_by:
        # Its channel has put it off, or a worker died with it: a mail that was begun is to be ended.
        return min(box.retry_at or box.claimed_until or now, now)
    return min(moments, default=None)


def moment_of(
    box: Mailbox, waiting: Waiting, searches: Mapping[str, SavedSearch], group: timedelta, now: datetime
) -> datetime:
    """When what a saved search owes a recipient may be sent, as far as it is for that search. Pure."""
    digest = _is_digest(waiting.schedule)
    # An instant mail waits for nothing: a start in the future is of a clock that went back since.
    moments = [waiting.since if digest else min(waiting.since, now)]
    if box.last_sent_at and not digest:
        moments.append(box.last_sent_at + group)
    moments.append(throttled_until(box, waiting.alert_id, searches))
    return max(moments)


def _is_digest(text: str) -> bool:
    try:
        return schedule.parse(text).digest
    except ValueError:
        return False  # `deliver` tells of it


def _first(waiting: Sequence[Waiting]) -> datetime:
    return min(one.since for one in waiting)


def sorted_out(moments: Mapping[str, datetime], now: datetime) -> Due:
    """Those whose moment has come, and when the next comes. Pure."""
    due = sorted((moment, recipient) for recipient, moment in moments.items() if moment <= now)
    resting = [moment for moment in moments.values() if moment > now]
    return Due(tuple(recipient for _, recipient in due), min(resting, default=None), len(resting))
