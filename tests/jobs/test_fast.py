"""The fast lane: what is new comes at once, its feeds are in no other hands, and wherever it dies nothing is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from jobs.context import Context
from jobs.fast import hold, lane
from jobs.fast.lane import LaneReport
from jobs.plan import plan
from store.entries import EntryStore
from store.feeds import FeedRecord, FeedStore
from store.pulse import PulseStore
from tests.jobs.conftest import World, configure
from tests.jobs.test_crash import check_mails, dies, publish_another, run

pytestmark = pytest.mark.slow


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, "it did not happen"
        time.sleep(0.02)


def hurried(context: Context) -> Context:
    """A context whose fast lane asks often, and sends mails."""
    settings = context.settings
    quick = settings.model_copy(update={"fast_interval_s": 0.1, "smtp_host": settings.smtp_host, "mail_group_s": 0})
    return replace(context, settings=quick)


def mark_fast(world: World) -> None:
    feeds = world.context.settings.config_dir / "feeds.yaml"
    feeds.write_text(feeds.read_text().replace("id: main,", "id: main, fast: true,"))


@contextmanager
def lane_of(context: Context) -> Iterator[list[LaneReport]]:
    """The fast lane, running; its report comes at the end."""
    over, reports = threading.Event(), list[LaneReport]()
    thread = threading.Thread(target=lambda: reports.append(lane.run(context, over)))
    thread.start()
    try:
        yield reports
    finally:
        over.set()
        thread.join(120)


def feed(world: World, feed_id: str = "main") -> FeedRecord:
    record = FeedStore(world.context.es, world.context.names).get(feed_id)
    assert record
    return record


def test_what_is_new_is_mailed_at_once_and_the_feed_is_in_no_other_hands(world: World) -> None:
    publish_another(world, 1)
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    mark_fast(world)
    run(world.context)
    assert len(world.mailbox.mails) == 1
    world.wait(minutes=10)
    with lane_of(hurried(world.context)) as reports:
        until(lambda: feed(world).lease_until is not None)
        assert plan(world.context).batches == (), "the whole site is the fast lane's while it holds a feed of it"
        until(lambda: feed(world, "second").state.polls == 2)  # which polls its other feeds instead
        asked = len(world.press.asked)
        until(lambda: len(world.press.asked) > asked + 5)
        assert {status for path, status in world.press.asked[asked:] if path == "/main.xml"} == {304}
        publish_another(world, 2)
        until(lambda: len(world.mailbox.mails) == 2)
        until(lambda: feed(world).lease_batch is None and feed(world).lease_until is not None)
    (report,) = reports
    assert (report.new, report.sent) == (1, 1)
    assert report.unchanged > 5
    assert world.count(world.context.names.articles) == 2
    given_back = feed(world)
    assert (given_back.lease_until, given_back.state.health) == (None, "ok")
    assert given_back.state.polls > 5, "the answers count as polls"
    world.context.es.indices.refresh(index=world.context.names.pulse)
    assert PulseStore(world.context.es, world.context.names).read()["fast"].ended_at


class Stamped(dict[str, bytes]):
    """A feed that states when it was asked for: another body each time."""

    def __init__(self, body: bytes) -> None:
        super().__init__({"/main.xml": body})
        self._times = count()

    def __getitem__(self, path: str) -> bytes:
        stamp = b"<lastBuildDate>%d</lastBuildDate><item>" % next(self._times)
        return super().__getitem__(path).replace(b"<item>", stamp, 1)


def test_a_document_whose_words_are_known_costs_no_batch(world: World) -> None:
    """Feeds that state the moment of their making change with every request."""
    mark_fast(world)
    world.press.publish("one")
    run(world.context)
    world.press.raw = Stamped(world.press.answer("/main.xml", None)[1])
    with lane_of(hurried(world.context)) as reports:
        until(lambda: len(world.press.asked) > 12)
    (report,) = reports
    assert report.batches == 1, "the first, by which it learns the words"
    assert report.unchanged >= 5


def test_what_a_batch_did_not_finish_is_read_though_the_document_says_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_fast(world)
    run(world.context)
    monkeypatch.setattr(lane, "RENEW_S", 0.2)
    monkeypatch.setattr(hold, "LEASE_S", 0)  # over before it begins
    with lane_of(hurried(world.context)):
        until(lambda: feed(world).lease_until is not None)
        world.press.publish("one")
        until(lambda: feed(world).lease_batch is not None)
        monkeypatch.setattr(hold, "LEASE_S", 90)
        assert world.count(world.context.names.articles) == 0
        world.wait(seconds=1)
        until(lambda: world.count(world.context.names.articles) == 1)


def test_a_page_that_is_due_is_read_though_its_feed_says_nothing_new(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_fast(world)
    world.press.publish("one")
    world.press.broken["/articles/one"] = 503
    run(world.context)
    entries = EntryStore(world.context.es, world.context.names)
    assert entries.pages_waiting("main") == 1
    world.press.broken.clear()
    world.wait(minutes=20)
    monkeypatch.setattr(lane, "RENEW_S", 0.2)
    with lane_of(hurried(world.context)) as reports:
        until(lambda: entries.pages_waiting("main") == 0)
    assert [report.batches for report in reports] == [1]


def lane_until_sent(context: Context) -> None:
    """The fast lane, until it has sent a mail and holds its feed again."""
    over, feeds = threading.Event(), FeedStore(context.es, context.names)
    at_work = lane.Lane(context)

    def watch() -> None:
        def is_done() -> bool:
            record = feeds.get("main")
            return bool(at_work.report.sent and record and record.lease_batch is None)

        until(is_done)
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    asyncio.run(at_work.run(over))


@pytest.mark.timeout(600)
def test_wherever_it_is_killed_nothing_is_lost_and_nothing_is_twice(world: World) -> None:
    mark_fast(world)
    publish_another(world, 1)
    run(world.context)
    published = 1
    for steps in range(1, 100, 2):
        published += 1
        world.wait(minutes=20)
        publish_another(world, published)
        died = dies(lane_until_sent, hurried(world.context), steps)
        world.wait(minutes=20)  # leases end, and the minute's poll takes over
        run(world.context)
        place = f"killed after step {steps}"
        assert world.count(world.context.names.articles) == published, f"an article is lost or twice: {place}"
        check_mails(world, published, place)
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert published > 6, "too few steps were found to die at"
