"""Recipients, mails and servers that break: each costs itself, and the good recipient beside it gets its mail."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr

from delivery.channels import registry
from delivery.channels.email import EMAIL
from delivery.channels.lines import BROKEN_IN_A_ROW
from delivery.deliver import deliver
from delivery.documents import delivery_document as document
from delivery.mailbox import Mailboxes
from delivery.outbox import Outbox
from delivery.report import DeliverReport
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from store.elastic import bulk
from store.indices.setup import set_up
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.delivery.post_office import PostOffice, open_post_office
from tests.factories import NOW, a_source
from tests.hostile.rogue import Misdeed, Rogue, answers, drip, flood_lines, hang, open_rogue

pytestmark = pytest.mark.slow

BOUND_S = 60.0
"""For a run over one bad and one good recipient, on a machine that does much else."""
BAD, GOOD = "bad@reader.example", "good@reader.example"


@dataclass
class Desk:
    """An outbox whose every case has a day, and so recipients without a past, of its own."""

    press: Press
    settings: Settings
    now: datetime = NOW
    walls: Bulkhead = field(default_factory=lambda: Bulkhead("deliver"))

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.press.es, self.press.names)

    def owe(self, article: Article, recipient: str, **changes: Any) -> Delivery:
        """Owe the article to the recipient, whatever else is owed."""
        self.press.publish(article, now=self.now)
        story = article.story_id or article.id
        delivery = Delivery(
            f"s{self.press.number}", "Search", story, article.id, (recipient,), DeliveryState.PENDING, self.now,
            not_before=self.now, published=self.now,
        )  # fmt: skip
        delivery = replace(delivery, **changes)
        assert self.outbox.add([delivery]).created == 1
        return delivery

    def put(self, delivery: Delivery, **changes: Any) -> None:
        """Write fields into the stored document, as a user does by hand."""
        names, plain = self.press.names, document(delivery)
        plain["detail"] |= changes.pop("detail", {})
        self.press.es.index(index=names.deliveries, id=delivery.id, document=plain | changes)

    def deliver(self, after: timedelta = timedelta(), **changes: Any) -> DeliverReport:
        """One run, with one line to the mail server."""
        settings = self.settings.model_copy(update={"mail_senders": 1} | changes)
        self.walls = Bulkhead("deliver")
        return deliver(self.press.es, self.press.names, settings, now=self.now + after, bulkhead=self.walls)

    def found(self, delivery: Delivery) -> Delivery:
        (one,) = self.outbox.told([delivery.id])
        return one

    def clear(self) -> None:
        """Nothing is owed, and nobody remembered."""
        es, names = self.press.es, self.press.names
        for index in (names.deliveries, names.outcomes, names.mailboxes, names.searches):
            es.indices.refresh(index=index)
            hits = es.search(index=index, size=10_000, source=False)["hits"]["hits"]
            actions = ({"_op_type": "delete", "_index": index, "_id": hit["_id"]} for hit in hits)
            assert all(written.reason is None for written in bulk.write(es, actions))


@pytest.fixture(scope="module")
def press(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Press]:
    names = Names(f"h{secrets.token_hex(4)}-")
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix))
    yield Press(es, names)
    for index in es.indices.get(index=f"{names.prefix}*", expand_wildcards="all", features="settings"):
        es.indices.delete(index=index)
    es.indices.delete_index_template(name=names.articles)


@pytest.fixture(scope="module")
def office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def desk(press: Press, office: PostOffice, tmp_path: Any) -> Iterator[Desk]:
    settings = Settings(
        data_dir=tmp_path,
        mail_from="newswatch@news.example",
        public_url="https://news.example",
        secret_key=SecretStr("for tests"),
        smtp_port=office.port,
        smtp_timeout_s=0.5,
        smtp_deadline_s=1.5,
    )
    office.taken.clear()
    desk = Desk(press, settings)
    yield desk
    desk.clear()


# ── recipients ───────────────────────────────────────────────────────────────────────────────────────────────────────

RECIPIENTS = {
    "encoded word": "a@=?utf-8?q?=40b?=",
    "encoded line end": "=?utf-8?q?a=0d=0aBcc:b?=@reader.example",
    "line end": "a@reader.example\r\nBcc: b@reader.example",
    "empty": "",
    "NUL": "a\x00@reader.example",
    "no domain": "a@",
    "two at-signs": "a@b@reader.example",
    "SMTPUTF8": "ä@reader.example",
    "2 kB": "a" * 2_000 + "@reader.example",
    "display name": "A <a@reader.example>",
    "route": "@relay.example:a@reader.example",
}


@pytest.mark.parametrize("recipient", RECIPIENTS.values(), ids=RECIPIENTS)
def test_a_stored_recipient_that_is_none_costs_itself(desk: Desk, office: PostOffice, recipient: str) -> None:
    bad = desk.owe(a_story(1), recipient, not_before=NOW - timedelta(hours=1))
    good = desk.owe(a_story(2), GOOD)
    report = desk.deliver()
    assert (report.sent, report.failed, report.set_aside) == (1, 1, 1)
    assert len(office.to(GOOD)) == 1
    assert desk.found(good).state is DeliveryState.SENT
    (problem,) = desk.walls.problems
    assert (problem.kind, problem.subject) == ("recipient", recipient)
    assert "is not a mail address" in problem.reason
    assert desk.found(bad).state is DeliveryState.FAILED, "told where its saved search's mails are shown"
    assert desk.deliver() == DeliverReport(), "and not again"


RIGHT = ("o'brien@reader.example", "A.B+c@Reader.Example", "nobody@localhost", "info@bücher.example")


@pytest.mark.parametrize("recipient", RIGHT)
def test_a_stored_recipient_that_is_right_is_served(desk: Desk, office: PostOffice, recipient: str) -> None:
    delivery = desk.owe(a_story(1), recipient)
    assert desk.deliver().sent == 1
    assert desk.found(delivery).state is DeliveryState.SENT
    assert len(office.taken) == 1


def test_a_mailbox_edited_to_nonsense_costs_itself(desk: Desk, office: PostOffice) -> None:
    es, names = desk.press.es, desk.press.names
    es.index(index=names.mailboxes, id=BAD, document={"muted": {"x": "never"}, "address": BAD}, refresh=True)
    desk.owe(a_story(1), BAD, not_before=NOW - timedelta(hours=1))
    desk.owe(a_story(2), GOOD)
    report = desk.deliver()
    assert (report.sent, report.set_aside) == (1, 1)
    assert office.to(GOOD)


@pytest.mark.parametrize("kind", ["recipient", "mail"])
def test_a_fault_in_one_costs_itself(desk: Desk, office: PostOffice, kind: str) -> None:
    bad = desk.owe(a_story(1), BAD, not_before=NOW - timedelta(hours=1))
    good = desk.owe(a_story(2), GOOD)

    def fault(what: str, subject: str) -> None:
        if what == kind and (subject == BAD or (kind == "mail" and subject != last)):
            raise RuntimeError("broken on purpose")

    (mail,) = (m.key for m in planned(desk, good))
    last = mail
    settings = desk.settings
    walls = Bulkhead("deliver", fault=fault)
    report = deliver(desk.press.es, desk.press.names, settings, now=NOW, bulkhead=walls)
    assert (report.sent, report.set_aside) == (1, 1)
    assert [received.recipients for received in office.taken] == [[GOOD]]
    assert desk.found(bad).state is DeliveryState.PENDING
    desk.deliver(timedelta(minutes=10))
    assert [received.recipients for received in office.taken] == [[GOOD], [BAD]], "nothing is lost"


def planned(desk: Desk, delivery: Delivery) -> Any:
    from delivery.compose import plan
    from delivery.mailbox import Mailbox

    return plan(Mailbox(GOOD), [delivery], {}, {}, now=NOW, group=timedelta(0)).mails


# ── stories and documents ────────────────────────────────────────────────────────────────────────────────────────────

WORD = "a word "
STORIES: dict[str, dict[str, Any]] = {
    "headline with line ends": {"title": "One\r\nBcc: evil@reader.example\r\n\r\nBody"},
    "headline that decodes to line ends": {"title": "=?utf-8?q?One=0d=0aBcc:_evil=40reader.example?="},
    "headline from right to left": {"title": "\u202eevil\u202c مرحبا \u2066x"},
    "headline of 1 MB": {"title": "x" * 1_000_000},
    "headline of 1 MB of words": {"title": WORD * 140_000},
    "no headline": {"title": ""},
    "only unseen characters": {"title": "\u202e\u200f\x07"},
    "NUL": {"title": "a\x00b", "text": "c\x00d"},
    "lone surrogate": {"title": "half \ufffd of one", "summary": "\ufffe"},
    "text of 3 MB": {"text": WORD * 430_000},
    "one word of 1 MB": {"text": "y" * 1_000_000, "summary": ""},
    "a script for a URL": {"url": "javascript:alert(1)"},
    "a URL that is none": {"url": "http://[oops"},
    "a URL with line ends": {"url": "https://a.example/\r\nBcc: evil@reader.example"},
    "a URL of 100 kB": {"url": "https://a.example/" + "z" * 100_000},
    "markup": {"title": "<script>alert(1)</script>", "text": "<img onerror=x>"},
    "a template": {"title": "{{ 7 * 7 }}{% raw %}"},
    "an outlet with line ends": {"source": a_source(name="The\r\nHerald\r\n")},
    "the year 1": {"published": datetime(1, 1, 1, tzinfo=UTC)},
    "the year 9999": {"published": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)},
}


@pytest.mark.parametrize("changes", STORIES.values(), ids=STORIES)
def test_a_story_is_told_whatever_it_says(desk: Desk, office: PostOffice, changes: dict[str, Any]) -> None:
    desk.owe(replace(a_story(desk.press.number * 10 + 1), **changes), BAD, not_before=NOW - timedelta(hours=1))
    desk.owe(a_story(desk.press.number * 10 + 2), GOOD)
    began = time.monotonic()
    report = desk.deliver()
    assert time.monotonic() - began < BOUND_S
    assert (report.sent, report.set_aside) == (2, 0)
    (mail,) = office.to(BAD)
    assert mail["Bcc"] is None
    assert "evil" not in str(mail["To"])
    assert len(str(mail["Subject"])) <= 150
    assert len(mail.as_bytes()) < 2_000_000
    assert office.to(GOOD)


DOCUMENTS: dict[str, Callable[[Desk, Delivery], None]] = {
    "no schedule": lambda desk, one: desk.put(one, schedule="every blue moon", detail={"schedule": "every blue moon"}),
    "time without a zone": lambda desk, one: desk.put(one, detail={"not_before": "2026-03-01T00:00:00"}),
    "search with a line end": lambda desk, one: desk.put(one, detail={"alert_id": "a\r\nBcc: b@c.example"}),
    "half of a character": lambda desk, one: desk.put(one, detail={"story_id": "\x00\x01"}),
}


@pytest.mark.parametrize("edit", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_delivery_edited_to_nonsense_costs_no_other(
    desk: Desk, office: PostOffice, edit: Callable[[Desk, Delivery], None]
) -> None:
    """Neither another recipient's mail, nor the other mails of the same one."""
    edit(desk, desk.owe(a_story(1), BAD, not_before=NOW - timedelta(hours=1)))
    desk.owe(a_story(2), BAD)
    desk.owe(a_story(3), GOOD)
    desk.deliver()
    assert office.to(GOOD)
    told = "".join(m.get_body(("plain",)).get_content() for m in office.to(BAD))  # type: ignore[union-attr]
    assert a_story(2).title in told
    assert all(mail["Bcc"] is None for mail in office.messages)


def test_one_story_that_breaks_a_mail_is_left_out_of_it(desk: Desk, office: PostOffice) -> None:
    """What the test breaks is composing whatever holds the one story, alone or among others."""
    stories = [a_story(n) for n in range(1, 9)]
    owed = [desk.owe(story, BAD) for story in stories]
    desk.put(owed[4], detail={"alert_id": "a\r\nBcc: b@c.example"})
    report = desk.deliver()
    assert (report.sent, report.set_aside) == (1, 1)
    (mail,) = office.messages
    assert str(mail["Subject"]).endswith(" and 6 more")
    (problem,) = desk.walls.problems
    assert problem.kind == "document"
    assert [desk.found(one).state for one in owed if one is not owed[4]] == [DeliveryState.SENT] * 7


def test_2_000_stories_are_told_by_mails_that_a_server_takes(desk: Desk, office: PostOffice) -> None:
    story = a_story(7)
    desk.press.publish(story)
    many = [
        Delivery("all", "All", f"story-{n}", story.id, (BAD,), DeliveryState.PENDING, NOW, not_before=NOW)
        for n in range(2_000)
    ]
    assert desk.outbox.add(many).created == 2_000
    desk.owe(a_story(2), GOOD, not_before=NOW + timedelta(seconds=1))
    report = desk.deliver(timedelta(seconds=2), smtp_timeout_s=10, smtp_deadline_s=60)
    assert report.sent == 4 + 1
    assert all(len(mail.as_bytes()) < 1_000_000 for mail in office.messages)
    assert office.to(GOOD)


def test_a_mail_of_many_searches_has_no_line_that_is_too_long(desk: Desk, office: PostOffice) -> None:
    story = a_story(1)
    for n in range(60):
        desk.owe(story, BAD, alert_id=f"{n:02}-{'x' * 60}")
    assert desk.deliver().sent == 1
    (mail,) = office.messages
    assert max(len(line) for line in mail.as_bytes().splitlines()) <= 998
    assert str(mail["List-Unsubscribe"]).startswith("<https://news.example/")
    assert len(str(mail["X-Newswatch-Alerts"]).split(", ")) == 60


# ── servers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TARPITS: list[tuple[str, str, Misdeed]] = [
    ("one octet a second", "RCPT", drip),
    ("lines without end", "RCPT", flood_lines),
    ("hangs", "RCPT", hang),
    ("hangs after the mail", "content", hang),
    ("drips after the mail", "content", drip),
    ("busy", "RCPT", answers(b"421 too busy\r\n")),
    ("refuses", "RCPT", answers(b"550 no\r\n")),
    ("an answer of 200 kB", "RCPT", answers(b"550-" + b"x" * 1_000 + b"\r\n" + b"550-y\r\n" * 20_000 + b"550 z\r\n")),
]


@pytest.mark.parametrize(("step", "misdeed"), [t[1:] for t in TARPITS], ids=[t[0] for t in TARPITS])
def test_a_tarpit_costs_its_recipient(desk: Desk, step: str, misdeed: Misdeed) -> None:
    """Although it has waited longest, and so comes first; and in the next run it does not."""
    desk.owe(a_story(1), BAD, not_before=NOW - timedelta(hours=1))
    desk.owe(a_story(2), GOOD)
    with open_rogue(Rogue(step, misdeed, "bad")) as rogue:
        began = time.monotonic()
        report = desk.deliver(smtp_port=rogue.port)
        assert time.monotonic() - began < BOUND_S
        assert (report.sent, report.down) == (1, None)
        assert report.postponed + report.failed == 1
        assert rogue.taken == [GOOD]
        assert rogue.asked == [BAD, GOOD]
        desk.deliver(timedelta(seconds=50), smtp_port=rogue.port)
        assert rogue.asked == [BAD, GOOD], "it rests, or has failed"


def test_a_server_that_hangs_is_not_tried_for_each_recipient(desk: Desk) -> None:
    for n in range(12):
        desk.owe(a_story(n), f"r{n:02}@reader.example")
    with open_rogue(Rogue("connect", hang)) as rogue:
        began = time.monotonic()
        report = desk.deliver(smtp_port=rogue.port)
        assert time.monotonic() - began < BOUND_S
        assert (rogue.connections, report.sent) == (1, 0)
        assert report.down
        assert "no answer within 0.5 s" in report.down


def test_a_line_that_breaks_with_each_recipient_is_the_servers_trouble(desk: Desk) -> None:
    owed = [desk.owe(a_story(n), f"r{n:02}@reader.example") for n in range(12)]
    with open_rogue(Rogue("RCPT", drip)) as rogue:
        report = desk.deliver(smtp_port=rogue.port)
        assert len(rogue.asked) == BROKEN_IN_A_ROW
        assert report.down
        assert "the line broke with 3 recipients in a row" in report.down
    with open_rogue(Rogue("never", drip)) as rogue:
        assert desk.deliver(timedelta(seconds=10), smtp_port=rogue.port).sent == 12 - BROKEN_IN_A_ROW
        assert desk.deliver(timedelta(minutes=5), smtp_port=rogue.port).sent == BROKEN_IN_A_ROW
    assert {desk.found(one).state for one in owed} == {DeliveryState.SENT}, "nothing lost"


def test_a_storm_of_451_puts_each_off_and_loses_nothing(desk: Desk, office: PostOffice) -> None:
    for n in range(12):
        desk.owe(a_story(n), f"r{n:02}@reader.example")
    with open_rogue(Rogue("RCPT", answers(b"451 greylisted\r\n"))) as rogue:
        report = desk.deliver(smtp_port=rogue.port)
        assert (report.postponed, report.down, len(rogue.asked)) == (12, None, 12)
        assert desk.deliver(timedelta(seconds=30), smtp_port=rogue.port) == DeliverReport(later=report.later)
        assert len(rogue.asked) == 12
    assert desk.deliver(timedelta(minutes=2)).sent == 12


def test_a_worker_that_is_killed_by_a_mail_puts_its_recipient_off(
    desk: Desk, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of four runs died of it, and everybody after it got nothing. Who was tried with it is served one by one."""

    class Killed(BaseException):
        """What no wall catches: the end of the process."""

    class Deadly:
        def send(self, message: Any, recipients: Any) -> Any:
            if recipients == [BAD]:
                raise Killed
            raise AssertionError("it was to be killed before")

        def close(self) -> None:
            """Nothing to close."""

    desk.owe(a_story(1), BAD, not_before=NOW - timedelta(hours=1))
    desk.owe(a_story(2), GOOD)
    with monkeypatch.context() as deadly:
        deadly.setattr(registry, "CHANNELS", (replace(EMAIL, open=lambda _settings, _targets: Deadly()),))
        for seconds in (0, 70):
            with pytest.raises(Killed):
                desk.deliver(timedelta(seconds=seconds))
    box = Mailboxes(desk.press.es, desk.press.names).get(BAD)
    assert (box.failures, box.retry_at is not None) == (2, True)
    assert desk.deliver(timedelta(seconds=140)).sent == 1
    assert [received.recipients for received in office.taken] == [[GOOD]]
    assert desk.deliver(timedelta(minutes=6)).sent == 1, "and is tried again in its time"
