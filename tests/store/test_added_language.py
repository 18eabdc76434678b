"""An analyzer that a language's file describes is one that Elasticsearch takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from newswatch.language_files import FOLDER
from newswatch.languages import languages
from store import analysis

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
