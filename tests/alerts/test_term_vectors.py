"""The articles' own words: that they are used, and that nothing is lost where they can't be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import BadRequestError, Elasticsearch
from elasticsearch.client import IndicesClient

import alerts.clause_search
import alerts.match
from alerts.match import match_batch
from alerts.term_vectors import divided
from newswatch.alert import SavedSearch
from newswatch.batch import Batch
from newswatch.settings import Settings
from store.indices.analysis import indexing
from store.indices.mapping import article_template
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW
from tests.store.older import a_month_of_the_version_before


def test_tokens_go_to_the_text_they_come_from() -> None:
    """Elasticsearch counts an emoji as two characters, and leaves one between two texts."""
    texts = ["the", "🛩 plane", "wi-fi", "x", "same"]
    at = {"plane": 7, "wi": 13, "fi": 16, "x": 19, "same": 21, "alike": 21}
    tokens = [
        {"token": word, "start_offset": start, "position": 9 if word in ("same", "alike") else n - 10}
        for n, (word, start) in enumerate(at.items())
    ]
    assert divided(texts, tokens) == [(), ("plane",), ("wi", "fi"), ("x",), None]
    assert divided(["a", "b"], [{"token": t, "start_offset": 2 * n, "position": n} for n, t in enumerate("ab")]) == [
        ("a",),
        ("b",),
    ]


SEARCHES = [
    a_search("word", "glaciers"),
    a_search("two", "orchard spring"),
    a_search("beginning", "harb*"),
    a_search("phrase", '"glacier plan"'),
    a_search("not there", '"glacier violin"'),
    a_search("not as written", "l'orchard's"),
    a_search("asked", "title:glacier"),
    a_search("filtered", "glacier", languages=("en",)),
]
FOUND = {("word", "1"), ("two", "2"), ("beginning", "0"), ("phrase", "1"), ("asked", "1"), ("filtered", "1")}


@pytest.fixture
def press(es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch) -> Press:
    monkeypatch.setattr(alerts.match, "WORDS_PER_ARTICLE", 0)
    return Press(es, names)


def matched(press: Press, batch: Batch) -> set[tuple[str, str]]:
    report = match_batch(press.es, press.names, batch, SEARCHES)
    assert report.failed == {}
    return {(m.saved_search_id, press.articles[m.article_id].url.rpartition("/")[2]) for m in report.matches}


@pytest.mark.slow
def test_elasticsearch_is_asked_only_what_the_words_do_not_tell(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = press.publish(*(a_story(n) for n in range(3)))
    asked: list[str] = []
    chunk = alerts.clause_search.ClauseSearch.places

    def noted(self: Any, some: Any) -> Any:
        asked.extend(some)
        return chunk(self, some)

    monkeypatch.setattr(alerts.clause_search.ClauseSearch, "places", noted)
    assert matched(press, batch) == FOUND
    words = {clause for clause in asked if not clause.startswith("\0")}
    assert words == {"title:glacier", '"glacier plan"'}, "the other phrase can't be there: its words are not together"


@pytest.mark.slow
def test_several_words_must_stand_in_one_field(press: Press) -> None:
    """As Elasticsearch has it: the stemmed copy has both, with their accents or without."""
    texts = {0: "A visit to the Élysée", 3: "Élysée and harbour", 4: "The Élysée"}
    batch = press.publish(*(a_story(n, title=title) for n, title in texts.items()))
    searches = [
        a_search("both", "elysee harbour"),
        a_search("accents", "Élysée harbour"),
        a_search("begins", "elys* harb*"),
    ]
    report = match_batch(press.es, press.names, batch, searches)
    both = {a_story(0).id, a_story(3).id}
    found = {search.id: {m.article_id for m in report.matches if m.saved_search_id == search.id} for search in searches}
    assert found["both"] == found["accents"] == both


@pytest.mark.slow
def test_where_indices_of_two_versions_hold_the_articles_each_clause_is_asked(
    press: Press, caplog: pytest.LogCaptureFixture
) -> None:
    """Until an upgrade, older months analyze otherwise."""
    first = press.es.indices.exists_alias(name=press.names.articles)
    assert not first
    a_month_of_the_version_before(press.es, press.names, "2026.02")
    old = a_story(1, first_seen=NOW - timedelta(days=20), text="The glacier in İstanbul'da")
    batch = press.publish(old, a_story(2, text="İstanbul'da again"))
    searches = [a_search("both", "istanbul*"), a_search("new", "Istanbul"), a_search("stem", "glaciers")]
    with caplog.at_level(logging.WARNING, "alerts.match"):
        report = match_batch(press.es, press.names, batch, searches)
    assert "several versions" in caplog.text
    assert {(m.saved_search_id, press.articles[m.article_id].url[-1]) for m in report.matches} == {
        ("both", "1"), ("both", "2"), ("new", "2"), ("stem", "1"),
    }  # fmt: skip
    caplog.clear()
    batch = press.publish(replace(old, title="Edited", version=2))
    with caplog.at_level(logging.WARNING, "alerts.match"):
        report = match_batch(press.es, press.names, batch, searches)
    assert "an older version" in caplog.text
    assert {m.saved_search_id for m in report.matches} == {"both", "stem"}


@pytest.mark.slow
def test_articles_are_read_in_pages_and_their_words_put_together(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.match, "PAGE", 2)
    monkeypatch.setattr("alerts.term_vectors._TEXTS", 2)
    press.publish(a_story(8))
    assert matched(press, press.publish(*(a_story(n, language="fr" if n == 2 else "en") for n in range(5)))) == FOUND


def refuses(*_: Any, **__: Any) -> Any:
    meta = ApiResponseMeta(400, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9200))
    raise BadRequestError("too many", meta, {})


FAULTS: Mapping[str, tuple[object, str, object]] = {
    "reading": (Elasticsearch, "mtermvectors", refuses),
    "one article": (
        Elasticsearch,
        "mtermvectors",
        lambda self, docs: {"docs": [{"error": {"type": "some"}} for _ in docs]},
    ),
    "analyzing": (IndicesClient, "analyze", refuses),
    "generations": (Names, "parse_slice", lambda self, index: None),
}


@pytest.mark.slow
def test_where_the_words_can_not_be_read_each_clause_is_asked(
    press: Press, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = press.publish(*(a_story(n) for n in range(3)))
    for fault, (where, name, broken) in FAULTS.items():
        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "alerts.match"):
            patched.setattr(where, name, broken)
            assert matched(press, batch) == FOUND, fault
        told = "every clause is searched" in caplog.text
        assert told == (fault != "analyzing"), "a text that can't be analyzed is asked by itself"
        caplog.clear()


@pytest.mark.slow
def test_a_text_of_too_many_tokens_is_asked_alone(press: Press) -> None:
    batch = press.publish(*(a_story(n) for n in range(3)))
    SEARCHES.append(SavedSearch("long", "Long", " ".join(f"w{n}" for n in range(450)), ("ann@reader.example",)))
    press.es.indices.put_settings(index=press.names.articles, settings={"index.analyze.max_token_count": 250})
    try:
        assert matched(press, batch) == FOUND
    finally:
        SEARCHES.pop()


@pytest.mark.slow
def test_where_a_month_lacks_an_added_languages_analyzer_each_clause_is_asked(
    press: Press, caplog: pytest.LogCaptureFixture
) -> None:
    """The two months say of one word something else, and the looked-up terms of one would be taken for the other's."""
    template = deepcopy(article_template(press.names, Settings())["template"])
    template["mappings"]["properties"]["stemmed"]["properties"]["english"] |= {"analyzer": indexing("folded")}
    index = press.names.slice_of_month("2026.02")
    press.es.indices.create(index=index, aliases={press.names.articles: {}}, **template)
    old = a_story(1, first_seen=NOW - timedelta(days=20), text="The glacier melts")
    batch = press.publish(old, a_story(2, text="The glacier stays"))
    with caplog.at_level(logging.WARNING, "alerts.match"):
        match_batch(press.es, press.names, batch, [a_search("stem", "glaciers")])
    assert "several versions" in caplog.text
