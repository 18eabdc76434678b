"""`newswatch search` on a real Elasticsearch, over the newsroom's stories."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner, Result

from cli.exit_codes import STORE
from cli.main import app
from newswatch.article import Entity, Tag
from search.hints import like
from store.names import Names
from tests.broken_slice import broken_slice
from tests.factories import an_article
from tests.newsstand import stock

Run = Callable[..., Result]
NATO = Tag("nato", "main", 0.9, ())


@pytest.fixture
def run(es: Elasticsearch, names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    monkeypatch.setenv("COLUMNS", "200")
    stoltenberg = Entity("jens-stoltenberg", "Jens Stoltenberg", "person", 1)
    first = an_article("https://a.example/1", title="Allies meet", tags=(NATO,), entities=(stoltenberg,))
    second = replace(an_article("https://a.example/2", title="Gales", tags=(), entities=()), language="fr")
    stock(es, names, [first, second])
    return lambda *words: CliRunner().invoke(app, ["search", *words], catch_exceptions=False)


@pytest.mark.slow
def test_a_query_may_begin_with_a_minus(run: Run) -> None:
    found = [run(*words, "--json").stdout.splitlines() for words in (["-tag:nato"], ["-tag:nato lang:fr", "-n", "5"])]
    assert [[json.loads(line)["article"]["title"] for line in lines] for lines in found] == [["Gales"], ["Gales"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("tag:nto", "No article has tag:nto: did you mean tag:nato?"),
        ("entity:stoltenberg", 'No article has entity:stoltenberg: did you mean entity:"Jens Stoltenberg"?'),
        ("tag:nato lang:fr", "Without lang:fr: 1"),
    ],
)
def test_where_nothing_is_found_it_says_which_filter_is_to_blame(run: Run, query: str, told: str) -> None:
    assert told in run(query).output


@pytest.mark.slow
def test_an_archive_without_articles_says_so(run: Run, es: Elasticsearch, names: Names) -> None:
    for hit in es.search(index=names.articles)["hits"]["hits"]:
        es.delete(index=hit["_index"], id=hit["_id"], refresh=True)
    assert "There is no article yet" in run("tag:nto").output


@pytest.mark.slow
def test_what_is_found_is_shown_and_counted(run: Run) -> None:
    told = run("allies", "--facets").output
    assert "Allies meet" in told
    assert "Gales" not in told
    assert "1 found" in told
    assert "nato" in told
    found, facets = map(json.loads, run("allies", "--facets", "--json", "--stories").stdout.splitlines())
    assert (found["story"]["articles"], found["story"]["outlets"]) == (1, 1)
    assert (found["article"]["url"], found["article"]["published"][-1]) == ("https://a.example/1", "Z")
    assert "nato" in json.dumps(facets["facets"])


@pytest.mark.slow
def test_what_could_not_be_searched_is_told_and_has_an_exit_code(run: Run, es: Elasticsearch, names: Names) -> None:
    with broken_slice(es, names) as index:
        for way in (["--json"], ["--facets"], ["--stories"]):
            found = run("allies", "--sort", "time", *way)
            assert (found.exit_code, index in found.stderr, "Allies meet" in found.stdout) == (STORE, True, True)


@pytest.mark.slow
def test_where_the_filled_part_begins_is_said(run: Run) -> None:
    told = run("allies glacier").output
    assert "No article has all of these words" in told
    (one,) = map(json.loads, run("allies glacier", "--json").stdout.splitlines())
    assert (one["has_all_words"], one["stand_ins"]) == (False, [])
    assert json.loads(run("allies", "--json").stdout)["has_all_words"] is True
    assert "NATO ← OTAN" in run("OTAN", "-n", "1").output
    long = " ".join(f"word{n}" for n in range(101))
    assert "first 100 words" in run(long).stderr
    assert "first 100 words" in run(long, "--export", "jsonl").stderr


@pytest.mark.slow
def test_everything_found_is_exported(run: Run, tmp_path: Path) -> None:
    lines = run("", "--export", "jsonl").stdout.splitlines()
    assert {json.loads(line)["title"] for line in lines} == {"Allies meet", "Gales"}
    file = tmp_path / "found.csv"
    assert "2 articles written." in run("", "--export", "csv", "-o", str(file)).stderr
    assert file.read_bytes().startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8"
    assert run("", "--export", "csv").stdout.startswith("published,"), "a pipe has no mark"
    with file.open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["title"]: row["tags_main"] for row in rows} == {"Allies meet": "nato", "Gales": ""}


@pytest.mark.slow
def test_what_comes_in_is_shown_until_it_is_ended(
    run: Run, es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter(range(3))

    def one_comes(_: float) -> None:
        if next(waits) == 1:
            raise KeyboardInterrupt
        stock(es, names, [an_article("https://a.example/3", title="Allies leave")])

    monkeypatch.setattr("cli.search.sleep", one_comes)
    (line,) = run("allies", "--watch", "--json").stdout.splitlines()
    assert json.loads(line)["article"]["title"] == "Allies leave"
    waits = iter((1,))
    assert "first 100 words" in run(" ".join(f"word{n}" for n in range(101)), "--watch").stderr


@pytest.mark.slow
def test_a_file_that_cannot_be_written_is_told_and_the_command_ends(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "x.csv"
    code = "from cli.main import run; run()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "search", "", "--export", "csv", "-o", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "can't be read or written: No such file or directory. Name another." in ended.stderr


def test_what_holds_the_word_is_meant_before_what_is_spelt_like_it() -> None:
    values = ["nato", "nato/operations", "counter-terrorism"]
    assert like(["operations"], values) == ("nato/operations",)
    assert like(["NTO"], values) == ("nato",)
    assert like(["weather"], values) == ()
