"""What was archived is read again as it was read; with other rules, only what they change is shown, and then counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from ingest.archive import days, tidy
from ingest.pages.extract import extract
from ingest.pages.extracted import Extracted
from jobs import replay as replaying
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.recheck import recheck
from jobs.replay import Change, ReplayReport, replay
from newswatch.errors import NewswatchError
from newswatch.feed import FullText
from store.quarantine import Quarantine
from tests.jobs.conftest import World, configure
from tests.jobs.conftest import world as world

pytestmark = pytest.mark.slow


@pytest.fixture
def keeping(world: World, tmp_path: Path) -> World:
    """The world with an archive."""
    settings = world.context.settings.model_copy(update={"archive_dir": tmp_path / "archive"})
    world.context = replace(world.context, settings=settings)
    return world


def poll(world: World) -> None:
    for number in plan(world.context).batches:
        pull(world.context, number)


def documents(world: World) -> dict[str, dict[str, object]]:
    es, names = world.context.es, world.context.names
    es.indices.refresh(index=names.articles)
    return {hit["_id"]: hit["_source"] for hit in es.search(index=names.articles, size=100)["hits"]["hits"]}


def replayed(world: World, *, write: bool = False) -> tuple[ReplayReport, list[Change]]:
    changes: list[Change] = []
    return replay(world.context, write=write, each=changes.append), changes


def test_what_was_read_is_read_again_and_another_rule_is_shown_before_it_counts(
    keeping: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = keeping
    full: dict[str, FullText] = {"main": "page", "short": "feed"}
    world.press.feeds["short"] = []
    configure(world.context.settings.config_dir, world.press, full)
    for slug in ("one", "two"):
        world.press.publish(slug)
    world.press.publish("three", feed="short")
    poll(world)
    match(world.context)
    deliver(world.context)
    world.wait(minutes=5)
    world.press.feeds["main"][0] = replace(world.press.feeds["main"][0], title="NATO names another envoy")
    poll(world)
    world.wait(hours=2)
    recheck(world.context)
    match(world.context)
    deliver(world.context)
    before, mails = documents(world), len(world.mailbox.mails)
    report, changes = replayed(world)
    assert changes == []
    assert (report.compared, report.changed, report.damaged, report.without_page) == (3, 0, 0, 0)
    assert report.documents >= 3
    assert report.pages >= 2
    assert documents(world) == before

    index = replaying._Player._index

    def joined_then(player: Any, day: date, *, count: bool) -> Any:
        """`tidy` joins the day's files after they were looked through, as it does at midnight."""
        found, folder = index(player, day, count=count), world.context.settings.archive_dir or Path()
        tidy(folder, keep_days=9, max_bytes=10**9, now=world.now + timedelta(days=1))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replaying._Player, "_index", joined_then)
        joined, _ = replayed(world)
    assert (joined.compared, joined.damaged, joined.without_page, joined.failed) == (3, 0, 0, 0)

    read = extract

    def otherwise(*args: object, **kwargs: object) -> Extracted:
        page = read(*args, **kwargs)  # type: ignore[arg-type]
        return replace(page, text=page.text + "\nHezbollah was not named before.")

    monkeypatch.setattr(replaying, "extract", otherwise)
    monkeypatch.setattr(replaying, "extractor_version", lambda: "rules of tomorrow")
    report, changes = replayed(world)
    assert (report.compared, report.changed, report.written) == (3, 3, 0), "`recheck` has read all three pages"
    assert {change.fields[0].field for change in changes} == {"text"}
    assert documents(world) == before, "it is only shown"

    folder = world.context.settings.archive_dir or Path()
    result = CliRunner().invoke(app, ["archive", "--json"], env={"NEWSWATCH_ARCHIVE_DIR": str(folder)})
    assert json.loads(result.stdout)["bytes"] == days(folder)[0].bytes
    report, _ = replayed(world, write=True)
    assert (report.changed, report.written, report.overtaken) == (3, 3, 0)
    after = documents(world)
    changed = {name for name in after if after[name] != before[name]}
    assert len(changed) == 3
    for name in changed:
        assert str(after[name]["text"]).endswith("was not named before.")
        assert all(after[name][same] == before[name][same] for same in ("seq", "batch", "version", "story_id", "title"))
        assert after[name]["provenance"]["extractor"] == "rules of tomorrow"  # type: ignore[index]
        assert "hezbollah" in json.dumps(after[name]["entities"]).lower()
    assert replayed(world)[0].changed == 0
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == mails, "nobody is mailed"


def test_an_archive_that_cannot_be_written_costs_the_archive_alone(keeping: World) -> None:
    world = keeping
    folder = world.context.settings.archive_dir
    assert folder is not None
    folder.write_text("a file stands in its place")
    world.press.publish("one")
    poll(world)
    assert len(documents(world)) == 1
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    (problem,) = quarantine.listed().problems
    assert (problem.problem.kind, problem.problem.subject) == ("archive", str(folder))
    folder.unlink()
    world.press.publish("two")
    world.wait(minutes=5)
    poll(world)
    quarantine.refresh()
    assert quarantine.listed().total == 0, "it is over"
    assert len(days(folder)) == 1


def test_a_page_that_is_not_archived_and_days_that_are_not_there_are_told(keeping: World) -> None:
    world = keeping
    with pytest.raises(NewswatchError, match="holds nothing of these days"):
        replay(world.context)
    world.press.publish("one")
    poll(world)
    with pytest.raises(NewswatchError, match="holds nothing of these days"):
        replay(world.context, since=(world.now + timedelta(days=1)).date())
    without = replace(world.context, settings=world.context.settings.model_copy(update={"archive_dir": None}))
    with pytest.raises(NewswatchError, match="set NEWSWATCH_ARCHIVE_DIR"):
        replay(without)
    assert replay(world.context, feed_id="another").compared == 0
    assert replay(world.context, feed_id="main").compared == 1
    world.context.es.delete(index=world.context.names.feeds, id="main", refresh=True)
    gone = replay(world.context)
    assert (gone.documents, gone.unread, gone.compared) == (1, 1, 0)
