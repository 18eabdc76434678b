"""Which feeds the fast lane asks every few seconds, and how often: never more than the feed and its server allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ingest.polling.fast import pace, wait_s
from newswatch.feed import Feed, FeedState
from newswatch.settings import Settings
from tests.factories import NOW

FEED = Feed("f", "https://news.example/rss", "Example")
MARKED = replace(FEED, fast=True)
READ = FeedState("f", FEED.url, last_success_at=NOW - timedelta(minutes=1))


def seconds(feed: Feed = MARKED, *, in_vain: int = 0, state: Any = None, **settings: Any) -> float | None:
    paced = pace(feed, replace(READ, **(state or {})), Settings(**settings), NOW, in_vain=in_vain)
    return paced.seconds if paced else None


def test_a_marked_feed_is_asked_every_ten_seconds() -> None:
    assert seconds() == 10
    assert seconds(fast_interval_s=4) == 4


@pytest.mark.parametrize(("rate", "wanted"), [(0.0, None), (6.0, None), (7.2, 50), (12.0, 30), (600.0, 10)])
def test_a_feed_is_taken_by_its_own_rhythm(rate: float, wanted: float | None) -> None:
    assert seconds(FEED, state={"new_rate": rate}) == wanted
    assert seconds(FEED, state={"new_rate": rate}, fast_by_rhythm=False) is None


@pytest.mark.parametrize(
    ("state", "wanted"),
    [({"fresh_s": 25}, 25), ({"asks_s": 30, "fresh_s": 5}, 30), ({"fresh_s": 60}, None), ({"asks_s": 3_600}, None)],
)
def test_what_its_server_or_the_feed_asks_for_is_kept(state: dict[str, int], wanted: float | None) -> None:
    assert seconds(state=state) == wanted


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"last_success_at": None}, "not been read"),
        ({"failures": 1}, "it fails"),
        ({"paused_until": NOW + timedelta(seconds=5)}, "asked for a pause"),
        ({"skip_hours": (NOW.hour,)}, "at this hour"),
        ({"skip_days": (NOW.weekday(),)}, "at this hour"),
        ({"asks_s": 3_600}, "every hour"),
    ],
)
def test_it_says_why_a_marked_feed_is_left_to_the_minutes_poll(state: dict[str, Any], why: str) -> None:
    paced = pace(MARKED, replace(READ, **state), Settings(), NOW)
    assert paced
    assert paced.seconds is None
    assert why in paced.why


def test_a_document_that_changes_in_vain_is_asked_for_less_and_less() -> None:
    assert [seconds(in_vain=times) for times in range(4)] == [10, 20, 40, None]


def test_a_disabled_feed_is_nobodys() -> None:
    assert seconds(replace(MARKED, enabled=False)) is None


def test_a_subscribed_feed_is_asked_by_its_own_rhythm_while_its_hub_is_relied_on() -> None:
    state = replace(READ, next_poll_at=NOW + timedelta(seconds=50))
    often = pace(MARKED, state, Settings(), NOW)
    assert wait_s(often, state, NOW, relied_on=None) == 10
    assert wait_s(often, state, NOW, relied_on=False) == 10, "its hub has fallen silent"
    assert wait_s(often, state, NOW, relied_on=True) == 50
    assert wait_s(None, state, NOW, relied_on=False) == 50
    assert wait_s(None, state, NOW + timedelta(hours=1), relied_on=True) == 1
    assert wait_s(None, state, NOW, relied_on=None) is None
