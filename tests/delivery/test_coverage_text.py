"""What was watched, in words: one line when all was seen, a few otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from alerts.coverage import coverage
from delivery.coverage_text import FEEDS_TOLD, told
from newswatch.feed import Gap
from newswatch.outages import Cause, History, Outage
from store.watched import Watched, WatchedFeed
from tests.alerts.press import a_search
from tests.alerts.test_coverage import DAY, HOUR, a_watched, many
from tests.factories import NOW


def said(*feeds: WatchedFeed, own: Mapping[Cause, History] | None = None) -> list[str]:
    text = told(coverage(Watched(NOW, feeds, own or {}), (), NOW - DAY))
    return [text.summary, *text.lines]


def test_one_line_when_all_was_seen() -> None:
    assert said(*many(309)) == ["309 of 309 feeds polled; none was out of reach."]


def test_everything_that_was_not_seen() -> None:
    own = {
        Cause.NETWORK: (Outage(NOW.replace(hour=2, minute=10), NOW.replace(hour=3, minute=0)),),
        Cause.MAIL: (Outage(NOW - 2 * HOUR),),
    }
    feeds = [
        a_watched("dead", Outage(NOW - 9 * DAY)),
        a_watched("le monde", Outage(NOW - 4 * HOUR, NOW - 2 * HOUR, "503"), gaps=(Gap(NOW - 9 * HOUR, NOW - HOUR),)),
        a_watched("new", last_poll_at=None),
    ]
    assert said(*feeds, *many(306), own=own) == [
        "307 of 309 feeds polled; 2 were out of reach; 1 is new and not polled yet.",
        "From Wed 4 Mar, 02:10 to 03:00 UTC (50 minutes) none of 309 feeds could be reached: our own network was down.",
        "Since Wed 4 Mar, 03:06 UTC (2 hours) no mail could be sent, so that mails came late.",
        "Le Monde: not reached from Wed 4 Mar, 01:06 to 03:06 UTC (2 hours): 503",
        "Le Monde: items may have been missed between Tue 3 Mar, 20:06 UTC and Wed 4 Mar, 04:06 UTC",
        "Not reached all this time: Dead (since 23 Feb 2026).",
    ]


def test_many_are_counted() -> None:
    out = [a_watched(f"f{n}", Outage(NOW - (n + 1) * HOUR)) for n in range(FEEDS_TOLD + 3)]
    lines = said(*out, *many(9))
    assert len(lines) == 1 + FEEDS_TOLD + 1
    assert lines[1].startswith("F7: not reached since"), "the longest first"
    assert lines[-1] == "3 more were out of reach too."
    assert said(*out[: FEEDS_TOLD + 1])[-1] == "1 more was out of reach too."


def test_many_periods_of_one_feed() -> None:
    outages = [Outage(NOW - n * HOUR, NOW - n * HOUR + HOUR / 2) for n in range(9, 2, -1)]
    (_, line) = said(a_watched("a", *outages))
    assert line.count(" from ") == 3
    assert line.count("minutes)") == 3
    assert line.endswith(", and 4 times before")


def test_what_strangers_wrote_stays_on_one_line_and_short() -> None:
    outage = Outage(NOW - HOUR, None, "no\n\nway " + "x" * 500)
    feed = replace(a_watched("a", outage), title="T\n\u202e" + "y" * 500)
    (_, line) = said(feed)
    assert "\n" not in line
    assert "\u202e" not in line
    assert len(line) < 300


def test_a_search_that_nothing_is_polled_for() -> None:
    watched = Watched(NOW, (a_watched("a"),))
    seen = coverage(watched, [a_search("s", sources=("nobody.example",))], NOW - DAY)
    assert "nothing is watched" in told(seen).summary
    assert said() == ["No feed is polled yet."]


def test_a_period_over_midnight_names_both_days() -> None:
    (_, line) = said(a_watched("a", Outage(NOW - 20 * HOUR, NOW - timedelta(hours=1))))
    assert line == "A: not reached from Tue 3 Mar, 09:06 UTC to Wed 4 Mar, 04:06 UTC (19 hours)"
