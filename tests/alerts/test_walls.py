"""Whatever is wrong with one saved search costs that search alone: matched, watched for volume, and told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from elastic_transport import Urllib3HttpNode
from elasticsearch import ApiError, Elasticsearch

import alerts.clause_search
import alerts.match
from alerts.definitions import read_alerts
from alerts.events import events
from alerts.formula import query_of
from alerts.match import match_batch
from alerts.resting import recovered, rests
from alerts.saved import SavedSearches
from delivery.channels.registry import parse_address
from newswatch.alert import SavedSearch
from newswatch.batch import Batch
from newswatch.errors import QueryError, StoreError
from newswatch.problems import Bulkhead, Problem, collecting
from store.indices.mapping import ANALYZERS, UNSTEMMED
from store.names import Names
from store.quarantine import Quarantine
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW

pytestmark = pytest.mark.slow

GOOD = a_search("good", "glacier")


@pytest.fixture
def press(es: Elasticsearch, names: Names) -> Press:
    return Press(es, names)


def breaks(subject: str) -> Bulkhead:
    """Walls in a stage where the work on one search breaks."""

    def fault(kind: str, of: str) -> None:
        if (kind, of) == ("search", subject):
            raise OverflowError("date value out of range")

    return Bulkhead("match", fault=fault)


def test_a_search_that_breaks_while_it_is_matched(press: Press) -> None:
    batch, walls = press.publish(a_story(1)), breaks("bad")
    report = match_batch(press.es, press.names, batch, [GOOD, a_search("bad", "glacier")], bulkhead=walls)
    assert [m.saved_search_id for m in report.matches] == ["good"]
    assert report.failed == {"bad": "OverflowError: date value out of range"}
    assert [(p.kind, p.subject, p.stage) for p in walls.problems] == [("search", "bad", "match")]


def heavy(press: Press, monkeypatch: pytest.MonkeyPatch) -> tuple[Batch, list[SavedSearch]]:
    """Articles in twelve languages, and searches that one request can't ask together."""
    monkeypatch.setattr(alerts.clause_search, "PATIENCE_S", 60.0)  # a busy machine takes long to refuse it
    batch = press.publish(*(a_story(10 * n + 1, language=language) for n, language in enumerate(LANGUAGES)))
    return batch, [a_search(f"fuzzy-{n}", f"{chr(97 + n)}{'lkmertzuio' * 4}"[:40] + "~2") for n in range(20)]


def test_a_request_that_asks_for_too_much_is_parted(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty fuzzy words of other people's searches are more than one request may ask for: status 429."""
    monkeypatch.setattr(alerts.clause_search, "LOST_S", 600.0)
    batch, searches = heavy(press, monkeypatch)
    together = {"bool": {"should": [query_of(search.query, _ANALYZERS) for search in searches]}}
    with pytest.raises(ApiError) as refused:
        press.es.options(max_retries=0).search(index=press.names.articles, query=together)
    assert refused.value.status_code == 429
    report = match_batch(press.es, press.names, batch, [*searches, GOOD])
    assert [m.saved_search_id for m in report.matches] == ["good"] * len(LANGUAGES)
    assert report.failed == {}


LANGUAGES = ("en", "fr", "de", "es", "it", "ru", "nl", "pt", "sv", "tr", "pl", "ar")
_ANALYZERS = frozenset(ANALYZERS.get(language, UNSTEMMED) for language in LANGUAGES)


def test_time_lost_to_heavy_searches_is_bounded(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.clause_search, "LOST_S", 0.0)
    statuses = list[int]()
    ask = Urllib3HttpNode.perform_request

    def asked(*args: Any, **kwargs: Any) -> Any:
        answer = ask(*args, **kwargs)
        statuses.append(answer.meta.status)
        return answer

    monkeypatch.setattr(Urllib3HttpNode, "perform_request", asked)
    batch, searches = heavy(press, monkeypatch)
    walls = Bulkhead("match")
    report = match_batch(press.es, press.names, batch, [*searches, GOOD, a_search("open", "(glacier")], bulkhead=walls)
    assert {m.saved_search_id for m in report.matches} == {"good"}
    assert report.failed.keys() == {"open", *(search.id for search in searches)}, "all that were asked together"
    assert "it is tried again" in report.failed["fuzzy-0"]
    assert [problem.subject for problem in walls.problems] == ["open"], "nobody knows which of the others it was"
    assert statuses.count(429) == 1, "what asks for too much would be refused again"


def test_trouble_of_elasticsearch_itself_is_nobodys_fault(press: Press) -> None:
    batch = press.publish(a_story(1))
    away = Elasticsearch("http://127.0.0.1:9", max_retries=0)
    with pytest.raises((StoreError, Exception)):
        match_batch(away, press.names, batch, [GOOD])


def test_what_can_t_even_be_sent_costs_itself(press: Press) -> None:
    batch = press.publish(a_story(1))
    bad = [a_search("half", "glacier", sources=("na\ud800to",)), a_search("text", "na\ud800to")]
    report = match_batch(press.es, press.names, batch, [*bad, GOOD])
    assert [m.saved_search_id for m in report.matches] == ["good"]
    assert "half a character" in report.failed["text"]


def test_a_resting_search_is_not_run_and_not_forgotten(press: Press) -> None:
    batch, walls = press.publish(a_story(1)), Bulkhead("match")
    resting = {"bad": "it was slow"}
    report = match_batch(
        press.es, press.names, batch, [GOOD, a_search("bad", "glacier")], bulkhead=walls, resting=resting
    )
    assert [m.saved_search_id for m in report.matches] == ["good"]
    assert report.failed == resting
    assert walls.problems == (), "or its rest would never end"


def test_a_search_that_failed_rests_longer_each_time_until_it_is_saved_anew(press: Press) -> None:
    saved, quarantine = SavedSearches(press.es, press.names), Quarantine(press.es, press.names)
    search = saved.save(GOOD, by="ann", now=NOW)
    problem, now = Problem("search", "good", "It took too long.", "match"), NOW
    for minutes in (1, 2, 4, 8):
        quarantine.note([problem], now=now)
        found = rests(press.es, press.names, [search], now + timedelta(minutes=minutes - 0.1))
        assert found.resting["good"].startswith("It took too long. It rests until")
        now += timedelta(minutes=minutes)
        found = rests(press.es, press.names, [search], now)
        assert not found.resting
        assert found.tried_again == frozenset({"good"})
    quarantine.note([problem], now=now)
    saved.save(replace(GOOD, query="glacier OR quarry"), by="ann", now=now + timedelta(seconds=1))
    assert rests(press.es, press.names, [search], now + timedelta(seconds=2)).resting == {}
    recovered(press.es, press.names, ["good"])
    assert rests(press.es, press.names, [search], now).tried_again == frozenset()


def test_a_problem_edited_to_nonsense_stops_nobody(press: Press) -> None:
    problem = Problem("search", "good", "", "match")
    document = {"what": "search", "stage": "match", "id": "good", "count": 2_000_000_000}
    press.es.index(index=press.names.quarantine, id=problem.id, document=document, refresh=True)
    assert rests(press.es, press.names, [GOOD], NOW).resting == {}


@pytest.mark.parametrize("at", ["2026-03-04T05:06:07", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00"])
def test_a_rest_edited_to_a_time_without_a_zone_or_of_another_age_stops_nobody(press: Press, at: str) -> None:
    problem = Problem("search", "good", "", "match")
    document = {"what": "search", "stage": "match", "id": "good", "count": 3, "at": at}
    press.es.index(index=press.names.quarantine, id=problem.id, document=document, refresh=True)
    found = rests(press.es, press.names, [GOOD, a_search("other", "glacier")], NOW)
    assert "other" not in found.resting


def test_a_closed_quarantine_lets_nobody_rest(press: Press) -> None:
    Quarantine(press.es, press.names).note([Problem("search", "good", "It broke.", "match")], now=NOW)
    press.es.indices.close(index=press.names.quarantine)
    try:
        assert rests(press.es, press.names, [GOOD], NOW).resting == {}
    finally:
        press.es.indices.open(index=press.names.quarantine)
        press.es.cluster.health(index=press.names.quarantine, wait_for_status="yellow")


def test_a_spike_and_a_silence_that_can_t_be_asked_are_told(press: Press) -> None:
    press.publish(a_story(1, first_seen=NOW - timedelta(days=9)), now=NOW - timedelta(days=9))
    searches = [
        a_search("costly", "natoo~2 " * 100, kind="spike"),
        a_search("open", "(glacier", kind="silence"),
        a_search("endless", "glacier", kind="silence", silence_s=86_400 * 10**12),
        a_search("quiet", "glacier", kind="silence"),
        a_search("resting", "glacier", kind="silence"),
    ]
    walls = Bulkhead("match")
    found = events(press.es, press.names, searches, NOW, bulkhead=walls, resting=["resting"])
    assert [event.saved_search_id for event in found] == ["quiet"]
    assert {p.subject for p in walls.problems} == {"costly", "open", "endless"}
    assert all(p.reason for p in walls.problems)


def test_a_broken_search_can_still_be_switched_off_and_muted(press: Press) -> None:
    saved = SavedSearches(press.es, press.names)
    saved.seed([a_search("bad", "(glacier")], now=NOW)
    off = saved.save(replace(saved.get("bad"), enabled=False), by="ann", now=NOW)
    muted = saved.save(replace(off, mute_until=NOW), by="ann", now=NOW)
    assert "can't be parsed" in saved.problems()["bad"], "it is as broken as it was"
    with pytest.raises(QueryError):
        saved.save(replace(muted, enabled=True), by="ann", now=NOW)
    saved.save(replace(muted, query="glacier", enabled=True), by="ann", now=NOW)
    assert saved.problems() == {}


def test_the_file_is_taken_item_by_item(press: Press, tmp_path: Path) -> None:
    path, saved = tmp_path / "alerts.yaml", SavedSearches(press.es, press.names)
    one = "  - {{id: {}, name: A, query: '{}', recipients: [a@b.c]{}}}\n"
    path.write_text("alerts:\n" + one.format("a", "x", "") + one.format("b", "x", ", throttle: 9999999d"))
    walls = Bulkhead("seed")
    assert saved.seed_items(*read_alerts(path, parse_address), walls, now=NOW) == 1
    assert [(p.subject, "31d at most" in p.reason, f"{path}:3" in p.reason) for p in walls.problems] == [
        ("b", True, True)
    ]
    assert [search.id for search in saved.all()] == ["a"]


def test_a_document_that_breaks_seeding_costs_its_own_item(press: Press, tmp_path: Path) -> None:
    path, saved = tmp_path / "alerts.yaml", SavedSearches(press.es, press.names)
    one = "  - {{id: {}, name: A, recipients: [a@b.c]}}\n"
    path.write_text("alerts:\n" + one.format("a") + one.format("b"))
    press.es.index(index=press.names.searches, id="a", document={}, refresh=True)
    walls = Bulkhead("seed")
    with collecting(walls):
        assert saved.seed_items(*read_alerts(path, parse_address), walls, now=NOW) == 1
    assert [p.subject for p in walls.problems] == [f"{press.names.searches}/a"]
