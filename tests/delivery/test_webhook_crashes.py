"""The process killed before any step while it owes webhooks events: none is lost, and none is told as two.

An event may come twice only if the process dies between the receiver's yes and our note of it. Then it is the same
event: same id, same stories; only its time and the stamps of its links are new. Every POST is read as strangers read
it, by the libraries of CloudEvents and of Standard Webhooks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from elasticsearch import Elasticsearch
from standardwebhooks import Webhook, WebhookVerificationError

from delivery.address_book import AddressBook
from delivery.channels.targets import Target
from delivery.channels.webhook import new_secret
from delivery.due import LEASE
from newswatch.delivery import DeliveryState
from newswatch.sealing import Sealer
from newswatch.subscriber import Address
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.cases import Case, Mortal, open_mortal, owed
from tests.delivery.channels.receivers import Got, Receiver, serving
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

pytestmark = pytest.mark.slow

AGAIN = NOW + LEASE + timedelta(minutes=1)
"""When what a dead process held is free again."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as there:
        yield there


@pytest.fixture
def mortal(elasticsearch_url: str, names: Names, office: PostOffice, receiver: Receiver) -> Iterator[Mortal]:
    with open_mortal(elasticsearch_url, names, office, hooks=(receiver.pair,)) as mortal:
        yield mortal


def as_strangers_read(got: Got, secret: str) -> CloudEvent:
    """The event of a POST, once its signature is checked."""
    Webhook(secret).verify(got.body, dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, dict(got.headers))
    event = from_http(HTTPMessage(dict(got.headers), got.body), JSONFormat(), CloudEvent)
    assert isinstance(event, CloudEvent)
    assert event.get_id() == got.headers["webhook-id"]
    return event


def test_killed_before_any_step(
    es: Elasticsearch, names: Names, mortal: Mortal, office: PostOffice, receiver: Receiver
) -> None:
    press, book, secret = Press(es, names), AddressBook(es, names, Sealer(["for tests"])), new_secret()
    cases: list[tuple[Case, int]] = []
    for step in range(1, 200):
        hook = f"webhook:ops-{step}"
        sealed = book.seal(Target(f"{receiver.url}/{step}", (secret,)))
        book.create(Address(hook, "webhook", "ann", "http://127.0.0.1", NOW, sealed, verified_at=NOW))
        reader = f"ann{step}@reader.example"
        searches = [a_search(f"all-{step}", "", hook, reader), a_search(f"plan-{step}", "plan", hook)]
        batches = [press.publish(a_story(10 * step + n)) for n in (1, 2)]
        died = mortal.run(searches, batches, NOW, step)
        assert mortal.run(searches, batches, AGAIN) == 0
        cases.append((Case(step, searches, batches, {"story": 4}), 1 if died else 0))
        if died == 0:
            break
    else:
        pytest.fail("it never came to an end")
    # What was held to be grouped, of all of them.
    assert mortal.run(searches, batches, AGAIN + timedelta(hours=1)) == 0
    assert len({one.path for one in receiver.got}) == len(cases), "each has an address of its own"
    copies = 0
    for case, windows in cases:
        posts = [one for one in receiver.got if one.path.endswith(f"/{case.number}")]
        copies += check(press, case, f"webhook:ops-{case.number}", posts, secret, windows=windows)
    assert step > 25, "so few steps can't be all of them"
    assert copies <= 2, "only a death between the receiver's yes and our note may send an event twice"
    assert len({str(m["Message-ID"]) for m in office.messages}) == step, "the reader beside it gets one mail each time"


def told_by(event: CloudEvent) -> list[dict[str, Any]]:
    """The stories that an event tells, without their links, which are stamped anew."""
    data = event.get_data()
    assert isinstance(data, dict)
    return [{**story, "links": None} for story in data["stories"]]


def check(press: Press, case: Case, hook: str, posts: list[Got], secret: str, *, windows: int) -> int:
    """How many POSTs were repeated; each (saved search, story) was told by one event."""
    events = [as_strangers_read(got, secret) for got in posts]
    told = {event.get_id(): told_by(event) for event in events}
    assert all(told[event.get_id()] == told_by(event) for event in events), "sent again, it says the same"
    repeated = len(posts) - len(told)
    assert repeated <= windows
    stories = [story for stories in told.values() for story in stories]
    pairs = Counter((search, story["story_id"]) for story in stories for search in story["searches"])
    deliveries = owed(press.es, press.names, case)
    assert len(deliveries) == case.told["story"]
    assert pairs == Counter((one.alert_id, one.story_id) for one in deliveries)
    for delivery in deliveries:
        (outcome,) = (one for one in delivery.outcomes if one.recipient == hook)
        assert outcome.state is DeliveryState.SENT
    return repeated
