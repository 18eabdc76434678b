"""An analyzer that a language's file describes is one that Elasticsearch takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from newswatch.language_files import FOLDER
from newswatch.languages import languages
from newswatch.settings import Settings
from store import article_documents
from store.articles import ArticleStore
from store.indices import analysis, mapping, setup
from store.indices.setup import set_up
from store.names import Names
from tests.factories import NOW, a_batch, an_article

BASQUE = Path(__file__).parents[1] / "newswatch" / "data" / "eu.yaml"


@pytest.fixture
def with_basque(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / FOLDER).mkdir()
    shutil.copy(BASQUE, tmp_path / FOLDER / "eu.yaml")
    monkeypatch.setenv("NEWSWATCH_CONFIG_DIR", str(tmp_path))
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    languages.cache_clear()
    analysis._described.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("with_basque")
def test_an_added_language_is_stemmed(es: Elasticsearch, index_prefix: str) -> None:
    index = f"{index_prefix}basque"
    es.indices.create(index=index, settings={"analysis": analysis.analysis()})

    def terms(words: str) -> set[str]:
        answer = es.indices.analyze(index=index, analyzer=analysis.indexing("basque"), text=words)
        return {token["token"] for token in answer["tokens"]}

    assert terms("etxeak") == terms("etxe")
    assert terms("eta ere") == set(), "stop words"


@pytest.mark.slow
def test_a_month_that_is_there_takes_articles_in_an_added_language(
    es: Elasticsearch, names: Names, elasticsearch_url: str, request: pytest.FixtureRequest
) -> None:
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    store = ArticleStore(es, names)
    batch = a_batch(1)
    assert not store.write([an_article()], batch, batch.seq_of_attempt, now=NOW).refused

    request.getfixturevalue("with_basque")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    basque = {"type": "text", "analyzer": analysis.indexing("basque"), "search_analyzer": analysis.searching("basque")}
    stemmed = {"properties": mapping.ARTICLE["stemmed"]["properties"] | {"basque": basque}}
    for module in (mapping, setup):
        monkeypatch.setattr(module, "ARTICLE", mapping.ARTICLE | {"stemmed": stemmed})
    monkeypatch.setattr(article_documents, "ANALYZERS", {"eu": "basque"})
    set_up(es, names, settings)
    later = a_batch(2)
    article = an_article("https://herald.example/etxe", title="Etxeak", language="eu")
    assert not store.write([article], later, later.seq_of_attempt, now=NOW).refused

    es.indices.refresh(index=names.articles)
    found = es.search(index=names.articles, query={"match": {"stemmed.basque": "etxeak"}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == [article.id]
