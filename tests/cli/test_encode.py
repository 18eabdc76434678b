"""`newswatch encode` on a real Elasticsearch, with the real encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner

from cli.main import app
from newswatch.errors import SetupError
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, a_batch, an_article
from transforms.encoder import Encoder
from transforms.meaning import with_meaning

pytestmark = pytest.mark.slow


def run(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["encode", "--json", *words])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_what_lacks_a_vector_of_the_encoder_gets_one(
    es: Elasticsearch, names: Names, elasticsearch_url: str, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    urls = [f"https://herald.example/{n}" for n in range(4)]
    done, of_another, never, untagged = (an_article(url, title=f"Allies agree on plan {url[-1]}") for url in urls)
    done = with_meaning(done, encoder)
    assert done.meaning is not None
    of_another = replace(of_another, meaning=replace(done.meaning, by="an older one"))
    store, batch = ArticleStore(es, names), a_batch()
    store.write([done, of_another, never, replace(untagged, tags=())], batch, batch.seq_of_attempt, now=NOW)
    refused = CliRunner().invoke(app, ["encode"]).exception
    assert isinstance(refused, SetupError)
    assert "NEWSWATCH_VECTORS is false" in str(refused)
    monkeypatch.setenv("NEWSWATCH_VECTORS", "true")
    assert run("--dry-run")["lacking"] == 2
    report = run()
    assert (report["encoded"], report["left"]) == (2, 0)
    found = store.get([one.id for one in (done, of_another, never, untagged)])
    assert [found[one.id].meaning is not None for one in (of_another, never, untagged)] == [True, True, False]
    assert found[of_another.id].meaning == with_meaning(replace(of_another, meaning=None), encoder).meaning
    assert run()["lacking"] == 0
