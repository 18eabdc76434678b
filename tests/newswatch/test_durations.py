"""Lengths of time for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.durations import ago, exact, long, short, typed

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "in_short", "in_full"),
    [
        (0, "0 s", "0 seconds"),
        (0.6, "1 s", "1 second"),
        (45, "45 s", "45 seconds"),
        (59.7, "1 min", "1 minute"),
        (90, "2 min", "2 minutes"),
        (1_801, "30 min", "30 minutes"),
        (3_599, "1 h", "1 hour"),
        (5_300, "1 h", "1 hour"),
        (86_399, "1 d", "1 day"),
        (40 * 86_400, "40 d", "40 days"),
    ],
)
def test_in_the_largest_unit(seconds: float, in_short: str, in_full: str) -> None:
    assert (short(seconds), long(seconds)) == (in_short, in_full)


def test_past_and_coming() -> None:
    assert ago(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert ago(NOW + timedelta(hours=2), NOW) == "in 2 h"
    assert ago(NOW, NOW) == "0 s ago"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0s"), (90, "90s"), (5_400, "90m"), (36 * 3_600, "36h"), (3_660 * 86_400, "3660d"), (604_800, "1w")],
)
def test_as_it_is_typed(seconds: int, written: str) -> None:
    assert exact(seconds) == written


@given(st.integers(0, 10**12))
def test_what_is_written_is_read_again(seconds: int) -> None:
    found = typed(exact(seconds))
    assert found
    assert found[0] * found[1].seconds == seconds


@pytest.mark.parametrize("text", ["", "m", "5", "5 minutes", "-5m", "5m30s", "٥m"])
def test_what_is_no_length_of_time(text: str) -> None:
    assert typed(text) is None
