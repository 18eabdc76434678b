"""What is usual, and what stands out from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from search.syntax import parse
from search.time_spans import span
from search.usual import ENOUGH, Compared, Window, basis, last_day, usual
from tests.factories import NOW

DAY = timedelta(days=1)
TODAY = last_day(NOW)


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (3, (1, 0, 1, 0, 1, 0, 0, 1), "usual"),  # small counts don't shout
        (5, (0,) * 8, "usual"),
        (6, (0,) * 8, "more"),
        (0, (4, 5, 3, 4, 6, 5, 4, 4), "usual"),
        (40, (10, 12, 9, 11, 10, 8, 12, 10), "more"),
        (0, (40, 44, 38, 41, 45, 39, 40, 42), "less"),
        (40, (10, 12, 300, 11, 10, 8, 12, 10), "more"),  # one exceptional week does not hide it
        (1_050, (1_000,) * 8, "usual"),  # more than chance alone, and nothing in the news
        (40, (20, 80, 15, 60, 30, 90, 10, 50), "usual"),  # what always varies
        (500, (1, 2, 3), "unknown"),
    ],
)
def test_what_stands_out(now: int, before: tuple[int, ...], verdict: str) -> None:
    row = Compared("x", now, before)
    assert row.verdict == verdict
    assert (row.surprise > 0) == (verdict in ("more", "less"))


def test_the_range_ends_where_it_begins_to_stand_out() -> None:
    before = (10, 12, 9, 11, 10, 8, 12, 10)
    expected = usual(before)
    assert expected is not None
    assert expected.median == 10
    assert Compared("x", expected.high, before).verdict == "usual"
    assert Compared("x", expected.high + 1, before).verdict == "more"


def test_a_window_is_what_its_filters_find() -> None:
    assert TODAY.end == datetime(2026, 3, 4, 5, 7, tzinfo=UTC)
    parsed = parse(TODAY.filters)
    since, until = (parsed.first(name) for name in ("since", "until"))
    assert since
    assert until
    assert (span(since, NOW)[0], span(until, NOW)[1]) == (TODAY.start, TODAY.end)


def test_it_is_compared_with_the_same_weekday_of_weeks_in_which_it_ran() -> None:
    whole = basis(TODAY, NOW - timedelta(days=100))
    assert whole.kind == "weeks"
    assert [(TODAY.start - window.start).days for window in whole.windows] == [7, 14, 21, 28, 35, 42, 49, 56]
    quiet = whole.windows[1]
    assert quiet not in basis(TODAY, NOW - timedelta(days=100), [quiet]).windows


@pytest.mark.parametrize(
    ("ran", "kind", "windows"),
    [
        (30, "weeks", 4),
        (29, "weeks", 4),
        (28, "days", 7),
        (6, "days", 5),
        (5, "days", 4),
        (4, "none", 0),
        (0, "none", 0),
    ],
)
def test_a_young_installation_is_compared_with_the_days_before_or_not_at_all(ran: int, kind: str, windows: int) -> None:
    found = basis(TODAY, TODAY.start - timedelta(days=ran - 1) if ran else NOW)
    assert (found.kind, len(found.windows)) == (kind, windows)
    assert found.kind == "none" or len(found.windows) >= ENOUGH


def test_an_empty_one_has_nothing_to_compare_with() -> None:
    assert basis(Window(NOW - DAY, NOW), None).since is None
