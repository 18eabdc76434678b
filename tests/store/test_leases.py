"""Feeds and batches on a real Elasticsearch: who holds what, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.batch import BatchState
from newswatch.feed import FeedState
from store.batches import BatchStore
from store.feeds import FeedStore
from store.names import Names
from tests.factories import NOW, a_feed

pytestmark = pytest.mark.slow

FEEDS = [a_feed(name) for name in ("herald", "tribune", "echo")]
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def feeds(es: Elasticsearch, names: Names) -> FeedStore:
    store = FeedStore(es, names)
    store.sync(FEEDS)
    return store


@pytest.fixture
def batches(es: Elasticsearch, names: Names) -> BatchStore:
    return BatchStore(es, names)


def ids(records: Sequence[object]) -> set[str]:
    return {record.id for record in records}  # type: ignore[attr-defined]


def test_a_configured_feed_is_due_at_once(feeds: FeedStore) -> None:
    assert ids(feeds.due(NOW, 10)) == {"herald", "tribune", "echo"}
    assert len(feeds.due(NOW, 2)) == 2


def test_sync_adds_changes_and_disables_without_losing_state(feeds: FeedStore) -> None:
    (echo,) = [feed for feed in feeds.due(NOW, 10) if feed.id == "echo"]
    feeds.save([(echo, replace(echo.value.state, etag='"1"', polls=5))])
    report = feeds.sync([replace(FEEDS[2], title="Echo of the day"), FEEDS[0], a_feed("new")])
    assert (report.added, report.changed, report.disabled) == (("new",), ("echo",), ("tribune",))
    records = {record.feed.id: record for record in feeds.all()}
    assert (records["echo"].feed.title, records["echo"].state.polls) == ("Echo of the day", 5)
    assert not records["tribune"].feed.enabled
    assert "tribune" not in ids(feeds.due(NOW, 10))
    assert feeds.sync([replace(FEEDS[2], title="Echo of the day"), FEEDS[0], a_feed("new")]).added == ()


def test_a_leased_feed_is_held_until_it_is_saved_or_the_lease_ends(feeds: FeedStore, batches: BatchStore) -> None:
    batch = batches.open(["herald", "echo"], now=NOW, lease_s=60)
    held = [feed for feed in feeds.due(NOW, 10) if feed.id in batch.feed_ids]
    assert sorted(feeds.lease(held, batch)) == ["echo", "herald"]
    assert ids(feeds.due(NOW, 10)) == {"tribune"}
    assert ids(feeds.due(NOW + timedelta(seconds=61), 10)) == {"herald", "tribune", "echo"}
    leased = {feed.id: feed for feed in feeds.leased(batch)}
    assert feeds.save([(leased["echo"], replace(leased["echo"].value.state, next_poll_at=LATER))]) == []
    assert ids(feeds.leased(batch)) == {"herald"}
    assert "echo" not in ids(feeds.due(NOW + timedelta(seconds=61), 10))


def test_two_planners_never_lease_a_feed_twice(feeds: FeedStore, batches: BatchStore) -> None:
    def lease(_: int) -> list[str]:
        due = feeds.due(NOW, 10)
        return feeds.lease(due, batches.open([feed.id for feed in due], now=NOW, lease_s=60))

    with ThreadPoolExecutor(4) as pool:
        granted = [feed_id for got in pool.map(lease, range(4)) for feed_id in got]
    assert sorted(granted) == ["echo", "herald", "tribune"]


def test_a_worker_that_lost_its_lease_does_not_overwrite_the_next(feeds: FeedStore, batches: BatchStore) -> None:
    slow = batches.open(["echo"], now=NOW, lease_s=60)
    feeds.lease([feed for feed in feeds.due(NOW, 10) if feed.id == "echo"], slow)
    (before,) = feeds.leased(slow)
    quick = batches.open(["echo"], now=LATER, lease_s=60)
    feeds.lease([feed for feed in feeds.due(LATER, 10) if feed.id == "echo"], quick)
    assert feeds.save([(before, FeedState("echo", "https://wrong.example"))]) == ["echo"]
    assert len(feeds.leased(quick)) == 1
    assert feeds.leased(slow) == []


def test_another_url_starts_the_state_anew(feeds: FeedStore) -> None:
    (echo,) = [feed for feed in feeds.due(NOW, 10) if feed.id == "echo"]
    feeds.save([(echo, replace(echo.value.state, etag='"1"'))])
    feeds.sync([replace(FEEDS[2], url="https://echo.example/new")])
    (record,) = [record for record in feeds.all() if record.feed.id == "echo"]
    assert (record.state.etag, record.state.url) == (None, "https://echo.example/new")


def test_numbers_are_unique_whoever_opens(batches: BatchStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: batches.open([], now=NOW, lease_s=60).number, range(24)))
    assert sorted(opened) == list(range(1, 25))


def test_a_batch_waits_until_it_is_matched(batches: BatchStore) -> None:
    number = batches.open(["echo"], now=NOW, lease_s=60).number
    assert batches.waiting(now=NOW) == []
    batches.mark_indexed(number, counts={"new": 2}, now=NOW)
    (waiting,) = batches.waiting(now=NOW)
    assert batches.mark_matched(waiting, now=NOW)
    assert batches.waiting(now=NOW) == []
    assert batches.get(number).value.state == BatchState.MATCHED


def test_what_is_indexed_again_while_it_is_matched_stays_to_be_matched(batches: BatchStore) -> None:
    number = batches.open(["echo"], now=NOW, lease_s=60).number
    batches.mark_indexed(number, counts={"new": 2}, now=NOW)
    (waiting,) = batches.waiting(now=NOW)
    batches.mark_indexed(number, counts={"new": 1}, now=NOW)
    assert not batches.mark_matched(waiting, now=NOW)
    (again,) = batches.waiting(now=NOW)
    assert again.value.counts == {"new": 3}


def test_a_dead_batch_is_given_up_and_matched(batches: BatchStore) -> None:
    number = batches.open(["echo"], now=NOW, lease_s=60).number
    assert batches.reap(now=NOW) == []
    assert batches.reap(now=NOW + timedelta(seconds=61)) == [number]
    (waiting,) = batches.waiting(now=LATER)
    assert waiting.value.abandoned


def test_an_abandoned_batch_is_matched_again_for_a_while(batches: BatchStore) -> None:
    batches.open(["echo"], now=NOW, lease_s=60)
    soon = NOW + timedelta(minutes=2)
    batches.reap(now=soon)
    (waiting,) = batches.waiting(now=soon)
    batches.mark_matched(waiting, now=soon)
    assert len(batches.waiting(now=soon)) == 1
    assert batches.waiting(now=NOW + timedelta(hours=2)) == []


def test_each_attempt_numbers_its_articles_in_a_range_of_its_own(batches: BatchStore) -> None:
    number = batches.open(["echo"], now=NOW, lease_s=60).number
    first, second = batches.begin(number), batches.begin(number)
    assert first.seq_from < first.seq_of_attempt < second.seq_of_attempt < second.seq_to


@pytest.mark.parametrize("typed", [10**10, 10**9, 2**31, 9_999_999_999])
def test_a_large_number_that_somebody_typed_stops_no_batch(
    es: Elasticsearch, names: Names, typed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.batches._NUMBERS", 5)
    es.index(index=names.batches, id="typed", document={"number": typed, "state": "matched"}, refresh=True)
    batches, opened = BatchStore(es, names), set[int]()
    for _ in range(8):  # more than are tried above a number beyond which none is believed
        opened.add(batches.open(["f"], now=NOW, lease_s=60).number)
        es.indices.refresh(index=names.batches)
    assert opened == set(range(typed + 1, typed + 9))
