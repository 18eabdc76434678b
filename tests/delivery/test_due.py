"""Who is due: whoever has waited longest first, and nobody who rests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.saved import SavedSearches
from delivery.deliver import deliver
from delivery.due import Due, due_at, look, moment_of, sorted_out, taken
from delivery.mailbox import Mailbox
from delivery.outbox import Outbox, Waiting
from delivery.report import DeliverReport
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.elastic import bulk
from store.elastic.documents import dump
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ANN = "ann@reader.example"


def waits(since: datetime = NOW, schedule: str = "instant") -> Waiting:
    return Waiting(ANN, "ice", schedule, since)


@pytest.mark.parametrize(
    ("box", "waiting", "search", "moment"),
    [
        (Mailbox(ANN), waits(), a_search("ice"), NOW),
        (Mailbox(ANN), waits(since=NOW + HOUR), a_search("ice"), NOW),
        (Mailbox(ANN, last_sent_at=NOW - 9 * SECOND), waits(), a_search("ice"), NOW + 51 * SECOND),
        (Mailbox(ANN, last_sent_at=NOW), waits(schedule="hourly"), a_search("ice"), NOW),
        (Mailbox(ANN, last_sent_at=NOW), waits(schedule="nonsense"), a_search("ice"), NOW + MINUTE),
        (Mailbox(ANN, last_by_alert={"ice": NOW}), waits(), a_search("ice", throttle_s=3_600), NOW + HOUR),
        (Mailbox(ANN, last_by_alert={"ice": NOW}), waits(), None, NOW),
    ],
)
def test_moment_of_a_search(box: Mailbox, waiting: Waiting, search: SavedSearch | None, moment: datetime) -> None:
    assert moment_of(box, waiting, {"ice": search} if search else {}, MINUTE, NOW) == moment


def test_receivers_that_dawdle_hold_up_no_other_channel() -> None:
    waiting = deque(["webhook:a", ANN, "webhook:b", "bob@reader.example", "chat:c"])
    assert taken(waiting, 2, {"webhook"}) == [ANN, "bob@reader.example"]
    assert list(waiting) == ["webhook:a", "webhook:b", "chat:c"]
    assert taken(waiting, 2, {"webhook", "chat"}) == []
    assert taken(waiting, 2, ()) == ["webhook:a", "webhook:b"]


def test_a_throttle_beyond_the_calendar_is_never_over() -> None:
    box = Mailbox(ANN, last_by_alert={"ice": NOW})
    assert moment_of(box, waits(), {"ice": a_search("ice", throttle_s=10**15)}, MINUTE, NOW).year == 9999


@pytest.mark.parametrize(
    ("box", "moment"),
    [
        (Mailbox(ANN), NOW - HOUR),
        (Mailbox(ANN, claimed_by="other", claimed_until=NOW + MINUTE), NOW + MINUTE),
        (Mailbox(ANN, claimed_by="dead", claimed_until=NOW - MINUTE), NOW - MINUTE),
        (Mailbox(ANN, retry_at=NOW + HOUR), NOW + HOUR),
        (Mailbox(ANN, retry_at=NOW - SECOND, last_sent_at=NOW), NOW - SECOND),
    ],
)
def test_a_recipient_rests_while_it_is_served_or_put_off(box: Mailbox, moment: datetime) -> None:
    assert due_at(box, [NOW - HOUR, NOW + HOUR], NOW) == moment


def test_a_recipient_whose_every_search_is_broken_is_never_due() -> None:
    assert due_at(Mailbox(ANN), [], NOW) is None


def test_whoever_has_waited_longest_comes_first() -> None:
    moments = {"a": NOW, "b": NOW - HOUR, "c": NOW + HOUR, "d": NOW + MINUTE}
    assert sorted_out(moments, NOW) == Due(("b", "a"), NOW + MINUTE, 2)


# ── with Elasticsearch ───────────────────────────────────────────────────────────────────────────────────────────────


def owe(outbox: Outbox, article: Article, recipients: Iterable[str], since: datetime, alert: str = "all") -> None:
    outbox.add(
        Delivery(alert, alert, article.story_id or article.id, article.id, (recipient,), DeliveryState.PENDING, since,
                 not_before=since, kind="update", version=n)
        for n, recipient in enumerate(recipients)
    )  # fmt: skip


def fill(es: Elasticsearch, names: Names, boxes: Iterable[Mailbox]) -> None:
    for written in bulk.write(es, (bulk.put(names.mailboxes, box.address, dump(box)) for box in boxes)):
        assert written.reason is None


@pytest.mark.slow
def test_those_who_rest_starve_nobody(es: Elasticsearch, names: Names, posted: Settings, office: PostOffice) -> None:
    """3,000 throttled, grouped, put off and claimed ones that come first by alphabet and by age, and a limit of 20."""
    press, outbox, story = Press(es, names), Outbox(es, names), a_story(1)
    press.publish(story)
    SavedSearches(es, names).save(a_search("calm", throttle_s=7_200), by="test", now=NOW)
    resting = [f"a{n:04}@reader.example" for n in range(3_000)]
    owe(outbox, story, resting, NOW - HOUR, alert="calm")
    states = (
        Mailbox("", last_sent_at=NOW - MINUTE, last_by_alert={"calm": NOW - MINUTE}),
        Mailbox("", last_sent_at=NOW),
        Mailbox("", retry_at=NOW + HOUR),
        Mailbox("", claimed_by="another", claimed_until=NOW + MINUTE),
    )
    fill(es, names, (replace(states[n % 4], address=address) for n, address in enumerate(resting)))
    owe(outbox, story, ["z@reader.example"], NOW)
    requests, ask = list[object](), es.transport.perform_request

    def counted(*request: Any, **options: Any) -> Any:
        requests.append(request)
        return ask(*request, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(es.transport, "perform_request", counted)
        due = look(es, names, posted, now=NOW, bulkhead=Bulkhead("deliver"))
    assert 0 < len(requests) < 100, "none has a request of its own"
    assert due == Due(("z@reader.example",), NOW + MINUTE, 3_000, held=True)
    assert send(es, names, posted, limit=20).sent == 1
    assert [received.recipients for received in office.taken] == [["z@reader.example"]]


@pytest.mark.slow
def test_all_come_to_their_turn_beyond_the_limit(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press, outbox, story = Press(es, names), Outbox(es, names), a_story(1)
    press.publish(story)
    for n in range(12):  # the last of the alphabet has waited longest
        owe(outbox, story, [f"{'abcdefghijkl'[n]}@reader.example"], NOW - n * MINUTE, alert=f"s{n}")
    report = send(es, names, posted.model_copy(update={"mail_senders": 1}), limit=5)
    assert (report.sent, report.left) == (5, 7)
    assert report.stopped == "5 recipients were served: 7 recipients wait for the next run"
    assert [received.recipients[0][0] for received in office.taken] == list("lkjih")
    assert send(es, names, posted, limit=5).sent == 5
    assert send(es, names, posted, limit=5) == DeliverReport(sent=2)
    assert sorted(received.recipients[0][0] for received in office.taken) == list("abcdefghijkl")


@pytest.mark.slow
def test_a_run_ends_in_time_and_says_so(es: Elasticsearch, names: Names, posted: Settings, office: PostOffice) -> None:
    press, outbox, story = Press(es, names), Outbox(es, names), a_story(1)
    press.publish(story)
    office.delay_s = 0.6
    owe(outbox, story, [f"r{n}@reader.example" for n in range(8)], NOW)
    report = send(es, names, posted.model_copy(update={"mail_run_s": 1, "mail_senders": 1}))
    assert 1 <= report.sent <= 2
    assert report.left == 8 - report.sent
    assert report.stopped
    assert "the run's time of 1 s is over" in report.stopped
    office.delay_s = 0
    assert send(es, names, posted).sent == report.left


def send(es: Elasticsearch, names: Names, settings: Settings, limit: int = 1_000) -> DeliverReport:
    return deliver(es, names, settings, now=NOW, limit=limit)
