"""The next generation of a slice: nothing lost, nothing twice, whoever writes and whatever dies meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from elastic_transport import Transport
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import StoreError
from newswatch.settings import Settings
from store import generations
from store.articles import ArticleStore
from store.elastic import client
from store.generations import all_slices, create_slice, live_slices, upgrade
from store.indices import mapping, setup
from store.names import Names
from tests.factories import NOW, a_batch, an_article

pytestmark = pytest.mark.slow

APRIL = datetime(2026, 4, 2, tzinfo=UTC)
KILLED = 9


@pytest.fixture
def settings(elasticsearch_url: str, names: Names) -> Settings:
    return Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)


@pytest.fixture
def store(es: Elasticsearch, names: Names) -> ArticleStore:
    return ArticleStore(es, names)


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newswatch of the next version, whose mapping has one more field, and indexes the language for full text."""
    fields = mapping.ARTICLE | {"mood": mapping.KEYWORD, "language": {"type": "text"}}
    for module in (mapping, setup, generations):
        monkeypatch.setattr(module, "ARTICLE", fields)
        monkeypatch.setattr(module, "VERSION", mapping.VERSION + 1, raising=False)


def some(number: int, first_seen: datetime = NOW, start: int = 0) -> list[Article]:
    return [
        an_article(f"https://herald.example/{n}", title=f"Story {n}", first_seen=first_seen)
        for n in range(start, start + number)
    ]


@contextmanager
def no_shard_comes_up(es: Elasticsearch) -> Iterator[None]:
    """Indices are made in this block, and their shards only come up after it."""
    allocation = "cluster.routing.allocation.enable"
    es.cluster.put_settings(persistent={allocation: "none"})
    try:
        yield
    finally:
        es.cluster.put_settings(persistent={allocation: None})


def test_a_slice_is_searched_as_soon_as_it_is_up_and_never_before(es: Elasticsearch, names: Names) -> None:
    """Nobody who reads meets it half made, and whoever else wants it waits for its maker."""
    month = f"{NOW:%Y.%m}"
    index = names.slice_of_month(month)
    with ThreadPoolExecutor(2) as pool:
        with no_shard_comes_up(es):
            maker = pool.submit(create_slice, es, names, month)
            while not es.indices.exists(index=index):
                assert not maker.done()
            other = pool.submit(create_slice, es, names, month)
            answer = es.search(index=names.articles, ignore_unavailable=True, allow_partial_search_results=False)
            assert answer["hits"]["total"]["value"] == 0
            assert live_slices(es, names) == []
            assert not maker.done()
            assert not other.done()
        assert {maker.result(), other.result()} == {index}
    assert live_slices(es, names) == [index]
    assert es.search(index=names.articles, allow_partial_search_results=False)["hits"]["total"]["value"] == 0


def test_a_slice_whose_maker_has_died_is_put_in_force_by_the_next_one(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "JOINED_S", 0.0)
    index = names.slice_of_month(f"{NOW:%Y.%m}")
    es.indices.create(index=index)
    write(ArticleStore(es, names), some(1))
    assert live_slices(es, names) == [index]


def test_a_month_that_was_replaced_meanwhile_stays_replaced(
    es: Elasticsearch, names: Names, settings: Settings
) -> None:
    month = f"{NOW:%Y.%m}"
    create_slice(es, names, month)
    (upgraded,) = upgrade(es, names, settings, everything=True)
    assert create_slice(es, names, month) == upgraded.new
    assert live_slices(es, names) == [upgraded.new]


def write(store: ArticleStore, articles: list[Article], number: int = 7, now: datetime = NOW) -> None:
    batch = a_batch(number)
    assert not store.write(articles, batch, batch.seq_of_attempt, now=now).refused


def titles(es: Elasticsearch, names: Names) -> list[str]:
    es.indices.refresh(index=names.articles)
    hits = es.search(index=names.articles, size=10_000, source_includes=["title"])["hits"]["hits"]
    return sorted(hit["_source"]["title"] for hit in hits)


def test_every_slice_gets_its_next_generation(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore, next_version: None
) -> None:
    write(store, some(3))
    write(store, some(2, APRIL, start=3), 8, APRIL)
    done = upgrade(es, names, settings, everything=True)
    assert [(one.old, one.new, one.articles) for one in done] == [
        (f"{names.articles}-2026.04", f"{names.articles}-2026.04-g2", 2),
        (f"{names.articles}-2026.03", f"{names.articles}-2026.03-g2", 3),
    ]
    assert live_slices(es, names) == [one.new for one in done]
    assert titles(es, names) == [f"Story {n}" for n in range(5)]
    assert es.search(index=names.articles, query={"match": {"language": "EN"}})["hits"]["total"]["value"] == 5


def test_documents_and_their_place_in_the_ingest_order_stay(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(3))
    before = {hit["_id"]: hit["_source"] for hit in hits(es, f"{names.articles}-2026.03")}
    upgrade(es, names, settings, everything=True)
    after = {hit["_id"]: hit["_source"] for hit in hits(es, f"{names.articles}-2026.03-g2")}
    assert before == after
    assert len(after) == 3


def hits(es: Elasticsearch, index: str) -> list[dict[str, Any]]:
    es.indices.refresh(index=index)
    return list(es.search(index=index)["hits"]["hits"])


def test_what_is_of_this_version_is_left_alone(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(1))
    assert upgrade(es, names, settings) == []


@pytest.mark.parametrize("joined", [True, False])
def test_a_new_field_is_there_before_any_upgrade(
    es: Elasticsearch, names: Names, settings: Settings, request: pytest.FixtureRequest, joined: bool
) -> None:
    """Also in a slice that another worker makes of the old template at this moment, and puts in force next."""
    index = names.slice_of_month("2025.01")
    es.indices.create(index=index, aliases={names.articles: {}} if joined else {})
    assert "mood" not in es.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    request.getfixturevalue("next_version")
    setup.set_up(es, names, settings)
    fields = es.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert fields["mood"]["type"] == "keyword"


def test_a_downgrade_is_refused_with_its_reason(
    es: Elasticsearch, names: Names, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "VERSION", mapping.VERSION - 1)
    for use in (setup.set_up, upgrade):
        told = rf"version {mapping.VERSION}.*newer newswatch.*knows version {mapping.VERSION - 1}.*restore a snapshot"
        with pytest.raises(StoreError, match=told):
            use(es, names, settings)


def test_articles_are_updated_and_carried_on_in_the_new_generation(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(3))
    upgrade(es, names, settings, everything=True)
    again = some(4)
    batch = a_batch(8)
    edited = [replace(again[0], title="Story 0, corrected"), *again[1:]]
    report = store.write(edited, batch, batch.seq_of_attempt, now=NOW)
    assert (len(report.new), len(report.updated), len(report.known)) == (1, 1, 2)
    assert titles(es, names) == ["Story 0, corrected", "Story 1", "Story 2", "Story 3"]


def test_the_generation_that_was_replaced_takes_no_more_writes(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(2))
    old = store.slices()
    upgrade(es, names, settings, everything=True)
    listings = iter([old])
    late = ArticleStore(es, names)
    late.slices = lambda: next(listings, None) or live_slices(es, names)  # type: ignore[method-assign]
    write(late, [replace(some(1)[0], title="Story 0, late"), *some(1, start=2)], 8)
    assert titles(es, names) == ["Story 0, late", "Story 1", "Story 2"]


@pytest.mark.usefixtures("next_version")
def test_a_slice_that_is_gone_is_not_taken_for_empty(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(2))
    old = store.slices()
    upgrade(es, names, settings, everything=True)
    es.indices.delete(index=old[0])
    listings = iter([old])
    late = ArticleStore(es, names)
    late.slices = lambda: next(listings, None) or live_slices(es, names)  # type: ignore[method-assign]
    write(late, some(3, APRIL), 8, APRIL)
    assert titles(es, names) == ["Story 0", "Story 1", "Story 2"]


def test_writing_goes_on_meanwhile(es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore) -> None:
    write(store, some(600))
    stop, written, failures = threading.Event(), count(600), []

    def writer(offset: int) -> None:
        ours = ArticleStore(es, names)
        try:
            while not stop.is_set():
                number = next(written)
                edited = replace(some(1, start=number % 50 + offset)[0], title=f"Edited {number}")
                write(ours, [*some(1, start=number), edited], number)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=writer, args=(offset,)) for offset in (0, 50)]
    for thread in writers:
        thread.start()
    for _ in range(3):
        upgrade(es, names, settings, everything=True)
    stop.set()
    for thread in writers:
        thread.join()
    assert not failures
    total = next(written)
    assert total > 620, "the writers hardly wrote anything: nothing is shown"
    expected = {article.id for article in some(total)}
    es.indices.refresh(index=names.articles)
    found = [hit["_id"] for hit in es.search(index=names.articles, size=10_000, source=False)["hits"]["hits"]]
    assert sorted(found) == sorted(expected)
    edits = {hit["_id"]: hit for hit in hits_matching(es, names, "title:edited")}
    for article_id, article in store.get(edits).items():
        assert article.version == len(article.versions), f"an edit of {article_id} is lost"


def hits_matching(es: Elasticsearch, names: Names, query: str) -> list[dict[str, Any]]:
    return list(es.search(index=names.articles, query={"query_string": {"query": query}}, size=1_000)["hits"]["hits"])


def test_two_upgrades_at_once_do_it_once(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(300))
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(upgrade(es, names, settings, everything=True))
        except Exception as error:
            outcomes.append(error)

    both = [threading.Thread(target=run) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert any(isinstance(outcome, list) for outcome in outcomes)
    assert len(live_slices(es, names)) == 1
    assert len(titles(es, names)) == 300
    write(store, some(301), 8)
    assert len(titles(es, names)) == 301


def test_what_was_deleted_after_it_was_copied_does_not_come_back(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(3))
    (index,) = store.slices()

    def delete_one(_slice: str, done: int, of: int) -> None:
        if done == of == 3:
            es.delete(index=index, id=some(1)[0].id)

    upgrade(es, names, settings, everything=True, progress=delete_one)
    assert titles(es, names) == ["Story 1", "Story 2"]


def test_an_article_that_cannot_be_taken_over_leaves_the_old_generation_in_force(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, some(2))
    refusing = mapping.ARTICLE | {"title": {"type": "date"}}
    for module in (mapping, generations):
        monkeypatch.setattr(module, "ARTICLE", refusing)
    with pytest.raises(StoreError, match=r"can't be copied .*title.*stays in force"):
        upgrade(es, names, settings, everything=True)
    monkeypatch.undo()
    write(store, some(3), 8)
    assert live_slices(es, names) == [f"{names.articles}-2026.03"]
    assert len(titles(es, names)) == 3


def test_a_writer_does_not_wait_for_ever_for_an_upgrade_that_died(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, some(1))
    es.indices.create(index=f"{store.slices()[0]}-g2")
    es.indices.add_block(index=store.slices()[0], block="write")
    monkeypatch.setattr(generations, "PATIENCE_S", 0.2)
    with pytest.raises(StoreError, match="newswatch index upgrade"):
        write(store, some(2), 8)
    upgrade(es, names, settings)
    write(store, some(2), 8)
    assert titles(es, names) == ["Story 0", "Story 1"]


# ── death ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def dying(killed_at: int) -> Callable[..., Any]:
    steps, original = count(), Transport.perform_request

    def perform(*args: Any, **kwargs: Any) -> Any:
        if next(steps) == killed_at:
            os._exit(KILLED)
        return original(*args, **kwargs)

    return perform


def upgrade_dies(names: Names, settings: Settings, killed_at: int) -> bool:
    """Run it in a process that is killed before its n-th request; False when it has no such request.

    Requests come one after the other, so that dying after one leaves what dying before the next one does.
    """
    child = os.fork()
    if child == 0:
        try:
            Transport.perform_request = dying(killed_at)  # type: ignore[method-assign]
            upgrade(client.connect(settings), names, settings, everything=True)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), "the upgrade failed by itself"
    return code == KILLED


@pytest.mark.timeout(600)
def test_whatever_request_it_dies_at_it_is_done_by_running_it_again(
    es: Elasticsearch, names: Names, settings: Settings, store: ArticleStore
) -> None:
    write(store, some(3))
    written = 3
    for killed_at in range(200):
        died = upgrade_dies(names, settings, killed_at)
        place = f"killed before request {killed_at}"
        assert len(titles(es, names)) == written, f"a search sees too much or too little: {place}"
        upgrade(es, names, settings, everything=True)
        written += 1
        edited = replace(some(1)[0], title=f"Story 0, edited {written}")
        write(store, [edited, *some(1, start=written - 1)], written)
        found = titles(es, names)
        assert len(found) == written, f"an article is lost or twice: {place}"
        assert edited.title in found, f"a version is lost: {place}"
        assert len(live_slices(es, names)) == 1, place
        for leftover in all_slices(es, names):
            if not leftover.live:
                es.indices.delete(index=leftover.index)
        if not died:
            break
    else:
        pytest.fail("the upgrade never came to its end")
    assert killed_at > 10, "no request was found to die at"
