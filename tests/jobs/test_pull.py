"""`plan` and `pull` against a press on loopback and a real Elasticsearch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from embedded.processes import free_port
from ingest.pages.extract import extractor_version
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from newswatch.article import Article
from newswatch.outages import Cause
from store.entries import EntryStore
from store.feeds import FeedRecord, FeedStore
from store.outages import OutageStore
from store.quarantine import Quarantine
from tests.jobs.conftest import World, configure
from tests.press import Press, Story

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


def article(world: World) -> Article:
    world.context.es.indices.refresh(index=world.context.names.articles)
    (hit,) = world.context.es.search(index=world.context.names.articles)["hits"]["hits"]
    return world.articles().get([hit["_id"]])[hit["_id"]]


def mailed_unread(world: World, *more: str) -> Story:
    """A story that was mailed by its summary, as its page could not be read; `more` paragraphs stand there."""
    story = world.press.publish("one")
    story.summary = " ".join(story.paragraphs[:2])
    story.paragraphs = (*story.paragraphs, *more)
    world.press.broken["/articles/one"] = 503
    poll(world)
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == 1
    return story


def test_a_page_that_failed_is_tried_again_though_the_feed_says_nothing_new(world: World) -> None:
    story = mailed_unread(world)
    world.wait(minutes=5)
    assert poll(world).pages_again == 0, "too early"
    world.press.broken.clear()
    world.wait(minutes=10)
    report = poll(world)
    assert (report.unchanged, report.pages_again, report.updated, report.new) == (1, 1, 1, 0)
    read = article(world)
    assert story.paragraphs[1] in read.text
    assert (read.version, read.text_status, read.problems) == (1, "full", ()), "nobody has edited it"
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == 1, "the same story was mailed twice"
    world.wait(days=2)
    assert poll(world).pages_again == 0


NOTE = "Correction: an earlier version of this article gave a wrong figure."


def test_a_page_read_at_last_is_no_correction_and_an_edit_after_it_is(world: World) -> None:
    story = mailed_unread(world, NOTE)
    world.press.broken.clear()
    world.wait(minutes=20)
    assert poll(world).pages_again == 1
    match(world.context)
    deliver(world.context)
    assert NOTE in article(world).text
    assert len(world.mailbox.mails) == 1, "a page that is read at last was mailed as a correction"
    story.summary = "Correction: the ministers met in Bruges."
    story.paragraphs = (story.summary, *story.paragraphs[:3])
    world.wait(minutes=20)
    assert poll(world).updated == 1
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == 2, "an outlet's correction was not mailed"


def test_an_edited_page_that_fails_and_is_read_at_last_is_no_second_correction(world: World) -> None:
    """Edited while its page can't be read: the title is the edit, the page that comes later is none."""
    story = mailed_unread(world)
    world.wait(minutes=1)
    story.title += " in Brussels"
    assert poll(world).updated == 1
    match(world.context)
    deliver(world.context)
    story.paragraphs = (*story.paragraphs, NOTE)
    world.press.broken.clear()
    world.wait(minutes=20)
    poll(world)
    match(world.context)
    deliver(world.context)
    assert (article(world).version, article(world).text_status) == (2, "full")
    assert len(world.mailbox.mails) == 1


def raw_feed(*items: tuple[str, str, str]) -> bytes:
    told = "".join(
        f"<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title><link>{link}</link></item>"
        for guid, title, link in items
    )
    return f"<rss version='2.0'><channel><title>main</title>{told}</channel></rss>".encode()


def test_an_entry_whose_link_is_renamed_with_its_headline_stays_one_article(world: World) -> None:
    story = world.press.publish("2026/ministers-meet-4711")
    link = f"{world.press.url}/articles/2026"
    world.press.raw["/main.xml"] = raw_feed(("4711", "Ministers meet", f"{link}/ministers-meet-4711"))
    assert poll(world).new == 1
    story.slug = "2026/ministers-fail-to-agree-4711"
    world.press.raw["/main.xml"] = raw_feed(("4711", "Ministers fail to agree", f"{link}/ministers-fail-to-agree-4711"))
    world.wait(minutes=5)
    report = poll(world)
    assert (report.new, report.updated) == (0, 1)
    assert article(world).url == f"{link}/ministers-meet-4711"
    world.press.feeds["second"] = [story]
    configure(world.context.settings.config_dir, world.press)
    world.wait(minutes=5)
    assert (poll(world).new, world.count(world.context.names.articles)) == (0, 1), "by its new address it is the same"


def test_an_entry_id_that_is_given_to_whatever_is_newest_loses_no_article(world: World) -> None:
    for slug, texts in (("calm-seas", ("one", "two")), ("market-opens", ("three", "four"))):
        story = world.press.publish(slug)
        story.paragraphs = tuple(f"{word} {slug} " * 30 for word in texts)
        title = slug.replace("-", " ")
        world.press.raw["/main.xml"] = raw_feed(("latest", title, f"{world.press.url}/articles/{slug}"))
        assert poll(world).new == 1
        world.wait(minutes=5)
    assert world.count(world.context.names.articles) == 2


def test_a_page_that_keeps_failing_is_left_at_last(world: World) -> None:
    world.press.publish("one")
    world.press.broken["/articles/one"] = 503
    tries = poll(world).pages_failed
    for _ in range(10):
        world.wait(days=1)
        tries += poll(world).pages_failed
    assert tries == 5
    assert EntryStore(world.context.es, world.context.names).pages_waiting("main") == 0


def test_a_page_that_is_gone_is_not_tried_again(world: World) -> None:
    world.press.publish("one")
    world.press.broken["/articles/one"] = 404
    poll(world)
    world.wait(days=1)
    assert poll(world).pages_again == 0


def test_what_robots_txt_forbids_is_not_read(world: World) -> None:
    world.press.publish("one")
    world.press.raw["/robots.txt"] = b"User-agent: *\nDisallow: /articles/\n"
    assert poll(world).pages_failed == 1
    assert not [path for path, _ in world.press.asked if path.startswith("/articles")]
    assert any("robots.txt" in problem for problem in article(world).problems)


def test_an_article_says_what_read_its_page(world: World) -> None:
    world.press.publish("one")
    poll(world)
    assert article(world).provenance.extractor == extractor_version()


SLUG = "allies-agree-on-the-flank"


def page_with_canonical(world: World, link: str, canonical: str) -> None:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in world.press.feeds["main"][0].paragraphs)
    world.press.raw[f"/articles/{link}"] = (
        f"<html><head><title>Flank</title><link rel='canonical' href='{world.press.url}/articles/{canonical}'></head>"
        f"<body><article><h1>Flank</h1>{text}</article></body></html>"
    ).encode()


def test_two_addresses_of_one_page_are_one_article(world: World) -> None:
    """Also for a feed by which the page can't be read, and when the entry is edited, whatever then fails."""
    story = world.press.publish(f"{SLUG}?from=rss")
    page_with_canonical(world, f"{SLUG}?from=rss", SLUG)
    assert poll(world).new == 1
    assert article(world).url == f"{world.press.url}/articles/{SLUG}"
    world.press.feeds["second"] = [Story(story.slug, story.title, story.paragraphs)]
    configure(world.context.settings.config_dir, world.press)
    world.press.broken[f"/articles/{SLUG}?from=rss"] = 404
    world.wait(minutes=5)
    report = poll(world)
    assert (report.new, report.carried) == (0, 1)
    story.title = "Another title for NATO's flank"
    world.wait(minutes=5)
    report = poll(world)
    assert (report.new, report.updated) == (0, 1)
    assert article(world).url == f"{world.press.url}/articles/{SLUG}"


def test_an_article_known_by_its_link_stays_so(world: World) -> None:
    world.press.publish(f"{SLUG}?from=rss")
    world.press.broken[f"/articles/{SLUG}?from=rss"] = 503
    poll(world)
    page_with_canonical(world, f"{SLUG}?from=rss", SLUG)
    world.press.broken.clear()
    world.wait(minutes=20)
    report = poll(world)
    assert (report.new, report.updated) == (0, 1)
    assert article(world).url == f"{world.press.url}/articles/{SLUG}?from=rss"


def test_an_article_edited_to_a_bad_address_costs_no_batch(world: World) -> None:
    """Its page is tried again, and another feed's link leads to it: the document is told, the other entries come in."""
    story = world.press.publish(f"{SLUG}?from=rss")
    world.press.broken[f"/articles/{SLUG}?from=rss"] = 503
    poll(world)
    known = article(world)
    es = world.context.es
    (hit,) = es.search(index=world.context.names.articles, query={"ids": {"values": [known.id]}})["hits"]["hits"]
    es.update(index=hit["_index"], id=known.id, doc={"url": "http://a..b.example/x"}, refresh=True)
    page_with_canonical(world, f"{SLUG}?from=rss", SLUG)
    world.press.broken.clear()
    world.press.feeds["second"] = [Story(story.slug, story.title, story.paragraphs)]
    world.press.publish("good", feed="second")
    configure(world.context.settings.config_dir, world.press)
    world.wait(minutes=20)
    report = poll(world)
    assert (report.unfinished, report.quarantined) == (0, 0)
    assert "/articles/good" in {urlsplit(url).path for url in urls(world)}
    quarantine = Quarantine(es, world.context.names)
    quarantine.refresh()
    told = {kept.problem.subject: kept.problem.reason for kept in quarantine.listed(size=100).problems}
    assert "http://a..b.example/x" in told[f"articles/{known.id}"]


def urls(world: World) -> list[str]:
    """Of all articles in the index."""
    world.context.es.indices.refresh(index=world.context.names.articles)
    hits = world.context.es.search(index=world.context.names.articles, size=100)["hits"]["hits"]
    return [hit["_source"]["url"] for hit in hits]


class Town:
    """Presses on addresses of their own, polled one feed after the other."""

    def __init__(self, world: World, *presses: Press) -> None:
        self.world, self.presses = world, presses
        began = time.monotonic()
        settings = world.context.settings.model_copy(
            update={"fetch_allow_hosts": tuple(press.host for press in presses), "fetch_concurrency": 1}
        )
        world.context = replace(
            world.context,
            settings=settings,
            clock=lambda: world.now + timedelta(seconds=time.monotonic() - began),
        )

    def configure(self, *urls: str) -> None:
        """Poll these, in this order."""
        listed = (f"  - {{id: f{n}, url: '{url}', title: f{n}}}\n" for n, url in enumerate(urls))
        (self.world.context.settings.config_dir / "feeds.yaml").write_text("feeds:\n" + "".join(listed))

    def failures(self) -> list[int]:
        """Of the feeds that are polled, in their order."""
        records = FeedStore(self.world.context.es, self.world.context.names).all()
        return [record.state.failures for record in records if record.feed.enabled]


class Fuse(Press):
    """A press after whose first answer all of the town falls silent."""

    town: tuple[Press, ...] = ()

    def answer(self, path: str, etag: str | None) -> tuple[int, bytes, str | None]:
        for press in self.town:
            press.close()
        return super().answer(path, etag)


def nowhere(count: int) -> list[str]:
    return [f"http://nowhere{n}.invalid/feed.xml" for n in range(count)]


in_town = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1", "localhost"])


@pytest.fixture
def town(world: World) -> Iterator[Town]:
    fuse, other, third = Fuse(address="127.0.0.2"), Press(address="127.0.0.3"), Press(address="127.0.0.4")
    with fuse, other, third:
        yield Town(world, fuse, other, third)


@in_town
def test_our_own_outage_counts_against_no_feed(world: World, town: Town) -> None:
    town.configure(*nowhere(4))
    report = poll(world)
    assert (report.feeds, report.failed, report.offline) == (4, 4, 4)
    assert town.failures() == [0, 0, 0, 0]
    for record in FeedStore(world.context.es, world.context.names).all():
        assert "our own outage" in record.state.interval_why or not record.feed.enabled


@in_town
def test_one_answer_proves_that_the_fault_is_not_ours(world: World, town: Town) -> None:
    town.configure(*nowhere(4), f"{town.presses[1].url}/missing.xml")
    report = poll(world)
    assert (report.failed, report.offline) == (5, 0)
    assert town.failures() == [1, 1, 1, 1, 1]


@in_town
def test_an_outage_that_begins_amid_a_batch_counts_against_no_feed(world: World, town: Town) -> None:
    fuse, other, third = town.presses
    fuse.town = town.presses  # type: ignore[attr-defined]
    town.configure(*(f"{press.url}/main.xml" for press in (fuse, other, third)))
    report = poll(world)
    assert (report.feeds, report.failed, report.offline) == (3, 2, 2)
    assert town.failures() == [0, 0, 0]
    world.wait(minutes=5)
    assert poll(world).offline == 3, "those that are not known yet are no witnesses"
    assert town.failures() == [0, 0, 0]


@in_town
def test_an_outage_counts_not_even_where_one_feed_is_due(world: World, town: Town) -> None:
    town.configure(*(f"{press.url}/main.xml" for press in town.presses))
    poll(world)
    for press in town.presses:
        press.close()
    store = FeedStore(world.context.es, world.context.names)
    later = world.now + timedelta(days=6)
    due = store.due(world.now.replace(year=2030), 9)
    store.save([(found, replace(found.value.state, next_poll_at=later)) for found in due if found.id != "f1"])
    world.wait(minutes=5)
    assert poll(world).offline == 1
    assert town.failures() == [0, 0, 0]


@in_town
def test_a_dead_proxy_is_an_outage_of_ours_whoever_is_reached_without_it(world: World, town: Town) -> None:
    settings = world.context.settings
    dead = {"fetch_proxy": f"http://127.0.0.1:{free_port()}", "fetch_no_proxy": "127.0.0.0/8"}
    world.context = replace(world.context, settings=settings.model_copy(update=dead))
    town.configure("https://a.newspress.org/f", f"{town.presses[1].url}/main.xml", "https://b.newspress.org/f")
    report = poll(world)
    assert (report.feeds, report.failed, report.offline, report.reached) == (3, 2, 2, 1)
    assert town.failures() == [0, 0, 0]
    (outage,) = OutageStore(world.context.es, world.context.names).read()[Cause.NETWORK]
    assert "the proxy 127.0.0.1:" in outage.why


@in_town
def test_a_dead_feed_is_counted_beside_others_and_alone(world: World, town: Town) -> None:
    _, other, third = town.presses
    town.configure(f"{other.url}/main.xml", f"{third.url}/main.xml")
    poll(world)
    third.close()
    world.wait(minutes=5)
    report = poll(world)
    assert (report.failed, report.offline) == (1, 0), "whichever is polled first"
    assert town.failures() == [0, 1]
    store = FeedStore(world.context.es, world.context.names)
    (well,) = [found for found in store.due(world.now.replace(year=2030), 9) if found.id == "f0"]
    store.save([(well, replace(well.value.state, next_poll_at=world.now + timedelta(days=6)))])
    world.wait(minutes=30)
    asked = len(other.asked)
    report = poll(world)
    assert (report.feeds, report.offline, len(other.asked) - asked) == (1, 0, 1), "alone: one that is well is asked"
    assert town.failures() == [0, 2]


def test_a_host_that_asks_for_rest_gets_it_for_all_its_feeds(world: World) -> None:
    world.press.publish("one")
    world.press.broken["/main.xml"] = 429
    poll(world)
    assert feed(world).state.failures == 1
    paused = replace(feed(world).state, paused_until=world.now + timedelta(hours=2))
    stored = FeedStore(world.context.es, world.context.names).due(world.now + timedelta(days=1), 10)
    FeedStore(world.context.es, world.context.names).save([(stored[0], paused)])
    world.press.publish("other", feed="second")
    configure(world.context.settings.config_dir, world.press)
    assert plan(world.context).batches == (), "the second feed is due, and its host rests"
    world.wait(hours=3)
    assert poll(world).feeds == 2


def test_a_host_that_a_batch_is_still_at_is_left_to_it(world: World) -> None:
    """Two batches at one host would each ask it at the pace that it is to have in all."""
    (first,) = plan(world.context).batches
    world.press.publish("other", feed="second")
    configure(world.context.settings.config_dir, world.press)
    world.wait(minutes=1)
    assert plan(world.context).feeds == 0
    pull(world.context, first)
    assert plan(world.context).feeds == 1


def test_a_batch_that_died_does_not_keep_its_host_for_ever(world: World) -> None:
    plan(world.context)
    world.press.publish("other", feed="second")
    configure(world.context.settings.config_dir, world.press)
    world.wait(minutes=11)
    assert plan(world.context).feeds == 2
