"""Placing the articles of a batch into stories, on a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import StoreError
from store import story_candidates
from store.article_documents import profile_of, renewed, with_document
from store.articles import ArticleStore
from store.elastic import bulk
from store.elastic.documents import Hit
from store.elastic.reading import find
from store.names import Names
from store.stories import Stories
from store.story_candidates import StoryCandidates
from tests.factories import NOW, a_batch, a_source, an_article
from transforms.background import Background
from transforms.likeness import Weighed, weigh

pytestmark = pytest.mark.slow

SUMMIT = """NATO leaders agreed on Thursday to join the global coalition against Daesh as a full member.
The Secretary General said that the Alliance would give more flight time of its AWACS aircraft to the coalition.
A new cell at headquarters in Brussels is to pool intelligence about foreign fighters, with a coordinator at its head.
Diplomats from two capitals had held out until the night before, afraid of being drawn into combat."""
FLOOD = """Half the old town of Kettleby was under water on Friday after the river rose by three metres overnight.
Firefighters carried residents of a nursing home to safety in rubber boats, one by one, until the early morning.
The mayor asked the county for pumps, and said that the sandbags had come too late and at the wrong end of the town."""


@pytest.fixture
def store(es: Elasticsearch, names: Names) -> ArticleStore:
    return ArticleStore(es, names)


@pytest.fixture
def stories(es: Elasticsearch, names: Names) -> Stories:
    return Stories(es, names, window=timedelta(days=7))


def article(outlet: str, text: str, title: str, *, hours: float = 0) -> Article:
    source = a_source(feed_id=outlet, name=outlet.title(), domain=f"{outlet}.example", owner=outlet)
    when = NOW + timedelta(hours=hours)
    url = f"https://{outlet}.example/{abs(hash(title))}"
    return an_article(url, title=title, text=text, source=source, published=when, first_seen=when, feeds=(outlet,))


ORIGINAL = article("herald", SUMMIT, "NATO joins the coalition against Daesh")
COPY = article("tribune", f"{SUMMIT}\nMore on this story tonight.", "Alliance enters anti-Daesh coalition", hours=1)
OTHER = article("echo", FLOOD, "River floods the old town of Kettleby", hours=1)


def test_a_copy_shares_the_story_and_says_what_it_copies(store: ArticleStore, stories: Stories) -> None:
    batch = a_batch()
    store.write([ORIGINAL, COPY, OTHER], batch, batch.seq_of_attempt, now=NOW)
    report = stories.place(batch, now=NOW)
    assert (report.articles, report.copies) == (3, 1)
    found = store.get([ORIGINAL.id, COPY.id, OTHER.id])
    assert (found[COPY.id].story_id, found[COPY.id].duplicate_of) == (ORIGINAL.id, ORIGINAL.id)
    assert found[ORIGINAL.id].duplicate_of is None
    assert found[OTHER.id].story_id == OTHER.id
    assert all(one.placed_at == NOW for one in found.values())


def test_a_copy_in_a_later_batch_finds_its_original(store: ArticleStore, stories: Stories) -> None:
    first, second = a_batch(7), a_batch(8)
    store.write([ORIGINAL, OTHER], first, first.seq_of_attempt, now=NOW)
    stories.place(first, now=NOW)
    store.write([COPY], second, second.seq_of_attempt, now=NOW)
    assert stories.place(second, now=NOW).copies == 1
    assert store.get([COPY.id])[COPY.id].story_id == ORIGINAL.id


def test_each_article_is_placed_once(store: ArticleStore, stories: Stories) -> None:
    batch = a_batch()
    store.write([ORIGINAL, COPY], batch, batch.seq_of_attempt, now=NOW)
    stories.place(batch, now=NOW)
    assert stories.place(batch, now=NOW).articles == 0


def test_an_edited_copy_stays_in_its_story(store: ArticleStore, stories: Stories) -> None:
    first, second = a_batch(7), a_batch(8)
    store.write([ORIGINAL, COPY], first, first.seq_of_attempt, now=NOW)
    stories.place(first, now=NOW)
    edited = replace(COPY, title="A headline that says something else", text=FLOOD)
    store.write([edited], second, second.seq_of_attempt, now=NOW)
    assert stories.place(second, now=NOW).articles == 0
    assert store.get([COPY.id])[COPY.id].story_id == ORIGINAL.id


def test_what_lies_outside_of_the_window_is_another_story(store: ArticleStore, stories: Stories) -> None:
    late = article("tribune", SUMMIT, "Alliance enters anti-Daesh coalition", hours=24 * 9)
    batch = a_batch()
    store.write([ORIGINAL, late], batch, batch.seq_of_attempt, now=NOW)
    assert stories.place(batch, now=NOW).copies == 0


def test_more_articles_than_a_page(store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.stories._PAGE", 2)
    batch = a_batch()
    store.write([ORIGINAL, COPY, OTHER], batch, batch.seq_of_attempt, now=NOW)
    report = stories.place(batch, now=NOW)
    assert (report.articles, report.copies) == (3, 1)


def test_placing_keeps_the_ingest_order_and_what_is_searched(
    es: Elasticsearch, names: Names, store: ArticleStore, stories: Stories
) -> None:
    batch = a_batch()
    store.write([ORIGINAL], batch, batch.seq_of_attempt, now=NOW)
    stories.place(batch, now=NOW)
    es.indices.refresh(index=names.articles)
    (hit,) = es.search(index=names.articles, query={"match": {"stemmed.english": "coalitions"}})["hits"]["hits"]
    assert hit["_source"]["seq"] == batch.seq_of_attempt


def test_who_lost_the_turn_writes_no_story(store: ArticleStore, stories: Stories) -> None:
    def lost() -> None:
        raise StoreError("another worker has it")

    batch = a_batch()
    store.write([ORIGINAL, COPY], batch, batch.seq_of_attempt, now=NOW)
    with pytest.raises(StoreError, match="another worker has it"):
        stories.place(batch, now=NOW, hold=lost)
    assert all(one.placed_at is None for one in store.get([ORIGINAL.id, COPY.id]).values())


@pytest.mark.parametrize("older", [False, True], ids=["with its gist", "stored before there were gists"])
def test_a_later_report_joins_by_what_is_stored_of_the_first(
    store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    first, second = a_batch(7), a_batch(8)
    store.write([ORIGINAL, OTHER], first, first.seq_of_attempt, now=NOW)
    stories.place(first, now=NOW)
    if older:
        for name in ("_COMPARED", "_TEXTS"):
            without = [field for field in getattr(story_candidates, name) if field != "gist"]
            monkeypatch.setattr(story_candidates, name, without)
        stories = Stories(stories._es, stories._names, window=timedelta(days=7))  # has compared none yet
    told = "The Alliance joins the coalition against Daesh as a member. AWACS flights are to grow, leaders agreed."
    later = article("tribune", told, "NATO to join coalition against Daesh", hours=2)
    store.write([later], second, second.seq_of_attempt, now=NOW)
    report = stories.place(second, now=NOW)
    assert (report.joined, report.copies) == (1, 0)
    assert store.get([later.id])[later.id].story_id == ORIGINAL.id


def test_an_old_report_that_comes_in_late_meets_those_of_its_time(
    store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.story_candidates.CANDIDATES", 1)
    first, second = a_batch(7), a_batch(8)
    again = article("echo", COPY.text, COPY.title, hours=24 * 60)  # more like it, but of another month
    store.write([ORIGINAL, again], first, first.seq_of_attempt, now=NOW)
    stories.place(first, now=NOW)
    ancient = article("post", FLOOD, "River floods the old town", hours=0)
    ancient = replace(ancient, published=NOW.replace(year=1, month=1, day=1))
    store.write([COPY, ancient], second, second.seq_of_attempt, now=NOW)
    report = stories.place(second, now=NOW)
    assert (report.articles, report.copies) == (2, 1)
    assert store.get([COPY.id])[COPY.id].duplicate_of == ORIGINAL.id


def test_a_version_that_was_compared_before_is_not_read_again(
    es: Elasticsearch, names: Names, store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    documents = StoryCandidates._documents

    def reading(self: StoryCandidates, places: Sequence[tuple[str, int]], *rest: Any) -> Iterator[Hit]:
        read.extend(seq for _, seq in places)
        return documents(self, places, *rest)

    monkeypatch.setattr(StoryCandidates, "_documents", reading)
    told = "The Alliance joins the coalition against Daesh as a member. AWACS flights are to grow, leaders agreed."
    second = article("tribune", told, "NATO to join coalition against Daesh", hours=2)
    third = article("echo", f"{told} More than planned.", "NATO is to join coalition against Daesh", hours=3)
    for number, new in enumerate((ORIGINAL, second, COPY), 6):
        store.write([new], a_batch(number), a_batch(number).seq_of_attempt, now=NOW)
        stories.place(a_batch(number), now=NOW)
    assert not read  # not even the text that was copied
    assert store.get([second.id])[second.id].story_id == ORIGINAL.id
    assert store.get([COPY.id])[COPY.id].duplicate_of == ORIGINAL.id
    # Another process joins the story to another: these versions have not been compared.
    ids = {"ids": {"values": [ORIGINAL.id, second.id, COPY.id]}}
    three = find(es, names.articles, with_document, query=ids, sort=[{"seq": "asc"}], size=3)
    moved = {was.id: replace(was.value[0], story_id="elsewhere") for was in three}
    actions = (bulk.replace(was, renewed(was.id, was.value[1], names.topics(), moved[was.id])) for was in three)
    assert all(result.reason is None for result in bulk.write(es, actions))
    store.write([third], a_batch(9), a_batch(9).seq_of_attempt, now=NOW)
    stories.place(a_batch(9), now=NOW)
    assert set(read) == {a_batch(number).seq_of_attempt for number in (6, 7, 8)}
    assert store.get([third.id])[third.id].story_id == "elsewhere"


def test_which_of_equal_articles_are_candidates_does_not_depend_on_their_order_on_disk(
    es: Elasticsearch, names: Names, store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.story_candidates.CANDIDATES", 1)
    outlets = [replace(article(outlet, FLOOD, OTHER.title), placed_at=NOW) for outlet in ("post", "echo", "globe")]
    for number, placed in ((9, outlets[0]), (7, outlets[1]), (8, outlets[2])):
        store.write([placed], a_batch(number), a_batch(number).seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    new = weigh(profile_of(article("herald", FLOOD, OTHER.title, hours=1)), Background())
    found = StoryCandidates(es, names, timedelta(days=7)).of([new], Background())
    assert [one.profile.source for one in found[new.profile.id]] == ["echo.example"]


def test_a_candidate_that_is_edited_while_it_is_read_is_looked_for_again(
    es: Elasticsearch, names: Names, store: ArticleStore, stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (a_batch(number) for number in (7, 8, 9))
    store.write([ORIGINAL], first, first.seq_of_attempt, now=NOW)
    stories.place(first, now=NOW)
    edits = [replace(ORIGINAL, title="NATO joins the coalition against Daesh as a member")]
    found = StoryCandidates._found

    def edited(self: StoryCandidates, profiles: Sequence[Weighed]) -> Any:
        hits = found(self, profiles)
        if edits:
            store.write([edits.pop()], second, second.seq_of_attempt, now=NOW)
            es.indices.refresh(index=names.articles)
        return hits

    monkeypatch.setattr(StoryCandidates, "_found", edited)
    store.write([COPY], third, third.seq_of_attempt, now=NOW)
    Stories(es, names, window=timedelta(days=7)).place(third, now=NOW)
    assert not edits
    assert store.get([COPY.id])[COPY.id].duplicate_of == ORIGINAL.id


def test_two_articles_with_one_number_are_two_candidates_and_one_that_is_not_placed_is_none(
    es: Elasticsearch, names: Names, store: ArticleStore
) -> None:
    """Nothing numbers them so; somebody may have edited them."""
    batch = a_batch()
    outlets = [
        replace(article(outlet, FLOOD, OTHER.title), placed_at=NOW, story_id=outlet) for outlet in ("post", "echo")
    ]
    for one in (*outlets, article("globe", FLOOD, OTHER.title)):
        store.write([one], batch, batch.seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    new = weigh(profile_of(article("herald", FLOOD, OTHER.title, hours=1)), Background())
    candidates = StoryCandidates(es, names, timedelta(days=7))
    for _ in range(2):  # read, and kept
        found = candidates.of([new], Background())[new.profile.id]
        assert {one.story_id for one in found} == {"post", "echo"}


def test_a_gist_that_cannot_be_read_is_made_anew(
    es: Elasticsearch, names: Names, store: ArticleStore, stories: Stories
) -> None:
    batch = a_batch()
    store.write([ORIGINAL, COPY], batch, batch.seq_of_attempt, now=NOW)
    ids = {"ids": {"values": [ORIGINAL.id]}}
    es.indices.refresh(index=names.articles)
    (was,) = find(es, names.articles, with_document, query=ids, sort=[{"seq": "asc"}], size=1)
    document = renewed(was.id, was.value[1], names.topics()) | {"gist": {"body": 7}}
    assert all(result.reason is None for result in bulk.write(es, [bulk.replace(was, document)]))
    assert stories.place(batch, now=NOW).copies == 1
    es.indices.refresh(index=names.articles)
    (now,) = find(es, names.articles, with_document, query=ids, sort=[{"seq": "asc"}], size=1)
    assert now.value[1]["gist"] == was.value[1]["gist"]
