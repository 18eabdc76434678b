"""Documents come in through another source than the publishers' feeds, and go the way of everything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email import message_from_bytes
from functools import partial
from typing import cast

import pytest
from lxml import html

from ingest.fetch import Fetcher
from ingest.fetched import Fetched, FetchResult, Request
from ingest.formats.drafts import Draft, drafted, finish, link_of
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.source import Polling, SourceOf
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull import PullReport, pull
from newswatch.feed import Feed, FeedState
from store.feeds import FeedRecord, FeedStore
from store.quarantine import Quarantine
from tests.jobs.conftest import World, configure

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


class Watched:
    """A page of headlines that is no feed."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        return await self._fetcher.fetch(Request(state.url))

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        problems: list[str] = []
        links = cast("list[html.HtmlElement]", html.fromstring(answer.body).xpath("//h2/a"))
        drafts = drafted(links, partial(_headline, answer.final_url), problems)
        return ParsedFeed(answer.final_url, "page", feed.title, None, None, **finish(drafts, None, problems))


def _headline(base: str, link: html.HtmlElement) -> Draft:
    draft = Draft(title=str(link.text_content()))
    draft.link = link_of(str(link.get("href")), base, "link", draft.problems)
    return draft


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


def test_a_page_that_is_no_feed_comes_in_by_the_same_way(world: World) -> None:
    stories = [world.press.publish(slug) for slug in ("flank", "summit")]
    headlines = "".join(f"<h2><a href='/articles/{story.slug}'>{story.title}</a></h2>" for story in stories)
    page = f"<html><body><h1>News</h1>{headlines}<a href='/about'>About</a></body></html>".encode()
    world.press.raw["/main.xml"] = page
    assert isinstance(parse(page, url=world.press.url, now=world.now), NotAFeed)
    report = poll(world, Watched)
    assert (report.feeds, report.not_a_feed, report.new, report.pages) == (1, 0, 2, 2)
    world.context.es.indices.refresh(index=world.context.names.articles)
    hits = world.context.es.search(index=world.context.names.articles)["hits"]["hits"]
    articles = world.articles().get([hit["_id"] for hit in hits]).values()
    assert {(article.title, article.text_status) for article in articles} == {(s.title, "full") for s in stories}
    assert all("nato" in {tag.tag for tag in article.tags} for article in articles)
    world.wait(minutes=5)
    assert poll(world, Watched).new == 0


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
