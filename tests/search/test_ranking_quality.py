"""How well search ranks on the judged queries: floors that never drop silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import pytest
from elasticsearch import Elasticsearch

from benchmarks.ranking import (
    AT_LARGE,
    JudgedQuery,
    article_of,
    estimates,
    figures,
    fill,
    id_of,
    judged_queries,
    kept_vectors,
    lead,
    ndcg,
    rows,
    sampled,
    systems,
)
from benchmarks.ranking import NOW as AT
from newswatch.settings import Settings
from search.highlight import MARK_START
from search.query import Hit, find
from store.indices.setup import set_up
from store.names import Names
from transforms.encoder import load

pytestmark = pytest.mark.timeout(900)  # its archive is made in a minute, on a busy machine in many

FLOORS = {"seen 1": 0.705, "unseen 1": 0.69, "seen 2": 0.64, "unseen 2": 0.61}
"""Half and round → nDCG@10 by words alone, on every eighth article and all judged ones; `python -m benchmarks.ranking`
takes all. With the 388 judgements fewer that there were until 30 November they were .77, .75, .69 and .67, of one and
the same order: see the README of the judgements. 44 more judgements made .700 of .709 (all articles, "unseen 1") and
.698 here, so that floor was .70 before. 52 more made .640 of .644 and .619 of .626 ("seen 2" and "unseen 2", all
articles), so those floors were .645 and .615."""
PLAIN = {"seen 1": 0.77, "unseen 1": 0.77, "seen 2": 0.75, "unseen 2": 0.68}
"""The same as the page shows it where there is no encoder: by what articles say first, too."""
OVER_BM25 = 0.14
BY_MEANING = 0.765
"""The same by meaning, for the sampled queries. One in three, they had .744 here; in the benchmark they had .735
before articles gained by what they say first, and .752 since. With common words in any language they have .773 here.
They were one in six, with floors of .72 and .045; of these, an earlier order had .726 and .048."""
OVER_WORDS = 0.08
LARGE = {"words": 0.81, "plain": 0.8}
"""System → nDCG@10 of round 3, on every eighth article and all that was judged for it."""
LARGE_BY_MEANING = 0.825
"""The same by meaning, for the sampled ones. It isn't above the order by words: see the README of the judgements."""
MARKED = 0.99

ON_TOPIC = [query for query in judged_queries() if query.round != AT_LARGE]
"""Rounds 1 and 2. Round 3 has an archive of its own, so that what was judged for it doesn't make these harder."""
SECURITY = [query for query in judged_queries() if query.round == AT_LARGE]


def archived(es: Elasticsearch, url: str, data: Path, prefix: str, queries: Sequence[JudgedQuery]) -> Names:
    """What was judged, and every eighth article; what was judged for the sampled queries has its kept vector."""
    names = Names(prefix)
    set_up(es, names, Settings(elasticsearch_url=url, index_prefix=prefix))
    judged = {id_ for query in queries for id_ in query.grades}
    kept = {id_: meaning for id_, meaning in kept_vectors().items() if id_ in judged}
    some = [row for n, row in enumerate(rows(data / "news")) if n % 8 == 0 or row["id"] in judged]
    fill(es, names, map(article_of, some), load(), kept)
    return names


@pytest.fixture(scope="module")
def archive(es: Elasticsearch, elasticsearch_url: str, shared_data: Path) -> Names:
    return archived(es, elasticsearch_url, shared_data, "ranked-", ON_TOPIC)


@pytest.fixture(scope="module")
def security_archive(es: Elasticsearch, elasticsearch_url: str, shared_data: Path) -> Names:
    return archived(es, elasticsearch_url, shared_data, "security-", SECURITY)


@pytest.fixture(scope="module")
def found(es: Elasticsearch, archive: Names) -> Mapping[str, Sequence[Hit]]:
    """Judged query → what search finds."""
    return {query.query: find(es, archive, query.query, size=10, now=AT).hits for query in ON_TOPIC}


@pytest.mark.slow
def test_search_ranks_judged_queries_above_its_floors_and_above_bm25(
    es: Elasticsearch, archive: Names, found: Mapping[str, Sequence[Hit]]
) -> None:
    queries = ON_TOPIC
    ours = figures(lambda query: [id_of(hit.article.url) for hit in found[query]], queries)
    bm25 = figures(systems(es, archive)["BM25"], queries)
    assert {half: ours[half] for half in FLOORS if ours[half] < FLOORS[half]} == {}
    assert ours["unseen"] > bm25["unseen"] + OVER_BM25


@pytest.mark.slow
def test_without_an_encoder_pages_rank_above_their_floors(es: Elasticsearch, archive: Names) -> None:
    ours = figures(systems(es, archive)["plain"], ON_TOPIC)
    assert {half: ours[half] for half in PLAIN if ours[half] < PLAIN[half]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("system", LARGE)
def test_queries_on_security_at_large_rank_above_their_floor(
    es: Elasticsearch, security_archive: Names, system: str
) -> None:
    ours = fmean(ndcg(systems(es, security_archive)[system](query.query), query.grades) for query in SECURITY)
    print(system, ours)
    assert ours >= LARGE[system]


@pytest.mark.slow
@pytest.mark.usefixtures("encoder")
def test_queries_on_security_at_large_rank_above_their_floor_by_meaning(
    es: Elasticsearch, security_archive: Names
) -> None:
    queries, meaning = sampled(SECURITY), systems(es, security_archive)["meaning"]
    ours = fmean(ndcg(meaning(query.query), query.grades) for query in queries)
    print(len(queries), ours)
    assert ours >= LARGE_BY_MEANING


@pytest.mark.slow
@pytest.mark.usefixtures("encoder")
def test_by_meaning_it_ranks_above_its_floor_and_above_words(
    es: Elasticsearch, archive: Names, found: Mapping[str, Sequence[Hit]]
) -> None:
    queries, meaning = sampled(ON_TOPIC), systems(es, archive)["meaning"]
    ours = fmean(ndcg(meaning(query.query), query.grades) for query in queries)
    words = fmean(ndcg([id_of(hit.article.url) for hit in found[query.query]], query.grades) for query in queries)
    print(len(queries), ours, words)
    assert ours >= max(BY_MEANING, words + OVER_WORDS), (ours, words)


@pytest.mark.slow
def test_what_matches_is_marked_or_it_is_said_what_stands_for_it(found: Mapping[str, Sequence[Hit]]) -> None:
    hits = [hit for hits in found.values() for hit in hits]
    shown = [any(MARK_START in text for texts in hit.highlights.values() for text in texts) for hit in hits]
    told = [marked or bool(hit.stand_ins) for hit, marked in zip(hits, shown, strict=True)]
    assert sum(told) >= MARKED * len(hits)


def test_the_judgements_are_whole() -> None:
    queries = judged_queries()
    assert len(ON_TOPIC) >= 170
    assert len({query.language for query in queries}) >= 7
    assert sum(query.is_unseen for query in ON_TOPIC) >= 80
    assert len(SECURITY) >= 60
    assert sum(query.is_unseen for query in SECURITY) >= 30
    assert {grade for query in queries for grade in query.grades.values()} == {0, 1, 2, 3}


def test_the_measure_discounts_by_place_and_is_one_for_the_best_order() -> None:
    query = JudgedQuery("q", "en", {"a": 3, "b": 1, "c": 0})
    assert ndcg(["a", "b", "c"], query.grades) == 1
    assert ndcg(["b", "a"], query.grades) == pytest.approx((1 + 7 / 1.584963) / (7 + 1 / 1.584963))
    assert ndcg(["c", "unknown"], query.grades) == 0


def test_queries_on_security_at_large_count_in_no_half_of_the_other_rounds() -> None:
    queries = [JudgedQuery(f"q{n}", "en", {"a": 3}) for n in range(8)]
    apart = JudgedQuery("q0", "en", {"b": 3}, AT_LARGE)
    measured = figures(lambda _: ["a"], [*queries, apart])
    own = f"{'unseen' if apart.is_unseen else 'seen'} 3"
    assert (measured["at large"], measured[own], measured["seen"], measured["unseen"]) == (0, 0, 1, 1)


def test_two_systems_are_compared_query_by_query_with_an_interval() -> None:
    queries = [JudgedQuery(f"q{n}", "en", {"a": 3, "b": 1}) for n in range(8)]
    header, *table = lead(lambda _: ["a", "b"], {"BM25": lambda _: ["a", "b"]}, queries)
    assert "above BM25" in header
    assert table[0].split() == ["all", "8", "1.000", "1.000", "to", "1.000", "+0.000", "+0.000", "to", "+0.000"]
    mixed = estimates({query: float(n % 2) for n, query in enumerate(queries)})["en"]
    assert (mixed.cases, mixed.value) == (8, 0.5)
    assert 0 <= mixed.low < 0.5 < mixed.high <= 1
