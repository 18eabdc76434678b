"""`newswatch index` on a real Elasticsearch."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner, Result

from cli.main import app
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, a_batch, an_article

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


@pytest.fixture
def run(es: Elasticsearch, names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    ArticleStore(es, names).write([an_article()], a_batch(), a_batch().seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)

    def command(*words: str) -> Result:
        result = CliRunner().invoke(app, ["index", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return command


def test_set_up_may_be_repeated(run: Run) -> None:
    assert "are in place" in run("setup").output
    assert "are in place" in run("setup").output


def test_status_shows_the_slices(run: Run, names: Names) -> None:
    line = json.loads(run("status", "--json").stdout)
    assert (line["slice"]["index"], line["articles"]) == (f"{names.articles}-2026.03", 1)
    assert "in use" in run("status").output


def test_upgrade_then_upkeep(run: Run, names: Names) -> None:
    assert "Every slice has the current version" in run("upgrade").output
    done = json.loads(run("upgrade", "--all", "--json").stdout)
    assert (done["new"], done["articles"]) == (f"{names.articles}-2026.03-g2", 1)
    # The one before was replaced only now, and stays a day.
    report = json.loads(run("upkeep", "--json").stdout)
    assert report["superseded"] == []
    indices = [json.loads(line)["slice"]["index"] for line in run("status", "--json").stdout.splitlines()]
    assert indices == [f"{names.articles}-2026.03-g2", f"{names.articles}-2026.03"]
