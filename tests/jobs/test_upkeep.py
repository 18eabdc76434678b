"""A night's upkeep."""

from __future__ import annotations

import pytest

from jobs.plan import plan
from jobs.pull import pull
from jobs.upkeep import upkeep
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow


def poll(world: World) -> None:
    for number in plan(world.context).batches:
        pull(world.context, number)


def test_an_old_article_goes_and_does_not_come_again(world: World) -> None:
    story = world.press.publish("old")
    poll(world)
    world.wait(days=460)
    world.press.publish("new")
    world.press.feeds["main"].append(story)  # a feed that never lets go of anything
    poll(world)
    report = upkeep(world.context)
    assert report.dropped == (f"{world.context.names.articles}-2026.03",)
    assert report.entries == 0
    world.wait(days=1)
    poll(world)
    assert world.count(world.context.names.articles) == 1
    assert upkeep(world.context).dropped == ()
