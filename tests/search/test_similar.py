"""What is found by meaning, on a real Elasticsearch with the real encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import QueryError
from newswatch.problems import Bulkhead, collecting
from newswatch.settings import Settings
from search.asking import Answer, ask_all
from search.by_meaning import OF_ANOTHER, near
from search.export import every
from search.extract_filters import extract_filters
from search.failures import Tally
from search.first_page import MOST_ADDED, FirstPage, first_page_of
from search.marking import Opening
from search.meant import Meant, Unmeant, failures
from search.query import find
from search.results import Hit, Results
from search.similar import fused, like
from search.syntax import parse
from search.syntax_error import QuerySyntaxError
from search.words import Wording
from store.articles import ArticleStore
from store.indices.setup import set_up
from store.names import Names
from tests.factories import NOW, a_batch, a_source, an_article
from tests.languages_of_one_event import BUDGET, FERRY
from tests.pristine import Pristine
from transforms.encoder import Encoder
from transforms.meaning import with_meaning

slow = pytest.mark.slow


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, the encoder may need longer than a page waits."""
    monkeypatch.setattr("search.meant.BUDGET_S", 60.0)


def article(language: str, of: Mapping[str, tuple[str, str]], number: int = 1) -> Article:
    title, text = of[language]
    outlet = f"{language}-{'ferry' if of is FERRY else 'budget'}"
    source = a_source(feed_id=outlet, name=outlet, domain=f"{outlet}.example", owner=outlet)
    whole = {"title": title, "text": text, "summary": "", "language": language, "source": source, "entities": ()}
    return an_article(f"https://{outlet}.example/{number}", published=NOW - timedelta(hours=number), **whole)


@pytest.fixture(scope="module")
def names(es: Elasticsearch, pristine: Pristine, encoder: Encoder) -> Iterator[Names]:
    """An archive of two events in several languages, each article a story of its own."""
    found, batch = pristine.names(), a_batch()
    articles = [article(language, of) for of in (FERRY, BUDGET) for language in of]
    more = [article("en", FERRY, number) for number in range(2, 45)]
    ArticleStore(es, found).write(
        [with_meaning(one, encoder) for one in (*articles, *more)], batch, batch.seq_of_attempt, now=NOW
    )
    es.indices.refresh(index=found.articles)
    yield found
    pristine.clean()


def ask(es: Elasticsearch, names: Names, query: str, **more: object) -> Results:
    return find(es, names, query, now=NOW, vectors=True, **more)  # type: ignore[arg-type]


def by_meaning(results: Results) -> set[str]:
    return {hit.article.source.name for hit in results.hits if hit.by_meaning}


@slow
def test_similar_adds_what_means_the_same(es: Elasticsearch, names: Names) -> None:
    plain = ask(es, names, "ferry capsized storm passengers")
    assert plain.similar == 0
    assert not by_meaning(plain)
    added = ask(es, names, "ferry capsized storm passengers similar:any")
    assert by_meaning(added) == {"fr-ferry", "ru-ferry", "zh-ferry"}
    assert (added.total, added.similar) == (plain.total, 3)
    assert not added.hits[0].by_meaning
    assert added.hits[1].by_meaning  # by rank: the best of each in turn
    assert by_meaning(ask(es, names, "ferry capsized storm passengers similar:ru,zh")) == {"ru-ferry", "zh-ferry"}
    stories = ask(es, names, "ferry capsized storm passengers similar:any lang:ru", by_story=True)
    assert (stories.total, by_meaning(stories)) == (0, {"ru-ferry"})


@slow
def test_no_row_is_lost_or_repeated_on_the_pages(es: Elasticsearch, names: Names) -> None:
    query = "ferry capsized storm passengers similar:any"
    every_page = [hit.article.id for o in (0, 20, 40, 60) for hit in ask(es, names, query, offset=o).hits]
    assert len(every_page) == len(set(every_page)) == 44 + 3
    assert every_page[:47] == [hit.article.id for hit in ask(es, names, query, size=47).hits]


@slow
def test_an_article_names_those_that_are_like_it(es: Elasticsearch, names: Names, encoder: Encoder) -> None:
    french = with_meaning(article("fr", FERRY), encoder)
    found = like(es, names, french, size=50)
    assert {"en-ferry", "ru-ferry", "zh-ferry"} == {one.source.name for one in found}
    assert french.id not in {one.id for one in found}
    assert like(es, names, article("fr", FERRY)) == ()  # it has no vector


@slow
def test_vectors_of_two_encoders_are_not_compared(es: Elasticsearch, elasticsearch_url: str, encoder: Encoder) -> None:
    names, batch = Names("mixed-"), a_batch()
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix="mixed-"))
    english, french, russian, chinese = (with_meaning(article(language, FERRY), encoder) for language in FERRY)
    before = [replace(one, meaning=replace(one.meaning, by="before")) for one in (french, chinese) if one.meaning]
    ArticleStore(es, names).write([english, russian, *before], batch, batch.seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    assert by_meaning(ask(es, names, "ferry capsized storm passengers similar:any")) == {"ru-ferry"}
    assert [one.source.name for one in like(es, names, english)] == ["ru-ferry"]
    assert [one.source.name for one in like(es, names, before[0])] == ["zh-ferry"]


@slow
@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("ferry AND storm similar:any", "plain words"),
        ("tag:nato similar:any", "plain words"),
        ("ferry -similar:fr", "can't be negated"),
    ],
)
def test_where_it_has_no_meaning_it_is_refused(es: Elasticsearch, names: Names, query: str, why: str) -> None:
    with pytest.raises(QuerySyntaxError, match=why):
        ask(es, names, query)


@slow
def test_where_there_is_no_encoder_it_says_so(es: Elasticsearch, names: Names) -> None:
    with pytest.raises(QueryError, match="NEWSWATCH_VECTORS is false"):
        find(es, names, "ferry similar:any", now=NOW)
    with pytest.raises(QueryError, match="order by relevance"):
        ask(es, names, "ferry similar:any", sort="time")
    with pytest.raises(QueryError, match="take similar: out"):
        next(every(es, names, "ferry similar:any"))


def test_a_saved_search_has_the_words_alone() -> None:
    kept = extract_filters(parse("ferry storm similar:any lang:fr"))
    assert (kept.query, kept.languages, kept.dropped) == ("ferry storm", ("fr",), ("similar:any",))


def test_lists_are_merged_by_rank() -> None:
    words = [Hit(an_article(f"https://a.example/{n}"), 9.0 - n, {}) for n in range(3)]
    meant = [Hit(an_article(f"https://b.example/{n}"), 0.9, {}, by_meaning=True) for n in range(2)]
    assert fused(words, meant) == (words[0], meant[0], words[1], meant[1], words[2])
    assert fused([], meant) == tuple(meant)


@slow
@pytest.mark.parametrize("by_story", [False, True])
def test_where_no_article_has_all_words_the_nearest_come_first(es: Elasticsearch, names: Names, by_story: bool) -> None:
    query = "ferry capsized storm passengers shipwreck"
    plain, first = find(es, names, query, now=NOW, by_story=by_story), ask(es, names, query, by_story=by_story)
    assert (first.relaxed, first.total, first.similar) == (True, plain.total, 3)
    assert by_meaning(first) == {"ru-ferry", "zh-ferry"}, "the French one has a word that begins alike"
    pages = [first, *(ask(es, names, query, by_story=by_story, offset=offset) for offset in (20, 40))]
    ids = [hit.article.id for page in pages for hit in page.hits]
    assert len(ids) == len(set(ids)) == 44 + 3
    assert {page.similar for page in pages} == {3}
    between = [hit.article.id for hit in ask(es, names, query, by_story=by_story, offset=2).hits]
    assert between == ids[2:22]


def later(es: Elasticsearch, names: Names, query: str, first: Results, *offsets: int, **more: object) -> list[Results]:
    """Later pages as another process of the server gives them, which has no encoder: it has only their address."""
    begun = first_page_of(FirstPage(NOW, first.raised, first.similar).written(), NOW)
    assert begun is not None
    return [find(es, names, query, now=NOW, first=begun, offset=offset, **more) for offset in offsets]  # type: ignore[arg-type]


@slow
@pytest.mark.parametrize("by_story", [False, True])
@pytest.mark.parametrize("is_late", [False, True])
def test_no_row_is_lost_or_repeated_where_only_the_first_page_goes_by_meaning_or_only_the_later_ones_could(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch, by_story: bool, is_late: bool
) -> None:
    query = "ferry capsized storm passengers shipwreck"
    monkeypatch.setattr("search.query.near", partial(near_of_few, near))
    with monkeypatch.context() as late:
        if is_late:
            late.setattr("search.query.meant_soon", lambda _: lambda: Unmeant("it took too long"))
        first = ask(es, names, query, by_story=by_story)
    assert bool(first.raised) is not is_late
    pages = [first, *later(es, names, query, first, 20, 40, by_story=by_story, vectors=is_late)]
    ids = [hit.article.id for page in pages for hit in page.hits]
    assert len(ids) == len(set(ids)) == 44 + first.similar
    assert {(page.similar, page.total, page.relaxed) for page in pages} == {(first.similar, first.total, True)}


def near_of_few(near: Any, meant: Meant, k: int, query: dict[str, Any], boost: float) -> dict[str, Any]:
    """What is near among the articles of the second half, which the order of the words has on later pages."""
    old = {"range": {"time": {"lt": (NOW - timedelta(hours=30)).isoformat()}}}
    few = {"bool": {"filter": [query, old]}} if k == MOST_ADDED else query
    clause: dict[str, Any] = near(meant, k, few, boost)
    return clause


@slow
def test_where_most_vectors_are_of_another_encoder_the_few_others_are_not_raised(
    es: Elasticsearch, elasticsearch_url: str, encoder: Encoder
) -> None:
    names, batch = Names("older-"), a_batch()
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix="older-"))
    articles = [with_meaning(article("en", FERRY, number), encoder) for number in range(1, 31)]
    older = [replace(one, meaning=replace(one.meaning, by="before")) for one in articles[:-3] if one.meaning]
    ArticleStore(es, names).write([*older, *articles[-3:]], batch, batch.seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    query = "ferry capsized storm passengers shipwreck"
    plain, found = find(es, names, query, now=NOW), ask(es, names, query)
    assert (found.unmeant, found.raised, found.similar, found.relaxed) == (OF_ANOTHER, (), 0, True)
    assert [hit.article.id for hit in found.hits] == [hit.article.id for hit in plain.hits]
    ids = [hit.article.id for page in (found, ask(es, names, query, offset=20)) for hit in page.hits]
    assert len(ids) == len(set(ids)) == 30


@slow
def test_where_most_vectors_are_of_another_encoder_a_page_goes_by_what_is_said_first(
    es: Elasticsearch, elasticsearch_url: str, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, batch = Names("said-"), a_batch()
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix="said-"))
    articles = [with_meaning(article("en", FERRY, number), encoder) for number in range(1, 8)]
    older = [replace(one, meaning=replace(one.meaning, by="before")) for one in articles[:-1] if one.meaning]
    ArticleStore(es, names).write([*older, articles[-1]], batch, batch.seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    last = find(es, names, "ferry capsized storm passengers shipwreck", now=NOW).hits[-1].article.id

    def opening(_: Wording, one: Article, *others: object) -> Opening:
        return Opening(0.9, 0.9) if one.id == last else Opening()

    monkeypatch.setattr("search.picks.opening", opening)
    found = ask(es, names, "ferry capsized storm passengers shipwreck")
    assert found.unmeant == OF_ANOTHER
    assert found.hits[0].article.id == last


@slow
@pytest.mark.parametrize(
    "query", ["ferry capsized storm passengers shipwreck", "ferry capsized storm passengers similar:any"]
)
def test_a_story_of_a_later_page_is_not_added_to_the_first(es: Elasticsearch, names: Names, query: str) -> None:
    offsets = 0, 20, 40
    pages = [ask(es, names, query, by_story=True, offset=offset) for offset in offsets]
    last = pages[-1].hits[-1].article
    (near,) = (hit.article for hit in pages[0].hits if hit.article.source.name == "ru-ferry")
    index = es.search(index=names.articles, query={"ids": {"values": [near.id]}})["hits"]["hits"][0]["_index"]
    try:
        es.update(index=index, id=near.id, doc={"story_id": last.story_id}, refresh=True)
        found = [hit for offset in offsets for hit in ask(es, names, query, by_story=True, offset=offset).hits]
        stories = [hit.article.story_id for hit in found]
        assert len(stories) == len(set(stories)) == 44 + 2
    finally:
        es.update(index=index, id=near.id, doc={"story_id": near.story_id}, refresh=True)


@slow
def test_a_first_page_has_the_same_rows_in_another_order(es: Elasticsearch, names: Names) -> None:
    plain, ordered = find(es, names, "ferry", now=NOW), ask(es, names, "ferry")
    assert {hit.article.id for hit in plain.hits} == {hit.article.id for hit in ordered.hits}
    assert (plain.total, plain.filled) == (ordered.total, ordered.filled)
    assert ask(es, names, "ferry", sort="time").hits == find(es, names, "ferry", sort="time", now=NOW).hits


@slow
def test_a_vector_that_cant_be_read_costs_no_page(es: Elasticsearch, names: Names) -> None:
    best = find(es, names, "ferry since:9h", now=NOW).hits[0].article
    index = es.search(index=names.articles, query={"ids": {"values": [best.id]}})["hits"]["hits"][0]["_index"]
    was = es.get(index=index, id=best.id)["_source"]["meaning"]["vector"]
    try:
        for broken in ("no vector", was[:-2]):
            es.update(index=index, id=best.id, doc={"meaning": {"vector": broken}}, refresh=True)
            with collecting(Bulkhead("page")) as bulkhead:
                assert best.id in {hit.article.id for hit in ask(es, names, "ferry since:9h").hits}
            assert [problem.subject for problem in bulkhead.problems] == [f"{index}/{best.id}"]
    finally:
        es.update(index=index, id=best.id, doc={"meaning": {"vector": was}}, refresh=True)


@slow
@pytest.mark.parametrize("broken", ["clause", "added", "encoder"])
def test_a_page_that_cant_go_by_meaning_has_the_order_of_the_words_and_says_why(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    query = "ferry capsized storm passengers shipwreck"
    plain = find(es, names, query, now=NOW)
    monkeypatch.setattr("search.meant._tally", Tally())

    def too_short(meant: Meant, k: int, query: dict[str, Any], boost: float) -> dict[str, Any]:
        refused = broken == "clause" or k > MOST_ADDED
        told = replace(meant, vector=meant.vector[:9]) if refused else meant
        return near_of_few(near, told, k, query, boost)

    if broken == "encoder":
        monkeypatch.setattr("search.query.meant_soon", lambda _: lambda: Unmeant("it is switched off"))
    else:
        monkeypatch.setattr("search.query.near", too_short)
    found = ask(es, names, query)
    assert {hit.article.id for hit in found.hits} == {hit.article.id for hit in plain.hits} or broken == "added"
    assert (found.total, len(found.hits), found.similar) == (plain.total, len(plain.hits), 0)
    assert found.unmeant
    assert ("switched off" if broken == "encoder" else "dimension") in found.unmeant.reason
    assert failures().count == 1
    ids = [
        hit.article.id for page in (found, *(ask(es, names, query, offset=o) for o in (20, 40))) for hit in page.hits
    ]
    assert len(ids) == len(set(ids)) == 44


@slow
def test_a_slice_that_cant_be_searched_by_meaning_costs_no_row_of_the_others(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "ferry capsized storm passengers shipwreck"
    monkeypatch.setattr("search.meant._tally", Tally())
    plain = find(es, names, query, now=NOW)
    vector = {"type": "dense_vector", "dims": 8, "element_type": "byte"}
    index = f"{names.articles}-of-8-dimensions"
    es.indices.create(index=index, mappings={"properties": {"vector": vector}}, aliases={names.articles: {}})
    try:
        es.index(index=index, id="1", document={"vector": [1] * 8}, refresh=True)
        found = ask(es, names, query)
    finally:
        es.indices.delete(index=index)
    assert {hit.article.id for hit in found.hits} == {hit.article.id for hit in plain.hits}
    assert (found.total, found.similar) == (plain.total, 0)
    assert found.unmeant


@slow
def test_a_page_where_no_article_has_all_words_takes_three_round_trips(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(*told: Any, **more: Any) -> list[Answer]:
        asked.append(len(told[3]))
        return ask_all(*told, **more)

    monkeypatch.setattr("search.page.ask_all", counted)
    found = ask(
        es, names, "ferry capsized storm passengers shipwreck", by_story=True, with_facets=True, with_story=True
    )
    assert found.similar == 3
    assert len(asked) == 3, "all words; most of them, with what is near; and the articles themselves"
