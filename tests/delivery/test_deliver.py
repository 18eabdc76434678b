"""From a match to the mail, with the real server on one side and a real mail server on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.match import match_batch
from alerts.saved import SavedSearches
from delivery.channels import registry
from delivery.channels.channel import Refusal, SendResult
from delivery.channels.email import EMAIL
from delivery.deliver import deliver
from delivery.due import LEASE
from delivery.mailbox import Mailbox, Mailboxes
from delivery.outbox import EnqueueReport, Outbox
from delivery.report import DeliverReport
from delivery.spellings import written_to
from embedded.processes import free_port
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from store.articles import ArticleStore, InReach
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.broken_slice import broken_slice
from tests.delivery.post_office import PostOffice
from tests.factories import NOW, a_source

pytestmark = pytest.mark.slow

ANN, BOB = "ann@reader.example", "bob@reader.example"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Desk:
    """The whole way behind the index: match, owe, deliver."""

    press: Press
    settings: Settings

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.press.es, self.press.names)

    def save(self, *searches: SavedSearch) -> None:
        saved = SavedSearches(self.press.es, self.press.names)
        for search in searches:
            saved.save(search, by="test", now=NOW)

    def owe(self, *articles: Article, now: datetime = NOW) -> EnqueueReport:
        batch = self.press.publish(*articles, now=now)
        searches = SavedSearches(self.press.es, self.press.names).enabled(now=now)
        report = match_batch(self.press.es, self.press.names, batch, searches)
        assert not report.failed
        return self.outbox.enqueue(report.matches, searches, now)

    def deliver(self, now: datetime = NOW, **changes: object) -> DeliverReport:
        settings = self.settings.model_copy(update=changes)
        return deliver(self.press.es, self.press.names, settings, now=now)

    def delivery(self, delivery_id: str) -> Delivery:
        (found,) = self.outbox.told([delivery_id])
        return found


@pytest.fixture
def desk(es: Elasticsearch, names: Names, posted: Settings) -> Desk:
    return Desk(Press(es, names), posted)


def told(messages: Iterable[EmailMessage]) -> list[list[str]]:
    """Which saved searches each mail names."""
    return [str(message["X-Newswatch-Alerts"]).split(", ") for message in messages]


def test_a_mail_states_no_number_that_lacks_a_slice(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("ice", "glacier"))
    known = a_source(reliability="A")
    desk.owe(a_story(1, source=known))
    with broken_slice(desk.press.es, desk.press.names):
        assert desk.deliver().sent == 1
    desk.owe(a_story(11, source=known))
    assert desk.deliver(NOW + HOUR).sent == 1
    plain = (str(m.get_body(("plain",)).get_content()) for m in office.to(ANN))  # type: ignore[union-attr]
    lacking, whole = (" ".join(text.split()) for text in plain)
    said = "at least one source (a part of the archive could not be searched)"
    assert (said in lacking, said in whole) == (True, False)
    assert ("credibility" in lacking, "credibility" in whole) == (False, True)


def test_one_story_one_mail(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("ice", "glacier"))
    assert desk.owe(a_story(1), a_story(2)) == EnqueueReport(created=1, existing=0)
    assert desk.deliver().sent == 1
    (message,) = office.to(ANN)
    assert message["Subject"] == "A new glacier is agreed, plan 1"
    assert message["To"] == ANN
    found = desk.delivery(f"ice~{a_story(1).story_id}")
    assert found.state is DeliveryState.SENT
    assert found.outcomes[0].reference == message["Message-ID"]
    assert found.published
    assert found.fetched_at
    assert found.indexed_at
    assert found.created_at <= found.outcomes[0].at  # type: ignore[operator]
    assert [p.text[slice(*p.marks[0])] for p in found.passages] == ["glacier", "glacier"]
    assert 'class="m"' in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_matching_again_mails_nothing_again(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("ice", "glacier"))
    desk.owe(a_story(1))
    desk.deliver()
    assert desk.owe(replace(a_story(1), title="A new glacier is agreed after all")).created == 0
    assert desk.deliver(NOW + HOUR) == DeliverReport()
    assert len(office.taken) == 1


def test_five_searches_one_mail_for_each_recipient(desk: Desk, office: PostOffice) -> None:
    desk.save(*(a_search(f"s{n}", "glacier", ANN) for n in range(4)), a_search("shared", "plan", ANN, BOB))
    desk.owe(a_story(1))
    assert desk.deliver().sent == 2
    assert told(office.to(ANN)) == [["s0", "s1", "s2", "s3", "shared"]]
    assert told(office.to(BOB)) == [["shared"]]
    assert desk.delivery(f"shared~{a_story(1).story_id}").state is DeliveryState.SENT


def test_a_reader_in_two_spellings_of_two_searches_is_mailed_once(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("ice", "glacier", "ann@reader.example"), a_search("all", "plan", "Ann@reader.example", BOB))
    desk.owe(a_story(1))
    assert desk.deliver().sent == 2
    assert told([one.message for one in office.taken if one.recipients[0].lower() == ANN]) == [["all", "ice"]]
    boxes = Mailboxes(desk.press.es, desk.press.names)
    (written,) = (one for one in boxes.addresses() if one.lower() == ANN)
    boxes.change(written, lambda box: replace(box, unsubscribed=("*",)))
    desk.press.es.indices.refresh(index=desk.press.names.mailboxes)
    desk.owe(a_story(11), now=NOW + HOUR)
    assert desk.deliver(NOW + HOUR).sent == 1, "she wants none, under whichever spelling"


def test_a_reader_in_two_spellings_is_mailed_once_however_many_deliveries_are_routed_together(
    desk: Desk, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.routing._CHUNK", 1)
    desk.save(a_search("all", "plan", "ann@reader.example"), a_search("ice", "glacier", "Ann@reader.example"))
    desk.owe(a_story(1))
    assert desk.deliver().sent == 1
    assert told(office.messages) == [["all", "ice"]]


@pytest.mark.parametrize(
    ("lower", "upper", "to"),
    [
        ({}, {}, "ann@x.y"),
        ({"last_sent_at": NOW}, {"last_sent_at": NOW - HOUR}, "ann@x.y"),
        ({"last_sent_at": NOW}, {"unsubscribed": ("s",)}, "Ann@x.y"),
        ({"acknowledged": {"story": NOW}}, {"last_sent_at": NOW}, "ann@x.y"),
        ({"muted": {"s": NOW}}, {"unsubscribed": ("s",)}, None),
        ({"bounced_at": NOW}, {"muted": {"s": NOW}}, None),
        ({"last_sent_at": NOW}, {"unverified_since": NOW}, None),
        ({"unverified_since": NOW}, {"unsubscribed": ("s",)}, None),
    ],
)
def test_the_spelling_that_is_written_to(lower: dict[str, Any], upper: dict[str, Any], to: str | None) -> None:
    boxes = [Mailbox("ann@x.y", **lower), Mailbox("Ann@x.y", **upper), Mailbox("bob@x.y")]
    changed = written_to(["ann@x.y", "Ann@x.y", "bob@x.y"], boxes)
    assert changed == ({} if to is None else {one.address: to for one in boxes[:2] if one.address != to})


def test_stories_that_are_due_together_go_together(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all"))
    desk.owe(a_story(1), a_story(2), a_story(3))
    desk.deliver()
    (message,) = office.messages
    assert str(message["Subject"]).endswith(" and 2 more")


def test_what_comes_within_a_minute_of_a_mail_waits_and_goes_together(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    desk.deliver()
    desk.owe(a_story(2), now=NOW + MINUTE / 4)
    held = desk.deliver(NOW + MINUTE / 3)
    assert held.sent == 0
    assert held.later
    assert NOW + MINUTE <= held.later < NOW + 2 * MINUTE
    desk.owe(a_story(3), now=NOW + MINUTE / 2)
    assert desk.deliver(held.later).sent == 1
    assert [str(m["Subject"]) for m in office.messages] == [
        "A new glacier is agreed, plan 1",
        "A new orchard is agreed, plan 2 and 1 more",
    ]


def test_digest_at_its_hour(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("day", schedule="daily at 07:00 Europe/Brussels"), a_search("ice", "glacier"))
    desk.owe(a_story(1), a_story(2), a_story(3, source=a_source(owner="B")))
    desk.owe(a_story(4, story_id=a_story(3).story_id, source=a_source(owner="A")))
    desk.deliver()
    assert told(office.messages) == [["day", "ice"]], "the story that is mailed at once names the digest's search too"
    due = NOW.replace(hour=6, minute=0, second=0)
    assert desk.deliver(due - MINUTE).sent == 0
    assert desk.deliver(due).sent == 1
    digest = office.messages[1]
    assert digest["Subject"] == f"{a_story(3).title} and 1 more · daily digest: Day"
    text = digest.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.index("lantern") < text.index("orchard"), "what two sources report comes before what one does"
    assert "2 independent sources" in text
    assert desk.deliver(due + HOUR).sent == 0


def test_updates_come_as_replies(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("follow", "glacier", updates=True), a_search("once", "glacier"))
    first, later = a_story(1), a_story(11, title="The glacier plan has opponents", text="A glacier. " * 20)
    desk.owe(first)
    desk.deliver()
    desk.owe(replace(later, story_id=first.story_id), now=NOW + HOUR)
    desk.deliver(NOW + HOUR)
    one, two = office.messages
    assert told([one, two]) == [["follow", "once"], ["follow"]]
    assert two["In-Reply-To"] == one["Message-ID"]
    assert two["References"] == one["Message-ID"]
    assert two["Subject"] == "Update: The glacier plan has opponents"
    assert two["Message-ID"] != one["Message-ID"]
    desk.owe(replace(later, story_id=first.story_id, title="The glacier plan has many opponents"), now=NOW + 2 * HOUR)
    assert desk.deliver(NOW + 2 * HOUR).sent == 0, "the same article again is no update"


def test_an_update_carries_what_is_new_and_a_copy_is_no_update(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("follow", "glacier", updates=True))
    first = a_story(1)
    desk.owe(first)
    desk.deliver()
    copy = replace(a_story(11), title=first.title, text=first.text, summary=first.summary, story_id=first.story_id)
    desk.owe(copy, now=NOW + HOUR)
    assert desk.deliver(NOW + HOUR) == DeliverReport(suppressed=1)
    suppressed = desk.delivery(f"follow~{first.story_id}~update~{copy.id}~1")
    assert suppressed.outcomes[0].error == "it says only what was mailed, word for word"
    news = f"{first.text}\nThe glacier shrank by 40 metres this year."
    desk.owe(replace(copy, id=a_story(12).id, url=a_story(12).url, text=news), now=NOW + 2 * HOUR)
    assert desk.deliver(NOW + 2 * HOUR).sent == 1
    text = office.messages[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "  + The glacier shrank by *40* metres this year." in text
    assert first.text.split(".")[0] not in text


def test_search_that_matches_a_story_later_is_a_reply_too(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("ice", "glacier"), a_search("cost", "money"))
    desk.owe(a_story(1))
    desk.deliver()
    later = a_story(11, title="Money is short", text="There is no money for it.", story_id=a_story(1).story_id)
    desk.owe(later, now=NOW + HOUR)
    desk.deliver(NOW + HOUR)
    one, two = office.messages
    assert told([one, two]) == [["ice"], ["cost"]]
    assert two["In-Reply-To"] == one["Message-ID"]


def test_refused_recipient_is_told_and_does_not_stop_the_rest(desk: Desk, office: PostOffice) -> None:
    office.on_recipient = lambda r, _: "550 no such user" if r == ANN else None
    desk.save(a_search("all", "", ANN, BOB))
    desk.owe(a_story(1))
    report = desk.deliver()
    assert (report.sent, report.failed) == (1, 1)
    found = desk.delivery(f"all~{a_story(1).story_id}")
    assert found.refused == (f"{ANN}: 550 no such user",)
    assert found.state is DeliveryState.SENT
    assert desk.deliver(NOW + HOUR) == DeliverReport()


def test_greylisted_mail_goes_when_it_may(desk: Desk, office: PostOffice) -> None:
    office.on_recipient = lambda r, before: None if before else "451 greylisted, come back"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    put_off = desk.deliver()
    assert (put_off.sent, put_off.postponed) == (0, 1)
    assert desk.delivery(f"all~{a_story(1).story_id}").last_error == "451 greylisted, come back"
    desk.owe(a_story(2))
    assert desk.deliver(NOW + MINUTE / 2).sent == 0, "not tried before its time"
    assert desk.deliver(NOW + 2 * MINUTE).sent == 1
    assert str(office.messages[0]["Subject"]).endswith(" and 1 more")


def test_recipient_put_off_for_days_is_given_up_and_told(desk: Desk, office: PostOffice) -> None:
    office.on_recipient = lambda r, _: "452 mailbox full"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    for half in range(10):
        assert desk.deliver(NOW + half * 12 * HOUR).postponed == 1
    assert desk.deliver(NOW + timedelta(days=5, hours=1)).failed == 1
    found = desk.delivery(f"all~{a_story(1).story_id}")
    assert found.state is DeliveryState.FAILED
    assert found.refused == (f"{ANN}: given up, refused since 2026-03-04: 452 mailbox full",)


@pytest.mark.parametrize(("hours_away", "is_given_up"), [(12, True), (40, False)])
def test_the_servers_own_absence_counts_only_if_it_is_long(
    desk: Desk, office: PostOffice, hours_away: int, is_given_up: bool
) -> None:
    """A full mailbox was never given up if the server was away for a minute every few days."""
    office.on_recipient = lambda r, _: "452 mailbox full"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    nobody, away = free_port(), range(48, 48 + hours_away)
    for hour in range(0, 5 * 24, 6):
        report = desk.deliver(NOW + hour * HOUR, **({"smtp_port": nobody} if hour in away else {}))
        assert (report.failed, bool(report.down)) == (0, hour in away)
    assert desk.deliver(NOW + timedelta(days=5, hours=1)).failed == int(is_given_up)
    since_back = NOW + timedelta(hours=48 + hours_away)
    for hour in range(6, 6 * 24, 6):
        desk.deliver(since_back + hour * HOUR)
    assert desk.delivery(f"all~{a_story(1).story_id}").state is DeliveryState.FAILED


def test_what_comes_while_an_address_is_full_is_tried_as_long_as_what_came_first(
    desk: Desk, office: PostOffice
) -> None:
    office.on_recipient = lambda r, _: "452 mailbox full"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    for half in range(10):
        assert desk.deliver(NOW + half * 12 * HOUR).postponed == 1
    late = NOW + timedelta(days=4, hours=23)
    desk.owe(a_story(2), now=late)
    report = desk.deliver(NOW + timedelta(days=5, hours=1))
    assert (report.sent, report.postponed, report.failed) == (0, 1, 1)
    first, second = (desk.delivery(f"all~{a_story(n).story_id}") for n in (1, 2))
    assert (first.state, second.state) == (DeliveryState.FAILED, DeliveryState.PENDING)
    assert first.last_error == "given up, refused since 2026-03-04: 452 mailbox full"
    assert second.last_error == "452 mailbox full"
    desk.owe(a_story(3), now=NOW + timedelta(days=6))
    assert desk.deliver(NOW + timedelta(days=6)).postponed == 1, "the address was given up before, this one was not"
    office.on_recipient = lambda r, _: None
    assert desk.deliver(NOW + timedelta(days=6, hours=2)).sent == 1
    assert [str(message["Subject"]).endswith("plan 2 and 1 more") for message in office.messages] == [True]


def test_a_refusal_long_after_others_is_the_first_of_its_own(desk: Desk, office: PostOffice) -> None:
    """A greylisting server refuses each first try of a month."""
    office.on_recipient = lambda r, _: "451 come back"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    assert desk.deliver().postponed == 1
    desk.save(a_search("all", enabled=False, mute_until=NOW + timedelta(days=1)))
    assert desk.deliver(NOW + HOUR).suppressed == 1
    desk.save(a_search("all"))
    desk.owe(a_story(2), now=NOW + timedelta(days=30))
    nobody = free_port()
    assert desk.deliver(NOW + timedelta(days=30), smtp_port=nobody).down
    assert desk.deliver(NOW + timedelta(days=36)).postponed == 1
    office.on_recipient = lambda r, _: None
    assert desk.deliver(NOW + timedelta(days=36, hours=1)).sent == 1


def test_server_down_for_hours_loses_nothing_and_does_not_flood(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all", "", ANN, BOB))
    nobody = free_port()
    for hour in range(8):
        now = NOW + hour * HOUR
        desk.owe(a_story(hour), now=now)
        report = desk.deliver(now, smtp_port=nobody)
        assert report.down
        assert report.sent == 0
    assert desk.deliver(NOW + 9 * HOUR).sent == 2
    assert Counter(str(m["Subject"]).partition(" and ")[2] for m in office.messages) == {"7 more": 2}


@pytest.mark.parametrize("how", ["drop", "lose"])
def test_line_lost_after_data_sends_the_same_mail_again(desk: Desk, office: PostOffice, how: str) -> None:
    office.on_data = lambda r, before: None if before else how
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    assert desk.deliver().postponed == 1
    desk.owe(a_story(2), now=NOW + MINUTE)
    assert desk.deliver(NOW + 2 * MINUTE).sent == 2
    by_story = [m for m in office.messages if m["Subject"] == "A new glacier is agreed, plan 1"]
    assert len({m["Message-ID"] for m in by_story}) == 1
    assert len(by_story) == (2 if how == "drop" else 1)


@pytest.mark.parametrize("then", ["451 greylisted", "down"])
def test_a_mail_that_may_have_been_taken_stays_the_same_mail(desk: Desk, office: PostOffice, then: str) -> None:
    """Also when it is put off after that: it was forgotten then, and its stories went again in another mail."""
    office.on_data = lambda r, before: None if before else "drop"
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    assert desk.deliver().postponed == 1
    office.on_recipient = lambda r, before: "451 greylisted" if before == 1 else None
    changes = {"smtp_port": free_port()} if then == "down" else {}
    assert desk.deliver(NOW + 2 * MINUTE, **changes).sent == 0
    desk.owe(a_story(2), now=NOW + 3 * MINUTE)
    for minutes in (10, 20):
        desk.deliver(NOW + minutes * MINUTE)
    by_story = [m for m in office.messages if m["Subject"] == "A new glacier is agreed, plan 1"]
    assert len(by_story) == 2
    assert len({m["Message-ID"] for m in by_story}) == 1
    assert len(office.taken) == 3


def test_muted_search_is_suppressed_and_says_so(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all", mute_until=NOW + HOUR))
    desk.owe(a_story(1))
    assert desk.deliver(NOW + 2 * HOUR) == DeliverReport(), "not even once it speaks again"
    found = desk.delivery(f"all~{a_story(1).story_id}")
    assert (found.state, found.suppressed_by) == (DeliveryState.SUPPRESSED, "muted until 2026-03-04 06:06 UTC")
    desk.owe(a_story(2), now=NOW + 2 * HOUR)
    assert desk.deliver(NOW + 2 * HOUR).sent == 1


def test_muting_holds_back_what_is_owed_already(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    desk.save(a_search("all", mute_until=NOW + HOUR))
    assert desk.deliver().suppressed == 1
    assert office.taken == []


def test_unsubscribed(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all", "", ANN, BOB))
    boxes = Mailboxes(desk.press.es, desk.press.names)
    boxes.change(ANN, lambda box: replace(box, unsubscribed=("all",)))
    desk.owe(a_story(1))
    report = desk.deliver()
    assert (report.sent, report.suppressed) == (1, 1)
    assert office.to(ANN) == []
    boxes.change(ANN, lambda box: replace(box, unsubscribed=()))
    desk.owe(a_story(2), now=NOW + HOUR)
    desk.deliver(NOW + HOUR)
    assert len(office.to(ANN)) == 1


def test_throttle_holds_and_then_sends_together(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("calm", throttle_s=3_600))
    desk.owe(a_story(1))
    desk.deliver()
    for n in (2, 3):
        desk.owe(a_story(n), now=NOW + n * 10 * MINUTE)
        assert desk.deliver(NOW + n * 10 * MINUTE).sent == 0
    assert desk.deliver(NOW + HOUR + MINUTE).sent == 1
    assert str(office.messages[1]["Subject"]).endswith(" and 1 more")


def test_two_workers_at_once_send_nothing_twice(desk: Desk, office: PostOffice) -> None:
    office.delay_s = 0.3
    desk.save(a_search("one", "", ANN, BOB), a_search("two", "", BOB, ANN))
    desk.owe(*(a_story(n) for n in range(4)))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: desk.deliver(), range(4)))
    assert sum(report.sent for report in reports) == 2
    assert len(office.taken) == 2


def test_article_that_is_gone_is_told(desk: Desk, office: PostOffice) -> None:
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    es, names = desk.press.es, desk.press.names
    es.delete(index=names.slice_of_month(f"{NOW:%Y.%m}"), id=a_story(1).id, refresh=True)
    assert desk.deliver().failed == 1
    found = desk.delivery(f"all~{a_story(1).story_id}")
    assert found.refused == (f"{ANN}: its article is no longer in the index",)


@dataclass
class Asleep:
    """A line that sleeps through its lease while another worker sends the same mail, and is refused then."""

    desk: Desk
    monkeypatch: pytest.MonkeyPatch

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> SendResult:
        self.monkeypatch.setattr(registry, "CHANNELS", (EMAIL,))
        assert self.desk.deliver(NOW + 2 * LEASE).sent == 1
        return SendResult(refused=dict.fromkeys(recipients, Refusal("451 too late", permanent=False)))

    def close(self) -> None:
        pass


def test_what_another_worker_has_sent_stays_sent(
    desk: Desk, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.on_recipient = lambda recipient, _: "451 greylisted" if recipient == BOB else None
    desk.save(a_search("all", "", ANN, BOB))
    desk.owe(a_story(1))
    sleepy = replace(EMAIL, open=lambda _settings, _targets: Asleep(desk, monkeypatch))
    monkeypatch.setattr(registry, "CHANNELS", (sleepy,))
    desk.deliver()
    outcomes = {o.recipient: o.state for o in desk.delivery(f"all~{a_story(1).story_id}").outcomes}
    assert outcomes == {ANN: DeliveryState.SENT, BOB: DeliveryState.PENDING}
    office.on_recipient = lambda recipient, before: None
    assert desk.deliver(NOW + HOUR).sent == 1
    assert [received.recipients for received in office.taken] == [[ANN], [BOB]]


def test_a_mail_is_not_begun_once_another_worker_has_told_it(
    desk: Desk, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept through its lease after it had read what is owed; the other one had a second story to tell as well."""
    desk.save(a_search("all"))
    desk.owe(a_story(1))
    read = ArticleStore.in_reach

    def slowly(store: ArticleStore, ids: Iterable[str]) -> InReach:
        monkeypatch.setattr(ArticleStore, "in_reach", read)
        desk.owe(a_story(2), now=NOW + MINUTE)
        assert desk.deliver(NOW + 2 * LEASE).sent == 1
        return read(store, ids)

    monkeypatch.setattr(ArticleStore, "in_reach", slowly)
    assert desk.deliver().sent == 0
    assert [str(m["Subject"]).partition(" and ")[2] for m in office.messages] == ["1 more"]
    assert desk.deliver(NOW + HOUR).sent == 0
