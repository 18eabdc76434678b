"""How well search ranks on the judged queries: floors that never drop silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from benchmarks.ranking import JudgedQuery, article_of, figures, fill, judged_queries, ndcg, rows, systems
from newswatch.settings import Settings
from search.highlight import MARK_START
from search.query import find
from store.client import set_up
from store.names import Names

FLOORS = {"seen": 0.77, "unseen": 0.74}
"""nDCG@10 on every fifth article and all that were judged; measured with `python -m benchmarks.ranking` on all."""
OVER_BM25 = 0.08
MARKED = 0.99


@pytest.fixture(scope="module")
def archive(es: Elasticsearch, elasticsearch_url: str, shared_data: Path) -> Names:
    names = Names("ranked-")
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix="ranked-"))
    judged = {id_ for query in judged_queries() for id_ in query.grades}
    some = [row for n, row in enumerate(rows(shared_data / "news")) if n % 5 == 0 or row["id"] in judged]
    fill(es, names, map(article_of, some))
    return names


@pytest.mark.slow
def test_search_ranks_judged_queries_above_its_floors_and_above_bm25(es: Elasticsearch, archive: Names) -> None:
    queries, found = judged_queries(), systems(es, archive)
    ours, bm25 = figures(found["newswatch"], queries), figures(found["BM25"], queries)
    assert {half: ours[half] for half in FLOORS if ours[half] < FLOORS[half]} == {}
    assert ours["unseen"] > bm25["unseen"] + OVER_BM25


@pytest.mark.slow
def test_what_matches_is_marked_or_it_is_said_what_stands_for_it(es: Elasticsearch, archive: Names) -> None:
    hits = [hit for query in judged_queries() for hit in find(es, archive, query.query, size=10).hits]
    shown = [any(MARK_START in text for texts in hit.highlights.values() for text in texts) for hit in hits]
    told = [marked or bool(hit.stand_ins) for hit, marked in zip(hits, shown, strict=True)]
    assert sum(told) >= MARKED * len(hits)


def test_the_judgements_are_whole() -> None:
    queries = judged_queries()
    assert len(queries) >= 60
    assert len({query.language for query in queries}) >= 7
    assert sum(query.is_unseen for query in queries) >= 30
    assert {grade for query in queries for grade in query.grades.values()} == {0, 1, 2, 3}


def test_the_measure_discounts_by_place_and_is_one_for_the_best_order() -> None:
    query = JudgedQuery("q", "en", {"a": 3, "b": 1, "c": 0})
    assert ndcg(["a", "b", "c"], query.grades) == 1
    assert ndcg(["b", "a"], query.grades) == pytest.approx((1 + 7 / 1.584963) / (7 + 1 / 1.584963))
    assert ndcg(["c", "unknown"], query.grades) == 0
