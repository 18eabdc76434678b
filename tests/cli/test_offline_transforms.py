"""`newswatch tag`, `newswatch stories` and `newswatch taxonomy check`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli import offline_transforms
from newswatch.errors import ConfigError
from tests.taxonomies import made_once

SHARED_NEWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "news"


@pytest.fixture(autouse=True)
def tagger_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands import it when they run."""
    made_once(monkeypatch, "transforms.tag", "transforms.taxonomy")


def run(*arguments: str, text: str = "") -> Result:
    app = typer.Typer()
    offline_transforms.register(app)
    return CliRunner().invoke(app, arguments, input=text.encode())


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.split("\n") if line]


SUMMIT = {"id": 7, "title": "NATO summit opens", "text": "NATO leaders met.", "mine": "kept"}


def test_each_article_comes_back_with_its_tags() -> None:
    result = run("tag", text=lines(SUMMIT, {"title": "Rain", "text": "It rained.", "language": None}))
    assert result.exit_code == 0
    tagged, plain = read(result)
    assert {k: tagged[k] for k in SUMMIT} == SUMMIT
    first = tagged["tags"][0]
    assert (first["tag"], first["level"]) == ("nato", "main")
    assert 0 < first["score"] <= 1
    assert first["evidence"][0] == {"field": "title", "start": 0, "end": 11, "text": "NATO summit"}
    assert plain["tags"] == []


def test_a_line_without_a_text_is_tagged_and_told_its_language() -> None:
    (tagged,) = read(run("tag", text=lines({"title": "Nato överväger att hoppa över nästa toppmöte i Albanien"})))
    assert tagged["language"] == "sv"
    assert (tagged["tags"][0]["tag"], tagged["tags"][0]["level"]) == ("nato", "main")
    (given,) = read(run("tag", text=lines({"title": "NATO", "language": "fi"})))
    assert given["language"] == "fi"


def test_how_each_sentence_was_read_is_told_and_why_it_passes_by() -> None:
    text = "Voters met candidates, and among them was a former NATO commander. It rained."
    (tagged,) = read(run("tag", text=lines({"title": "A long evening", "text": text})))
    (sentence,) = tagged["sentences"]
    assert text[sentence["start"] : sentence["end"]] == sentence["text"] == text.split(" It")[0]
    assert sentence["topic"] == "nato"
    assert sentence["substantive"] < 0.3
    assert sentence["passing"] == ("its words only support or name in passing; words of politics stand beside them")
    assert [e["text"] for e in sentence["evidence"]] == ["former NATO commander"]
    assert tagged["tags"] == []


def test_a_published_article_is_tagged_as_of_its_day() -> None:
    crowd = {"title": "Dozens flee Crocus City Hall", "text": "Crocus City Hall near Moscow was evacuated."}
    rows = [crowd, {**crowd, "published": "2024-03-20"}, {**crowd, "published": "2024-03-22T18:00:00Z"}]
    named = [[e["id"] for e in article["entities"]] for article in read(run("tag", text=lines(*rows)))]
    assert named == [["crocus-city-hall"], [], ["crocus-city-hall"]]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{not json\n", "is not JSON"),
        ('{"title": "x", "text": "y", "published": "soon"}\n', "'published' is not an ISO 8601 time"),
        (
            '{"title": "x", "text": "y", "published": "9999-12-31T23:00:00-12:00"}\n',
            "'published' is not an ISO 8601 time",
        ),
        ("[1]\n", "is not a JSON object"),
        ('{"text": "x"}\n', "has no 'title'"),
        ('{"title": 1, "text": "x"}\n', "'title' is not a string"),
        ('{"title": "x", "text": "y", "language": 3}\n', "'language' is not a string"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_unharmed(bad: str, says: str) -> None:
    result = run("tag", text=lines(SUMMIT) + "\n" + bad + lines(SUMMIT))
    assert result.exit_code == 1
    assert len(read(result)) == 2
    assert f"line 3: {says}" in result.stderr


def test_a_file_and_a_taxonomy_can_be_named(tmp_path: Path) -> None:
    articles, taxonomy = tmp_path / "a.jsonl", tmp_path / "t.yaml"
    articles.write_text(lines({"title": "Rain", "text": "It rained on\u2028Monday."}), encoding="utf-8")
    taxonomy.write_text(
        "edition: rain\ntopics:\n  rain:\n    name: Rain\n    scoring: {any: {bias: 1}, main: {bias: 1}}\n"
        "    terms: [{terms: {any: [rain*]}}]\n",
        encoding="utf-8",
    )
    result = run("tag", str(articles), "--taxonomy", str(taxonomy))
    assert [t["tag"] for t in read(result)[0]["tags"]] == ["rain"]


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    result = run("tag", str(tmp_path / "none.jsonl"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.jsonl" in str(result.exception)
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read"):
        raise run("tag", "--taxonomy", str(tmp_path / "none.yaml"), text=lines(SUMMIT)).exception or AssertionError


def test_the_shipped_taxonomy_is_in_order_and_a_broken_one_is_not(tmp_path: Path) -> None:
    assert run("taxonomy", "check").exit_code == 0
    broken = tmp_path / "t.yaml"
    broken.write_text("edition: x\ntopics:\n  Rain: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{broken}:3:"):
        raise run("taxonomy", "check", "--taxonomy", str(broken)).exception or AssertionError


def test_remarks_on_a_taxonomy_end_non_zero(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "edition: x\ncontexts: {c: {any: [word]}}\ntopics:\n  rain:\n    name: Rain\n"
        "    scoring: {any: {bias: 1}, main: {bias: 1}}\n    terms: [{terms: {any: [rain*]}}]\n",
        encoding="utf-8",
    )
    result = run("taxonomy", "check", "--taxonomy", str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith("dead: 'c'")


LONG = " ".join(f"sentence {n} of the agency's report on the summit" for n in range(30))


def test_stories_are_written_in_the_order_of_the_lines() -> None:
    rows = [
        {"id": "late", "title": "B", "text": LONG, "published": "2025-05-25T12:00:00+02:00", "source": "b"},
        {"id": "early", "title": "A", "text": LONG, "published": "2025-05-25T09:00:00Z", "source": "a"},
        {"id": "other", "title": "Rain in Porto", "text": "It rained.", "published": "2025-05-25"},
        {"id": "undated", "title": "Sun in Faro", "text": "The sun shone."},
    ]
    result = run("stories", text=lines(*rows))
    assert result.exit_code == 0
    assert read(result) == [
        {"id": "late", "story_id": "early", "duplicate_of": "early"},
        {"id": "early", "story_id": "early", "duplicate_of": None},
        {"id": "other", "story_id": "other", "duplicate_of": None},
        {"id": "undated", "story_id": "undated", "duplicate_of": None},
    ]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"title": "x", "text": "y"}, "'id' is missing"),
        ({"id": "a", "title": "x", "text": "y"}, "id 'a' occurs twice"),
        ({"id": "b", "title": "x", "text": "y", "published": "soon"}, "'published' is not an ISO 8601 time"),
    ],
)
def test_a_line_that_can_not_be_placed_is_named(bad: dict[str, str], says: str) -> None:
    result = run("stories", text=lines({"id": "a", "title": "x", "text": "y"}, bad))
    assert result.exit_code == 1
    assert [r["id"] for r in read(result)] == ["a"]
    assert f"line 2: {says}" in result.stderr


@pytest.mark.slow
def test_all_labelled_articles_are_tagged() -> None:
    file = SHARED_NEWS / "labelled_dev.jsonl"
    if not file.is_file():
        pytest.skip(f"real news articles are not at hand ({file} is missing)")
    result = run("tag", str(file))
    assert result.exit_code == 0
    assert len(read(result)) == 248
