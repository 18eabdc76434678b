"""`newswatch poll`, `match` and `deliver`: a feed's article to a mail, on the real Elasticsearch, without Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.jobs.conftest import World, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    """Runs `newswatch …` on a press with one article about NATO, with its settings in the environment."""
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)
    world.press.publish("one")
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_an_article_is_polled_matched_and_mailed_once(run: Run, world: World) -> None:  # noqa: F811
    polled = json.loads(run("poll", "--json").stdout)
    assert (len(polled["batches"]), polled["new"], polled["failed"], polled["config_error"]) == (1, 1, 0, None)
    matched = json.loads(run("match", "--json").stdout)
    assert (matched["batches"], matched["matches"], matched["owed"]) == (polled["batches"], 1, 1)
    assert (matched["delivered"]["sent"], len(world.mailbox.mails)) == (1, 1)
    assert json.loads(run("match", "--json").stdout)["delivered"]["sent"] == 0
    assert json.loads(run("deliver", "--json").stdout)["sent"] == 0
    assert len(world.mailbox.mails) == 1


def test_what_was_done_is_told_in_numbers(run: Run) -> None:
    told = run("poll").output
    assert "1 new articles" in told
    assert "No feed is due." in run("poll").output
    told = run("match").output
    assert "1 batches matched: 1 matches, 1 new." in told
    assert "1 mails sent, 0 postponed, 0 failed." in told
    assert "0 mails sent" in run("deliver").output


def test_feeds_known_from_before_are_polled_though_the_list_is_wrong(run: Run, world: World) -> None:  # noqa: F811
    run("poll")
    (world.context.settings.config_dir / "feeds.yaml").write_text("feeds: none\n", encoding="utf-8")
    done = run("poll", "--json")
    assert done.exit_code == 3
    assert "feeds.yaml:1" in json.loads(done.stdout)["config_error"]
    assert "list of feeds is not used" in done.stderr


def test_a_mail_server_that_is_away_is_told_and_the_mail_stays(
    run: Run,
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("poll")
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "1")
    told = run("match")
    assert told.exit_code == 6
    assert "Some mails were not sent:" in told.stderr
    assert "0 mails sent" in told.stdout
    assert not world.mailbox.mails
    assert run("deliver").exit_code == 6
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", str(world.mailbox.port))
    assert (run("deliver").exit_code, len(world.mailbox.mails)) == (0, 1)


def test_a_poll_that_reaches_nobody_ends_in_an_error(run: Run, world: World) -> None:  # noqa: F811
    world.press.close()
    for arguments in (("poll",), ("feeds", "retry", "main"), ("poll", "--json")):
        told = run(*arguments)
        assert told.exit_code == (6 if "poll" in arguments else 0)
    assert "The feed can't be reached." in told.stderr
    assert json.loads(told.stdout)["silent"] == 1
    assert run("poll").exit_code == 0, "no feed is due"
