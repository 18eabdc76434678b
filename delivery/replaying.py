"""Sends again what an address was sent last: for a receiver that lost it. Nothing is recorded.

Each message is made again under its key, so a receiver that has it recognises it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alerts.saved import SavedSearches
from delivery.address_book import AddressBook
from delivery.channels.lines import Lines
from delivery.channels.registry import channel_of
from delivery.compose import resent
from delivery.composing import Composer
from delivery.documents import Addressed, outcome_id
from delivery.fanout import OLD_AT_ONCE, Fanout
from delivery.outcomes import Outcomes
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery, DeliveryState
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.elastic.client import Client
from store.elastic.documents import Document
from store.names import Names

MOST: Final = 100
"""Messages that can be sent again at once."""
WITHIN: Final = timedelta(minutes=1)
"""Time after which no further one is begun: whoever asked for it waits."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    sent: int = 0
    gone: int = 0
    """Messages whose articles are no longer in the index."""
    failed: tuple[str, ...] = ()
    """Why the next message was not accepted, or not sent any more."""


def replay(
    es: Client,
    names: Names,
    settings: Settings,
    book: AddressBook,
    address: str,
    count: int,
    clock: Callable[[], datetime],
) -> Replayed:
    """Send again, oldest first, the last `count` messages of an address since it was added.

    It ends at the first that is refused, and after `WITHIN`.

    Raises:
        ValueError: `count` is not within 1 and `MOST`.
        StoreError: Elasticsearch is in trouble.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"1 to {MOST} messages can be sent again at once")
    outcomes = Outcomes(es, names)
    fanout = Fanout(es, names)
    fanout.refresh()
    fanout.spread_newest(OLD_AT_ONCE, {"term": {"recipients": address}})
    # What went to somebody else's address of that name, which was removed, is not its new owner's.
    added = known.created_at if (known := book.address(address)) else datetime.min.replace(tzinfo=UTC)
    keys = _last_keys(es, names, address, count, added)
    sent = {"bool": {"filter": [{"term": {"recipient": address}}, {"terms": {"key": keys}}]}}
    by_key = _by_key(outcomes, outcomes.select(sent)) if keys else {}
    searches: dict[str, SavedSearch | None] = {}
    searches.update(SavedSearches(es, names).of({d.alert_id for found in by_key.values() for d in found}))
    composer = Composer(es, names, settings, clock, searches, Bulkhead("replay"))
    channel, done, gone = channel_of(address), 0, 0
    with Lines(settings, book) as lines:
        mails = resent(address, {key: by_key[key] for key in reversed(keys) if key in by_key}, {})
        until = clock() + WITHIN
        for number, mail in enumerate(mails):
            if clock() > until:
                why = f"its receiver is slow: the last {len(mails) - number} were not sent within a minute"
                return Replayed(done, gone, (why,))
            made, _ = composer.compose(mail, None)
            if made is None:
                gone += 1
                continue
            result = lines.send(channel, made.rendered, address)
            if address not in result.accepted:
                return Replayed(done, gone, (result.why_not(address),))
            done += 1
    return Replayed(done, gone)


def _last_keys(es: Client, names: Names, address: str, count: int, added: datetime) -> list[str]:
    """The keys of the last messages that were accepted since the address was added, newest first."""
    to: list[Document] = [{"term": {"recipient": address}}, {"term": {"state": DeliveryState.SENT}}]
    to += [{"exists": {"field": "key"}}, {"range": {"sent_at": {"gte": added.isoformat()}}}]
    last: dict[str, Any] = {"last": {"max": {"field": "sent_at"}}}
    aggs = {"keys": {"terms": {"field": "key", "size": count, "order": {"last": "desc"}}, "aggs": last}}
    answer = es.search(index=names.outcomes, size=0, query={"bool": {"filter": to}}, aggs=aggs)
    return [str(bucket["key"]) for bucket in answer["aggregations"]["keys"]["buckets"]]


def _by_key(outcomes: Outcomes, found: Iterable[Addressed]) -> dict[str, list[Delivery]]:
    ids = [outcome_id(one.delivery_id, one.outcome.recipient) for one in found]
    by_key: dict[str, list[Delivery]] = defaultdict(list)
    for parcel in outcomes.parcels(ids):
        by_key[parcel.outcome.key].append(parcel.delivery)
    return by_key
