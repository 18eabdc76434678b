"""Batches are matched whatever one of them holds; delivery stays while a mail is held for company."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from delivery.due import LEASE
from delivery.mailbox import Mailboxes
from delivery.outbox import EnqueueReport
from delivery.report import DeliverReport
from delivery.search_notices import enqueue_notices
from jobs.deliver import LOOK_S, deliver, mails_wait, run
from jobs.match import batch_waits, match
from newswatch.article import Tag
from newswatch.errors import StoreError
from store.batches import BatchStore
from store.elastic.turns import MATCHING, turn
from store.quarantine import Quarantine
from tests.alerts.press import a_story
from tests.factories import NOW
from tests.jobs.conftest import ALERTS, World

pytestmark = pytest.mark.slow


TEXTS = (
    "Frigates of six navies gathered off Bergen to hunt a submarine that was not there, an exercise of four days.",
    "The budget committee gave its assent to a new fuel depot in Lithuania after an argument over who pays the rent.",
    "A colonel from Ljubljana takes over the training mission, whose instructors had waited since autumn for orders.",
)
"""So unlike one another that nothing takes them for one story."""


def arrive(world: World, n: int) -> None:
    """A story comes in, as `pull` leaves it."""
    batches = BatchStore(world.context.es, world.context.names)
    batch = batches.begin(batches.open([], now=world.now, lease_s=600).number)
    story = a_story(n, title=TEXTS[n - 1][:40], text=TEXTS[n - 1], tags=(Tag("nato", "main", 0.9, ()),))
    world.articles().write([story], batch, batch.seq_of_attempt, now=world.now)
    batches.mark_indexed(batch.number, counts={"new": 1}, now=world.now)


def subjects(world: World) -> list[str]:
    return [str(email.message_from_bytes(mail, policy=email.policy.default)["Subject"]) for mail in world.mailbox.mails]


def match_and_run(world: World, **how: Any) -> DeliverReport:
    """What the two DAGs do when a story has come in."""
    match(world.context)
    return run(world.context, **how)


def test_a_held_mail_goes_when_its_minute_is_over_with_what_came_meanwhile(world: World) -> None:
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        world.wait(seconds=seconds)
        if len(paused) == 3:
            arrive(world, 3)
            assert match(world.context).owed == 1

    arrive(world, 1)
    first = match_and_run(world, pause=pause)
    assert (first.sent, paused) == (1, []), "alone it goes at once, and nobody waits"
    sent_at = Mailboxes(world.context.es, world.context.names).get("analyst@example.org").last_sent_at
    assert sent_at
    world.wait(seconds=20)
    arrive(world, 2)
    both = match_and_run(world, pause=pause)
    assert (both.sent, both.later) == (1, None)
    assert subjects(world)[1].endswith(" and 1 more")
    late = (world.now - sent_at - timedelta(seconds=60)).total_seconds()
    assert 0 <= late <= LOOK_S + 1, "sent when the minute was over"


def test_nobody_stays_for_a_mail_that_is_held_for_long(world: World) -> None:
    config = world.context.settings.config_dir / "alerts.yaml"
    config.write_text(config.read_text() + "    throttle: 2h\n")
    arrive(world, 1)
    match_and_run(world)
    world.wait(seconds=30)
    assert not mails_wait(world.context)
    arrive(world, 2)
    report = match_and_run(world, pause=lambda _: pytest.fail("it stays"))
    assert report.later
    assert report.later - NOW > timedelta(hours=2)
    assert not mails_wait(world.context), "who rests is not due, and wakes nobody"
    world.wait(hours=2, minutes=1)
    assert mails_wait(world.context)


def test_a_run_stays_for_recipients_whose_worker_may_have_died(world: World) -> None:
    arrive(world, 1)
    match(world.context)
    boxes = Mailboxes(world.context.es, world.context.names)
    assert boxes.claim(["analyst@example.org"], "a worker that dies now", world.now, LEASE)
    died = world.now
    assert mails_wait(world.context), "a run is to stand by"
    report = run(world.context, pause=lambda seconds: world.wait(seconds=seconds))
    assert report.sent == 1
    assert LEASE <= world.now - died <= LEASE + timedelta(seconds=LOOK_S + 1)
    assert not mails_wait(world.context)


def test_a_batch_that_breaks_is_set_aside_and_matched_later(world: World) -> None:
    def fault(kind: str, subject: str) -> None:
        if (kind, subject.lstrip("0")) == ("batch", "1"):
            raise RuntimeError("broken on purpose")

    arrive(world, 1)
    arrive(world, 2)
    report = match(replace(world.context, fault=fault))
    assert (report.batches, report.owed, report.set_aside) == ((2,), 1, 1)
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    (kept,) = quarantine.listed(kind="batch", size=100).problems
    assert kept.problem.reason == "RuntimeError: broken on purpose"
    assert deliver(world.context).sent == 1
    assert batch_waits(world.context)
    assert match(world.context).batches == (1,)
    world.wait(minutes=2)
    assert deliver(world.context).sent == 1
    assert len(world.mailbox.mails) == 2, "nothing lost, nothing twice"


def test_a_search_for_which_nothing_can_be_owed_keeps_its_batch(world: World) -> None:
    """And the others are owed what they are; it is tried again for a day."""
    config = world.context.settings.config_dir / "alerts.yaml"
    config.write_text(config.read_text() + ALERTS.partition("alerts:\n")[2].replace("id: nato", "id: other"))

    def fault(kind: str, subject: str) -> None:
        if (kind, subject) == ("search", "other"):
            raise RuntimeError("broken on purpose")

    match(world.context)
    arrive(world, 1)
    report = match(replace(world.context, fault=fault))
    assert (report.owed, report.failed) == (1, {"other": "RuntimeError: broken on purpose"})
    assert batch_waits(world.context)
    world.wait(minutes=2)
    assert match(world.context).owed == 1


def test_all_that_matching_enqueues_is_enqueued_in_its_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure that waits for the turn would be overtaken by a notice for readers who were read before it."""

    def noticing(*told: Any, **how: Any) -> EnqueueReport:
        with (
            pytest.raises(StoreError, match="has done this for long"),
            turn(world.context.es, world.context.names, MATCHING, most_s=0),
        ):
            pytest.fail("nobody holds the turn")
        return enqueue_notices(*told, **how)

    monkeypatch.setattr("jobs.match.enqueue_notices", noticing)
    assert match(world.context).notices == 0


def test_a_bad_file_stops_no_search_that_is_stored(world: World) -> None:
    match(world.context)
    config = world.context.settings.config_dir / "alerts.yaml"
    good = config.read_text()
    told: dict[str, str] = {}
    for n, text in enumerate(("alerts: [\n", good + "    throttle: 999999999999d\n"), 1):
        config.write_text(text)
        arrive(world, n)
        report = match(world.context)
        deliver(world.context)
        assert report.matches == 1
        told |= problems(world)
        world.wait(hours=1)
    assert told["alerts.yaml"].startswith(str(config))
    assert "31d at most" in told["nato"]
    assert len(subjects(world)) == 2
    config.write_text(good)
    match(world.context)
    assert problems(world) == {}, "what is mended is shown no more"


def problems(world: World) -> dict[str, str]:
    """What the quarantine says of saved searches."""
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    return {kept.problem.subject: kept.problem.reason for kept in quarantine.listed(kind="search", size=100).problems}


def test_a_search_that_breaks_is_run_once_a_run_rests_and_misses_nothing(world: World) -> None:
    tried: list[str] = []

    def fault(kind: str, subject: str) -> None:
        if (kind, subject) == ("search", "nato"):
            tried.append(subject)
            raise OverflowError("date value out of range")

    well = world.context
    match(well)
    world.context = replace(well, fault=fault)
    for n in (1, 2, 3):
        arrive(world, n)
    before = len(tried)
    report = match(world.context)
    assert (len(report.batches), report.matches, list(report.failed)) == (3, 0, ["nato"])
    assert len(tried) - before <= 2, "once to seed, once to match, whatever waits"
    world.context = replace(well, clock=world.clock)
    assert match(world.context).batches == (), "it rests"
    world.wait(minutes=2)
    report = match(world.context)
    assert (len(report.batches), report.matches, report.failed) == (3, 3, {}), "nothing was missed"
    assert "nato" not in problems(world), "and it is well again"


def test_a_mail_whose_article_can_t_be_read_waits_until_it_is_mended(world: World) -> None:
    es, names = world.context.es, world.context.names
    arrive(world, 1)
    arrive(world, 2)
    match(world.context)
    es.indices.refresh(index=names.articles)
    hit = es.search(index=names.articles, size=1, sort=[{"seq": "asc"}])["hits"]["hits"][0]
    es.index(index=hit["_index"], id=hit["_id"], document=hit["_source"] | {"tag_details": "nonsense"})
    assert deliver(world.context).sent == 1, "the other is mailed"
    es.index(index=hit["_index"], id=hit["_id"], document=hit["_source"], refresh=True)
    world.wait(hours=2)
    assert deliver(world.context).sent == 1
    assert len(set(subjects(world))) == len(world.mailbox.mails) == 2
