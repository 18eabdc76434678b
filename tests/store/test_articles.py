"""Writing articles to a real Elasticsearch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Timer

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, a_batch, a_source, an_article

pytestmark = pytest.mark.slow

BATCH = a_batch()
SEQ = BATCH.seq_of_attempt


@pytest.fixture
def store(es: Elasticsearch, names: Names) -> ArticleStore:
    return ArticleStore(es, names)


def articles(count: int) -> list[Article]:
    return [an_article(f"https://herald.example/{n}", title=f"Story {n}") for n in range(count)]


def count(es: Elasticsearch, names: Names) -> int:
    es.indices.refresh(index=names.articles)
    return int(es.count(index=names.articles)["count"])


def test_new_then_known_then_updated(es: Elasticsearch, names: Names, store: ArticleStore) -> None:
    first = store.write(articles(3), BATCH, SEQ, now=NOW)
    assert (len(first.new), first.next_seq) == (3, SEQ + 3)
    again = store.write(articles(3), BATCH, first.next_seq, now=NOW)
    assert (len(again.known), again.next_seq) == (3, first.next_seq)
    edited = replace(articles(1)[0], title="Story 0, corrected")
    third = store.write([edited], BATCH, again.next_seq, now=NOW)
    assert third.updated == (edited.id,)
    assert count(es, names) == 3
    article = store.get([edited.id])[edited.id]
    assert (article.version, article.title) == (2, "Story 0, corrected")


def test_the_same_article_twice_in_one_write_is_one(es: Elasticsearch, names: Names, store: ArticleStore) -> None:
    other = replace(articles(1)[0], source=a_source(feed_id="other"), feeds=("other",))
    report = store.write([*articles(2), other], BATCH, SEQ, now=NOW)
    assert (len(report.new), len(report.carried)) == (2, 1)
    assert store.get([other.id])[other.id].feeds == ("herald", "other")
    assert count(es, names) == 2


def test_an_article_of_last_month_is_updated_where_it_stands(
    es: Elasticsearch, names: Names, store: ArticleStore
) -> None:
    store.write(articles(1), BATCH, SEQ, now=NOW)
    april = NOW.replace(month=4)
    edited = replace(articles(1)[0], title="A month later", first_seen=april)
    assert len(store.write([edited], a_batch(8), SEQ + 10, now=april).updated) == 1
    store.write([an_article("https://herald.example/new", first_seen=april)], a_batch(8), SEQ + 11, now=april)
    assert store.slices() == [f"{names.articles}-2026.04", f"{names.articles}-2026.03"]
    assert count(es, names) == 2


def test_many_writers_at_once_make_one_document_each(es: Elasticsearch, names: Names, store: ArticleStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(store.write, articles(40), a_batch(n), n * 10**8, now=NOW) for n in range(6)]
        reports = [job.result() for job in work]
    assert sum(len(report.new) for report in reports) == 40
    assert all(len(report.new) + len(report.known) == 40 for report in reports)
    assert count(es, names) == 40


def test_two_writers_on_either_side_of_midnight_on_the_first(es: Elasticsearch, names: Names) -> None:
    before = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    after = datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC)
    (article,) = articles(1)
    ours, theirs = ArticleStore(es, names), ArticleStore(es, names)
    # Both look, and neither sees the other's write.
    theirs.slices = lambda: []  # type: ignore[method-assign]
    ours.write([replace(article, first_seen=before)], BATCH, SEQ, now=before)
    theirs.write([replace(article, first_seen=after)], a_batch(8), SEQ + 9, now=after)
    assert count(es, names) == 1
    assert ours.get([article.id])[article.id].first_seen == before


def test_what_elasticsearch_refuses_is_named_and_the_rest_is_written(
    es: Elasticsearch, names: Names, store: ArticleStore
) -> None:
    bad = replace(an_article("https://herald.example/bad"), published=datetime(1, 1, 1, tzinfo=UTC))
    worse = replace(an_article("https://herald.example/worse"), version=2**40)
    report = store.write([*articles(2), bad, worse], BATCH, SEQ, now=NOW)
    assert len(report.new) == 3
    (refused,) = report.refused
    assert refused.article.id == worse.id
    assert "version" in refused.reason


def test_a_slice_that_is_not_up_yet_is_waited_for(es: Elasticsearch, names: Names, store: ArticleStore) -> None:
    """It is in the alias, and can be read only once its shard has started: after a restart, or a move."""
    index = names.slice_of_month(f"{NOW:%Y.%m}")
    closed = {"index.routing.allocation.enable": "none"}
    es.indices.create(index=index, settings=closed, aliases={names.articles: {}}, wait_for_active_shards=0)
    opening = Timer(0.5, es.indices.put_settings, kwargs={"index": index, "settings": dict.fromkeys(closed)})
    opening.start()
    report = store.write(articles(1), BATCH, SEQ, now=NOW)
    opening.join()
    assert len(report.new) == 1
