"""What was set aside is kept once, counted, listed and dismissed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.problems import Problem
from search.names import Names
from search.quarantine import PER_FEED, Quarantine
from tests.factories import NOW

pytestmark = pytest.mark.slow


def test_a_problem_met_again_is_counted_not_repeated(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    later = NOW + timedelta(minutes=5)
    quarantine.note([Problem("search", "s", "too many words", "match")], now=NOW)
    quarantine.note([Problem("search", "s", "still too many", "match")], now=later)
    quarantine.refresh()
    (kept,) = quarantine.latest()
    assert (kept.count, kept.first_at, kept.last_at) == (2, NOW, later)
    assert kept.problem.reason == "still too many"
    assert quarantine.counts() == {"search": 1}
    assert quarantine.dismiss(kept.id)
    assert not quarantine.dismiss(kept.id)
    assert quarantine.latest() == []


def test_one_feed_does_not_flood_the_list(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    many = [Problem("entry", f"e{n}", "bad", "parse", feed_id="f") for n in range(PER_FEED + 7)]
    quarantine.note([*many, Problem("entry", "e", "bad", "parse", feed_id="g")], now=NOW)
    quarantine.refresh()
    assert quarantine.counts() == {"entry": PER_FEED + 2}
    assert [k.problem.reason for k in quarantine.latest() if "more entries" in k.problem.reason] == [
        "7 more entries were set aside, such as: bad"
    ]


def test_the_list_is_by_kind_and_by_time(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    quarantine.note([Problem("feed", "old", "why")], now=NOW - timedelta(days=9))
    quarantine.note([Problem("feed", "new", "why", document={"a": 1}), Problem("mail", "m", "why")], now=NOW)
    quarantine.refresh()
    assert [kept.problem.subject for kept in quarantine.latest(kind="feed")] == ["new", "old"]
    found = quarantine.latest(kind="feed", since=NOW - timedelta(days=1))
    assert [(kept.problem.subject, kept.problem.document) for kept in found] == [("new", {"a": 1})]
