"""`newswatch check`, `status` and the lines above lists, on a real node: any installation, with and without a stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import check
from cli.main import app
from newswatch.clock import utc_now
from observe.condition import Condition, Severity
from observe.pulse import Pulse, Reach, Storage, Waiting
from store.indices.mapping import plain_indices
from store.pulse import PulseStore
from tests.factories import NOW
from tests.jobs.conftest import World, world  # noqa: F401 - a fixture

Run = Callable[..., Result]
slow = pytest.mark.slow

PERFORMANCE = re.compile(r"'[a-z_]+'=-?\d+(?:\.\d+)?(?:s|%)?(?:;[\d.]*){0,4}")
"""A value of the monitoring plugins' guidelines, with its warning and critical thresholds, its minimum and maximum."""

PULSE = Pulse(
    NOW,
    reach=Reach(309, {"ok": 300, "failing": 9}, due=3, reached_at=NOW - timedelta(seconds=20)),
    newest_article_at=NOW - timedelta(seconds=90),
    waiting=Waiting(batches=2, batch_since=NOW - timedelta(seconds=7), mails=1, mail_since=NOW - timedelta(seconds=8)),
    problems=4,
    storage=Storage(status="green", disk_free=0.4567),
)
NETWORK = Condition("network", Severity.CRITICAL, "No feed | can be reached.", "Check the\nnetwork.", NOW)
DISK = Condition("disk", Severity.WARNING, "The disk is nearly full.", "Free some.")


def test_what_is_well_is_one_line_with_numbers() -> None:
    (line,) = check.lines(PULSE, ())
    told, _, numbers = line.partition(" | ")
    assert told == "NEWSWATCH OK - 309 feeds, last reached 20 s ago"
    assert numbers == (
        "'feeds'=309;;;0 'feeds_failing'=9;154;;0;309 'feeds_due'=3;;;0 'reached_age'=20s;;;0 'article_age'=90s;;;0 "
        "'batches_waiting'=2;;;0 'batch_age'=7s;;;0 'mails_waiting'=1;;;0 'mail_age'=8s;;;0 'searches_failing'=0;0;;0 "
        "'problems'=4;;;0 'disk_free'=45.7%;;;0;100"
    )
    assert all(PERFORMANCE.fullmatch(value) for value in numbers.split(" "))


def test_what_is_wrong_is_a_line_each_with_the_next_step() -> None:
    first, *others = check.lines(PULSE, (NETWORK, DISK))
    assert first.startswith("NEWSWATCH CRITICAL - No feed / can be reached. (1 more) | 'feeds'=309")
    assert others == [
        "CRITICAL network: No feed / can be reached. Since 2026-03-04 05:06 UTC. Check the network.",
        "WARNING disk: The disk is nearly full. Free some.",
    ]
    assert next(iter(check.lines(PULSE, (DISK,)))).startswith("NEWSWATCH WARNING - The disk is nearly full. | ")


def test_what_is_not_known_is_no_number() -> None:
    (line,) = check.lines(Pulse(NOW), ())
    assert line.startswith("NEWSWATCH OK - no feed is known yet | 'feeds'=0")
    assert "_age" not in line
    away = Pulse(NOW, storage=Storage(away="refused"))
    assert next(iter(check.lines(away, (DISK,)))).endswith("nearly full. | ")


def test_what_is_wrong_is_cut_above_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    many = tuple(replace(DISK, id=f"disk{n}") for n in range(5))
    check.print_conditions((NETWORK, *many), NOW)
    told = capsys.readouterr()
    assert told.out == ""
    assert "No feed | can be reached." in told.err
    assert "3 more: newswatch check" in told.err
    check.print_conditions((), NOW)
    assert capsys.readouterr().err == ""


# ── on a node ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:  # noqa: F811
    """Runs `newswatch …` with the settings of a press, in a data folder where no stack runs."""
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NEWSWATCH_DATA_DIR", str(tmp_path / "data"))
    world.press.publish("one")
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def poll(run: Run, world: World) -> None:  # noqa: F811
    """Poll, and let searches see it at once."""
    run("poll")
    world.context.es.indices.refresh(index=[*plain_indices(world.context.names)])


def offline(world: World) -> None:  # noqa: F811
    """No feed has been reached for a while."""
    since = utc_now() - timedelta(minutes=5)
    moments, reasons = {"unanswered": since, "offline": since}, {"offline": "The Herald: refused"}
    store = PulseStore(world.context.es, world.context.names)
    store.change("pull", lambda was: replace(was, moments=moments, reasons=reasons))
    world.context.es.indices.refresh(index=world.context.names.pulse)


@slow
def test_a_check_says_whether_all_is_well(run: Run, world: World) -> None:  # noqa: F811
    fresh = run("check")
    assert (fresh.exit_code, fresh.stdout.splitlines()[0][:33]) == (0, "NEWSWATCH OK - no feed is known y")
    poll(run, world)
    well = run("check")
    assert (well.exit_code, well.stderr) == (0, "")
    assert well.stdout.startswith("NEWSWATCH OK - 1 feed, last reached ")
    offline(world)
    bad = run("check")
    assert bad.exit_code == 2
    first, second = bad.stdout.splitlines()
    assert first.startswith(
        "NEWSWATCH CRITICAL - The only feed can't be reached, so no news comes in: The Herald: refused."
    )
    assert second.startswith("CRITICAL network: ")
    told = json.loads(run("check", "--json").stdout)
    assert (told["state"], [condition["id"] for condition in told["conditions"]]) == ("critical", ["network"])
    assert told["pulse"]["reach"]["enabled"] == 1


@slow
def test_a_check_that_cant_look_is_unknown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:1")
    away = run("check")
    assert (away.exit_code, away.stdout.split(" - ")[0]) == (2, "NEWSWATCH CRITICAL")
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://user:s3cret@[nonsense")
    unknown = run("check")
    assert (unknown.exit_code, unknown.stdout.split(" - ")[0]) == (3, "NEWSWATCH UNKNOWN")
    assert "s3cret" not in unknown.output
    told = json.loads(run("check", "--json").stdout)
    assert (told["state"], told["conditions"]) == ("unknown", [])


@slow
def test_a_check_creates_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, world: World) -> None:  # noqa: F811
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", "not-there-")
    assert run("check").exit_code == 0
    assert not world.context.es.indices.get(index="not-there-*")


@slow
def test_what_is_wrong_stands_above_the_lists(run: Run, world: World) -> None:  # noqa: F811
    run("poll")
    assert (run("feeds", "list").stderr, run("alerts", "list").stderr) == ("", "")
    offline(world)
    for command in ("feeds", "alerts"):
        listed = run(command, "list", "--json")
        assert "The only feed can't be reached" in listed.stderr
        assert "Since 5 min." in listed.stderr
        for line in listed.stdout.splitlines():
            json.loads(line)


@slow
def test_the_status_where_the_parts_run_elsewhere(run: Run, world: World) -> None:  # noqa: F811
    nothing = run("status")
    assert nothing.exit_code == 1
    assert "Nothing runs in" in nothing.stdout
    assert "newswatch has not run there yet" in nothing.stdout
    assert json.loads(run("status", "--json").stdout)["pipeline"] is None
    run("match")
    poll(run, world)
    well = run("status")
    assert well.exit_code == 0
    assert "Nothing runs" not in well.stdout
    assert re.search(r"Last matched\s+\d+ s ago", well.stdout)
    told = json.loads(run("status", "--json").stdout)
    assert (told["state"], told["ok"], told["pipeline"]["conditions"]) == ("stopped", True, [])
    assert told["pipeline"]["last"]["polled"]
    offline(world)
    bad = run("status")
    assert bad.exit_code == 1
    assert "The only feed can't be reached" in bad.stderr
