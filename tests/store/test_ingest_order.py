"""Reading in ingest order while others write: nothing missed, nothing twice."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.batch import Batch
from search.ingest_pages import Numbered, page_after, page_before, query_of
from store.articles import ArticleStore
from store.batches import BatchStore
from store.ingest_order import Cursor, CursorError, Horizon, Horizons
from store.names import Names
from tests.factories import NOW, an_article
from transforms.fingerprint import text_hash

slow = pytest.mark.slow
LEASE_S = 600
EVERYTHING: dict[str, Any] = {"match_all": {}}


def written(number: int, version: int = 1) -> Article:
    text = f"Article {number}, as version {version} has it, with words enough to be an article."
    return an_article(f"https://many.example/{number}", text=text, text_hash=text_hash("t", text))


class Reader:
    """Somebody who polls, and never keeps more than his cursor."""

    def __init__(self, es: Elasticsearch, names: Names, *, size: int = 7) -> None:
        self.es, self.names, self.size = es, names, size
        self.cursor, self.now, self.ticks = "", NOW, iter(range(10**9))
        self.horizons = Horizons(clock=lambda: next(self.ticks) * 2.0)  # never cached
        self.got: list[Numbered] = []

    def poll(self) -> list[str]:
        """Every page that there is now; what they hold."""
        found: list[Numbered] = []
        while True:
            page = page_after(
                self.es,
                self.names,
                EVERYTHING,
                self.cursor,
                size=self.size,
                horizons=self.horizons,
                now=self.now,
            )
            self.cursor = str(page.cursor)
            found += page.articles
            if not page.has_more:
                self.got += found
                return [one.article.text.split(",")[0].removeprefix("Article ") for one in found]


class Writer:
    """A worker with a batch of its own, which can be interrupted anywhere."""

    def __init__(self, es: Elasticsearch, names: Names, *, now: datetime = NOW) -> None:
        self.batches, self.store, self.now = BatchStore(es, names), ArticleStore(es, names), now
        self.batch: Batch = self.batches.begin(self.batches.open([], now=now, lease_s=LEASE_S).number)
        self.seq = self.batch.seq_of_attempt

    def write(self, *articles: Article) -> None:
        self.seq = self.store.write(articles, self.batch, self.seq, now=self.now).next_seq

    def end(self) -> None:
        self.batches.mark_indexed(self.batch.number, counts={}, now=self.now)
        assert self.batches.mark_matched(self.batches.get(self.batch.number), now=self.now)


@slow
def test_nothing_is_missed_and_nothing_comes_twice_while_several_write_and_update(
    es: Elasticsearch, names: Names
) -> None:
    def work(worker: int) -> None:
        for turn in range(5):
            writer = Writer(es, names)
            own = [written(1_000 * worker + 10 * turn + number) for number in range(4)]
            writer.write(*own)
            # Every worker edits the same articles, so they get numbers of later, or of earlier, batches.
            writer.write(*(written(number, 10 * worker + turn + 2) for number in range(3)))
            writer.end()

    seed = Writer(es, names)  # a slice that is being created can't be searched
    seed.write(written(0))
    seed.end()
    reader = Reader(es, names)
    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, worker) for worker in range(1, 5)]
        while not all(one.done() for one in working):
            reader.poll()
        for worker in working:
            worker.result()
    reader.poll()
    versions = Counter((one.article.id, one.article.version) for one in reader.got)
    assert max(versions.values()) == 1, "nothing twice"
    last: dict[str, int] = {}
    for one in reader.got:
        assert one.article.version > last.get(one.article.id, 0), "a later version comes later"
        last[one.article.id] = one.article.version
    stored = ArticleStore(es, names).get(last)
    assert len(stored) == 4 * 5 * 4 + 3
    assert {one.id: one.version for one in stored.values()} == last, "nothing missed"


@slow
def test_a_reader_waits_for_the_slow_worker_before_him_but_not_for_ever(es: Elasticsearch, names: Names) -> None:
    reader, slow_one, quick = Reader(es, names), Writer(es, names), Writer(es, names)
    quick.write(written(2))
    quick.end()
    assert reader.poll() == []
    slow_one.write(written(1))
    slow_one.end()
    assert reader.poll() == ["1", "2"]
    unmatched = Writer(es, names)  # its stories are not decided on
    unmatched.write(written(3))
    unmatched.batches.mark_indexed(unmatched.batch.number, counts={}, now=NOW)
    assert reader.poll() == []
    reader.now += timedelta(minutes=6)
    assert reader.poll() == ["3"]


@slow
def test_what_a_worker_writes_that_was_given_up_for_dead_still_comes(es: Elasticsearch, names: Names) -> None:
    reader, zombie = Reader(es, names, size=2), Writer(es, names)
    zombie.write(written(1), written(2), written(3))
    later = Writer(es, names)
    later.write(written(10), written(11))
    later.end()
    over = NOW + timedelta(seconds=LEASE_S + 1)
    assert zombie.batches.reap(now=over) == [zombie.batch.number]
    reader.now = over
    assert reader.poll() == [], "a write that had begun may still end"
    reader.now = over + timedelta(minutes=6)
    assert reader.poll() == ["1", "2", "3", "10", "11"]
    zombie.write(written(4), written(5))
    assert reader.poll() == ["4", "5"]
    zombie.now = reader.now
    zombie.batches.mark_indexed(zombie.batch.number, counts={}, now=reader.now)  # is matched once more
    zombie.write(written(6))
    assert reader.poll() == [], "the horizon has gone back"
    reader.now += timedelta(minutes=6)
    assert reader.poll() == ["6"]
    reader.now += timedelta(hours=2)
    assert reader.poll() == []
    assert "_" not in reader.cursor, "what is over is forgotten"


@slow
def test_from_now_on_backwards_and_from_elsewhere(es: Elasticsearch, names: Names) -> None:
    horizons, ask = Horizons(), Reader(es, names)
    assert page_after(es, names, EVERYTHING, "", size=5, horizons=horizons, now=NOW).articles == ()
    first = Writer(es, names)
    first.write(*map(written, range(5)))
    first.end()
    ask.cursor = str(page_after(es, names, EVERYTHING, "now", size=5, horizons=ask.horizons, now=NOW).cursor)
    assert ask.poll() == []
    query = query_of(es, names, "version", NOW)
    newest, before = page_before(es, names, query, None, size=2, horizons=ask.horizons, now=NOW)
    second = Writer(es, names)
    second.write(written(7))
    second.end()
    older, _ = page_before(es, names, query, before, size=2, horizons=ask.horizons, now=NOW)
    assert len({one.article.id for one in (*newest, *older)}) == 4, "what comes in moves no page"
    assert ask.poll() == ["7"]
    with pytest.raises(CursorError, match="ahead of all articles") as ahead:
        page_after(es, names, EVERYTHING, f"{10**15}", size=5, horizons=ask.horizons, now=NOW)
    assert ahead.value.is_gone


ODD = ("x", "-2", "1_", "1_2", "1_2-3-4", "1" * 20, "²", "1_2--2", "1" + "_2-3" * 200)


def test_a_cursor_is_a_text_and_an_odd_one_is_refused() -> None:
    cursor = Cursor(305, {100: 99, 200: 230})
    assert str(cursor) == "305_100--1_200-30"
    assert Cursor.of(str(cursor)) == cursor
    assert Cursor.of("") == Cursor()
    horizon = Horizon(1_000_000, 2_000_000)
    assert Cursor(999_999).clause(horizon) == {"match_none": {}}
    for odd in ODD:
        with pytest.raises(CursorError, match="is no cursor"):
            Cursor.of(odd)
