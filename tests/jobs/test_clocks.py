"""Clocks that are wrong: two workers that differ, an hour back, a day forward. Nothing twice, nothing stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes

import pytest

from delivery.mailbox import Mailbox, Mailboxes
from jobs.context import Context, open_context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.clock import SKEW
from newswatch.feed import FeedHealth
from store.batches import BatchStore
from store.elastic.clock import store_time
from store.feeds import FeedStore, Longest
from store.rechecks import Recheck, Rechecks
from tests.factories import NOW, a_feed
from tests.jobs.conftest import World
from tests.jobs.test_crash import publish_another, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def story_mails(world: World) -> list[str]:
    """The Message-ID of every mail, in order."""
    return [str(message_from_bytes(mail)["Message-ID"]) for mail in world.mailbox.mails]


def assert_mailed_once(world: World, published: int) -> None:
    ids = story_mails(world)
    assert len(set(ids)) == published, "a mail is lost"
    assert len(ids) == published, "a mail came twice"


def test_a_context_goes_by_elasticsearchs_clock(world: World) -> None:
    context = open_context(world.context.settings)
    moment = store_time(context.es)
    assert moment is not None
    assert abs(context.clock() - moment) < timedelta(seconds=5)
    assert abs(moment - datetime.now(UTC)) < timedelta(seconds=30), "one machine, one time"


def test_two_workers_ten_minutes_apart(world: World) -> None:
    """Each plans, pulls and matches in turn, between the other's steps."""
    ahead = replace(world.context, clock=lambda: world.clock() + timedelta(minutes=10))
    behind = world.context
    for published in range(1, 4):
        publish_another(world, published)
        world.wait(minutes=20)
        theirs, ours = plan(behind).batches, plan(ahead).batches
        for number in (*theirs, *ours):
            pull(ahead if number in ours else behind, number)
        for worker in (behind, ahead):
            match(worker)
            deliver(worker)
    _settle(world, ahead, behind)
    assert_mailed_once(world, 3)
    pages = [path for path, _ in world.press.asked if path.startswith("/articles/")]
    assert len(pages) == len(set(pages)), "a page was asked for twice"


def _settle(world: World, *contexts: Context, enough: int = 1_000) -> None:
    """What is held to be grouped goes out within minutes; with `enough` mails the rest is left to later minutes."""
    for _ in range(4):
        if len(world.mailbox.mails) >= enough:
            return
        world.wait(minutes=1)
        for context in contexts:
            run(context)


@pytest.mark.parametrize("jump", [-HOUR, DAY, -DAY], ids=["an hour back", "a day forward", "a day back"])
@pytest.mark.parametrize("before", ["plan", "pull", "match"])
def test_the_clock_jumps_between_two_steps(world: World, jump: timedelta, before: str) -> None:
    publish_another(world, 1)
    world.wait(minutes=20)
    run(world.context)
    publish_another(world, 2)
    world.wait(minutes=20)
    _jump(world, jump, before == "plan")
    batches = plan(world.context).batches
    _jump(world, jump, before == "pull")
    for number in batches:
        pull(world.context, number)
    _jump(world, jump, before == "match")
    match(world.context)
    deliver(world.context)
    _settle(world, world.context, enough=2)
    assert_mailed_once(world, 2)
    publish_another(world, 3)
    world.wait(minutes=20)
    _settle(world, world.context)
    assert_mailed_once(world, 3)


def _jump(world: World, jump: timedelta, now: bool) -> None:
    world.now += jump if now else timedelta()


def test_a_lease_that_ends_beyond_the_longest_holds_nothing(world: World) -> None:
    es, names, settings = world.context.es, world.context.names, world.context.settings
    feeds, batches, longest = FeedStore(es, names), BatchStore(es, names), Longest.of(settings)
    feeds.sync([a_feed("herald"), a_feed("echo")])
    future = NOW + DAY
    batch = batches.open(["herald"], now=future, lease_s=settings.lease_s)
    feeds.lease([feed for feed in feeds.due(future, 10, longest) if feed.id == "herald"], batch)
    assert {feed.id for feed in feeds.due(future, 10, longest)} == {"echo"}
    assert {feed.id for feed in feeds.due(future - SKEW, 10, longest)} == {"echo"}, "two clocks may differ by so much"
    assert {feed.id for feed in feeds.due(NOW, 10, longest)} == {"herald", "echo"}
    assert feeds.held(NOW, longest) == []
    assert batches.reap(now=NOW) == [batch.number]


def test_a_poll_beyond_the_longest_interval_is_due(world: World) -> None:
    es, names = world.context.es, world.context.names
    feeds, longest = FeedStore(es, names), Longest.of(world.context.settings)
    feeds.sync([a_feed("herald"), a_feed("echo"), a_feed("gone")])
    held = {feed.id: feed for feed in feeds.due(NOW, 10)}
    waits = {"herald": NOW + 2 * longest.wait, "echo": NOW + HOUR, "gone": datetime(9999, 1, 1, tzinfo=UTC)}
    health = {"gone": FeedHealth.GONE}
    saved = [
        (held[name], replace(held[name].value.state, next_poll_at=at, health=health.get(name, FeedHealth.OK)))
        for name, at in waits.items()
    ]
    assert feeds.save(saved) == []
    assert [feed.id for feed in feeds.due(NOW, 10, longest)] == ["herald"]


def test_a_claim_of_the_future_holds_nobody_s_mail(world: World) -> None:
    boxes, lease = Mailboxes(world.context.es, world.context.names), timedelta(minutes=5)
    assert boxes.claim(["a@b.example"], "dead", NOW + DAY, lease)
    assert not boxes.claim(["a@b.example"], "quick", NOW + DAY, lease)
    assert boxes.claim(["a@b.example"], "quick", NOW, lease)
    assert not boxes.claim(["a@b.example"], "third", NOW, lease)
    sent = Mailbox("c@d.example", last_sent_at=NOW + HOUR, last_by_alert={"x": NOW + HOUR}, retry_at=NOW + 3 * DAY)
    assert boxes.change("c@d.example", lambda _: sent) == sent
    held = boxes.claim(["c@d.example"], "w", NOW, lease)["c@d.example"]
    assert (held.value.last_sent_at, held.value.last_by_alert, held.value.retry_at) == (NOW, {"x": NOW}, NOW + DAY)


def test_a_recheck_of_the_future_is_due(world: World) -> None:
    rechecks, es, names = Rechecks(world.context.es, world.context.names), world.context.es, world.context.names
    for name, at in (("late", NOW + 3 * DAY), ("waits", NOW)):
        recheck = Recheck(name, at, at + HOUR)
        document = {"article_id": name, "mailed_at": recheck.mailed_at.isoformat(), "due_at": (at + HOUR).isoformat()}
        es.index(index=names.rechecks, id=name, document=document)
    assert [one.id for one in rechecks.due(now=NOW)] == ["late"]
