"""A configuration file is applied to its index once for each version, and again where the index was changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from alerts.saved import SavedSearches
from benchmarks.growth import counted
from jobs.context import open_context
from jobs.match import match
from jobs.plan import plan
from newswatch.errors import MissingIndexError
from newswatch.feed import Feed
from store.applied import Application, Applied, apply_again
from store.configuration import ALERTS, FEEDS
from store.feeds import FeedStore, SyncReport
from store.names import Names
from tests.factories import NOW, a_feed
from tests.jobs.conftest import World


def test_a_note_counts_for_one_version_one_index_and_one_hour() -> None:
    applied = Applied(FEEDS, "one", "index", NOW)
    assert applied.covers("one", "index", NOW + timedelta(minutes=59))
    assert not applied.covers("two", "index", NOW)
    assert not applied.covers("one", "another", NOW)
    assert not applied.covers("one", "index", NOW + timedelta(hours=1))
    assert not applied.covers("one", "index", NOW - timedelta(hours=1)), "a clock was set back"
    assert not Applied(FEEDS).covers("", "", NOW)


@pytest.mark.slow
def test_a_note_that_cannot_be_read_or_written_stops_nothing(es: Elasticsearch, names: Names) -> None:
    note = Application(es, names, FEEDS, names.feeds)
    note.note("one", NOW)
    assert Application(es, names, FEEDS, names.feeds).covers("one", NOW)
    es.indices.put_settings(index=names.configuration, settings={"index.blocks.write": True})
    apply_again(es, names, FEEDS)
    Application(es, names, FEEDS, names.feeds).note("two", NOW)
    es.indices.put_settings(index=names.configuration, settings={"index.blocks.read": True})
    assert not Application(es, names, FEEDS, names.feeds).covers("one", NOW)
    es.indices.delete(index=names.feeds)
    es.indices.put_settings(index=names.configuration, settings={"index.blocks.read": None})
    with pytest.raises(MissingIndexError, match="feeds is missing"):
        Application(es, names, FEEDS, names.feeds)


@pytest.mark.slow
def test_feeds_are_compared_with_the_file_once_for_each_version(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, sync = [], FeedStore.sync

    def noted(store: FeedStore, feeds: Iterable[Feed]) -> SyncReport:
        compared.append(store)
        return sync(store, feeds)

    monkeypatch.setattr(FeedStore, "sync", noted)
    store, path = FeedStore(world.context.es, world.context.names), world.context.settings.config_dir / FEEDS
    assert plan(world.context).sync.added
    world.wait(minutes=1)
    plan(world.context)
    assert len(compared) == 1
    path.write_text(path.read_text(encoding="utf-8").replace("title: main", "title: The Main"), encoding="utf-8")
    assert plan(world.context).sync.changed == ("main",)
    # What is changed beside the file is compared with it.
    was = store.get("main")
    assert was
    assert store.edit(was.feed, a_feed("main", url="https://elsewhere.example/feed"))
    plan(world.context)
    assert len(compared) == 3
    # Also an index that is a new one.
    world.context.es.indices.delete(index=world.context.names.feeds)
    plan(open_context(world.context.settings, clock=world.clock))
    assert [record.feed.title for record in store.all()][-1] == "The Main"


@pytest.mark.slow
def test_saved_searches_are_seeded_once_for_each_version(world: World) -> None:
    searches = SavedSearches(world.context.es, world.context.names)
    match(world.context)
    with counted(world.context.es) as made:
        match(world.context)
    assert not any("saved-searches/_mget" in request for request in made)
    searches.delete("nato", by="ada")
    match(world.context)
    assert [search.id for search in searches.all()] == ["nato"], "as long as the file names it"
    # A version that was applied while somebody changed the index is applied again.
    begun = Application(world.context.es, world.context.names, ALERTS, world.context.names.searches)
    searches.delete("nato", by="ada")
    begun.note("stale", world.now)
    match(world.context)
    assert [search.id for search in searches.all()] == ["nato"]
