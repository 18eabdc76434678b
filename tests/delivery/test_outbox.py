"""What is owed: once for each story and each event, and one search's fault costs its own mails alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.kinds.kind import Event
from alerts.match import match_batch
from delivery import fanout, worker
from delivery.deliver import deliver
from delivery.documents import delivery_document, outcome_document, outcome_id
from delivery.fanout import Fanout
from delivery.listing import SHOWN, deliveries
from delivery.made import MUTED
from delivery.outbox import EnqueueReport, Outbox
from delivery.outcomes import Outcomes
from delivery.report import DeliverReport
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.errors import StoreError
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.elastic import reading
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

pytestmark = pytest.mark.slow

GOOD = a_search("good", "glacier")


@pytest.fixture
def press(es: Elasticsearch, names: Names) -> Press:
    return Press(es, names)


def matches_of(press: Press, *searches: SavedSearch) -> tuple[Match, ...]:
    batch = press.publish(a_story(1), a_story(11))
    return match_batch(press.es, press.names, batch, searches).matches


def test_a_search_whose_mails_can_t_be_owed(press: Press) -> None:
    bad = a_search("bad", "glacier")
    matches, walls = matches_of(press, GOOD, bad), Bulkhead("match")
    broken = replace(bad, schedule="now and then")
    report = Outbox(press.es, press.names).enqueue(matches, [GOOD, broken], NOW, bulkhead=walls)
    assert report.created == 2
    assert [(p.subject, "not a schedule" in p.reason) for p in walls.problems] == [("bad", True)]


def test_a_blocked_outbox_is_no_search_s_fault(press: Press) -> None:
    matches = matches_of(press, GOOD)
    press.es.indices.put_settings(index=press.names.deliveries, settings={"index.blocks.write": True})
    with pytest.raises(StoreError, match=r"index\.blocks\.write"):
        Outbox(press.es, press.names).enqueue(matches, [GOOD], NOW, bulkhead=Bulkhead("match"))


def test_a_story_is_told_by_the_report_that_was_published_first(press: Press) -> None:
    """Whichever was written first: the feeds of a batch are read side by side."""
    batch = press.publish(
        a_story(1, story_id="s", published=NOW),
        a_story(2, story_id="s", published=NOW - timedelta(hours=1)),
        a_story(3, story_id="s", published=None),
    )
    matches = match_batch(press.es, press.names, batch, [everything := a_search("all", "plan")]).matches
    outbox = Outbox(press.es, press.names)
    assert outbox.enqueue(matches, [everything], NOW).created == 1
    (told,) = outbox.get(["all~s"])
    assert told.value.article_id == a_story(2).id


EVENTS = [
    Event("ice", "spike", "spike-20260301T00", "Ice: 9 articles within an hour, usually 1.0"),
    Event("quiet", "silence", "silence-20260225T050600", "Quiet: nothing since 25 Feb 2026, 05:06 UTC"),
]
WATCHING = [a_search("ice", "glacier", kind="spike"), a_search("quiet", "orchard", kind="silence")]


def test_an_event_is_told_once(es: Elasticsearch, names: Names, posted: Settings, office: PostOffice) -> None:
    outbox = Outbox(es, names)
    Press(es, names).publish(a_story(1))
    assert outbox.enqueue_events(EVENTS, WATCHING, NOW) == EnqueueReport(created=2, existing=0)
    assert outbox.enqueue_events(EVENTS, WATCHING, NOW + timedelta(minutes=5)) == EnqueueReport(created=0, existing=2)
    assert deliver(es, names, posted, now=NOW).sent == 1
    (message,) = office.messages
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert EVENTS[0].headline in text
    assert "UNUSUALLY MANY ARTICLES" in text
    assert "Quiet: nothing since Wed 25 Feb 2026, 05:06 UTC" in text, "times are written as the mail has them"
    assert str(message["X-Newswatch-Alerts"]) == "ice, quiet"


def test_an_event_of_a_muted_search_is_suppressed_and_one_that_can_t_be_owed_costs_itself(press: Press) -> None:
    outbox, walls = Outbox(press.es, press.names), Bulkhead("match")
    muted = replace(WATCHING[0], mute_until=NOW + timedelta(days=1))
    broken = replace(WATCHING[1], schedule="now and then")
    assert outbox.enqueue_events(EVENTS, [muted, broken], NOW, bulkhead=walls).created == 1
    assert [(p.subject, "not a schedule" in p.reason) for p in walls.problems] == [("quiet", True)]
    outbox.refresh()
    (kept,) = outbox.latest("ice", 10)
    assert (kept.state, kept.kind, kept.headline) == (DeliveryState.SUPPRESSED, "spike", EVENTS[0].headline)


# ── documents from before there were channels ────────────────────────────────────────────────────────────────────────

FORMER = "<0123abcd@old.example>"


def test_a_former_delivery_becomes_outcomes_and_a_kill_on_the_way_costs_nothing(
    press: Press, posted: Settings, office: PostOffice
) -> None:
    """Ann has her mail, Bob's was begun, and Cat has none yet."""
    ann, bob, cat = readers = ("ann@reader.example", "bob@reader.example", "cat@reader.example")
    owed = owed_on(press, 1, recipients=readers)
    document = of_former(owed, "pending")
    begun = {"recipient": bob, "state": "pending", "message_id": "<bob@old.example>", "attempts": 1}
    sent = {"recipient": ann, "state": "sent", "message_id": FORMER, "at": NOW.isoformat()}
    document["detail"] |= {"outcomes": [sent, begun]}
    press.es.index(index=press.names.deliveries, id=owed.id, document=document | {"waiting": [bob, cat]})
    half = outcome_document(owed, Outcome(ann, DeliveryState.SENT, "k", FORMER, at=NOW))
    press.es.index(index=press.names.outcomes, id=outcome_id(owed.id, ann), document=half)
    assert deliver(press.es, press.names, posted, now=NOW).sent == 2
    assert office.to(ann) == []
    (to_bob,), (to_cat,) = office.to(bob), office.to(cat)
    assert to_bob["Message-ID"] == "<bob@old.example>"
    (whole,) = Outbox(press.es, press.names).told([owed.id])
    assert [o.reference for o in whole.outcomes] == [FORMER, "<bob@old.example>", to_cat["Message-ID"]]
    assert (whole.state, whole.sent_at is not None) == (DeliveryState.SENT, True)
    assert press.es.get(index=press.names.deliveries, id=owed.id)["_source"]["detail"]["outcomes"] == []
    assert Fanout(press.es, press.names).spread() == 0


def test_what_waits_for_a_deleted_delivery_fails_and_holds_up_nobody(
    press: Press, posted: Settings, office: PostOffice
) -> None:
    gone, kept = owed_on(press, 1), owed_on(press, 12, story_id="t", recipients=("bob@reader.example",))
    Outbox(press.es, press.names).add([gone, kept])
    fanout = Fanout(press.es, press.names)
    fanout.refresh()
    assert fanout.spread() == 2
    press.es.delete(index=press.names.deliveries, id=gone.id)
    report = deliver(press.es, press.names, posted, now=NOW)
    assert (report.sent, report.set_aside) == (1, 1)
    assert deliver(press.es, press.names, posted, now=NOW + timedelta(hours=1)) == DeliverReport()


def test_what_a_mute_held_waits_again_though_a_worker_settles_meanwhile(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = replace(owed_on(press, 1), state=DeliveryState.SUPPRESSED, suppressed_by=f"{MUTED} tomorrow")
    outbox, fanout = Outbox(press.es, press.names), Fanout(press.es, press.names)
    outbox.add([held])
    acknowledge = Outcomes.acknowledge

    def meanwhile(self: Outcomes, *given: Any) -> Any:
        assert fanout.settle((), NOW) == 1
        return acknowledge(self, *given)

    monkeypatch.setattr(Outcomes, "acknowledge", meanwhile)
    assert outbox.requeue(held.alert_id, NOW) == 1
    (again,) = outbox.told([held.id])
    assert (again.state, [o.state for o in again.outcomes]) == (DeliveryState.PENDING, [DeliveryState.PENDING])


def test_a_delivery_that_is_spread_meanwhile_is_not_settled(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox, fanout = Outbox(press.es, press.names), Fanout(press.es, press.names)
    outbox.add([owed := owed_on(press, 1)])
    joint = Fanout._joint
    seen: Iterator[dict[str, Any]] = iter([{}])  # as if its outcomes had been written after the refresh

    def late(self: Fanout, ids: Any) -> Any:
        found = next(seen, None)
        return joint(self, ids) if found is None else found

    fanout.refresh()
    fanout.spread()
    monkeypatch.setattr(Fanout, "_joint", late)
    assert fanout.settle([owed.id], NOW) == 0
    (kept,) = outbox.told([owed.id])
    assert kept.state is DeliveryState.PENDING


def test_a_page_shows_some_recipients_and_counts_all(press: Press) -> None:
    many = tuple(f"r{n:02}@reader.example" for n in range(30))
    owed = owed_on(press, 1, recipients=many)
    Outbox(press.es, press.names).add([owed])
    (fresh,) = deliveries(press.es, press.names).page
    assert {o.state for o in fresh.outcomes} == {DeliveryState.PENDING}, "before it is spread"
    fanout, outcomes = Fanout(press.es, press.names), Outcomes(press.es, press.names)
    fanout.spread()
    sent = outcomes.waiting_for(many[:25])
    parcels = [parcel for own in sent.values() for parcel in own]
    outcomes.acknowledge(parcels, lambda parcel: replace(parcel.outcome, state=DeliveryState.SENT, at=NOW))
    found = deliveries(press.es, press.names)
    assert found.reached == {owed.id: {"sent": 25, "pending": 5}}
    assert [o.recipient for o in found.page[0].outcomes[:5]] == list(many[25:]), "those without a mail come first"
    assert len(found.page[0].outcomes) == SHOWN
    asked = deliveries(press.es, press.names, recipient=many[3])
    assert [o.recipient for o in asked.page[0].outcomes] == [many[3]]


def of_former(delivery: Delivery, state: str) -> dict[str, Any]:
    """The delivery's document as it was stored then: an outcome names its e-mail by `message_id` alone."""
    plain: dict[str, Any] = delivery_document(delivery)
    del plain["spread"]
    outcome = {"recipient": "ann@reader.example", "state": state, "message_id": FORMER, "subject": "As it was called"}
    moment = {"at": NOW.isoformat()} if state == "sent" else {}
    plain["detail"] |= {"state": state, "outcomes": [outcome | moment | {"attempts": 1}]}
    waiting = [] if state == "sent" else ["ann@reader.example"]
    return plain | {"state": state, "waiting": waiting, "message_ids": [FORMER]}


def store_former(press: Press, delivery: Delivery, state: str) -> None:
    index = press.names.deliveries
    press.es.index(index=index, id=delivery.id, document=of_former(delivery, state), refresh=True)


def owed_on(press: Press, n: int, **changes: Any) -> Delivery:
    article = a_story(n, story_id="s")
    press.publish(article)
    whole = Delivery("ice", "Ice", "s", article.id, ("ann@reader.example",), DeliveryState.PENDING, NOW, not_before=NOW)
    return replace(whole, **changes)


def test_a_mail_begun_before_is_sent_again_under_its_message_id(
    press: Press, posted: Settings, office: PostOffice
) -> None:
    owed = owed_on(press, 1)
    store_former(press, owed, "pending")
    moved = posted.model_copy(update={"mail_from": "newswatch@new.example"})
    assert deliver(press.es, press.names, moved, now=NOW).sent == 1
    assert [message["Message-ID"] for message in office.messages] == [FORMER]
    (found,) = Outbox(press.es, press.names).told([owed.id])
    (outcome,) = found.outcomes
    assert (outcome.state, outcome.key, outcome.reference) == (DeliveryState.SENT, FORMER, FORMER)


def test_years_of_deliveries_from_before_are_spread_by_and_by_while_mails_go_out(
    press: Press, posted: Settings, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "OLD_AT_ONCE", 2)
    monkeypatch.setattr(fanout, "_SPREAD_AT_ONCE", 2)
    old = [owed_on(press, 1, story_id=f"old-{day}", created_at=NOW - timedelta(days=day)) for day in range(1, 6)]
    for each in old:
        store_former(press, each, "sent")
    outbox, outcomes = Outbox(press.es, press.names), Outcomes(press.es, press.names)

    def spread() -> list[str]:
        Fanout(press.es, press.names).refresh()
        return sorted(each.story_id for each in outcomes.select({"prefix": {"story_id": "old-"}}))

    outbox.add([owed_on(press, 11)])
    assert deliver(press.es, press.names, posted, now=NOW).sent == 1, "what waits is spread first"
    assert spread() == ["old-1", "old-2"], "the newest"
    deliver(press.es, press.names, posted, now=NOW)
    deliver(press.es, press.names, posted, now=NOW)
    assert spread() == [each.story_id for each in old]
    assert len(office.messages) == 1
    assert not Fanout(press.es, press.names).spread_newest(1)


def test_old_deliveries_are_spread_for_whoever_asks_for_them_however_many_he_names(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TERMS", 2)
    old = [owed_on(press, 1, story_id=f"old-{day}", created_at=NOW - timedelta(days=day)) for day in range(1, 7)]
    for each in old:
        store_former(press, each, "sent")
    there = Fanout(press.es, press.names)
    assert there.spread_of("story_id", [f"old-{day}" for day in (1, 2, 4, 6, 99)]) == 4
    assert not there.spread_newest(1, {"term": {"recipients": "bob@reader.example"}})
    assert there.spread_newest(1, {"term": {"recipients": "ann@reader.example"}})
    assert {each.story_id for each in Outcomes(press.es, press.names).select({"match_all": {}})} == {
        f"old-{day}" for day in (1, 2, 3, 4, 6)
    }


@pytest.mark.parametrize("at_once", [5_000, 0])
def test_a_thread_begun_before_goes_on(
    press: Press, posted: Settings, office: PostOffice, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(worker, "OLD_AT_ONCE", at_once)
    store_former(press, owed_on(press, 1), "sent")
    Outbox(press.es, press.names).add([owed_on(press, 11, kind="update")])
    assert deliver(press.es, press.names, posted, now=NOW + timedelta(hours=1)).sent == 1
    (reply,) = office.messages
    assert (reply["In-Reply-To"], reply["Subject"]) == (FORMER, f"Update: {a_story(11).title}")
