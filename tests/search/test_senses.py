"""Words that mean an entity: by the taxonomy, and on the real server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article, Entity
from newswatch.settings import default_config_dir
from search.query import find
from search.senses import senses_of, with_entities
from store.names import Names
from tests.factories import NOW, an_article
from tests.newsstand import stock

TAXONOMY = default_config_dir() / "taxonomy.yaml"
GROUP = Entity("islamic-state", "Islamic State", "group", 1, aliases=("ISIS", "Daesh", "IS", "伊斯兰国"))


@pytest.mark.parametrize(
    ("word", "entity"),
    [("IS", "islamic-state"), ("القاعدة", "al-qaeda"), ("伊斯兰国", "islamic-state")],
)
def test_names_that_need_a_context_mean_their_entity(word: str, entity: str) -> None:
    assert entity in senses_of([word], TAXONOMY)[word].entities


@pytest.mark.parametrize("word", ["is", "ISIS", "NATO", "القاعدة الجوية", "伊斯兰国家", "rule"])
def test_other_words_are_words(word: str) -> None:
    assert senses_of([word], TAXONOMY) == {}


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("IS OR Daesh", "entity_ids:islamic-state OR Daesh"),
        ("Mosul -IS (a OR IS)", "Mosul -entity_ids:islamic-state (a OR entity_ids:islamic-state)"),
        ('"IS" IS* title:(IS OR a) is', '"IS" IS* title:(IS OR a) is'),
    ],
)
def test_beside_operators_a_name_becomes_its_entity(query: str, read: str) -> None:
    assert with_entities(query, TAXONOMY) == read


def test_without_a_readable_taxonomy_words_are_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert senses_of(["IS"], tmp_path / "taxonomy.yaml") == {}
    assert "taken for names" in caplog.text


def _article(number: int, title: str, language: str, *entities: Entity) -> Article:
    url = f"https://a.example/{number}"
    article = an_article(url, title=title, text=title, summary="", language=language, tags=(), entities=entities)
    return replace(article, story_id=article.id)


@pytest.mark.slow
def test_a_name_finds_its_entity_and_not_the_word(es: Elasticsearch, names: Names) -> None:
    group = _article(1, "IS loses Mosul to the army", "en", GROUP)
    verb = _article(2, "The army is in Mosul", "en")
    chinese = _article(3, "伊斯兰国宣称发动袭击", "zh", GROUP)
    countries = _article(4, "伊斯兰国家举行会议", "zh")
    both = _article(5, "伊斯兰国袭击多个国家", "zh", GROUP)
    stock(es, names, [group, verb, chinese, countries, both])

    def ids(query: str) -> set[str]:
        results = find(es, names, query, now=NOW)
        return {hit.article.id for hit in results.hits[: results.filled]}

    assert ids("IS Mosul") == {group.id}
    assert ids("(IS OR zeppelin) AND Mosul") == {group.id}
    assert ids("伊斯兰国") == {group.id, chinese.id, both.id}
    assert ids("伊斯兰国家") == {countries.id}
    (hit,) = find(es, names, "IS loses Mosul", now=NOW).hits[:1]
    assert hit.highlights["title"] == ("\ue000IS\ue001 \ue000loses\ue001 \ue000Mosul\ue001 to the army",)
