"""The commands on saved searches, on the real server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from elasticsearch import Elasticsearch
from typer.testing import CliRunner, Result

from alerts.catch_up import missed
from alerts.match import match_batch
from alerts.saved import SavedSearches
from cli import alerts as commands
from cli import main, output, trying
from delivery.mailbox import Mailboxes
from delivery.outbox import Outbox
from ingest.urls import known_id
from newswatch.alert import Match, SavedSearch, TagFilter
from newswatch.article import Tag
from newswatch.errors import StoreError
from store.elastic.turns import OWING, turn
from store.feeds import FeedStore
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.factories import a_feed, a_source

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
Run = Callable[..., Result]


@pytest.fixture
def run(elasticsearch_url: str, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `newswatch …` on the indices of this test, with one saved search in the file."""
    (tmp_path / "alerts.yaml").write_text(
        "alerts:\n  - {id: ice, name: The ice, query: glacier, recipients: [ann@reader.example]}\n"
    )
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    monkeypatch.setenv("NEWSWATCH_CONFIG_DIR", str(tmp_path))
    for console in (output.out, output.err):
        monkeypatch.setattr(console, "width", 200)
    app = typer.Typer()
    commands.register(app)
    trying.register(app)

    def runner(*words: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(words), **more)  # type: ignore[arg-type]

    return runner


@pytest.fixture
def press(es: Elasticsearch, names: Names) -> Press:
    return Press(es, names)


def lines(result: Result) -> list[str]:
    assert result.exception is None, result.exception
    return [" ".join(line.split()) for line in result.output.splitlines()]


def test_list(run: Run) -> None:
    assert "ice The ice glacier instant ann@reader.example" in lines(run("alerts", "list"))
    (search,) = json.loads(run("alerts", "list", "--json").stdout)
    assert (search["id"], search["recipients"]) == ("ice", ["ann@reader.example"])


def test_list_and_show_say_what_was_watched(run: Run, es: Elasticsearch, names: Names) -> None:
    assert "In the last day: No feed is polled yet." in lines(run("alerts", "list"))
    FeedStore(es, names).sync([a_feed("courier"), a_feed("ledger", country="LV")])
    told = "2 feeds polled; none was out of reach; 2 are new and not polled yet."
    assert f"In the last day: 0 of {told}" in lines(run("alerts", "list"))
    assert f"In the last 7 days: 0 of {told}" in lines(run("alerts", "show", "ice"))


def test_spellings_that_a_saved_search_does_not_look_for_are_named(run: Run) -> None:
    jets = run("alerts", "add", "jets", "--to", "bob@reader.example", "--query", "F-16")
    assert "Words are looked for as they are written. To find other spellings too: (F-16 OR F16)." in lines(jets)


def test_add_edit_show_mute_remove(run: Run, es: Elasticsearch, names: Names) -> None:
    saved = SavedSearches(es, names)
    added = run("alerts", "add", "oak", "--to", "bob@reader.example", "--tag", "nato:main", "--query", "oak*")
    assert "Saved oak, version 1: about 0.0 mails a day." in lines(added)
    assert "Nothing of the last 30 days matches it. Check its words and filters." in lines(added)
    assert saved.get("oak").tags == (TagFilter("nato", "main"),)
    assert "Saved oak, version 2: about 0.0 mails a day." in lines(run("alerts", "edit", "oak", "--schedule", "hourly"))
    assert (saved.get("oak").schedule, saved.get("oak").query) == ("hourly", "oak*")
    run("alerts", "mute", "oak", "--for", "2h")
    assert saved.get("oak").mute_until
    assert any("muted, ends in 2 h" in line for line in lines(run("alerts", "list")))
    run("alerts", "unmute", "oak")
    assert saved.get("oak").mute_until is None
    run("alerts", "edit", "oak", "--off")
    shown = lines(run("alerts", "show", "oak"))
    assert "off → bob@reader.example" in shown
    assert sum("changed" in line for line in shown) == 4
    run("alerts", "remove", "oak")
    assert [search.id for search in saved.all()] == ["ice"]


def test_a_misspelt_id_is_no_query(run: Run) -> None:
    told = str(run("alerts", "test", "icee").exception)
    assert told.startswith("There is no saved search 'icee'; did you mean 'ice'?")
    assert "--query icee" in told


REFUSED = [
    ("test", "--query"),
    ("test ice --query x", "not both"),
    ("test --query x --tag nato:all", "--tag: must be 'main' or 'mention'"),
    ("add ice --to a@b.c", "already"),
    ("add oak --to nobody", "not a mail address"),
    ("add oak", "--to: is missing"),
    ("add oak --to a@b.c --query (oak", "never closed"),
    ("add oak --to a@b.c --query tree:oak", "don't have"),
    ("add oak --to a@b.c --language xx", "no language 'xx'"),
    ("edit ice --schedule soon", "not a schedule"),
    ("edit oak --note x", "no saved search 'oak'"),
    ("mute ice --for ever", "not a duration"),
    ("test ice --against 7", "no version 7"),
]


def test_refuses(run: Run) -> None:
    for words, told in REFUSED:
        result = run("alerts", *words.split())
        assert result.exit_code != 0, words
        assert told in f"{result.output}{result.exception}".replace("\n│ ", ""), words


def test_one_that_would_flood_is_saved_only_when_confirmed(
    run: Run, press: Press, es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.backtest.MANY", 0.05)
    press.publish(*(a_story(n, first_seen=NOW) for n in range(3)), now=NOW)
    words = ("alerts", "add", "all", "--to", "a@b.c")
    assert run(*words, input="n\n").exit_code == 1
    assert [search.id for search in SavedSearches(es, names).all()] == ["ice"]
    assert run(*words, input="y\n").exit_code == 0
    assert run("alerts", "edit", "all", "--note", "loud", "--yes").exit_code == 0
    assert SavedSearches(es, names).get("all").note == "loud"


def test_trial_counts_stories_by_day(run: Run, press: Press) -> None:
    ago = NOW - timedelta(days=2)
    first = a_story(1, first_seen=ago)
    same = a_story(11, first_seen=NOW, story_id=first.story_id, source=a_source(owner="other"))
    press.publish(first, same, a_story(2, first_seen=ago), a_story(21, first_seen=NOW), now=NOW)
    found = json.loads(run("alerts", "test", "--query", "glacier", "--days", "3", "--json").stdout)
    assert found["articles"] == 3
    assert {day: n for day, n in found["days"].items() if n} == {f"{ago:%Y-%m-%d}": 1, f"{NOW:%Y-%m-%d}": 1}
    assert len(found["days"]) == 3
    assert "2 stories in 3 articles: 0.7 mails a day." in lines(run("alerts", "test", "ice", "--days", "3"))


def test_trial_shows_the_mail(run: Run, press: Press, tmp_path: Path) -> None:
    run("alerts", "edit", "ice", "--schedule", "daily at 07:00 UTC", "--tag", "nato", "--fires-on", "query")
    run("alerts", "edit", "ice", "--name", "All the ice")
    mail = tmp_path / "mail.html"
    assert "Nothing matches" in run("alerts", "test", "ice", "--mail", str(mail)).stdout
    press.publish(a_story(1, first_seen=NOW, tags=(Tag("nato", "main", 0.9, ()),)), now=NOW)
    run("alerts", "test", "ice", "--mail", str(mail))
    html = mail.read_text(encoding="utf-8")
    assert "Daily digest" in html
    assert "All the ice" in html
    assert 'class="m"' in html


def test_every_kind_of_search_can_be_saved(run: Run, es: Elasticsearch, names: Names) -> None:
    quiet = "--to a@b.c --fires-on silence --silence 2d --expires 2099-01-31 --owner desk"
    assert run("alerts", "add", "quiet", *quiet.split()).exit_code == 0
    saved = SavedSearches(es, names).get("quiet")
    assert (saved.kind, saved.silence_s, saved.owner) == ("silence", 2 * 86_400, "desk")
    assert saved.expires_at
    assert f"{saved.expires_at:%Y-%m-%d}" == "2099-01-31"


def test_trial_against_a_version(run: Run, press: Press) -> None:
    press.publish(a_story(1, first_seen=NOW), a_story(2, first_seen=NOW), a_story(3, first_seen=NOW), now=NOW)
    run("alerts", "edit", "ice", "--query", "glacier OR orchard")
    run("alerts", "edit", "ice", "--query", "orchard OR lantern")
    told = lines(run("alerts", "test", "ice", "--against", "2"))
    assert "Against version 2: 1 the same, 1 more, 1 fewer." in told
    assert any(line.startswith("+") and "lantern" in line for line in told)
    assert any(line.startswith("-") and "glacier" in line for line in told)


def test_explain(run: Run, press: Press, es: Elasticsearch, names: Names) -> None:
    batch = press.publish(a_story(1, first_seen=NOW, language="en"), now=NOW)
    run("alerts", "edit", "ice", "--query", '(glacier OR walnut) AND "built by spring"', "--language", "en")
    searches = SavedSearches(es, names).enabled()
    Outbox(es, names).enqueue(match_batch(es, names, batch, searches).matches, searches, NOW)
    told = lines(run("explain", "ice", "https://herald.example/1"))
    assert told[0] == "ice matches: A new glacier is agreed, plan 1"
    assert told[1:6] == [
        "✓ language en",
        '✓ query (glacier OR walnut) AND "built by spring"',
        "✓ glacier",
        "✗ walnut",
        '✓ "built by spring"',
    ]
    assert any("story pending A new glacier is agreed, plan 1" in line for line in told)
    run("alerts", "edit", "ice", "--language", "fr")
    told = lines(run("explain", "ice", "https://herald.example/1"))
    assert told[0].startswith("ice does not match")
    assert "It misses by one condition: language fr" in told
    assert "never indexed" in str(run("explain", "ice", "https://herald.example/unknown").exception)
    assert lines(run("explain", "ice", "herald.example/1")) == told, "as people copy it: without its scheme"
    whole = json.loads(run("explain", "ice", "herald.example/1", "--json").stdout)
    assert (whole["search"], whole["article"]["url"]) == ("ice", "https://herald.example/1")
    assert whole["matches"] is told[0].startswith("ice matches")
    assert whole["clauses"][0].keys() == {"text", "holds", "part"}


def test_explain_leaves_ranges_and_groups_whole(run: Run, press: Press) -> None:
    press.publish(a_story(1, first_seen=NOW), now=NOW)
    query = "first_seen:[2001-01-01 TO now] title:(glacier OR oak) walnut"
    run("alerts", "edit", "ice", "--query", query)
    told = lines(run("explain", "ice", "https://herald.example/1"))
    assert told[1:5] == [
        f"✗ query {query}",
        "✓ first_seen:[2001-01-01 TO now]",
        "✓ title:(glacier OR oak)",
        "✗ walnut",
    ]


def test_explain_tells_how_sentences_were_read_for_the_tags_that_are_asked(
    run: Run, press: Press, tmp_path: Path
) -> None:
    shutil.copy(Path(__file__).parents[2] / "config" / "taxonomy.yaml", tmp_path)
    text = "NATO said it will send ships. The walnut grew in a NATO member."
    press.publish(a_story(1, first_seen=NOW, title="Ships", text=text, language="en"), now=NOW)
    run("alerts", "edit", "ice", "--tag", "nato")
    told = lines(run("explain", "ice", "https://herald.example/1"))
    assert "nato: 2 sentence(s) with its words" in told
    assert any(line.startswith("✓ 0.9") and "NATO said it will send ships. (NATO)" in line for line in told)


def test_explain_counts_the_sources(run: Run, press: Press) -> None:
    press.publish(a_story(1, first_seen=NOW), now=NOW)
    run("alerts", "edit", "ice", "--min-sources", "2")
    told = lines(run("explain", "ice", "https://herald.example/1"))
    assert told[0].startswith("ice does not match")
    assert "✗ at least 2 independent sources report the story: 1 so far" in told
    other = a_story(11, first_seen=NOW, story_id=a_story(1).story_id, source=a_source(owner="other"))
    press.publish(other, now=NOW)
    assert lines(run("explain", "ice", "https://herald.example/1"))[0].startswith("ice matches")


def test_unmute_mails_what_was_missed_only_when_asked(run: Run, press: Press, es: Elasticsearch, names: Names) -> None:
    outbox = Outbox(es, names)

    def missed(n: int) -> str:
        run("alerts", "mute", "ice", "--for", "2h")
        batch = press.publish(a_story(n, first_seen=NOW), now=NOW)
        searches = SavedSearches(es, names).enabled()
        outbox.enqueue(match_batch(es, names, batch, searches).matches, searches, NOW)
        return f"ice~{a_story(n).story_id}"

    def states(*ids: str) -> list[str]:
        return [found.value.state for found in outbox.get(ids)]

    first = missed(1)
    assert run("alerts", "unmute", "ice").exit_code == 0
    assert states(first) == ["suppressed"]
    second = missed(11)
    assert "2 stories" in run("alerts", "unmute", "ice", "--missed").stdout
    assert states(first, second) == ["pending", "pending"]


def test_what_came_while_a_search_was_off_is_mailed_only_when_asked(
    run: Run, press: Press, es: Elasticsearch, names: Names
) -> None:
    press.publish(a_story(1, first_seen=NOW), now=NOW - timedelta(hours=1))
    assert "was never off" in str(run("alerts", "catch-up", "ice").exception)
    run("alerts", "edit", "ice", "--off")
    assert "is off" in str(run("alerts", "catch-up", "ice").exception)
    later = datetime.now(UTC)
    press.publish(a_story(11, first_seen=later), a_story(2), now=later)
    run("alerts", "edit", "ice", "--on")
    outbox = Outbox(es, names)
    assert not outbox.get([f"ice~{a_story(11).story_id}"])
    assert "1 story since" in run("alerts", "catch-up", "ice").stdout
    assert [found.value.state for found in outbox.get([f"ice~{a_story(11).story_id}"])] == ["pending"]
    assert "0 stories since" in run("alerts", "catch-up", "ice").stdout, "none is told twice"
    assert "1 story since" in run("alerts", "catch-up", "ice", "--for", "2h").stdout
    press.publish(*(a_story(10 * n + 1, first_seen=later) for n in range(2, 35)), now=later)
    assert run("alerts", "catch-up", "ice", input="n\n").exit_code == 1
    assert "33 stories since" in run("alerts", "catch-up", "ice", "--yes").stdout


def test_who_leaves_while_articles_are_looked_for_is_told_nothing(
    run: Run, press: Press, es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure takes the address out of the search, and waits for the turn in which the recipients are read."""

    def slowly(*told: Any) -> tuple[Match, ...]:
        found = missed(*told)
        run("alerts", "edit", "ice", "--to", "bob@reader.example")
        return found

    class InTurn(SavedSearches):
        def get(self, saved_search_id: str) -> SavedSearch:
            with pytest.raises(StoreError), turn(es, names, OWING, most_s=0):
                pytest.fail("the recipients are read outside of the turn")
            return super().get(saved_search_id)

    monkeypatch.setattr("alerts.catch_up.missed", slowly)
    monkeypatch.setattr("jobs.catching_up.SavedSearches", InTurn)
    press.publish(a_story(11, first_seen=NOW), now=NOW)
    assert "1 story since" in run("alerts", "catch-up", "ice", "--for", "2h").stdout
    (owed,) = Outbox(es, names).get([f"ice~{a_story(11).story_id}"])
    assert owed.value.recipients == ("bob@reader.example",)


def test_catching_up_waits_for_sources_too(run: Run, press: Press, es: Elasticsearch, names: Names) -> None:
    run("alerts", "edit", "ice", "--min-sources", "2")
    told = {"story_id": "told by two", "first_seen": NOW}
    two = [a_story(n, source=a_source(owner=f"Owner {n}", domain=f"{n}.example"), **told) for n in (1, 11)]
    press.publish(*two, a_story(21, first_seen=NOW), now=NOW)
    assert "1 story since" in run("alerts", "catch-up", "ice", "--for", "1h").stdout
    assert Outbox(es, names).get(["ice~told by two"])


def test_ack_keeps_a_story_from_a_reader(run: Run, press: Press, es: Elasticsearch, names: Names) -> None:
    press.publish(a_story(1, first_seen=NOW), now=NOW)
    assert run("alerts", "ack", "https://herald.example/1", "--to", "ann@reader.example").exit_code == 0
    assert a_story(1).story_id in Mailboxes(es, names).get("ann@reader.example").acknowledged
    assert run("alerts", "ack", "https://herald.example/9", "--to", "ann@reader.example").exit_code != 0
    # Stored when `srsltid` was not known to track yet.
    former = "https://herald.example/2?srsltid=7"
    one = replace(a_story(2, first_seen=NOW), id=known_id(former), url=former, story_id="a former one")
    press.publish(one, now=NOW)
    assert run("alerts", "ack", former, "--to", "ann@reader.example").exit_code == 0
    assert "a former one" in Mailboxes(es, names).get("ann@reader.example").acknowledged


def test_latency_and_quality(run: Run, press: Press, es: Elasticsearch, names: Names) -> None:
    assert "No mail was sent" in run("alerts", "latency").output
    from delivery.fanout import Fanout
    from delivery.outcomes import Outcomes
    from newswatch.delivery import DeliveryState, Outcome

    run("alerts", "list")
    batch = press.publish(a_story(1, first_seen=NOW), now=NOW)
    searches, outbox = SavedSearches(es, names).enabled(), Outbox(es, names)
    outbox.enqueue(match_batch(es, names, batch, searches).matches, searches, NOW + timedelta(seconds=3))
    sent = Outcome("ann@reader.example", DeliveryState.SENT, "<m@x>", at=NOW + timedelta(seconds=5))
    outbox.refresh()
    outcomes = Outcomes(es, names)
    assert Fanout(es, names).spread() == 1
    outcomes.acknowledge(outcomes.waiting_for(["ann@reader.example"])["ann@reader.example"], lambda _: sent)
    legs = {leg["name"]: leg for leg in json.loads(run("alerts", "latency", "--json").stdout)}
    assert legs["indexed → matched"]["p95"] == pytest.approx(3, abs=0.01)
    assert legs["matched → sent"]["longest"] == 2
    assert "ice 0 0 – –" in lines(run("alerts", "quality"))
    assert replace(sent, attempts=1) != sent


FUZZY = "natoo~2 " * 100
HOSTILE = [
    (["alerts", "mute", "ice", "--for", "999999999999d"], "--for: '999999999999d' is too long: 3660d at most"),
    (["alerts", "mute", "ice", "--for", "9" * 5_000 + "d"], "is not a duration"),
    (["alerts", "catch-up", "ice", "--for", "99999999w"], "3660d at most"),
    (["alerts", "edit", "ice", "--throttle", "999999999999d"], "31d at most"),
    (["alerts", "edit", "ice", "--silence", "1s"], "1m at least"),
    (["alerts", "edit", "ice", "--expires", "0001-01-01"], "the years 2000 to 2200"),
    (["alerts", "edit", "ice", "--min-sources", "9" * 400], "--min-sources"),
    (["alerts", "edit", "ice", "--min-score", "nan"], "--min-score"),
    (["alerts", "edit", "ice", "--note", "x" * 5_000], "4,000 characters"),
    (["alerts", "edit", "ice", "--query", FUZZY], "fuzzy words"),
    (["alerts", "test", "--query", FUZZY], "fuzzy words"),
    (["alerts", "test", "--query", "*a*"], "matches nearly every word"),
    (["search", FUZZY], "fuzzy words"),
    (["search", FUZZY, "--watch"], "fuzzy words"),
    (["search", FUZZY, "--export", "csv"], "fuzzy words"),
    (["search", "nato", "--watch", "--every", "nan"], "--every"),
    (["explain", "ice", "http://a..b.example/x"], "a..b.example"),
    (["explain", "ice", "nonsense"], "give the article's whole address"),
    (
        ["alerts", "ack", "foo", "--to", "ann@reader.example"],
        "'foo' is not an absolute http(s) URL: give the article's",
    ),
    (["alerts", "ack", "http://[", "--to", "ann@reader.example"], "http://["),
]


@pytest.mark.parametrize(("words", "told"), HOSTILE)
def test_a_value_out_of_bounds_is_one_sentence_and_exit_code_2(
    run: Run, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["newswatch", *words])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in said
    assert "Traceback" not in said
    assert len(said) < 1_000


def test_a_bad_item_of_the_file_is_told_and_costs_itself(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(path.read_text() + "  - {id: bad, name: B, recipients: [a@b.c], throttle: 99999999d}\n")
    listed = " ".join(lines(run("alerts", "list")))
    assert "bad is skipped" in listed
    assert "31d at most" in listed
    assert "ice The ice glacier instant ann@reader.example" in listed
