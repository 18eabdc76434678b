"""What others may change too is changed from the start again, or told after some tries."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from store.elastic.compare_and_set import put, until_written
from store.elastic.reading import get_one
from store.names import Names


def test_who_was_overtaken_tries_again_from_the_start() -> None:
    answers = iter([None, None, "written"])
    assert until_written(lambda: next(answers), lambda: "never") == "written"
    assert list(answers) == []


def test_who_is_always_overtaken_is_told_what_for() -> None:
    tried: list[int] = []
    with pytest.raises(StoreError, match="3 left"):
        until_written(lambda: tried.append(1), lambda: f"{len(tried)} left", tries=3)


@pytest.mark.slow
def test_only_one_of_two_writers_comes_through(es: Elasticsearch, names: Names) -> None:
    def written(address: str) -> dict[str, str]:
        return {"address": address}

    first = put(es, names.mailboxes, "ann", "first", written("first"), None)
    assert first is not None
    assert put(es, names.mailboxes, "ann", "other", written("other"), None) is None, "it is there"
    second = put(es, names.mailboxes, "ann", "second", written("second"), first)
    assert second is not None
    assert second.seq_no > first.seq_no
    assert put(es, names.mailboxes, "ann", "late", written("late"), first) is None, "read before the second was written"
    found = get_one(es, names.mailboxes, "ann", lambda _, document: str(document["address"]))
    assert found == second
    assert get_one(es, names.mailboxes, "bob", lambda _, document: document) is None
