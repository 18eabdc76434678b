"""The clock that is asked for elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from newswatch.clock import SharedClock, running_from

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WRONG = datetime(1999, 1, 1, tzinfo=UTC)


class Bench:
    """A clock elsewhere, and the seconds that this machine counts."""

    def __init__(self) -> None:
        self.elsewhere: datetime | None = NOON
        self.seconds, self.asked = 1_000.0, 0

    def ask(self) -> datetime | None:
        self.asked += 1
        return self.elsewhere

    def clock(self) -> SharedClock:
        return SharedClock(self.ask, progress=lambda: self.seconds, local=lambda: WRONG)


def test_this_machine_s_time_does_not_matter() -> None:
    bench = Bench()
    clock = bench.clock()
    assert clock() == NOON
    bench.seconds += 61.5
    assert clock() == NOON + timedelta(seconds=61.5)
    assert bench.asked == 1


def test_it_is_asked_anew_after_a_while() -> None:
    bench = Bench()
    clock = bench.clock()
    clock()
    bench.seconds += SharedClock.MEASURED_FOR_S
    bench.elsewhere = NOON - timedelta(hours=1)
    assert clock() == NOON - timedelta(hours=1)
    assert bench.asked == 2


def test_where_asking_fails_what_was_measured_stands() -> None:
    bench = Bench()
    clock = bench.clock()
    clock()
    bench.seconds, bench.elsewhere = bench.seconds + 700, None
    assert clock() == NOON + timedelta(seconds=700)


def test_where_nobody_was_ever_asked_it_is_this_machine_s() -> None:
    bench = Bench()
    bench.elsewhere = None
    assert bench.clock()() == WRONG


def test_a_running_clock_stands_at_its_start() -> None:
    bench = Bench()
    clock = running_from(NOON, progress=lambda: bench.seconds)
    bench.seconds += 5
    assert clock() == NOON + timedelta(seconds=5)
