"""Dividing what is due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.plan import divide
from newswatch.feed import FeedState
from store.elastic.documents import Stored
from store.feeds import FeedRecord
from tests.factories import a_feed


def due(hosts: list[int]) -> list[Stored[FeedRecord]]:
    feeds = [a_feed(f"f{n}", url=f"https://h{host}.example/{n}") for n, host in enumerate(hosts)]
    return [Stored(FeedRecord(feed, FeedState(feed.id, feed.url)), "feeds", feed.id, 0, 1) for feed in feeds]


def test_nothing_due_is_no_batch() -> None:
    assert divide([], 4, 500) == []


def test_a_handful_of_feeds_is_one_batch() -> None:
    assert [len(group) for group in divide(due(list(range(10))), 4, 500)] == [10]


def test_many_feeds_are_divided_evenly() -> None:
    assert [len(group) for group in divide(due(list(range(400))), 4, 500)] == [100] * 4


def test_full_batches_make_room_for_more_of_them() -> None:
    assert [len(group) for group in divide(due(list(range(2_400))), 4, 300)] == [300] * 8


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(1, 8), st.integers(1, 100))
def test_every_feed_once_and_no_host_split(hosts: list[int], parts: int, full: int) -> None:
    feeds = due(hosts)
    groups = divide(feeds, parts, full)
    assert sorted(feed.id for group in groups for feed in group) == sorted(feed.id for feed in feeds)
    assert len(groups) <= max(parts, -(-len(feeds) // full))
    owners: dict[str, int] = {}
    for number, group in enumerate(groups):
        for feed in group:
            host = feed.value.state.url.split("/")[2]
            assert owners.setdefault(host, number) == number


def test_the_hosts_of_a_site_are_asked_by_one_worker() -> None:
    """Its feeds and its pages stand on several, and pages are paced by the worker that asks for them."""
    hosts = [f"{name}.{site}" for site in ("paper.co.uk", "daily.gov.fr", "post.com") for name in ("feeds", "www", "m")]
    feeds = [a_feed(f"f{n}", url=f"https://{hosts[n % 9]}/{n}") for n in range(90)]
    records = [Stored(FeedRecord(feed, FeedState(feed.id, feed.url)), "feeds", feed.id, 0, 1) for feed in feeds]
    groups = divide(records, 3, 500)
    sites = [{feed.value.state.url.split("/")[2].partition(".")[2] for feed in group} for group in groups]
    assert sorted(map(sorted, sites)) == [["daily.gov.fr"], ["paper.co.uk"], ["post.com"]]
