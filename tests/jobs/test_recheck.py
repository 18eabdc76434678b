"""Mailed articles are read again, and what has changed is a new version."""

from __future__ import annotations

from email import message_from_bytes

import pytest

from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.recheck import recheck
from tests.jobs.conftest import World
from tests.lost_slice import lost_slice

pytestmark = pytest.mark.slow


@pytest.fixture
def mailed(world: World) -> World:
    """A story was published, and mailed."""
    world.press.publish("flank")
    for number in plan(world.context).batches:
        pull(world.context, number)
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == 1
    return world


def asked_for_page(world: World) -> int:
    return sum(path == "/articles/flank" for path, _ in world.press.asked)


def test_it_is_read_again_after_1_6_and_24_hours_and_then_no_more(mailed: World) -> None:
    assert recheck(mailed.context).noted == 1
    readings = []
    for hour in range(1, 40):
        mailed.wait(hours=1, minutes=1)
        if recheck(mailed.context).read:
            readings.append(hour)
    assert readings == [1, 6, 24]
    assert asked_for_page(mailed) == 4


def test_an_edit_is_a_new_version_and_is_matched_without_a_second_mail(mailed: World) -> None:
    recheck(mailed.context)
    story = mailed.press.feeds["main"][0]
    story.paragraphs = (*story.paragraphs, "The ministers will meet again in the autumn, their hosts said on Friday.")
    mailed.wait(hours=2)
    assert recheck(mailed.context).changed == 1
    (article,) = articles(mailed)
    assert article["version"] == 2
    match(mailed.context)
    deliver(mailed.context)
    assert len(mailed.mailbox.mails) == 1


def test_a_correction_is_mailed_to_those_who_got_the_story(mailed: World) -> None:
    recheck(mailed.context)
    story = mailed.press.feeds["main"][0]
    story.paragraphs = (*story.paragraphs, "Correction: an earlier version of this article named the wrong capital.")
    mailed.wait(hours=2)
    recheck(mailed.context)
    match(mailed.context)
    deliver(mailed.context)
    assert len(mailed.mailbox.mails) == 2
    assert b"In-Reply-To" in mailed.mailbox.mails[1]


def test_a_page_that_is_gone_changes_nothing(mailed: World) -> None:
    recheck(mailed.context)
    mailed.press.broken["/articles/flank"] = 410
    mailed.wait(hours=2)
    report = recheck(mailed.context)
    assert (report.read, report.failed, report.changed) == (0, 1, 0)
    (article,) = articles(mailed)
    assert article["text_status"] == "full"


def articles(world: World) -> list[dict[str, object]]:
    world.context.es.indices.refresh(index=world.context.names.articles)
    return [hit["_source"] for hit in world.context.es.search(index=world.context.names.articles)["hits"]["hits"]]


def test_it_is_asked_for_and_linked_to_as_it_was_published(world: World) -> None:
    """The server knows the page by this spelling alone, or has signed it."""
    slug = "l%27otan%2C12?b=%2F&a=1"
    world.press.publish(slug)
    for number in plan(world.context).batches:
        pull(world.context, number)
    match(world.context)
    deliver(world.context)
    recheck(world.context)
    world.wait(hours=2)
    assert recheck(world.context).read == 1
    assert [path for path, _ in world.press.asked if "otan" in path] == [f"/articles/{slug}"] * 2
    (mail,) = world.mailbox.mails
    text = message_from_bytes(mail).get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert f"{world.press.url}/articles/{slug}" in text


def test_an_article_of_a_month_out_of_reach_is_read_again_later(mailed: World) -> None:
    recheck(mailed.context)
    mailed.wait(hours=2)
    context = mailed.context
    with lost_slice(context.es, context.names, f"{context.clock():%Y.%m}"):
        assert recheck(context).read == 0
        assert recheck(context).read == 0
    mailed.wait(hours=1, minutes=1)
    assert recheck(context).read == 1
    assert asked_for_page(mailed) == 2
