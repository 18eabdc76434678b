"""`plan` and `pull` against a press on loopback and a real Elasticsearch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.plan import plan
from jobs.pull import PullReport, pull
from search.feeds import FeedRecord, FeedStore
from tests.jobs.conftest import World, configure

pytestmark = pytest.mark.slow


def poll(world: World) -> PullReport:
    total = PullReport(0)
    for number in plan(world.context).batches:
        total = total.plus(**pull(world.context, number).counts())
    return total


def feed(world: World, feed_id: str = "main") -> FeedRecord:
    records = FeedStore(world.context.es, world.context.names).all()
    return next(record for record in records if record.feed.id == feed_id)


def test_what_a_feed_brings_is_read_tagged_and_indexed(world: World) -> None:
    story = world.press.publish("flank")
    report = poll(world)
    assert (report.feeds, report.entries, report.new, report.pages) == (1, 1, 1, 1)
    world.context.es.indices.refresh(index=world.context.names.articles)
    (hit,) = world.context.es.search(index=world.context.names.articles)["hits"]["hits"]
    article = world.articles().get([hit["_id"]])[hit["_id"]]
    assert (article.title, article.text_status, article.url) == (
        story.title,
        "full",
        f"{world.press.url}/articles/flank",
    )
    assert all(paragraph in article.text for paragraph in story.paragraphs)
    assert {tag.tag: tag.level for tag in article.tags}["nato"] == "main"
    for tag in article.tags:
        for evidence in tag.evidence:
            assert getattr(article, evidence.field)[evidence.start : evidence.end] == evidence.text


def test_a_second_poll_of_an_unchanged_feed_asks_once_and_writes_nothing(world: World) -> None:
    world.press.publish("one")
    poll(world)
    world.wait(minutes=5)
    asked = len(world.press.asked)
    report = poll(world)
    assert (report.feeds, report.unchanged, report.new, report.updated) == (1, 1, 0, 0)
    assert world.press.asked[asked:] == [("/main.xml", 304)]


def test_a_feed_is_not_polled_before_it_is_due(world: World) -> None:
    poll(world)
    assert plan(world.context).batches == ()


def test_only_what_is_new_has_its_page_fetched(world: World) -> None:
    world.press.publish("one")
    poll(world)
    world.wait(minutes=5)
    world.press.publish("two")
    asked = len(world.press.asked)
    assert poll(world).new == 1
    assert [path for path, _ in world.press.asked[asked:] if path.startswith("/articles")] == ["/articles/two"]


def test_an_edited_story_is_another_version_of_one_article(world: World) -> None:
    story = world.press.publish("one")
    poll(world)
    world.wait(minutes=5)
    story.title = "NATO allies fail to settle the plan"
    report = poll(world)
    assert (report.new, report.updated) == (0, 1)
    assert world.count(world.context.names.articles) == 1


def test_one_story_in_two_feeds_is_one_article(world: World, tmp_path: object) -> None:
    story = world.press.publish("one")
    world.press.feeds["second"] = [story]
    configure(world.context.settings.config_dir, world.press)
    report = poll(world)
    assert (report.new, report.carried) == (1, 1)
    assert world.count(world.context.names.articles) == 1


def test_a_page_that_fails_leaves_the_feeds_words_and_says_so(world: World) -> None:
    world.press.publish("one")
    world.press.broken["/articles/one"] = 500
    report = poll(world)
    assert (report.new, report.pages_failed) == (1, 1)
    world.context.es.indices.refresh(index=world.context.names.articles)
    (hit,) = world.context.es.search(index=world.context.names.articles)["hits"]["hits"]
    assert hit["_source"]["text_status"] != "full"
    assert any("500" in problem for problem in hit["_source"]["problems"])


def test_a_broken_feed_harms_no_other_and_shows_why(world: World) -> None:
    world.press.publish("one")
    world.press.publish("other", feed="second")
    configure(world.context.settings.config_dir, world.press)
    world.press.broken["/second.xml"] = 503
    report = poll(world)
    assert (report.feeds, report.failed, report.new) == (2, 1, 1)
    state = feed(world, "second").state
    assert (state.failures, state.last_status) == (1, 503)
    assert state.last_error
    assert "503" in state.last_error
    world.press.broken.clear()
    world.wait(days=1)
    assert poll(world).new == 1
    assert feed(world, "second").state.failures == 0


def test_what_is_no_feed_is_told_from_a_failure(world: World) -> None:
    world.press.raw["/main.xml"] = b"<!doctype html><html><body><h1>Welcome</h1></body></html>"
    report = poll(world)
    assert (report.failed, report.not_a_feed, report.new) == (0, 1, 0)
    assert feed(world).state.failures == 1


def test_a_batch_that_is_done_is_not_done_again(world: World) -> None:
    world.press.publish("one")
    (number,) = plan(world.context).batches
    pull(world.context, number)
    asked = len(world.press.asked)
    assert pull(world.context, number) == PullReport(number)
    assert len(world.press.asked) == asked


def test_a_worker_that_wakes_after_its_lease_leaves_the_feeds_alone(world: World) -> None:
    world.press.publish("one")
    (number,) = plan(world.context).batches
    late = world.now.replace(hour=23)
    report = pull(replace(world.context, clock=lambda: late), number)
    assert (report.feeds, report.unfinished) == (0, 1)
    world.wait(hours=1)
    assert poll(world).new == 1
