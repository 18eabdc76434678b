"""Finds the recipients who are due, those who have waited longest first.

A recipient rests, and is not due, after a recent mail (grouping), while the saved search is throttled, after a
temporary refusal, or while another worker holds the mailbox. Thousands of resting recipients cost a few requests and
don't count against the limits of a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from alerts import schedule
from alerts.saved import SavedSearches
from delivery.channels.registry import channel_of
from delivery.compose import throttled_until
from delivery.kinds import ABOUT_SEARCHES
from delivery.mailbox import Mailbox, Mailboxes, believed, is_held, prolonged, waits_for_confirmation
from delivery.outbox import Outbox, Waiting
from newswatch.alert import SavedSearch
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.elastic.beats import LASTS, alive_until
from store.elastic.client import Client
from store.names import Names


@dataclass(frozen=True, slots=True)
class Due:
    """The recipients who are due, and the time when the next one will be."""

    recipients: tuple[str, ...] = ()
    """Those who have waited longest come first."""
    later: datetime | None = None
    """When the first resting recipient becomes due."""
    resting: int = 0
    """Number of resting recipients."""
    held: bool = False
    """Whether another worker holds some of them: it serves them now, or has died."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is due and not sent. Grouped and throttled mails are not due."""

    mails: int = 0
    """Number of deliveries."""
    since: datetime | None = None
    """When the oldest of them came due, without those that their channel refuses for now."""
    refused: int = 0
    """Number of recipients whose channel refuses mails for now."""
    refused_since: datetime | None = None
    """When the first of those refusals began."""
    why: str = ""
    """The answer to the recipient who has been refused longest."""


LEASE = LASTS
"""Minimum time that a worker holds a recipient; the hold lasts while the worker gives signs of life (`beats`)."""


def look(
    es: Client, names: Names, settings: Settings, *, now: datetime, bulkhead: Bulkhead, refresh: bool = True
) -> Due:
    """The recipients who are due now; without `refresh`, as of the last one.

    Raises:
        StoreError: Elasticsearch is in trouble.
    """
    if refresh:
        Outbox(es, names).refresh()
    moments: dict[str, datetime] = {}
    held = False
    for recipient, box, usable, _ in _waiting(es, names, settings, now, bulkhead):
        if box is None:
            moments[recipient] = min(usable)
            continue
        due = bulkhead.attempt("recipient", recipient, partial(due_at, box, usable, now))
        if due:
            moments[recipient] = due
            held = held or is_held(box, now, LEASE)
    return replace(sorted_out(moments, now), held=held)


def owed(es: Client, names: Names, settings: Settings, *, now: datetime, bulkhead: Bulkhead) -> Owed:
    """What is due and not sent, as of the last refresh.

    Raises:
        StoreError: Elasticsearch is in trouble.
    """
    total = Owed()
    for _, box, usable, count in _waiting(es, names, settings, now, bulkhead):
        since = min(usable, default=None)
        if since is not None and since <= now:
            total = plus(total, box, since, count, held=bool(box and is_held(box, now, LEASE)))
    return total


def plus(total: Owed, box: Mailbox | None, since: datetime, count: int, *, held: bool) -> Owed:
    """`total` with a recipient's `count` deliveries, due `since`. A recipient who is being served (`held`) is not
    counted as refused: the try is noted as a refusal until it is over. Pure."""
    total = replace(total, mails=total.mails + count)
    if box is None or held or not (box.failures and box.failing_since):
        return replace(total, since=min(since, total.since or since))
    longest = total.refused_since is None or box.failing_since < total.refused_since
    return replace(
        total,
        refused=total.refused + 1,
        refused_since=box.failing_since if longest else total.refused_since,
        why=(box.last_error or "") if longest else total.why,
    )


def _waiting(
    es: Client, names: Names, settings: Settings, now: datetime, bulkhead: Bulkhead
) -> Iterator[tuple[str, Mailbox | None, list[datetime], int]]:
    """Each recipient with deliveries, the mailbox, when the deliveries may be sent, and their number.

    A recipient whose mailbox can't be read is missing. Without an address there is no mailbox.
    """
    waiting: dict[str, list[Waiting]] = {}
    for entry in Outbox(es, names).due(now):
        waiting.setdefault(entry.recipient, []).append(entry)
    searches = SavedSearches(es, names).of(w.alert_id for ws in waiting.values() for w in ws)
    # Elasticsearch refuses an empty id. An empty address is reported once it is served.
    if nameless := waiting.pop("", None):
        yield "", None, [_first(nameless)], sum(entry.count for entry in nameless)
    addresses = list(waiting)
    boxes = list(zip(addresses, Mailboxes(es, names).many(addresses), strict=True))
    alive = alive_until(es, names, {stored.claimed_by for _, stored in boxes if stored}, now)
    for recipient, stored in boxes:
        if stored is None:
            continue
        box = believed(prolonged(stored, alive), now)
        if waits_for_confirmation(box, now):
            continue
        of_searches = (
            bulkhead.attempt(
                "search", entry.alert_id, partial(moment_of, box, entry, searches, grouping(recipient, settings), now)
            )
            for entry in waiting[recipient]
        )
        count = sum(entry.count for entry in waiting[recipient])
        yield recipient, box, [moment for moment in of_searches if moment], count


def grouping(recipient: str, settings: Settings) -> timedelta:
    """How long what comes after a message to the recipient is held, to come together; nothing for a program. Pure."""
    return timedelta(seconds=settings.mail_group_s if channel_of(recipient).groups else 0)


def due_at(box: Mailbox, moments: Sequence[datetime], now: datetime, lease: timedelta = LEASE) -> datetime | None:
    """When a recipient is or was due, given the `moments` of the saved searches; None: never. Pure."""
    if is_held(box, now, lease):
        return box.claimed_until
    if box.retry_at and box.retry_at > now:
        return box.retry_at
    if box.retry_at or box.claimed_by:
        # The channel refused it for now, or the worker died: finish the mail that was begun.
        return min(box.retry_at or box.claimed_until or now, now)
    return min(moments, default=None)


def moment_of(
    box: Mailbox, waiting: Waiting, searches: Mapping[str, SavedSearch], group: timedelta, now: datetime
) -> datetime:
    """When a saved search's deliveries to a recipient may be sent, by the rules of that search. Pure."""
    digest = _is_digest(waiting.schedule)
    # An instant mail never waits: a start in the future was written before the clock was set back.
    moments = [waiting.since if digest else min(waiting.since, now)]
    if box.last_sent_at and not digest:
        moments.append(box.last_sent_at + group)
    if waiting.kind not in ABOUT_SEARCHES:
        moments.append(throttled_until(box, waiting.alert_id, searches))
    return max(moments)


def _is_digest(text: str) -> bool:
    try:
        return schedule.parse(text).digest
    except ValueError:
        return False  # `deliver` reports it


def _first(waiting: Sequence[Waiting]) -> datetime:
    return min(entry.since for entry in waiting)


def sorted_out(moments: Mapping[str, datetime], now: datetime) -> Due:
    """The recipients whose moment has come, and the next moment of the others. Pure."""
    due = sorted((moment, recipient) for recipient, moment in moments.items() if moment <= now)
    resting = [moment for moment in moments.values() if moment > now]
    return Due(tuple(recipient for _, recipient in due), min(resting, default=None), len(resting))


def taken(waiting: deque[str], most: int, full: Collection[str]) -> list[str]:
    """Take at most so many addresses from the front of `waiting`, but none of the channels that are `full`."""
    some, passed = list[str](), list[str]()
    while waiting and len(some) < most:
        address = waiting.popleft()
        (passed if channel_of(address).name in full else some).append(address)
    waiting.extendleft(reversed(passed))
    return some
