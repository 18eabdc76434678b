"""What was set aside is kept once, counted, listed and dismissed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.problems import Problem
from store.audit import AuditLog
from store.names import Names
from store.quarantine import PER_FEED, Quarantine, _kept
from tests.factories import NOW

pytestmark = pytest.mark.slow


def test_a_problem_met_again_is_counted_not_repeated(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    later = NOW + timedelta(minutes=5)
    quarantine.note([Problem("search", "s", "too many words", "match")], now=NOW)
    quarantine.note([Problem("search", "s", "still too many", "match")], now=later)
    quarantine.refresh()
    (kept,) = quarantine.listed(size=100).problems
    assert (kept.count, kept.first_at, kept.last_at) == (2, NOW, later)
    assert kept.problem.reason == "still too many"
    assert quarantine.listed().kinds == {"search": 1}
    assert quarantine.dismiss(kept.id)
    assert not quarantine.dismiss(kept.id)
    assert quarantine.listed(size=100).problems == ()


def test_one_feed_does_not_flood_the_list(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    many = [Problem("entry", f"e{n}", "bad", "parse", feed_id="f") for n in range(PER_FEED + 7)]
    quarantine.note([*many, Problem("entry", "e", "bad", "parse", feed_id="g")], now=NOW)
    quarantine.refresh()
    assert quarantine.listed().kinds == {"entry": PER_FEED + 2}
    assert [k.problem.reason for k in quarantine.listed(size=100).problems if "more entries" in k.problem.reason] == [
        "7 more entries were quarantined, such as: bad"
    ]


def test_the_list_is_by_kind_and_by_time(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    quarantine.note([Problem("feed", "old", "why")], now=NOW - timedelta(days=9))
    quarantine.note([Problem("feed", "new", "why", document={"a": 1}), Problem("mail", "m", "why")], now=NOW)
    quarantine.refresh()
    assert [kept.problem.subject for kept in quarantine.listed(kind="feed", size=100).problems] == ["new", "old"]
    found = quarantine.listed(kind="feed", since=NOW - timedelta(days=1), size=100).problems
    whole = [quarantine.get(kept.id) for kept in found]
    assert [(kept.problem.subject, kept.problem.document) for kept in whole if kept] == [("new", {"a": 1})]


def test_a_list_counts_the_kinds_and_leaves_documents_out(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    for minutes, kind in enumerate(("entry", "entry", "search", "mail")):
        problem = Problem(kind, f"{kind} {minutes}", "why", document={"a": 1})  # type: ignore[arg-type]
        quarantine.note([problem], now=NOW + timedelta(minutes=minutes))
    quarantine.refresh()
    found = quarantine.listed(kind="entry", size=1)
    assert [kept.problem.subject for kept in found.problems] == ["entry 1"]
    assert found.problems[0].problem.document is None
    assert (found.total, dict(found.kinds)) == (2, {"entry": 2, "mail": 1, "search": 1})
    assert [k.problem.subject for k in quarantine.listed(size=2, offset=1).problems] == ["search 2", "entry 1"]
    assert quarantine.listed(since=NOW + timedelta(minutes=2)).total == quarantine.listed().total - 2 == 2
    kept = quarantine.get(found.problems[0].id)
    assert kept
    assert kept.problem.document == {"a": 1}
    assert quarantine.get("none") is None
    ids = [kept.id, "none", quarantine.listed(size=100).problems[0].id]
    assert set(quarantine.forget(ids, by="ann", now=NOW)) == {ids[0], ids[2]}
    assert quarantine.listed().total == 2


def test_a_feeds_problems_are_its_own_and_those_with_itself(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    mine = [
        Problem("entry", "e", "why", feed_id="cou*ier"),
        Problem("feed", "cou*ier", "why"),
        Problem("document", f"{names.prefix}feeds/cou*ier", "why"),
    ]
    others = [
        Problem("entry", "f", "why", feed_id="courier"),
        Problem("search", "cou*ier", "why"),
        Problem("document", "feeds/courier", "why"),
    ]
    quarantine.note([*mine, *others], now=NOW)
    quarantine.refresh()
    found = quarantine.listed(feed_id="cou*ier")
    assert sorted(kept.problem.kind for kept in found.problems) == ["document", "entry", "feed"]
    assert found.total == 3


NONSENSE: list[dict[str, Any]] = [
    {},
    {"at": NOW.isoformat()},
    {"what": "entry", "at": 1_700_000_000_000},
    {"what": "entry", "at": "0001-01-01T00:00:00+14:00"},
    {"what": "entry", "at": "2026-03-04"},
    {"what": "entry", "at": NOW.isoformat(), "count": [1, 2]},
    {"what": ["entry", "feed"], "id": ["a", "b"], "at": NOW.isoformat(), "document": "text"},
    {"what": "of another version", "id": "x", "at": NOW.isoformat(), "url": 7, "reason": {}},
    {
        "what": "entry",
        "id": "\ud800",
        "at": NOW.isoformat(),
        "reason": "\ud800 half",
        "document": [1, {"\ud800": None}],
    },
]


@pytest.mark.parametrize("document", NONSENSE, ids=str)
def test_a_problem_that_was_edited_to_nonsense_costs_only_itself(document: dict[str, Any]) -> None:
    kept = _kept("id", document)
    assert kept.id == "id"
    assert kept.problem.advice
    (kept.problem.subject + kept.problem.reason + str(kept.problem.kind)).encode()
    assert kept.last_at.tzinfo
    assert kept.first_at <= kept.last_at


def test_no_password_of_an_address_is_kept_with_a_problem(es: Elasticsearch, names: Names) -> None:
    quarantine, address = Quarantine(es, names), "https://ann:pw@ledger.example/rss"
    quarantine.note([Problem("feed", "ledger", f"{address} is no feed", "parse", address, "ledger")], now=NOW)
    quarantine.refresh()
    (kept,) = quarantine.listed(size=100).problems
    assert kept.problem.url == "https://ledger.example/rss"
    assert kept.problem.reason == "https://ledger.example/rss is no feed"
    assert "pw" not in str(es.search(index=names.quarantine)["hits"]["hits"])


def test_who_forgets_problems_is_in_the_audit_log_without_their_subjects(es: Elasticsearch, names: Names) -> None:
    quarantine, log = Quarantine(es, names), AuditLog(es, names)
    problems = [Problem("recipient", "ann@b.example", "bounced"), *(Problem("entry", f"e{n}", "bad") for n in range(2))]
    quarantine.note(problems, now=NOW)
    assert quarantine.forget([problems[0].id], by="ann", now=NOW) == (problems[0].id,)
    quarantine.forget([one.id for one in problems], by="bob (command line)", now=NOW)
    assert quarantine.forget(["none", problems[0].id], by="ann", now=NOW) == (), "nothing was there, so nothing is said"
    log.refresh()
    told = [(record.who, record.what, record.subject, record.details) for record in log.all()]
    assert told == [
        ("ann", "problems dismissed", problems[0].id, "1 × recipient"),
        ("bob (command line)", "problems dismissed", "2 problems", "2 × entry"),
    ]
    assert "ann@b.example" not in str(list(log.all()))
