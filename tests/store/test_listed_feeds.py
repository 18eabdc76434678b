"""Feeds that are listed in Elasticsearch, beside those of the file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch

from ingest.feed_list.feeds import feed_id
from newswatch.feed import Feed
from store.feed_listing import listed_beside
from store.feeds import FeedStore
from store.names import Names
from tests.factories import NOW, a_feed

FILE = a_feed("file", url="https://file.example/rss")
URL = "https://beside.example/rss"
BESIDE = Feed(feed_id(URL), URL, "Beside")


@pytest.fixture
def feeds(es: Elasticsearch, names: Names) -> FeedStore:
    feeds = FeedStore(es, names)
    feeds.sync([FILE])
    return feeds


def listed(feeds: FeedStore) -> dict[str, tuple[str, bool]]:
    return {record.feed.id: (record.feed.origin, record.feed.enabled) for record in feeds.all()}


def test_what_is_listed_in_elasticsearch_stays_beside_the_file(feeds: FeedStore) -> None:
    assert [feed.id for feed in feeds.add([BESIDE])] == [BESIDE.id]
    for _ in range(2):
        report = feeds.sync([FILE])
        assert (report.changed, report.disabled) == ((), ())
    assert listed(feeds) == {"file": ("file", True), BESIDE.id: ("store", True)}
    assert BESIDE.id in [due.id for due in feeds.due(NOW, 10)]


def test_nothing_is_added_twice(feeds: FeedStore) -> None:
    same_address = replace(BESIDE, id="other", url="http://beside.example/rss")
    again = replace(BESIDE, title="Again")
    assert feeds.add([BESIDE, same_address, again]) == (BESIDE,)
    assert feeds.add([BESIDE, replace(BESIDE, id="x", url=FILE.url), replace(BESIDE, id="file")]) == ()


def test_many_at_once_add_it_once(feeds: FeedStore) -> None:
    with ThreadPoolExecutor(8) as adders:
        added = list(adders.map(lambda _: feeds.add([BESIDE]), range(8)))
    assert sum(map(len, added)) == 1


def test_the_file_wins_for_the_ids_that_it_names(feeds: FeedStore) -> None:
    feeds.add([BESIDE])
    assert feeds.sync([FILE, replace(BESIDE, title="As in the file")]).changed == (BESIDE.id,)
    assert listed(feeds)[BESIDE.id] == ("file", True)
    assert feeds.sync([FILE]).disabled == (BESIDE.id,)


def test_one_address_is_not_polled_twice(feeds: FeedStore) -> None:
    feeds.add([BESIDE])
    named = replace(BESIDE, id="named")
    assert feeds.sync([FILE, named]).disabled == (BESIDE.id,)
    assert listed(feeds)["named"] == ("file", True)
    assert feeds.sync([FILE, named]).disabled == ()


def test_what_is_removed_stays_removed_while_the_file_names_it(feeds: FeedStore) -> None:
    assert feeds.remove("file")
    assert not feeds.remove("file")
    assert not feeds.remove("unknown")
    assert feeds.sync([FILE, replace(FILE, title="Changed", id="file")]).changed == ()
    assert listed(feeds) == {"file": ("removed", False)}
    assert feeds.due(NOW, 10) == []
    feeds.sync([])
    assert listed(feeds) == {"file": ("file", False)}
    assert feeds.sync([FILE]).changed == ("file",)
    assert listed(feeds) == {"file": ("file", True)}


def test_adding_it_again_brings_it_back(feeds: FeedStore) -> None:
    feeds.add([BESIDE])
    for name, origin in (("file", "file"), (BESIDE.id, "store")):
        feeds.remove(name)
        assert not listed(feeds)[name][1]
        assert len(feeds.add([FILE if name == "file" else BESIDE])) == 1
        assert listed(feeds)[name] == (origin, True)
    assert feeds.sync([FILE]).changed == ()


def test_state_and_lease_survive(feeds: FeedStore, es: Elasticsearch, names: Names) -> None:
    feeds.add([BESIDE])
    (was,) = (due for due in feeds.due(NOW, 10) if due.id == BESIDE.id)
    feeds.save([(was, replace(was.value.state, polls=7))])
    assert listed(feeds)[BESIDE.id] == ("store", True)
    feeds.remove(BESIDE.id)
    feeds.add([BESIDE])
    (record,) = (record for record in feeds.all() if record.feed.id == BESIDE.id)
    assert record.state.polls == 7


def test_a_feed_of_the_version_before_is_one_of_the_file(feeds: FeedStore, es: Elasticsearch, names: Names) -> None:
    document = es.get(index=names.feeds, id="file")["_source"]
    assert document.pop("origin") == "file"
    es.index(index=names.feeds, id="file", document=document, refresh=True)
    assert listed(feeds) == {"file": ("file", True)}
    assert feeds.sync([FILE]).changed == ()


def test_an_address_edited_to_nonsense_stops_nothing(feeds: FeedStore, es: Elasticsearch, names: Names) -> None:
    feeds.add([BESIDE])
    es.update(index=names.feeds, id="file", doc={"url": "http://["}, refresh=True)
    assert feeds.add([BESIDE]) == ()
    assert feeds.sync([FILE]).changed == ("file",)


def test_what_is_edited_stays_edited_while_the_file_names_it(feeds: FeedStore) -> None:
    moved = replace(FILE, url="https://moved.example/rss", title="Moved")
    edited = feeds.edit(FILE, moved)
    assert edited == replace(moved, origin="edited")
    assert feeds.edit(FILE, replace(FILE, title="From an old page")) is None
    assert feeds.sync([FILE]).changed == ()
    assert listed_beside([FILE], [record.feed for record in feeds.all()]) == (edited,)
    assert feeds.sync([moved]).changed == ("file",)  # the file says the same
    assert feeds.all()[0].feed == moved
    assert feeds.sync([FILE]).changed == ("file",)


def test_what_is_switched_off_and_on_again_keeps_its_place(feeds: FeedStore) -> None:
    off = feeds.edit(FILE, replace(FILE, enabled=False))
    assert off is not None
    feeds.sync([FILE])
    assert feeds.due(NOW, 10) == []
    on = feeds.edit(off, replace(off, enabled=True))
    assert on is not None
    assert listed(feeds) == {"file": ("edited", True)}
    feeds.sync([])
    assert listed(feeds) == {"file": ("file", False)}
    feeds.add([BESIDE])
    (beside,) = [record.feed for record in feeds.all() if record.feed.id == BESIDE.id]
    assert feeds.edit(beside, replace(beside, title="Other")) == replace(beside, title="Other")
