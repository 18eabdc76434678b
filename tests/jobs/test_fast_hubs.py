"""A story that the newsroom's hub pushes is mailed without a poll."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import uvicorn
from fastapi import FastAPI

from embedded.newsroom import Newsroom
from embedded.processes import free_port
from jobs.context import Context
from jobs.fast.hold import Holds
from jobs.fast.hubs import PATH
from newswatch.settings import Settings
from store.batches import BatchStore
from store.elastic.documents import Stored
from store.feeds import FeedRecord, FeedStore
from store.hubs import HubStore, Push
from tests.jobs.conftest import World, configure
from tests.jobs.test_crash import check_mails, dies, publish_another, run
from tests.jobs.test_fast import hurried, lane_of, lane_until_sent, mark_fast, until
from web import hub

pytestmark = pytest.mark.slow


@contextmanager
def served(context: Context, port: int) -> Iterator[None]:
    """The receiver as Airflow's web server has it."""
    app = FastAPI()
    app.mount(PATH, hub.create_app(lambda: context))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join()


def settings_for(world: World, newsroom: Newsroom, port: int) -> Settings:
    was = world.context.settings
    return Settings(
        elasticsearch_url=was.elasticsearch_url,
        index_prefix=was.index_prefix,
        config_dir=was.config_dir,
        data_dir=was.config_dir / "data",
        smtp_host="127.0.0.1",
        smtp_port=was.smtp_port,
        mail_group_s=0,
        fetch_allow_hosts=(newsroom.host_port,),
        fetch_host_delay_s=0,
        public_url=f"http://127.0.0.1:{port}",
        websub=True,
        fast_by_rhythm=False,
    )


def test_a_pushed_story_is_mailed_without_a_poll(world: World) -> None:
    with Newsroom(hub=("courier", "ledger", "trois-lacs")) as newsroom:
        port = free_port()
        newsroom.write_config(world.context.settings.config_dir)
        context = replace(world.context, settings=settings_for(world, newsroom, port), clock=lambda: datetime.now(UTC))
        run(context)
        mailed = len(world.mailbox.mails)
        hubs = HubStore(context.es, context.names)
        offered = hubs.offers()
        assert len(offered) == 3
        assert newsroom.hub
        with served(context, port), lane_of(context) as reports:
            until(lambda: newsroom.hub is not None and len(newsroom.hub.subscribers) == len(offered))
            asked = len(newsroom.requests)
            newsroom.publish("coordinator-named")
            until(lambda: len(world.mailbox.mails) > mailed)
            feeds = {record.url.removeprefix(newsroom.url) for record in offered.values()}
            assert not feeds & {request.path for request in newsroom.requests[asked:]}
        (report,) = reports
        assert (report.new, report.asked) == (1, 0)
        assert hubs.waiting(10) == []


def elsewhere(feed: Stored[FeedRecord]) -> Stored[FeedRecord]:
    """The feed on another site."""
    state = replace(feed.value.state, url="https://elsewhere.example/main.xml")
    return replace(feed, value=replace(feed.value, state=state))


def test_a_push_waits_while_another_process_polls_its_site(world: World) -> None:
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    run(world.context)
    feeds, holds = FeedStore(world.context.es, world.context.names), Holds(world.context)
    batch = BatchStore(world.context.es, world.context.names).open(["main"], now=world.now, lease_s=900)
    assert feeds.lease(feeds.at(["main"]), batch) == ["main"]
    assert holds.free("second", {}) == [], "two processes would pace one host"
    ours = {feed.id: feed.value.state for feed in feeds.at(["main"])}
    assert [feed.id for feed in holds.free("second", ours)] == ["second"]
    world.wait(seconds=901)
    assert [feed.id for feed in holds.free("second", {})] == ["second"]


def test_pushes_of_a_feed_in_other_hands_hold_up_no_other_feed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    run(world.context)
    hubs, feeds = HubStore(world.context.es, world.context.names), FeedStore(world.context.es, world.context.names)
    batch = BatchStore(world.context.es, world.context.names).open(["main"], now=world.now, lease_s=900)
    assert feeds.lease([elsewhere(feed) for feed in feeds.at(["main"])], batch) == ["main"]
    monkeypatch.setattr("jobs.fast.hubs.AT_ONCE", 2)
    for _ in range(3):
        hubs.keep(Push("main", world.now, "text/xml", world.press.answer("/main.xml", None)[1]))
    publish_another(world, 1)
    world.press.feeds["second"] = world.press.feeds["main"]
    hubs.keep(Push("second", world.now, "text/xml", world.press.answer("/second.xml", None)[1]))
    changes = {"websub": True, "data_dir": world.context.settings.config_dir / "data"}
    context = replace(world.context, settings=world.context.settings.model_copy(update=changes))
    with lane_of(context):
        until(lambda: [push.value.feed_id for push in hubs.waiting(10)] == ["main"] * 3)
    assert world.count(context.names.articles) == 1


@pytest.mark.timeout(600)
def test_what_is_pushed_and_polled_at_once_is_there_once_wherever_it_is_killed(world: World) -> None:
    mark_fast(world)
    publish_another(world, 1)
    run(world.context)
    quick = hurried(world.context)
    changes = {"websub": True, "data_dir": world.context.settings.config_dir / "data"}
    context = replace(quick, settings=quick.settings.model_copy(update=changes))
    hubs, published = HubStore(context.es, context.names), 1
    for steps in range(2, 100, 4):
        published += 1
        world.wait(minutes=20)
        publish_another(world, published)
        body = world.press.answer("/main.xml", None)[1]
        hubs.keep(Push("main", world.now, "text/xml", body))
        died = dies(lane_until_sent, context, steps)
        world.wait(minutes=20)
        run(world.context)
        place = f"killed after step {steps}"
        assert world.count(context.names.articles) == published, f"an article is lost or twice: {place}"
        check_mails(world, published, place)
        if not died:
            break
    with lane_of(context):
        until(lambda: not hubs.waiting(1))
    assert world.count(context.names.articles) == published
    check_mails(world, published, "at the end")
