"""What goes and, above all, what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from elasticsearch import Elasticsearch

from newswatch.batch import BatchState
from newswatch.feed import FeedState
from newswatch.settings import Settings
from store import retention
from store.articles import ArticleStore
from store.batches import BatchStore
from store.elastic import bulk, reading
from store.entries import EntryRecord, EntryStore
from store.feed_documents import feed_document
from store.generations import all_slices, upgrade
from store.indices.replicas import apply_replicas
from store.milestones import Milestones
from store.names import Names, month_end
from store.quarantine import Quarantine, article_problem
from tests.factories import NOW, a_batch, a_feed, an_article


def test_a_month_ends_where_the_next_begins() -> None:
    assert month_end("2026.02") == datetime(2026, 3, 1, tzinfo=UTC)
    assert month_end("2025.12") == datetime(2026, 1, 1, tzinfo=UTC)


def write(es: Elasticsearch, names: Names, *months: int) -> None:
    for month in months:
        when = datetime(2026, month, 28, tzinfo=UTC)
        batch = a_batch(month)
        article = an_article(f"https://herald.example/{month}", first_seen=when)
        ArticleStore(es, names).write([article], batch, batch.seq_of_attempt, now=when)


@pytest.mark.slow
def test_a_slice_goes_once_its_whole_month_is_past(es: Elasticsearch, names: Names) -> None:
    write(es, names, 1, 2, 3)
    kept = retention.drop_old_slices(es, names, datetime(2026, 2, 27, tzinfo=UTC))
    assert kept == [f"{names.articles}-2026.01"]
    assert retention.drop_old_slices(es, names, datetime(2026, 2, 28, 23, 59, tzinfo=UTC)) == []
    assert retention.drop_old_slices(es, names, datetime(2026, 3, 1, tzinfo=UTC)) == [f"{names.articles}-2026.02"]
    assert [one.month for one in all_slices(es, names)] == ["2026.03"]


@pytest.mark.slow
def test_a_generation_that_was_replaced_goes_after_a_day(
    es: Elasticsearch, names: Names, elasticsearch_url: str
) -> None:
    write(es, names, 3)
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    upgrade(es, names, settings, everything=True)
    now = datetime.now(UTC)
    assert retention.drop_superseded(es, names, now) == []
    es.indices.create(index=f"{names.articles}-2026.03-g3")  # an upgrade is filling it
    assert retention.drop_superseded(es, names, now + timedelta(days=1, minutes=5)) == [f"{names.articles}-2026.03"]
    assert [one.generation for one in all_slices(es, names)] == [3, 2]


def entry(feed: str, name: str, changed: datetime) -> EntryRecord:
    return EntryRecord(feed, name, None, None, "hash", changed, changed)


@pytest.mark.slow
def test_an_entry_that_its_feed_still_shows_is_not_forgotten(es: Elasticsearch, names: Names) -> None:
    old, new = NOW - timedelta(days=500), NOW
    feed = a_feed()
    state = FeedState(feed.id, feed.url, entry_ids=("shown",))
    list(bulk.write(es, [bulk.put(names.feeds, feed.id, feed_document(feed, state))]))
    records = [entry("herald", "shown", old), entry("herald", "gone", old), entry("herald", "new", new)]
    records.append(entry("removed", "shown", old))
    EntryStore(es, names).save(records)
    assert retention.forget_entries(es, names, NOW - timedelta(days=400)) == 2
    known = EntryStore(es, names).known(record.id for record in records)
    assert {(record.feed_id, record.entry_id) for record in known.values()} == {("herald", "shown"), ("herald", "new")}


@pytest.mark.slow
def test_entries_are_forgotten_page_by_page_and_a_feed_that_cannot_be_read_keeps_its_own(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "pages", partial(reading.pages, size=2))
    old = NOW - timedelta(days=500)
    shown = FeedState("herald", "https://herald.example/feed", entry_ids=("e1", "e4"))
    list(bulk.write(es, [bulk.put(names.feeds, "herald", feed_document(a_feed(), shown))]))
    es.index(index=names.feeds, id="broken", document={"title": "Broken"})
    records = [entry(feed, f"e{n}", old) for feed in ("broken", "gone", "herald") for n in range(5)]
    EntryStore(es, names).save(records)
    assert retention.forget_entries(es, names, NOW) == 3 + 5
    left = EntryStore(es, names).known(record.id for record in records).values()
    assert sorted(record.entry_id for record in left if record.feed_id == "herald") == ["e1", "e4"]
    assert sum(record.feed_id == "broken" for record in left) == 5


@pytest.mark.slow
def test_a_delivery_stays_as_long_as_its_story_may_match_again(es: Elasticsearch, names: Names) -> None:
    batch = a_batch(1)
    article = replace(an_article("https://herald.example/1"), story_id="alive")
    ArticleStore(es, names).write([article], batch, batch.seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    made = {"old": (NOW - timedelta(days=500), {}), "new": (NOW, {}), "waiting": (NOW - timedelta(days=500), WAITS)}
    for name, (created_at, more) in made.items():
        for story in ("alive", "gone"):
            document = {"alert_id": name, "story_id": story, "created_at": created_at.isoformat(), "state": "sent"}
            es.index(index=names.deliveries, id=f"{name}~{story}", document=document | more)
            es.index(index=names.outcomes, document={"delivery_id": f"{name}~{story}", "state": "sent"})
    assert retention.forget_deliveries(es, names, NOW - timedelta(days=400)) == 1
    es.indices.refresh(index=names.deliveries)
    left = {hit["_id"] for hit in es.search(index=names.deliveries)["hits"]["hits"]}
    assert left == {f"{name}~{story}" for name in made for story in ("alive", "gone")} - {"old~gone"}
    es.indices.refresh(index=names.outcomes)
    outcomes = es.search(index=names.outcomes)["hits"]["hits"]
    assert {hit["_source"]["delivery_id"] for hit in outcomes} == left, "outcomes go with their delivery"


WAITS = {"state": "pending", "waiting": ["reader@desk.example"]}


@pytest.mark.slow
def test_the_stated_number_of_replicas_is_given_to_what_is_there(
    es: Elasticsearch, names: Names, elasticsearch_url: str
) -> None:
    write(es, names, 3)
    unstated = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    es.indices.put_settings(index=names.labels, settings={"index.auto_expand_replicas": "0-1"})
    assert apply_replicas(es, names, unstated) == [], "nobody has stated a number"
    stated = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix, number_of_replicas=1)
    given = apply_replicas(es, names, stated)
    assert {names.feeds, f"{names.articles}-2026.03"} <= set(given)
    assert names.labels not in given
    assert apply_replicas(es, names, stated) == []


@pytest.mark.slow
def test_batches_go_but_never_the_last_nor_one_that_waits(es: Elasticsearch, names: Names) -> None:
    store = BatchStore(es, names)
    for _ in range(4):
        store.open(["herald"], now=NOW, lease_s=60)
    for number in (1, 2, 4):
        matched = replace(store.get(number).value, state=BatchState.MATCHED, matched_at=NOW)
        store.mark_indexed(matched.number, counts={}, now=NOW)
        store.mark_matched(store.get(number), now=NOW)
    assert retention.forget_batches(es, names, NOW) == 0
    assert retention.forget_batches(es, names, NOW + timedelta(days=1)) == 2
    assert store.get(3).value.state == BatchState.PLANNED
    assert store.open(["herald"], now=NOW, lease_s=60).number == 5


@pytest.mark.slow
def test_what_was_refused_again_lately_stays_in_quarantine(es: Elasticsearch, names: Names) -> None:
    quarantine = Quarantine(es, names)
    for number, when in ((1, NOW - timedelta(days=500)), (2, NOW)):
        quarantine.note([article_problem(an_article(f"https://herald.example/{number}"), "why")], now=when)
    assert retention.forget_quarantine(es, names, NOW - timedelta(days=400)) == 1
    es.indices.refresh(index=names.quarantine)
    assert es.count(index=names.quarantine)["count"] == 1


@pytest.mark.slow
def test_past_months_are_merged_once(es: Elasticsearch, names: Names) -> None:
    for _ in range(3):
        write(es, names, 2, 3)
        es.index(index=f"{names.articles}-2026.02", document={"title": "x"}, refresh=True)
    now = datetime(2026, 3, 20, tzinfo=UTC)
    assert retention.merge_settled(es, names, now) == [f"{names.articles}-2026.02"]
    assert retention.merge_settled(es, names, now) == []


@pytest.mark.slow
def test_the_last_milestone_before_what_is_kept_stays(es: Elasticsearch, names: Names) -> None:
    stones = Milestones(es, names)
    for days in (400, 300, 200, 10, 0):
        last = stones.reach(1_000 - days, NOW - timedelta(days=days))
    before = stones.around(0, None)
    # With the first of all, which is of the day before the first client.
    assert retention.forget_milestones(es, names, NOW - timedelta(days=100)) == 3
    after = stones.around(0, None)
    assert [stone.seq for stone in after.stones] == [800, 990, 1_000]
    assert after.moment(850) == before.moment(850)
    assert stones.reach(0, NOW + timedelta(days=1)) == last
