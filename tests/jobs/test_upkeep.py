"""A night's upkeep."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from ingest.archive import days
from jobs.doubt import LONGEST_PAUSE, is_clock_doubted
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.upkeep import upkeep
from newswatch.errors import StoreError
from store.audit import Deed
from store.names import Names
from store.quarantine import Quarantine
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


def test_the_copy_of_a_drill_that_was_killed_goes(world: World) -> None:
    es, today, prefix = world.context.es, world.now, world.context.names.prefix
    of_yesterday = f"drill-{today - timedelta(days=1):%Y%m%d}-0a1b2c-{prefix}feeds"
    older = f"drill-{today - timedelta(days=2):%Y%m%d}-0a1b2c-{prefix}feeds"
    of_others = [
        f"drill-10-{prefix}wells",
        f"drill-2020.01-{prefix}wells",
        f"drill-20200101-0a1b2c-other-{prefix}feeds",
    ]
    for index in (of_yesterday, older, *of_others):
        es.indices.create(index=index)
    try:
        upkeep(world.context)
        assert es.indices.exists(index=of_yesterday), "it may still run"
        assert not es.indices.exists(index=older)
        assert all(es.indices.exists(index=index) for index in of_others), "what others keep on the same cluster stays"
    finally:
        es.options(ignore_status=404).indices.delete(index=[of_yesterday, *of_others])


def test_a_clock_that_leaps_ahead_makes_nothing_old(world: World) -> None:
    world.press.publish("here to stay")
    poll(world)
    upkeep(world.context)
    world.wait(days=LONGEST_PAUSE.days)
    upkeep(world.context)
    world.wait(days=800)
    with pytest.raises(StoreError, match=r"last done 800 days ago\. .*`newswatch index upkeep --clock-is-right`"):
        upkeep(world.context)
    assert world.count(world.context.names.articles) == 1
    with pytest.raises(StoreError, match="800 days ago"):
        upkeep(world.context)  # a run that refused is none
    assert is_clock_doubted(world.context)
    assert upkeep(world.context, clock_is_right=True).dropped == (f"{world.context.names.articles}-2026.03",)
    world.wait(days=1)
    upkeep(world.context)
    assert not is_clock_doubted(world.context)


def test_nor_does_it_what_is_kept_beside_the_index(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.keeping.TIDIED_EVERY_S", 0.0)
    settings = world.context.settings.model_copy(update={"archive_dir": tmp_path / "archive"})
    world.context = replace(world.context, settings=settings)
    world.press.publish("kept")
    poll(world)
    upkeep(world.context)
    first = world.now.date()
    world.wait(days=800)
    world.press.publish("read by a wrong clock")
    poll(world)
    assert [each.day for each in days(tmp_path / "archive")] == [first, world.now.date()]
    upkeep(world.context, clock_is_right=True)
    world.wait(hours=1)
    world.press.publish("read by a right one")
    poll(world)
    assert [each.day for each in days(tmp_path / "archive")] == [world.now.date()]


def told(es: Elasticsearch, names: Names) -> set[str]:
    quarantine = Quarantine(es, names)
    quarantine.refresh()
    return {one.problem.subject for one in quarantine.listed(kind="document").problems}


def test_an_audit_log_that_cannot_be_written_keeps_the_rest_in_shape(world: World) -> None:
    es, names, context = world.context.es, world.context.names, world.context
    world.press.publish("old")
    poll(world)
    context.audit.record(Deed("ann", "feed added", "herald"))
    world.wait(days=context.settings.audit_retention_days + 60)
    context.audit.record(Deed("ann", "feed added", "courier"))
    es.indices.put_settings(index=names.audit, settings={"index.blocks.write": True})
    try:
        assert upkeep(context).dropped == (f"{names.articles}-2026.03",)
    finally:
        es.indices.put_settings(index=names.audit, settings={"index.blocks.write": None})
    assert told(es, names) == {"audit retention"}
    upkeep(context)
    assert not told(es, names)
