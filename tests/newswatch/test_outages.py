"""Histories of outages: begun, ended, added, bounded; every change may be repeated."""

from __future__ import annotations

from datetime import timedelta

from newswatch.outages import OUTAGE_DAYS, OUTAGES_KEPT, WORTH_TELLING, Outage, added, begun, ended, overlapping
from tests.factories import NOW

HOUR = timedelta(hours=1)


def test_an_outage_begins_once_and_ends_once() -> None:
    history = begun(begun((), NOW, "503"), NOW + HOUR, "504")
    assert history == (Outage(NOW, None, "503"),)
    over = ended(history, NOW + 2 * HOUR)
    assert over == ended(over, NOW + 3 * HOUR) == (Outage(NOW, NOW + 2 * HOUR, "503"),)


def test_what_was_short_is_not_kept() -> None:
    short = WORTH_TELLING - timedelta(seconds=1)
    assert ended(begun((), NOW), NOW + short) == ()
    assert ended(begun((), NOW), NOW + WORTH_TELLING) != ()
    assert added((), NOW, NOW + short) == ()


def test_a_period_that_is_noticed_afterwards_is_one_with_those_it_touches() -> None:
    history = added((), NOW, NOW + HOUR, "first")
    history = added(history, NOW + 5 * HOUR, NOW + 6 * HOUR)
    assert added(history, NOW, NOW + HOUR) == history, "noticed twice"
    whole = added(history, NOW + HOUR, NOW + 2 * HOUR)
    assert whole == (Outage(NOW, NOW + 2 * HOUR, "first"), Outage(NOW + 5 * HOUR, NOW + 6 * HOUR))
    assert len(added(whole, NOW - HOUR, NOW + 9 * HOUR)) == 1


def test_a_history_is_bounded_by_age_and_number() -> None:
    old = added((), NOW, NOW + HOUR)
    assert begun(old, NOW + timedelta(days=OUTAGE_DAYS + 1)) == (Outage(NOW + timedelta(days=OUTAGE_DAYS + 1)),)
    history: tuple[Outage, ...] = ()
    for number in range(OUTAGES_KEPT + 5):
        history = added(history, NOW + 2 * number * HOUR, NOW + (2 * number + 1) * HOUR)
    assert len(history) == OUTAGES_KEPT
    assert history[0].since == NOW + 10 * HOUR, "the oldest are dropped"
    lasting = begun((), NOW)
    assert begun(lasting, NOW + timedelta(days=99)) == lasting, "one that is not over is never too old"


def test_which_outages_touch_a_time() -> None:
    before, within, lasting = Outage(NOW, NOW + HOUR), Outage(NOW + 3 * HOUR, NOW + 4 * HOUR), Outage(NOW + 5 * HOUR)
    history = (before, within, lasting)
    assert overlapping(history, NOW + HOUR, NOW + 6 * HOUR) == (within, lasting)
    assert overlapping(history, NOW, NOW + 2 * HOUR) == (before,)
    assert overlapping(history, NOW + 2 * HOUR, NOW + 5 * HOUR + WORTH_TELLING / 2) == (within,), "not yet worth it"
