"""Saved searches: the file, the store, its versions, and the queries it refuses."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from alerts.definitions import load_alerts
from alerts.query import to_query
from alerts.saved import SavedSearches
from delivery.channels.registry import parse_address
from newswatch.alert import SavedSearch, TagFilter
from newswatch.errors import ChangedMeanwhileError, ConfigError, NewswatchError, QueryError
from store.names import Names
from tests.alerts.press import a_search
from tests.factories import NOW

ROOT = Path(__file__).resolve().parents[2]

FULL = """\
alerts:
  - id: everything
    name: Every field
    query: nato AND NOT tennis
    tags: [{tag: nato/summits, level: main}, {tag: counter-terrorism}]
    min_score: 0.5
    languages: [en, fr]
    countries: [BE]
    sources: [herald.example]
    kinds: [press]
    min_sources: 2
    recipients: [Ann@Reader.Example, bob@reader.example, Ann@reader.example]
    schedule: daily at 07:00 Europe/Brussels
    throttle: 30m
    silence: 2d
    mute_until: 2026-03-05T00:00:00+01:00
    expires_at: 2027-01-01
    updates: true
    enabled: false
    owner: ann
    note: A note.
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("user0./0./2", "regular expression"),  # Lucene reads user0., /0./ and 2
        ("“NATO summit", "no partner"),
        ("НАТО:[a TO b]", "don't have"),
        ("titel:nato", "don't have"),
    ],
)
def test_what_lucene_would_read_otherwise_is_refused(es: Elasticsearch, names: Names, query: str, told: str) -> None:
    with pytest.raises(QueryError, match=told) as refused:
        SavedSearches(es, names).save(a_search("a", f"{query} {'x' * 900}"), by="ann", now=NOW)
    assert len(str(refused.value)) < 600, "the query is cut"


@pytest.mark.slow
def test_what_is_typed_is_saved_as_it_is_meant(es: Elasticsearch, names: Names) -> None:
    saved = SavedSearches(es, names)
    for query in (
        "„Gipfel in Ankara“",
        "Stoltenberg: NATO",
        "09:30",
        'נאט"ו',
        "\u200eNATO\u200f",
        "https://example.org/x",
    ):
        assert saved.save(a_search("a", query), by="ann", now=NOW).query == query


def test_reads_every_field(tmp_path: Path) -> None:
    assert load_alerts(write(tmp_path, FULL), parse_address) == (
        SavedSearch(
            id="everything",
            name="Every field",
            query="nato AND NOT tennis",
            recipients=("Ann@reader.example", "bob@reader.example"),
            tags=(TagFilter("nato/summits", "main"), TagFilter("counter-terrorism", "mention")),
            languages=("en", "fr"),
            countries=("BE",),
            sources=("herald.example",),
            kinds=("press",),
            enabled=False,
            note="A note.",
            min_score=0.5,
            min_sources=2,
            schedule="daily at 07:00 Europe/Brussels",
            throttle_s=1_800,
            silence_s=172_800,
            mute_until=datetime(2026, 3, 4, 23, tzinfo=UTC),
            expires_at=datetime(2027, 1, 1, tzinfo=UTC),
            updates=True,
            owner="ann",
        ),
    )


ONE = "alerts:\n  - id: a\n    name: A\n    recipients: [a@b.c]\n"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (ONE + "    colour: red\n", 5, "colour"),
        (ONE + "    schedule: now and then\n", 5, "not a schedule"),
        (ONE + "    schedule: daily at 07:00 Nowhere/Land\n", 5, "not a time zone"),
        (ONE + "    throttle: a while\n", 5, "not a duration"),
        (ONE + "    min_score: 2\n", 5, "min_score"),
        (ONE + "    tags: [nato]\n", 5, "tags"),
        (ONE + "    tags: [{tag: nato, level: much}]\n", 5, "level"),
        (ONE + "  - id: b\n    name: B\n    recipients: []\n", 7, "recipients"),
        (ONE + "  - id: b\n    name: B\n    recipients: ['a@b.c, d@e.f']\n", 7, "not a mail address"),
        (ONE + "  - id: A b\n    name: B\n    recipients: [a@b.c]\n", 5, "id"),
        (ONE + "  - id: a\n    name: Again\n    recipients: [a@b.c]\n", 5, "the id a is already used in line 2"),
        (ONE + "    name: Twice\n", 5, "given twice"),
        ("alert: []\n", 1, "alert"),
    ],
)
def test_tells_the_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load_alerts(write(tmp_path, text), parse_address)
    assert caught.value.line == line


def test_the_files_searches_are_well_formed() -> None:
    searches = load_alerts(ROOT / "config" / "alerts.yaml", parse_address)
    assert {"nato-main", "counter-terrorism-main", "nato-and-counter-terrorism"} <= {s.id for s in searches}


def test_query_of_every_field(tmp_path: Path) -> None:
    (search,) = load_alerts(write(tmp_path, FULL), parse_address)
    *filters, text = to_query(search)["bool"]["filter"]
    assert filters == [
        {"terms": {"language": ["en", "fr"]}},
        {"terms": {"source.country": ["BE"]}},
        {"terms": {"source.domain": ["herald.example"]}},
        {"terms": {"source.kind": ["press"]}},
        {"term": {"tags_main": "nato/summits"}},
        {"range": {"scores.nato/summits": {"gte": 0.5}}},
        {"term": {"tags": "counter-terrorism"}},
        {"range": {"scores.counter-terrorism": {"gte": 0.5}}},
    ]
    assert text["query_string"]["query"] == "nato AND NOT tennis"
    assert text["query_string"]["default_operator"] == "AND"
    assert to_query(a_search("all")) == {"match_all": {}}


@pytest.fixture
def saved(es: Elasticsearch, names: Names) -> SavedSearches:
    return SavedSearches(es, names)


@pytest.mark.slow
def test_seeding_follows_the_file_until_a_user_changes_it(saved: SavedSearches) -> None:
    mine, yours = a_search("mine", "glacier"), a_search("yours", "orchard")
    assert saved.seed([mine, yours], now=NOW) == 2
    assert saved.seed([mine, yours], now=NOW) == 0
    saved.save(replace(yours, query="walnut"), by="ann", now=NOW)
    assert saved.seed([replace(mine, query="quarry"), replace(yours, query="violin")], now=NOW) == 1
    assert [(s.id, s.query, s.version) for s in saved.all()] == [("mine", "quarry", 2), ("yours", "walnut", 2)]


@pytest.mark.slow
def test_a_bad_query_in_the_file_does_not_keep_the_others_out(saved: SavedSearches) -> None:
    assert saved.seed([a_search("bad", "(glacier"), a_search("good", "glacier")], now=NOW) == 2
    assert [s.id for s in saved.enabled(now=NOW)] == ["good"]
    assert "can't be parsed" in saved.problems()["bad"]
    assert saved.seed([a_search("bad", "(glacier"), a_search("good", "glacier")], now=NOW) == 0
    assert saved.seed([a_search("bad", "(glacier)")], now=NOW) == 1
    assert saved.problems() == {}
    assert [s.id for s in saved.enabled(now=NOW)] == ["bad", "good"]


@pytest.mark.slow
def test_versions_say_who_when_and_what(saved: SavedSearches) -> None:
    saved.save(a_search("ice", "glacier"), by="ann", now=NOW)
    saved.save(a_search("ice", "glacier OR quarry", note="wider"), by="bob", now=NOW + timedelta(hours=1))
    saved.save(a_search("ice", "glacier OR quarry", note="wider"), by="eve", now=NOW + timedelta(hours=2))
    assert saved.get("ice").version == 2
    (change,) = saved.history("ice")
    assert (change.search.query, change.search.version) == ("glacier", 1)
    assert (change.replaced_by, change.replaced_at) == ("bob", NOW + timedelta(hours=1))
    assert change.fields == ("query", "note")


@pytest.mark.slow
def test_enabled_are_those_to_be_matched(saved: SavedSearches) -> None:
    saved.save(a_search("on"), by="t")
    saved.save(a_search("off", enabled=False), by="t")
    saved.save(a_search("over", expires_at=NOW), by="t")
    saved.save(a_search("muted", mute_until=NOW + timedelta(days=1)), by="t")
    assert [s.id for s in saved.enabled(now=NOW)] == ["muted", "on"]
    assert len(saved.all()) == 4


@pytest.mark.slow
def test_nobody_overwrites_what_he_has_not_seen(saved: SavedSearches) -> None:
    first = saved.create(a_search("ports", "harbour"), by="ann", now=NOW)
    assert saved.create(a_search("ports", "harbour"), by="ann", now=NOW) == first, "a request that was repeated"
    with pytest.raises(ChangedMeanwhileError, match="another name"):
        saved.create(a_search("ports", "quay"), by="bob", now=NOW)
    second = saved.replace(first, replace(first, query="quay"), by="bob", now=NOW)
    assert saved.replace(first, replace(first, query="quay"), by="bob", now=NOW) == second, "a repeated request"
    with pytest.raises(ChangedMeanwhileError, match="changed by somebody else"):
        saved.replace(first, replace(first, query="pier"), by="ann", now=NOW)
    muted = saved.change("ports", lambda was: replace(was, mute_until=NOW), by="ann", now=NOW)
    assert (muted.query, muted.version) == ("quay", 3)
    saved.delete("ports", by="ann")
    with pytest.raises(ChangedMeanwhileError, match="deleted meanwhile"):
        saved.replace(muted, replace(muted, query="pier"), by="ann", now=NOW)
    with pytest.raises(NewswatchError, match="no saved search"):
        saved.change("ports", lambda was: was, by="ann", now=NOW)
    assert saved.all() == ()


def test_of_two_who_create_one_search_at_once_the_second_is_refused(saved: SavedSearches) -> None:
    both_looked = threading.Barrier(2)

    def create(name: str) -> str:
        both_looked.wait(60)
        try:
            return saved.create(a_search("ports", name), by=name, now=NOW).query
        except ChangedMeanwhileError:
            return "refused"

    with ThreadPoolExecutor(2) as two:
        results = sorted(two.map(create, ("harbour", "quay")))
    assert results in (["harbour", "refused"], ["quay", "refused"])
    assert saved.get("ports").query in results
    assert saved.get("ports").version == 1


def test_unknown_ones_are_named(saved: SavedSearches) -> None:
    with pytest.raises(NewswatchError, match=r"'ice'.*newswatch alerts list"):
        saved.get("ice")
    with pytest.raises(NewswatchError):
        saved.delete("ice", by="ann")
    saved.save(a_search("ice"), by="t")
    saved.delete("ice", by="ann")
    assert saved.all() == ()


BAD = {
    "glacier AND (melt": "glacier AND (melt\n                   ^",
    '"open': '"open\n',
    "/[a/": "expected ']'",
    "published:yesterdayish": "yesterdayish",
    "titel:nato": "field 'titel' that articles don't have:\n  titel:nato\n  ^",
    "nato AND source.nam:x": "source.nam:x\n           ^",
}
GOOD = ["", "*", "nato~1 OR summ*", '"foreign fighters"~3', "tags:nato AND published:[2020 TO *]", "_exists_:agency"]


@pytest.mark.slow
def test_bad_queries_are_refused_with_the_place_and_good_ones_taken(saved: SavedSearches) -> None:
    for query, told in BAD.items():
        with pytest.raises(QueryError) as caught:
            saved.save(a_search("bad", query), by="ann")
        assert told in str(caught.value), query
    assert saved.all() == ()
    for version, query in enumerate(GOOD, 1):
        assert saved.save(a_search("good", query), by="ann").version == version
