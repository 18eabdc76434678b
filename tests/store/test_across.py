"""Stories of several languages, on a real Elasticsearch and with the real encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.settings import Settings
from store.across import Across
from store.articles import ArticleStore
from store.generations import upgrade
from store.names import Names
from store.stories import Stories
from store.story_members import StoryMembers
from tests.factories import NOW, a_batch, a_source, an_article
from tests.languages_of_one_event import BUDGET, FERRY
from transforms.encoder import Encoder
from transforms.meaning import vector_of, with_meaning

pytestmark = pytest.mark.slow


def article(language: str, of: Mapping[str, tuple[str, str]], *, hours: float = 0) -> Article:
    title, text = of[language]
    outlet = f"{language}-{'ferry' if of is FERRY else 'budget'}"
    when = NOW + timedelta(hours=hours)
    return an_article(
        f"https://{outlet}.example/1",
        title=title,
        text=text,
        summary="",
        language=language,
        source=a_source(feed_id=outlet, name=outlet, domain=f"{outlet}.example", owner=outlet),
        published=when,
        first_seen=when,
    )


def place(es: Elasticsearch, names: Names, encoder: Encoder, *batches: list[Article]) -> dict[str, Article]:
    """The articles as they are stored, placed and joined batch by batch."""
    store, every = ArticleStore(es, names), []
    across, members = Across(es, names, encoder), StoryMembers(es, names)
    for number, articles in enumerate(batches, 7):
        batch = a_batch(number)
        encoded = [with_meaning(one, encoder) for one in articles]
        store.write(encoded, batch, batch.seq_of_attempt, now=NOW)
        Stories(es, names, window=timedelta(days=7), encoder=encoder).place(batch, now=NOW)
        for stories in across.touched(batch):
            for join in across.joins(stories, batch):
                members.unite(members.of([join.other_id]), {join.other_id: join.story_id})
        every += [one.id for one in articles]
    return store.get(every)


def test_one_event_in_four_languages_is_one_story(es: Elasticsearch, names: Names, encoder: Encoder) -> None:
    ferry = {language: article(language, FERRY, hours=n) for n, language in enumerate(FERRY)}
    budget = {language: article(language, BUDGET, hours=n) for n, language in enumerate(BUDGET)}
    # English comes a batch before the others, of which two meet in one page.
    first, later = [ferry["en"], budget["fr"]], [ferry["ru"], ferry["zh"], ferry["fr"], budget["en"]]
    found = place(es, names, encoder, first, later)
    assert {found[one.id].story_id for one in ferry.values()} == {ferry["en"].id}
    assert {found[one.id].story_id for one in budget.values()} == {budget["fr"].id}
    # The vector outlives the writes that give an article its story, and an upgrade of the index.
    assert all(vector_of(one, encoder.name) for one in found.values())
    upgrade(es, names, Settings(), everything=True)
    es.indices.refresh(index=names.articles)
    meaning = found[ferry["en"].id].meaning
    assert meaning is not None
    near = {"field": "vector", "query_vector": meaning.vector, "k": 4, "num_candidates": 9}
    hits = es.search(index=names.articles, knn=near, size=4)["hits"]["hits"]
    assert {hit["_id"] for hit in hits} == {one.id for one in ferry.values()}


def test_the_same_in_another_country_is_another_story(es: Elasticsearch, names: Names, encoder: Encoder) -> None:
    english, french = article("en", FERRY), article("fr", FERRY, hours=1)
    far = replace(french, title=f"Philippines : {french.title}")
    found = place(es, names, encoder, [replace(english, title=f"{english.title}, Norway")], [far])
    assert found[far.id].story_id == far.id


def test_what_is_not_tagged_is_encoded_only_in_a_story_of_interest(
    es: Elasticsearch, names: Names, encoder: Encoder
) -> None:
    tagged, untagged = article("en", FERRY), replace(article("fr", BUDGET), tags=())
    title, text = FERRY["en"]
    same = replace(article("en", FERRY), tags=(), url="https://other.example/2", id="other", title=title, text=text)
    same = replace(same, text=f"{text} The ferry was built in 1988 in a yard that has closed since.", story_id="other")
    found = place(es, names, encoder, [tagged, untagged], [same])
    assert found["other"].story_id == tagged.id
    assert found["other"].meaning is not None
    assert found[untagged.id].meaning is None


def test_without_an_encoder_what_shares_no_name_stays_apart(es: Elasticsearch, names: Names, encoder: Encoder) -> None:
    store, batch = ArticleStore(es, names), a_batch()
    both = [with_meaning(article(language, FERRY), encoder) for language in ("en", "zh")]
    store.write(both, batch, batch.seq_of_attempt, now=NOW)
    Stories(es, names, window=timedelta(days=7)).place(batch, now=NOW)
    assert {one.story_id for one in store.get([one.id for one in both]).values()} == {one.id for one in both}
    another = type("Another", (), {"name": "another encoder", "encode": encoder.encode})()
    late = replace(article("ru", FERRY), id="late", story_id="late")
    later = a_batch(8)
    store.write([with_meaning(late, another)], later, later.seq_of_attempt, now=NOW)
    Stories(es, names, window=timedelta(days=7), encoder=another).place(later, now=NOW)
    across = Across(es, names, another)
    (touched,) = across.touched(later)
    assert touched == ["late"]
    assert across.joins(touched, later) == []  # the vectors of two encoders are never compared
