"""Documents come in through another source than the publishers' feeds, and go the way of everything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from email import message_from_bytes
from functools import partial

import pytest

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchResult
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.source import Polling, SourceOf
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from newswatch.feed import Feed, FeedState
from store.feeds import FeedRecord, FeedStore
from store.quarantine import Quarantine
from tests.jobs.conftest import World, configure
from tests.press import Story

pytestmark = pytest.mark.slow


def poll(world: World, source: SourceOf = Polling) -> PullReport:
    total = PullReport(0)
    for number in plan(world.context).batches:
        total = total.plus(**pull(world.context, number, source=source).counts())
    return total


def feed(world: World, feed_id: str) -> FeedRecord:
    records = FeedStore(world.context.es, world.context.names).all()
    return next(record for record in records if record.feed.id == feed_id)


def paths(world: World) -> list[str]:
    return [path for path, _ in world.press.asked]


class Pushed(Polling):
    """What a hub pushed of some feeds; the others are polled."""

    def __init__(self, bodies: Mapping[str, bytes], now: datetime, fetcher: Fetcher) -> None:
        super().__init__(fetcher)
        self._bodies, self._now = bodies, now

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        if feed.id not in self._bodies:
            return await super().bring(feed, state)
        body = self._bodies[feed.id]
        return Fetched(state.url, state.url, 200, {}, body, hashlib.sha256(body).hexdigest(), self._now, 0.0)


def test_what_is_pushed_is_indexed_and_mailed_without_the_feed_being_asked(world: World) -> None:
    story = world.press.publish("flank")
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    body = world.press.answer("/main.xml", None)[1]
    report = poll(world, partial(Pushed, {"main": body}, world.now))
    assert (report.feeds, report.entries, report.new, report.pages) == (2, 1, 1, 1)
    assert "/main.xml" not in paths(world)
    assert "/second.xml" in paths(world)
    state = feed(world, "main").state
    assert (state.health, state.new_articles, state.body_hash) == ("ok", 1, hashlib.sha256(body).hexdigest())
    assert state.next_poll_at
    match(world.context)
    world.wait(minutes=1)
    deliver(world.context)
    (mail,) = world.mailbox.mails
    assert message_from_bytes(mail)["Subject"] == story.title


def test_a_feed_that_was_pushed_is_polled_again_and_its_entries_are_known(world: World) -> None:
    world.press.publish("flank")
    body = world.press.answer("/main.xml", None)[1]
    poll(world, partial(Pushed, {"main": body}, world.now))
    world.press.publish("next")
    world.wait(minutes=5)
    report = poll(world)
    assert (report.entries, report.new_entries, report.new) == (2, 1, 1)
    assert paths(world).count("/articles/flank") == 1


def headlines(stories: Sequence[Story]) -> bytes:
    links = "".join(f"<li><h2><a href='/articles/{s.slug}'>{s.title}</a></h2></li>" for s in stories)
    return f"<html lang='en'><body><h1>News</h1><ul>{links}</ul><a href='/about'>About</a></body></html>".encode()


def test_a_page_of_headlines_is_remembered_once_and_then_brings_what_is_new(world: World) -> None:
    """Its first reading mails no backlog; a change of its page that breaks it is reported at the third poll."""
    stories = [world.press.publish(slug) for slug in ("one", "two", "three", "flank")]
    world.press.raw["/main.xml"] = headlines(stories[:3])
    feeds = world.context.settings.config_dir / "feeds.yaml"
    feeds.write_text(feeds.read_text().replace("}", ", read: page, rule: {items: li}}"))
    first = poll(world)
    assert (first.entries, first.new_entries, first.new, first.pages) == (3, 0, 0, 0)
    assert "3 items are remembered" in feed(world, "main").state.health_why
    world.press.raw["/main.xml"] = headlines(stories[::-1])
    world.wait(minutes=5)
    second = poll(world)
    assert (second.entries, second.new_entries, second.new, second.pages) == (4, 1, 1, 1)
    match(world.context)
    world.wait(minutes=1)
    deliver(world.context)
    (mail,) = world.mailbox.mails
    assert message_from_bytes(mail)["Subject"] == stories[-1].title
    world.press.raw["/main.xml"] = b"<html><title>Soon</title><p>We are rebuilding our site.</p></html>"
    for _ in range(3):
        world.wait(minutes=90)
        poll(world)
    state = feed(world, "main").state
    assert (state.health, state.failures) == ("failing", 3)
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    (kept,) = quarantine.listed(size=100).problems
    assert kept.problem.subject == "main"
    assert "the rule finds nothing: 0 links on the page; it is titled 'Soon'" in kept.problem.reason


def test_a_source_that_breaks_on_a_feed_costs_that_feed_only(world: World) -> None:
    class Broken(Polling):
        async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
            if feed.id == "main":
                raise ValueError("no such push")
            return await super().bring(feed, state)

        def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
            if feed.id == "third":
                raise ValueError("no such page")
            return super().read(answer, feed, now)

    world.press.publish("a", feed="second")
    world.press.publish("b", feed="third")
    configure(world.context.settings.config_dir, world.press)
    report = poll(world, Broken)
    assert (report.feeds, report.failed, report.not_a_feed, report.new) == (3, 1, 1, 1)
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    reasons = {kept.problem.subject: kept.problem.reason for kept in quarantine.listed(size=100).problems}
    assert "no such push" in reasons["main"]
    assert "no such page" in reasons["third"]
