"""The audit log: nothing can be missing, changed or put in later without showing, whoever writes at once or dies."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from newswatch.origin import coming_from
from store.audit import HEAD, NOT_DONE, TEXT_CHARS, AuditLog, Deed, Record, digest, pseudonym
from store.elastic.documents import dump
from store.names import Names
from tests.factories import NOW

MONTH = timedelta(days=31)


@pytest.fixture
def log(es: Elasticsearch, names: Names) -> AuditLog:
    return AuditLog(es, names, clock=lambda: NOW)


def deed(n: int = 0, **more: Any) -> Deed:
    return Deed("ann", "saved search changed", f"search-{n}", "a", "b", **more)


def test_many_writers_at_once_make_one_chain(es: Elasticsearch, names: Names, log: AuditLog) -> None:
    with ThreadPoolExecutor(6) as pool:  # at the turn of a month, by clocks that differ
        list(pool.map(lambda n: log.record(deed(n), now=NOW + MONTH * (n % 2)), range(24)))
    chain = log.check()
    assert (chain.records, chain.first, chain.last, chain.faults) == (24, 1, 24, ())
    assert [record.n for record in log.all()] == [*range(1, 25)]
    assert {record.subject for record in log.all()} == {f"search-{n}" for n in range(24)}
    assert log.months() == [names.audit_of_month("2026.03"), names.audit_of_month("2026.04")]


def test_what_is_done_to_the_log_shows(es: Elasticsearch, names: Names, log: AuditLog) -> None:
    made = [log.record(deed(n)) for n in range(1, 7)]
    month = names.audit_of_month("2026.03")

    def broken(**how: Any) -> tuple[str, ...]:
        """The faults after one document was deleted, or changed in these fields; it is put back."""
        name, number = how.pop("name"), how.pop("n")
        es.delete(index=month, id=name, refresh=True)
        if how:
            es.index(index=month, id=name, document=dump(made[number - 1]) | how, refresh=True)
        faults = log.check().faults
        es.index(index=month, id=name, document=dump(made[number - 1]), refresh=True)
        assert log.check().faults == ()
        return faults

    def name(n: int) -> str:
        return f"{n:012d}"

    assert broken(name=name(3), n=3) == ("record 3 missing",)
    assert broken(name=name(1), n=1) == ("records 1 to 1 missing at the beginning",)
    assert broken(name=name(4), n=4, who="bob") == ("record 4 was changed: its hash is another",)
    es.delete(index=month, id=name(6))
    es.delete(index=month, id=name(5), refresh=True)
    (fault,) = log.check().faults
    assert fault.startswith("the log ended with record 6")
    es.index(index=month, id=name(6), document=dump(made[4]) | {"n": 6})
    with pytest.raises(StoreError, match="was changed from outside"):
        log.record(deed())


def test_a_writer_that_died_in_between_loses_nothing(es: Elasticsearch, names: Names, log: AuditLog) -> None:
    log.record(deed(1))
    last = log.record(deed(2))
    es.delete(
        index=names.audit_of_month("2026.03"), id=f"{last.n:012d}", refresh=True
    )  # the head was written, it wasn't
    assert log.check().faults == ()
    log.record(deed(3))
    log.refresh()
    assert [record.subject for record in log.listed()] == ["search-3", "search-2", "search-1"]
    es.delete(index=names.audit, id=HEAD)
    assert log.record(deed(4)).n == 4, "without a head it goes on after the last record"
    assert log.check().faults == ()


def test_a_record_takes_four_requests(es: Elasticsearch, log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change waits for them: the head, the record before, the new head, the new record."""
    log.record(deed(1))
    asked, ask = list[str](), es.transport.perform_request

    def counted(method: str, target: str, **more: Any) -> object:
        asked.append(f"{method} {target}")
        return ask(method, target, **more)

    monkeypatch.setattr(es.transport, "perform_request", counted)
    log.record(deed(2))
    assert len(asked) == 4, asked
    assert log.record(deed(3), now=NOW + MONTH).n == 3
    assert log.check().faults == ()


def test_what_cannot_be_recorded_is_not_done(es: Elasticsearch, names: Names, log: AuditLog) -> None:
    done: list[str] = []
    log.change(deed(), partial(done.extend, ["first"]))
    es.indices.put_settings(index=names.audit, settings={"index.blocks.write": True})
    with pytest.raises(StoreError, match=names.audit):
        log.change(deed(), partial(done.extend, ["second"]))
    assert done == ["first"]
    es.indices.put_settings(index=names.audit, settings={"index.blocks.write": None})
    with pytest.raises(KeyError):
        log.change(deed(), partial(os.environ.__getitem__, "NO SUCH"))
    assert log.change(deed(), lambda: None) is None
    log.refresh()
    told = [(record.what, record.details) for record in log.listed(size=4)]
    assert told == [
        (f"{NOT_DONE}saved search changed", "there was nothing to change, or somebody else was faster"),
        ("saved search changed", ""),
        (f"{NOT_DONE}saved search changed", "'NO SUCH'"),
        ("saved search changed", ""),
    ]


def test_records_are_found_by_who_what_and_when(log: AuditLog) -> None:
    with coming_from("the command line of a\nmachine"):
        first = log.record(Deed("ann", "feed added", "herald", details="x" * 5_000))
    log.record(Deed("bob", "feed added", "\ud800 courier"), now=NOW + timedelta(hours=1))
    log.record(deed(), now=NOW + timedelta(hours=2))
    log.refresh()
    assert first.where == "the command line of a\ufffdmachine"
    assert len(first.details) < TEXT_CHARS + 50
    assert "4,000 more" in first.details

    def found(**asked: Any) -> list[int]:
        return [record.n for record in log.listed(**asked)]

    assert found(who="ann") == [3, 1]
    assert found(what="feed added") == [2, 1]
    assert found(subject="herald") == [1]
    assert found(since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=2)) == [2]
    assert found(before=3, size=1) == [2]
    assert log.values("who") == ["ann", "bob"]
    assert log.check().faults == ()


def test_only_retention_deletes_and_says_so(es: Elasticsearch, names: Names) -> None:
    log = AuditLog(es, names, clock=lambda: NOW + 2 * MONTH)
    for n in range(3):
        log.record(deed(n), now=NOW + MONTH * n)
    log.drop(log.months())
    assert log.months() == [names.audit_of_month("2026.05")]
    chain = log.check()
    assert chain.faults == ()
    assert chain.first == 3
    newest: Record = [*log.all()][-1]
    assert newest.subject == names.audit_of_month("2026.04")


def test_digests_tell_versions_apart_and_addresses_stay_out() -> None:
    assert digest({"a": 1, "b": NOW}) == digest({"b": NOW, "a": 1}) != digest({"a": 2, "b": NOW})
    assert digest(None) == ""
    assert pseudonym("Ann@Example.org ") == pseudonym("ann@example.org") != pseudonym("bob@example.org")
    assert "@" not in pseudonym("ann@example.org")
