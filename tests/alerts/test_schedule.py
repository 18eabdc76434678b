"""Schedules: what is written, and when it falls due, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.schedule import DAYS, Schedule, duration, next_due, parse

BRUSSELS = ZoneInfo("Europe/Brussels")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("instant", Schedule("instant")),
        (" Hourly ", Schedule("hourly")),
        ("daily at 07:00 Europe/Brussels", Schedule("daily", time(7), BRUSSELS)),
        ("daily  at 7:05 UTC", Schedule("daily", time(7, 5), ZoneInfo("UTC"))),
        ("weekly at 07:00 Europe/Brussels", Schedule("weekly", time(7), BRUSSELS, 0)),
        ("Weekly on friday at 18:30 Europe/Brussels", Schedule("weekly", time(18, 30), BRUSSELS, 4)),
        ("weekly briefing on Monday AT 07:00 UTC", Schedule("weekly", time(7), ZoneInfo("UTC"), 0, briefing=True)),
    ],
)
def test_reads(text: str, schedule: Schedule) -> None:
    assert parse(text) == schedule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a schedule"),
        ("sometimes", "not a schedule"),
        ("daily", "not a schedule"),
        ("daily at 07:00", "not a schedule"),
        ("daily at 25:00 Europe/Brussels", "25:00 is not a time of day"),
        ("daily at 07:00 Brussels", "'Brussels' is not a time zone; did you mean 'Europe/Brussels'"),
        ("daily at 07:00 europe/brussels", "did you mean 'Europe/Brussels'"),
        ("daily at 07:00 GMT+25", "is not a time zone"),
        ("daily on Monday at 07:00 UTC", "not a schedule"),
        ("daily at 07:00 ../../etc/passwd", "not a time zone"),
        ("weekly on someday at 07:00 UTC", "not a schedule"),
    ],
)
def test_refuses(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(text)


@pytest.mark.parametrize(
    ("schedule", "moment", "due"),
    [
        ("instant", "2026-03-04T05:06:07", "2026-03-04T05:06:07"),
        ("hourly", "2026-03-04T05:06:07", "2026-03-04T06:00:00"),
        ("hourly", "2026-03-04T05:00:00", "2026-03-04T06:00:00"),
        ("daily at 07:00 Europe/Brussels", "2026-03-04T05:06:07", "2026-03-04T06:00:00"),
        ("daily at 07:00 Europe/Brussels", "2026-03-04T06:00:00", "2026-03-05T06:00:00"),
        # Summer time begins: seven o'clock is an hour earlier in UTC.
        ("daily at 07:00 Europe/Brussels", "2026-03-28T12:00:00", "2026-03-29T05:00:00"),
        # 02:30 is skipped that day: taken an hour later, not left out.
        ("daily at 02:30 Europe/Brussels", "2026-03-28T12:00:00", "2026-03-29T01:30:00"),
        ("daily at 02:30 Europe/Brussels", "2026-03-29T01:30:00", "2026-03-30T00:30:00"),
        # Summer time ends: 02:30 comes twice, the first is meant, and the second brings no second digest.
        ("daily at 02:30 Europe/Brussels", "2026-10-24T12:00:00", "2026-10-25T00:30:00"),
        ("daily at 02:30 Europe/Brussels", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
        ("daily at 00:15 Pacific/Auckland", "2026-03-04T05:06:07", "2026-03-04T11:15:00"),
        ("weekly on monday at 07:00 Europe/Brussels", "2026-03-04T05:06:07", "2026-03-09T06:00:00"),
        ("weekly on wednesday at 07:00 Europe/Brussels", "2026-03-04T05:06:07", "2026-03-04T06:00:00"),
        ("weekly on wednesday at 06:00 Europe/Brussels", "2026-03-04T05:06:07", "2026-03-11T05:00:00"),
        # Sunday in Auckland while it is still Saturday in UTC.
        ("weekly on sunday at 07:00 Pacific/Auckland", "2026-03-04T05:06:07", "2026-03-07T18:00:00"),
    ],
)
def test_falls_due(schedule: str, moment: str, due: str) -> None:
    assert next_due(parse(schedule), utc(moment)) == utc(due)


@given(
    zone=st.sampled_from(["Europe/Brussels", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "UTC"]),
    at=st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None)),
    day=st.sampled_from([None, *DAYS]),
    start=st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1)),
)
def test_every_day_has_one_digest(zone: str, at: time, day: str | None, start: datetime) -> None:
    """Slots follow one another by a day (a week), give or take the change of clocks, never by none."""
    form = f"weekly on {day}" if day else "daily"
    schedule = parse(f"{form} at {at:%H:%M} {zone}")
    moment = start.replace(tzinfo=UTC)
    for _ in range(10):
        due = next_due(schedule, moment)
        assert moment < due
        local = due.astimezone(ZoneInfo(zone))
        assert day is None or DAYS[local.weekday()] == day or local.time() != at
        following = next_due(schedule, due)
        step = timedelta(weeks=1) if day else timedelta(days=1)
        assert abs((following - due) - step) <= timedelta(days=1, hours=1)
        moment = due


def test_the_day_that_samoa_left_out() -> None:
    """Apia had no 30 December 2011: there is no local day to write a digest on, and no error either."""
    schedule = parse("daily at 07:00 Pacific/Apia")
    due = [utc("2011-12-29T12:00:00")]
    for _ in range(3):
        due.append(next_due(schedule, due[-1]))
    assert due == sorted(set(due))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1_800), ("2 h", 7_200), ("7D", 604_800)])
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "30", "-5m", "1.5h", "5 minutes"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)
