"""Every document that fits, page by page, as it was when the reading began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from store.elastic import bulk
from store.elastic.reading import every, pages
from store.names import Names

pytestmark = pytest.mark.slow


@pytest.fixture
def index(es: Elasticsearch, names: Names) -> Iterator[str]:
    actions = [bulk.create(names.mailboxes, f"m{n}", {"address": f"m{n}", "failures": n}) for n in range(7)]
    assert all(bulk.require(result) for result in bulk.write(es, actions))
    es.indices.refresh(index=names.mailboxes)
    yield names.mailboxes
    assert open_contexts(es) == 0, "each point in time was given up"


def open_contexts(es: Elasticsearch) -> int:
    nodes = es.nodes.stats(metric="indices", index_metric="search")["nodes"].values()
    return sum(node["indices"]["search"]["open_contexts"] for node in nodes)


@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_each_document_comes_once(es: Elasticsearch, index: str, size: int) -> None:
    assert sorted(hit["_id"] for hit in every(es, index, size=size)) == [f"m{n}" for n in range(7)]
    assert all(0 < len(page) <= size for page in pages(es, index, size=size))


def test_in_the_order_that_is_asked_for(es: Elasticsearch, index: str) -> None:
    few = {"range": {"failures": {"gte": 2}}}
    found = every(es, index, few, size=2, sort=[{"failures": "desc"}], source=False)
    assert [(hit["_id"], "_source" in hit) for hit in found] == [(f"m{n}", False) for n in (6, 5, 4, 3, 2)]


def test_what_is_written_meanwhile_changes_nothing(es: Elasticsearch, index: str) -> None:
    found = pages(es, index, size=4)
    first = next(found)
    es.delete(index=index, id="m6", refresh=True)
    es.index(index=index, id="m9", document={"address": "m9"}, refresh=True)
    assert {hit["_id"] for page in (first, *found) for hit in page} == {f"m{n}" for n in range(7)}


def test_who_stops_before_the_end_gives_up_the_point_in_time(es: Elasticsearch, index: str) -> None:
    with closing(every(es, index, size=2)) as found:
        next(found)
        assert open_contexts(es) == 1


def test_an_index_that_is_missing_is_told_at_once(es: Elasticsearch, names: Names) -> None:
    with pytest.raises(NotFoundError):
        every(es, f"{names.mailboxes}-of-nobody")


def test_a_search_of_one_s_own_is_asked_for_each_page(es: Elasticsearch, index: str) -> None:
    asked: list[Any] = []

    def search(**body: Any) -> Any:
        asked.append(body.get("search_after"))
        return es.search(**body)

    assert len(list(every(es, index, size=4, search=search))) == 7
    assert [bool(after) for after in asked] == [False, False, True], "whether one page has all, then page by page"
    asked.clear()
    assert len(list(every(es, index, size=8, search=search))) == 7
    assert len(asked) == 1, "what fits on a page is one request"


def test_one_page_too_is_as_it_was_when_the_reading_began(es: Elasticsearch, index: str) -> None:
    found = pages(es, index, sort=["failures", "_shard_doc"])
    es.delete(index=index, id="m6", refresh=True)
    assert open_contexts(es) == 0
    assert [hit["_id"] for page in found for hit in page] == [f"m{n}" for n in range(7)]
