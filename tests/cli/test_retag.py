"""`newswatch retag` on a real Elasticsearch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner, Result

from cli import output
from cli.main import app
from newswatch.settings import default_config_dir
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, a_batch, an_article
from tests.taxonomies import made_once

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
ARTICLE = an_article(tags=(), entities=())


@pytest.fixture
def run(es: Elasticsearch, names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on an archive of one article, which an older taxonomy gave no tags."""
    made_once(monkeypatch, "jobs.retag", "jobs.tagger")
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    monkeypatch.setattr(output.out, "width", 300)
    old = replace(ARTICLE, provenance=replace(ARTICLE.provenance, taxonomy="an older one"))
    ArticleStore(es, names).write([old], a_batch(), a_batch().seq_of_attempt, now=NOW)
    return lambda *words: CliRunner().invoke(app, ["retag", *words])


def edited(folder: Path, old: str, new: str) -> Path:
    """The shipped taxonomy, every `old` in it a `new`, in a file of its own."""
    text = (default_config_dir() / "taxonomy.yaml").read_text(encoding="utf-8")
    path = folder / "edited.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_dry_run_shows_what_the_file_that_is_given_would_change(run: Run, tmp_path: Path) -> None:
    other = edited(tmp_path, 'edition: "', 'edition: "my edit of ')
    done = run("--dry-run", "--taxonomy", str(other))
    assert done.exit_code == 0, done.output
    assert "tagged by taxonomy my edit of" in done.output
    assert "+nato (main)" in done.output
    assert f"Configure {other}, then apply the change with newswatch retag." in done.output


def test_the_tags_that_an_edit_gives_are_counted_and_told_as_json(run: Run, tmp_path: Path) -> None:
    other = edited(tmp_path, "deterrence", "eastern-flank")
    told = json.loads(run("--dry-run", "--json", "--taxonomy", str(other)).stdout)
    assert told["gained"]["nato (main)"] == told["gained"]["nato/eastern-flank (main)"] == 1
    assert told["examples"]["+nato/eastern-flank (main)"] == [{"url": ARTICLE.url, "title": ARTICLE.title}]
    assert "nato/deterrence (main)" in json.loads(run("--dry-run", "--json").stdout)["gained"]


def test_what_a_dry_run_shows_is_then_written(run: Run, es: Elasticsearch, names: Names) -> None:
    assert "Apply the change with newswatch retag." in run("--dry-run").output
    written = run()
    assert "1 articles tagged" in written.output
    assert "1 changed." in written.output
    es.indices.refresh(index=names.articles)
    (tagged,) = ArticleStore(es, names).get([ARTICLE.id]).values()
    assert "nato" in {tag.tag for tag in tagged.tags}
    assert "0 articles tagged" in run().output


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("--taxonomy", "broken.yaml"), "add --dry-run", 2),
        (("--dry-run", "--taxonomy", "nowhere.yaml"), "does not exist", 2),
        (("--dry-run", "--taxonomy", "."), "is a directory", 2),
        (("--dry-run", "--taxonomy", "broken.yaml"), "broken.yaml", 3),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    run: Run, words: tuple[str, ...], told: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("topics: none\n", encoding="utf-8")
    done = run(*words)
    error = done.exception
    assert getattr(error, "exit_code", done.exit_code) == code
    assert told in f"{done.output} {error}"
