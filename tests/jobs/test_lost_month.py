"""A month of the articles is out of reach: what doesn't need it is pulled and matched, the rest waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from store.past_months import PastMonths
from tests.jobs.conftest import World, configure
from tests.jobs.test_pull import SLUG, page_with_canonical, raw_feed
from tests.lost_slice import lost_slice

pytestmark = pytest.mark.slow


def poll(world: World) -> PullReport:
    total = PullReport(0)
    for number in plan(world.context).batches:
        total = total.plus(**pull(world.context, number).counts())
    return total


def titles(world: World) -> list[str]:
    es, names = world.context.es, world.context.names
    es.indices.refresh(index=names.articles)
    hits = es.search(index=names.articles, size=100)["hits"]["hits"]
    return [hit["_source"]["title"] for hit in hits]


@contextmanager
def without_last_month(world: World, *, publish: bool = True) -> Iterator[None]:
    """A month later, with that of the world's beginning out of reach."""
    month = f"{world.now:%Y.%m}"
    world.wait(days=40)
    if publish:
        world.press.publish("since")
    else:
        since = ("0", "Ministers met in Riga", f"{world.press.url}/articles/since")
        world.press.raw["/main.xml"] = raw_feed(since)
    assert poll(world).new == 1
    world.wait(hours=1)
    es, names = world.context.es, world.context.names
    assert PastMonths(es, names).learn(world.now)
    with lost_slice(es, names, month):
        yield


def test_new_stories_are_read_while_a_past_month_is_out_of_reach(world: World) -> None:
    world.press.publish("before")
    assert poll(world).new == 1
    with without_last_month(world):
        world.press.publish("flank")
        report = poll(world)
        assert (report.feeds, report.new) == (1, 1)
        world.wait(hours=1)
        assert poll(world).new == 0
    world.wait(hours=1)
    assert poll(world).new == 0
    assert world.count(world.context.names.articles) == 3


def test_what_needs_a_month_out_of_reach_waits_entry_by_entry(world: World, tmp_path: Path) -> None:
    configure(tmp_path, world.press, {"main": "page"})
    old = world.press.publish("before")
    assert poll(world).new == 1
    with without_last_month(world):
        world.press.publish("flank")
        world.press.feeds["main"].remove(old)
        edited = world.press.publish("before", title="NATO allies settle no point of the plan (before)")
        report = poll(world)
        assert (report.new, report.updated, report.waiting, report.pages) == (1, 0, 1, 1)
        world.wait(hours=1)
        report = poll(world)
        assert (report.new, report.unchanged, report.waiting, report.pages) == (0, 0, 1, 0), "it comes again whole"
    world.wait(hours=1)
    assert poll(world).updated == 1
    world.wait(hours=1)
    report = poll(world)
    assert (report.unchanged, report.waiting) == (1, 0)
    assert edited.title in titles(world)
    assert len(titles(world)) == 3


def test_an_entry_under_another_id_waits_for_the_month_that_may_know_it(world: World) -> None:
    page = f"{world.press.url}/articles/before"
    world.press.raw["/main.xml"] = raw_feed(("1", "Allies agree on a plan", page))
    assert poll(world).new == 1
    with without_last_month(world, publish=False):
        other = f"{world.press.url}/articles/flank"
        entries = [("2", "Allies agree on a plan", page), ("3", "Troops move to the flank", other)]
        world.press.raw["/main.xml"] = raw_feed(*entries)
        report = poll(world)
        assert (report.new, report.waiting) == (1, 1)
    world.wait(hours=1)
    report = poll(world)
    assert (report.new, report.updated, report.waiting) == (0, 0, 0)
    assert len(titles(world)) == 3


def test_a_link_that_leads_to_an_article_of_a_month_out_of_reach_waits(world: World) -> None:
    """Its page says by which address it is known."""
    world.press.publish(SLUG)
    assert poll(world).new == 1
    with without_last_month(world):
        page_with_canonical(world, f"{SLUG}?from=mail", SLUG)
        link = f"{world.press.url}/articles/{SLUG}?from=mail"
        world.press.raw["/main.xml"] = raw_feed(("9", "Allies agree on a plan", link))
        report = poll(world)
        assert (report.new, report.waiting) == (0, 1)
        world.wait(hours=1)
        report = poll(world)
        assert (report.new, report.waiting) == (0, 1)
    world.wait(hours=1)
    report = poll(world)
    assert (report.new, report.waiting) == (0, 0)
    assert len(titles(world)) == 2


def publish_undated(world: World, *stories: tuple[str, str]) -> None:
    """Stories without dates, so that their time is that of their first poll."""
    items = [(slug, title, f"{world.press.url}/articles/{slug}") for slug, title in stories]
    world.press.raw["/main.xml"] = raw_feed(*items)


def subjects(world: World) -> list[str]:
    deliver(world.context)
    return [str(message_from_bytes(mail, policy=default)["Subject"]) for mail in world.mailbox.mails]


def test_what_came_in_other_months_is_matched_and_mailed_once(world: World) -> None:
    publish_undated(world, ("before", "NATO allies agree on a plan"))
    poll(world)
    match(world.context)
    assert len(subjects(world)) == 1
    with without_last_month(world, publish=False):
        assert match(world.context).out_of_reach == 0
        publish_undated(world, ("flank", "NATO moves troops to the flank"), ("since", "Ministers met in Riga"))
        assert poll(world).new == 1
        report = match(world.context)
        assert (report.matches, report.out_of_reach, report.set_aside) == (1, 0, 0)
        mailed = subjects(world)
        assert len(mailed) == 2
        assert "NATO moves troops to the flank" in mailed[-1]
    world.wait(hours=1)
    assert match(world.context).batches == ()
    assert subjects(world) == mailed


def test_a_batch_that_needs_the_month_waits_and_holds_up_no_other(world: World) -> None:
    """An article of that month's time, as it may belong to a story of it."""
    publish_undated(world, ("before", "NATO allies agree on a plan"))
    poll(world)
    match(world.context)
    assert len(subjects(world)) == 1
    with without_last_month(world, publish=False):
        match(world.context)
        subjects(world)
        del world.press.raw["/main.xml"]
        world.press.publish("dated")
        poll(world)
        assert match(world.context).out_of_reach == 1
        world.wait(hours=1)
        publish_undated(world, ("flank", "NATO moves troops to the flank"))
        poll(world)
        report = match(world.context)
        assert (len(report.batches), report.matches, report.out_of_reach) == (1, 1, 1)
        assert "NATO moves troops to the flank" in subjects(world)[-1]
    world.wait(hours=1)
    report = match(world.context)
    assert (report.matches, report.owed, report.out_of_reach) == (1, 0, 0), "its story was mailed that month"
    assert match(world.context).batches == ()
