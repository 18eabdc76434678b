"""Enqueues what the readers of a saved search are told of the search itself: that it fails, and that it works again.

The notice joins their next mail, or goes alone after an hour (`FIRST_ALONE`), and is repeated daily. The outbox takes
each once: its id names the search, the beginning of the failure and the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from alerts.failing import Failing, failing, is_on
from alerts.saved import SavedSearches
from delivery.documents import outcome_id
from delivery.fanout import Fanout
from delivery.kinds import ABOUT_SEARCHES
from delivery.made import notice_delivery
from delivery.outbox import EnqueueReport, Outbox
from delivery.outcomes import Outcomes, Parcel
from delivery.words import one_line, shortened, when
from newswatch import durations
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.problems import Bulkhead
from store.elastic.client import Client
from store.names import Names

FIRST_ALONE: Final = timedelta(hours=1)
"""How long a failure may last before its readers get a mail about nothing else."""
AGAIN: Final = timedelta(days=1)
CAUGHT_UP: Final = timedelta(days=1)
"""For so long a batch waits for a search that failed (`store.batches`)."""
_LOOKED_BACK: Final = timedelta(days=35)
_WHY: Final = 300
_OVER: Final = "the saved search works again"
_OFF: Final = "the saved search is off or deleted"


def enqueue_notices(es: Client, names: Names, now: datetime, *, bulkhead: Bulkhead | None = None) -> EnqueueReport:
    """Enqueue what is to be said of saved searches that fail, or that work again.

    Raises:
        StoreError: Elasticsearch did not accept all; call it again.
    """
    walls, outbox = bulkhead or Bulkhead("owe"), Outbox(es, names)
    failing_now = failing(es, names, now)
    outbox.refresh()
    outcomes, fanout = Outcomes(es, names), Fanout(es, names)
    fanout.spread({"terms": {"kind": ABOUT_SEARCHES}})
    known = outbox.about_searches(now - _LOOKED_BACK)
    made = list(_failures(failing_now.values(), [stored.value for stored in known], now, walls))
    over = [stored for stored in known if stored.value.kind == "failing" and not _lasts(stored.value, failing_now)]
    searches = SavedSearches(es, names).of({stored.value.alert_id for stored in over})
    on = {search_id: search for search_id, search in searches.items() if is_on(search, now)}
    said = {(stored.value.alert_id, stored.value.story_id) for stored in known if stored.value.kind == "working"}
    unsaid = [stored.value for stored in over if (stored.value.alert_id, stored.value.story_id) not in said]
    made += _recoveries(unsaid, _told(outcomes, unsaid), on, now, walls)
    report = outbox.add(made, bulkhead=walls)
    # Last, so that a crash before it only repeats what was enqueued already.
    pending = [one.value for one in over if one.value.state is DeliveryState.PENDING]
    if _withdraw(outcomes, pending, on, now):
        fanout.settle([notice.id for notice in pending], now)
    return report


def _told(outcomes: Outcomes, notices: Sequence[Delivery]) -> dict[str, list[str]]:
    """Id of each notice → those who were told of it."""
    told: dict[str, list[str]] = {}
    for each in outcomes.of_deliveries([notice.id for notice in notices], DeliveryState.SENT):
        told.setdefault(each.delivery_id, []).append(each.outcome.recipient)
    return told


def _failures(
    failures: Iterable[Failing], known: Sequence[Delivery], now: datetime, walls: Bulkhead
) -> Iterator[Delivery]:
    waiting = {(d.alert_id, d.story_id) for d in known if d.kind == "failing" and d.state is DeliveryState.PENDING}
    for one in failures:
        if (one.search.id, episode(one.since)) not in waiting:
            made = walls.attempt("mail", f"{one.search.id} fails", partial(failure_notice, one, now))
            if made is not None:
                yield made


def episode(since: datetime) -> str:
    """What the notices of one failure have in common. Pure."""
    return f"search-{since.astimezone(UTC):%Y%m%dT%H%M%S}"


def failure_notice(one: Failing, now: datetime) -> Delivery:
    """The notice of the day that a search can't be run. Pure."""
    day = max((now - one.since) // AGAIN, 0)
    due = one.since + FIRST_ALONE if day == 0 else one.since + day * AGAIN
    made = notice_delivery(one.search, "failing", episode(one.since), failure_in_words(one), now, due)
    return replace(made, version=day + 1)


def failure_in_words(one: Failing) -> str:
    """What has failed, since when, why, and what that means. Pure."""
    name, why = one_line(one.search.name), shortened(one_line(one.why), _WHY).rstrip(".")
    what = f"“{name}” has not been run since {when(one.since)}: {why}. Nothing was matched for it since then."
    if one.needs_edit:
        return f"{what} It has to be changed before it can be run."
    return f"{what} It is tried again by itself, and then run on what came in during the day before."


def _lasts(notice: Delivery, failing_now: Mapping[str, Failing]) -> bool:
    one = failing_now.get(notice.alert_id)
    return one is not None and episode(one.since) == notice.story_id


def _recoveries(
    over: Sequence[Delivery],
    readers: Mapping[str, Sequence[str]],
    on: Mapping[str, SavedSearch],
    now: datetime,
    walls: Bulkhead,
) -> Iterator[Delivery]:
    """For each failure that is over, the notice to the `readers` of its notices."""
    told: dict[tuple[str, str], dict[str, None]] = {}
    for notice in over:
        told.setdefault((notice.alert_id, notice.story_id), {}).update(dict.fromkeys(readers.get(notice.id, ())))
    for (alert_id, about), recipients in told.items():
        if recipients and alert_id in on:
            work = partial(_recovery, on[alert_id], about, tuple(recipients), now)
            made = walls.attempt("mail", f"{alert_id} works again", work)
            if made is not None:
                yield made


def _recovery(search: SavedSearch, about: str, readers: tuple[str, ...], now: datetime) -> Delivery:
    since = datetime.strptime(about, "search-%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    lasted = now - since
    text = f"“{one_line(search.name)}” is run again. It was not from {when(since)} on, for "
    text += f"{durations.long(lasted.total_seconds())}. "
    if lasted <= CAUGHT_UP:
        text += "What came in meanwhile has been matched."
    else:
        text += "What came in during the last day of that time has been matched; what came in before it was missed."
    return replace(notice_delivery(search, "working", about, text, now, now), recipients=readers)


def _withdraw(outcomes: Outcomes, pending: Sequence[Delivery], on: Mapping[str, SavedSearch], now: datetime) -> bool:
    """Suppress the notices that nobody needs any more; whether there were any.

    One that a mail was begun with stays: it may have been sent.
    """
    waiting = outcomes.of_deliveries([notice.id for notice in pending], DeliveryState.PENDING)
    ids = [outcome_id(each.delivery_id, each.outcome.recipient) for each in waiting]

    def withdrawn(parcel: Parcel) -> Outcome:
        was = parcel.outcome
        if was.state is not DeliveryState.PENDING or was.key:
            return was
        why = _OVER if parcel.delivery.alert_id in on else _OFF
        return replace(was, state=DeliveryState.SUPPRESSED, at=now, error=why)

    if ids:
        outcomes.acknowledge(outcomes.parcels(ids), withdrawn)
    return bool(ids)
