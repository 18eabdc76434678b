"""What was watched: whose feeds, what was missing, and when a digest without stories is due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from alerts.coverage import LONGEST, Coverage, coverage, feeds_of, is_poor
from newswatch.feed import Gap
from newswatch.outages import Cause, History, Outage
from store.watched import Watched, WatchedFeed
from tests.alerts.press import a_search
from tests.factories import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_watched(name: str, *outages: Outage, **changes: Any) -> WatchedFeed:
    whole: dict[str, Any] = {"country": "BE", "last_poll_at": NOW, "outages": outages}
    return WatchedFeed(name, name.title(), f"https://{name}.example/rss", **(whole | changes))


def seen(*feeds: WatchedFeed, own: Mapping[Cause, History] | None = None, back: timedelta = DAY) -> Coverage:
    return coverage(Watched(NOW, feeds, own or {}), (), NOW - back)


def many(count: int) -> list[WatchedFeed]:
    return [a_watched(f"f{number}") for number in range(count)]


def test_all_is_well() -> None:
    found = seen(*many(3))
    assert (found.feeds, found.polled, found.is_whole) == (3, 3, True)
    assert not is_poor(found, a_search("s"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({"sources": ("a.example",)}, ["a"]),
        ({"sources": ("other.example",)}, ["b"]),
        ({"countries": ("FR",)}, ["c"]),
        ({"countries": ("BE",), "kinds": ("agency",)}, ["b"]),
        ({"languages": ("fr",)}, ["a", "b", "c"]),
        ({"sources": ("nobody.example",)}, []),
    ],
)
def test_the_sources_of_a_search(changes: dict[str, Any], expected: list[str]) -> None:
    feeds = [
        a_watched("a"),
        a_watched("b", site="https://www.other.example/", kind="agency"),
        a_watched("c", country="FR"),
    ]
    assert [feed.id for feed in feeds_of(feeds, [a_search("s", **changes)])] == expected


def test_several_searches_have_the_sources_of_any() -> None:
    feeds = [a_watched("a"), a_watched("b"), a_watched("c", country="FR")]
    both = [a_search("s", sources=("a.example",)), a_search("t", countries=("FR",))]
    assert [feed.id for feed in feeds_of(feeds, both)] == ["a", "c"]
    assert len(feeds_of(feeds, [*both, a_search("u")])) == 3, "one that is not narrowed watches all"


def test_the_worst_comes_first_and_what_lasts_all_along_last() -> None:
    found = seen(
        a_watched("short", Outage(NOW - 3 * HOUR, NOW - 2 * HOUR)),
        a_watched("dead", Outage(NOW - 9 * DAY)),
        a_watched("long", Outage(NOW - 9 * HOUR)),
        a_watched("begun before", Outage(NOW - 2 * DAY, NOW - 20 * HOUR)),
    )
    assert [one.feed_id for one in found.missing] == ["long", "begun before", "short", "dead"]
    assert [one.lost for one in found.missing] == [9 * HOUR, 4 * HOUR, HOUR, DAY]
    assert found.polled == 3, "the dead one could not be read at all"


def test_new_feeds_are_not_polled_yet_and_not_out_of_reach() -> None:
    found = seen(a_watched("a"), a_watched("b", last_poll_at=None))
    assert (found.feeds, found.polled, found.new, found.missing) == (2, 1, 1, ())


def test_nothing_is_polled_while_our_own_outage_lasts_all_along() -> None:
    assert seen(*many(3), own={Cause.NETWORK: (Outage(NOW - 2 * DAY),)}).polled == 0
    assert seen(*many(3), own={Cause.NETWORK: (Outage(NOW - 2 * HOUR),)}).polled == 3
    assert seen(*many(3), own={Cause.MAIL: (Outage(NOW - 2 * DAY),)}).polled == 3


def test_only_gaps_that_were_noticed_in_the_time_count() -> None:
    old, new = Gap(NOW - 3 * DAY, NOW - 2 * DAY), Gap(NOW - 5 * HOUR, NOW - 4 * HOUR)
    (gapped,) = seen(a_watched("a", gaps=(old, new))).gapped
    assert gapped.gaps == (new,)
    assert not seen(a_watched("a", gaps=(old,))).gapped


def test_it_looks_back_for_a_month_at_most() -> None:
    found = coverage(Watched(NOW, (a_watched("a"),)), (), NOW - 400 * DAY)
    assert found.since == NOW - LONGEST
    assert coverage(Watched(NOW, (a_watched("a"),)), (), NOW + DAY).since == NOW, "written by a wrong clock"


TWO_HOURS = Outage(NOW - 9 * HOUR, NOW - 7 * HOUR)


@pytest.mark.parametrize(
    ("feeds", "own", "changes", "poor"),
    [
        ([a_watched("a", TWO_HOURS), *many(9)], {}, {}, True),
        ([a_watched("a", TWO_HOURS), *many(10)], {}, {}, False),
        ([a_watched("a", TWO_HOURS), *many(10)], {}, {"countries": ("BE",)}, True),
        ([a_watched("a", Outage(NOW - HOUR, NOW - HOUR / 2))], {}, {}, False),
        ([a_watched("a", Outage(NOW - 2 * DAY, NOW - HOUR))], {}, {}, True),
        ([a_watched("a", Outage(NOW - 9 * DAY)), *many(5)], {}, {}, False),
        ([a_watched("a", Outage(NOW - 9 * DAY))], {}, {}, True),
        ([a_watched("a", gaps=(Gap(NOW - HOUR, NOW),))], {}, {}, True),
        (many(300), {Cause.NETWORK: (Outage(NOW - HOUR, NOW - HOUR / 2),)}, {}, True),
        (many(300), {Cause.NETWORK: (Outage(NOW - 9 * DAY, NOW - 8 * DAY),)}, {}, False),
        (many(300), {Cause.MATCHING: (Outage(NOW - HOUR, NOW - HOUR / 2),)}, {}, True),
        (many(3), {}, {"sources": ("nobody.example",)}, True),
        ([], {}, {}, False),
    ],
    ids=[
        "one of ten",
        "one of eleven",
        "one of those it names",
        "for half an hour",
        "it is over now",
        "one has been dead for long",
        "the only one is dead",
        "a gap",
        "our network",
        "our network long ago",
        "matching was late",
        "none of its sources is polled",
        "nothing is set up yet",
    ],
)
def test_when_a_digest_without_stories_is_due(
    feeds: list[WatchedFeed], own: Mapping[Cause, History], changes: dict[str, Any], poor: bool
) -> None:
    search = a_search("s", **changes)
    found = coverage(Watched(NOW, tuple(feeds), own), [search], NOW - DAY)
    assert is_poor(found, search) is poor


def test_an_outage_of_days_is_told_when_it_begins_and_when_it_is_over() -> None:
    search, told = a_search("s", countries=("BE",)), []
    for day in range(6):
        at = NOW + day * DAY
        over = NOW + 4 * DAY - HOUR
        outage = Outage(NOW + HOUR / 2, over if over <= at else None)
        feeds = (a_watched("a", *([outage] if outage.since <= at else [])), a_watched("b"))
        told.append(is_poor(coverage(Watched(at, feeds), [search], at - DAY), search))
    assert told == [False, True, False, False, True, False]
