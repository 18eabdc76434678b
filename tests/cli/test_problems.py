"""`newswatch problems` on a real Elasticsearch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner, Result

from cli.main import app
from cli.output import printable
from newswatch.clock import utc_now
from newswatch.problems import Problem
from store.feeds import FeedStore
from store.names import Names
from store.quarantine import Quarantine
from tests.factories import a_feed

Run = Callable[..., Result]


@pytest.fixture
def run(es: Elasticsearch, names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str) -> Result:
        Quarantine(es, names).refresh()
        return CliRunner().invoke(app, list(words))

    return command


@pytest.fixture
def quarantine(es: Elasticsearch, names: Names) -> Quarantine:
    """Three problems: an entry of an hour ago that came twice, a search of now, a feed of last month."""
    kept, now = Quarantine(es, names), utc_now()
    entry = Problem("entry", "guid-1", "no [title]", "parse", feed_id="courier", document={"title": "\ud800 x"})
    kept.note([entry], now=now - timedelta(hours=2))
    kept.note([entry], now=now - timedelta(hours=1))
    kept.note([Problem("search", "nato", "too many words", "match")], now=now)
    kept.note([Problem("feed", "ledger", "bad address", "plan")], now=now - timedelta(days=30))
    return kept


slow = pytest.mark.slow


@slow
def test_what_was_set_aside_is_told_the_last_first(run: Run, quarantine: Quarantine) -> None:
    shown = run("problems")
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert told.index("search nato") < told.index("entry guid-1") < told.index("feed ledger")
    assert "no [title]" in told
    assert "feed courier · parse · 1 h ago · 2 times since" in told
    assert "→ It sends no mails until it is corrected" in told


@slow
def test_what_is_asked_for_alone_is_told(run: Run, quarantine: Quarantine) -> None:
    def subjects(*words: str) -> list[str]:
        return [json.loads(line)["subject"] for line in run("problems", "--json", *words).stdout.splitlines()]

    assert subjects() == ["nato", "guid-1", "ledger"]
    assert subjects("--kind", "entry") == ["guid-1"]
    assert subjects("--since", "7d") == ["nato", "guid-1"]
    assert subjects("--feed", "courier") == ["guid-1"]
    assert subjects("--feed", "ledger") == ["ledger"]
    assert subjects("--limit", "1") == ["nato"]
    assert "… and 2 more: --limit 3" in run("problems", "--limit", "1").output
    assert "No problem matches" in run("problems", "--kind", "mail").output


@slow
def test_one_with_what_was_kept(run: Run, quarantine: Quarantine) -> None:
    quarantine.refresh()
    kept = next(one for one in quarantine.listed().problems if one.problem.kind == "entry")
    told = json.loads(run("problems", "show", kept.id, "--json").stdout)
    assert (told["document"], told["count"], told["stage"]) == ({"title": "\ud800 x"}, 2, "parse")
    assert "The document was kept" in run("problems", "show", kept.id).output
    missing = run("problems", "show", "none")
    assert (missing.exit_code, type(missing.exception).__name__) == (1, "NewswatchError")


@slow
def test_what_was_dealt_with_is_forgotten(run: Run, quarantine: Quarantine) -> None:
    quarantine.refresh()
    first, second, third = (kept.id for kept in quarantine.listed().problems)
    done = run("problems", "dismiss", first, second)
    assert (done.exit_code, "forgotten 2" in done.output) == (0, True)
    again = run("problems", "dismiss", first, third)
    assert again.exit_code == 1
    assert "forgotten 1" in again.output
    assert f"There is no problem {first}" in again.output
    assert "The quarantine is empty" in run("problems").output
    assert run("problems").exit_code == 0
    assert run("problems", "--json").stdout == ""


@slow
def test_a_feeds_own_problems_stand_with_the_feed(
    es: Elasticsearch, names: Names, run: Run, quarantine: Quarantine
) -> None:
    FeedStore(es, names).sync([a_feed("courier")])
    shown = " ".join(run("feeds", "show", "courier").output.split())
    assert "in quarantine 1; see `newswatch problems --feed courier`" in shown
    assert "entry guid-1: no [title]" in shown
    (problem,) = json.loads(run("feeds", "show", "courier", "--json").stdout)["problems"]
    assert (problem["count"], problem["stage"]) == (2, "parse")


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "999999999999d"),
        ("--since", "99999y"),
        ("--since", "soon"),
        ("--kind", "weather"),
        ("--limit", "0"),
        ("--limit", "10001"),
        ("dismiss",),
        ("show",),
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_is_one_sentence_and_wrong_usage(words: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(app, ["problems", *words])
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_a_strangers_text_does_nothing_to_the_terminal() -> None:
    assert printable("\x1b[31mred\x07\x9b2J\u202egnp\r\n", 100) == "\ufffd[31mred\ufffd\ufffd2J\ufffdgnp  "
    assert printable("ناتو 北约", 100) == "ناتو 北约"
    assert printable("x" * 1_010, 1_000).endswith("x… (10 more characters)")
