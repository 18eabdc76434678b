"""Readers' desks in Elasticsearch: exact whoever else writes, found by filters, forgotten with the articles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.desk import Deed, Handover, Mark, Step
from newswatch.errors import ChangedMeanwhileError, DocumentError, QueryError
from search import personal
from search.export import every
from search.query import find
from search.syntax import parse
from store import retention
from store.desk import DeskStore
from store.names import Names
from tests.factories import NOW, an_article
from tests.newsstand import stock

DAY = timedelta(days=1)


def found(es: Elasticsearch, names: Names, query: str, reader: str = "ann") -> set[str]:
    hits = find(es, names, query, reader=reader, now=NOW + DAY).hits
    assert {hit.article.id for hit in hits} == {a.id for a in every(es, names, query, reader=reader, now=NOW + DAY)}
    return {hit.article.title for hit in hits}


def test_marks_of_many_tabs_at_once_are_all_kept(es: Elasticsearch, names: Names) -> None:
    store, deeds = DeskStore(es, names), list[Deed](["read", "star"])

    def work(n: int) -> Mark | None:
        if n % 3 < 2:
            return store.do("ann", "a", deeds[n % 3], NOW)
        try:
            return store.note("ann", "a", f"note {n}", None, NOW)
        except ChangedMeanwhileError:
            return None

    with ThreadPoolExecutor(12) as pool:
        made = [mark for mark in pool.map(work, range(36)) if mark]
    (mark,) = store.read("ann", ["a"]).marks.values()
    assert (mark.read_at, mark.starred_at) == (NOW, NOW)
    notes = {one.note for one in made if one.note}
    assert notes == {mark.note}, "one of twelve notes was kept, the others were told so"


def test_of_many_who_hand_it_on_at_once_one_does_and_the_others_are_told(es: Elasticsearch, names: Names) -> None:
    store = DeskStore(es, names)

    def hand(n: int) -> Handover | str:
        try:
            return store.hand("a", Step(f"reader {n}", f"colleague {n}", NOW), 0)
        except ChangedMeanwhileError as error:
            return str(error)

    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(hand, range(12)))
    (won,) = [one for one in made if isinstance(one, Handover)]
    assert store.read("ann", ["a"]).handovers == {"a": won}
    assert {one for one in made if isinstance(one, str)} == {
        f"Meanwhile {won.last.by} handed it to {won.holder} (2026-03-04 05:06 UTC)."
    }


def test_personal_filters_find_what_is_the_readers_own(es: Elasticsearch, names: Names) -> None:
    old, seen, late = (
        an_article(f"https://x.example/{title}", title=title, story_id=title) for title in ("old", "seen", "late")
    )
    stock(es, names, [old], now=NOW - DAY)
    store = DeskStore(es, names)
    store.looked("ann", NOW - timedelta(hours=2))
    store.looked("ann", NOW - timedelta(hours=1))
    stock(es, names, [seen, late], now=NOW)
    assert found(es, names, "is:new") == {"seen", "late"}
    store.looked("ann", NOW)
    store.do("ann", seen.id, "read", NOW)
    store.do("ann", old.id, "star", NOW)
    store.note("ann", late.id, "see also", None, NOW)
    store.hand(old.id, Step("bob", "ann", NOW), 0)
    assert found(es, names, "is:new is:unread") == {"late"}
    assert personal.count_new(es, names, NOW - timedelta(hours=2)) == 2
    assert found(es, names, "is:unread") == {"late", "old"}
    assert found(es, names, "-is:unread") == {"seen"}
    assert found(es, names, "is:starred,noted") == {"old", "late"}
    assert found(es, names, "is:mine") == {"old"}
    assert found(es, names, "is:starred", "bob") == set()
    store.note("ann", late.id, "", NOW, NOW)
    store.hand(old.id, Step("ann", "", NOW), 1)
    assert found(es, names, "is:noted") == found(es, names, "is:mine") == set()
    with pytest.raises(QueryError, match=r"is:starred asks for .*only the News page knows who asks"):
        find(es, names, "NATO is:starred")


def test_more_marks_than_a_query_can_name_are_told(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DeskStore(es, names)
    for article_id in ("a", "b"):
        store.do("ann", article_id, "read", NOW)
    monkeypatch.setattr(personal, "MOST", 1)
    with pytest.raises(QueryError, match=r"2 articles, and 1 is the most\. Narrow it by a time, such as since:7d"):
        personal.clauses(es, names, "ann", parse("is:unread"), NOW)
    assert personal.clauses(es, names, "ann", parse("is:unread since:1d"), NOW + 3 * DAY)


def test_a_spoilt_document_costs_only_itself_and_is_not_written_over(es: Elasticsearch, names: Names) -> None:
    store = DeskStore(es, names)
    store.do("ann", "a", "star", NOW)
    store.do("ann", "b", "star", NOW)
    store.refresh()
    (hit,) = es.search(index=names.readers, query={"term": {"article_id": "a"}})["hits"]["hits"]
    es.index(index=names.readers, id=hit["_id"], document={"kind": "mark", "user": "eve"})
    assert store.read("ann", ["a", "b"]).marks.keys() == {"b"}
    with pytest.raises(DocumentError):
        store.do("ann", "a", "unstar", NOW)


def test_marks_go_with_their_articles(es: Elasticsearch, names: Names) -> None:
    store = DeskStore(es, names)
    store.do("ann", "old", "star", NOW - 60 * DAY)
    store.do("ann", "young", "star", NOW - 20 * DAY)
    assert retention.forget_readers(es, names, NOW) == 1
    assert store.read("ann", ["old", "young"]).marks.keys() == {"young"}
