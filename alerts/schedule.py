"""When a saved search mails: `instant`, `hourly`, `daily at 07:00 Europe/Brussels`, `weekly on monday at …`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newswatch.durations import typed
from search.limits import shown

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FORM = re.compile(
    rf"(?P<every>daily|weekly(?: on (?P<day>{'|'.join(DAYS)}))?) at "
    r"(?P<hour>[0-9][0-9]?):(?P<minute>[0-9][0-9]) (?P<zone>\S+)"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When mails go out; `at`, `zone` are set for daily and weekly ones, `weekday` (Monday is 0) for weekly ones."""

    every: Literal["instant", "hourly", "daily", "weekly"]
    at: time = time()
    zone: tzinfo = UTC
    weekday: int | None = None

    @property
    def digest(self) -> bool:
        """Whether stories are collected for a time of day instead of being mailed as they come."""
        return self.every != "instant"


def parse(text: str) -> Schedule:
    """The schedule that `text` names; a weekly one without a day goes out on Monday.

    Raises:
        ValueError: it is none; the message says what one looks like.
    """
    folded = " ".join(text.split())
    if folded.lower() in ("instant", "hourly"):
        return Schedule("instant" if folded.lower() == "instant" else "hourly")
    found = _FORM.fullmatch(folded) or _FORM.fullmatch(folded[:1].lower() + folded[1:])
    if not found:
        raise ValueError(
            f"{shown(text)} is no schedule: write instant, hourly, 'daily at 07:00 Europe/Brussels' "
            "or 'weekly on monday at 07:00 Europe/Brussels'"
        )
    at, zone = _time(found["hour"], found["minute"]), _zone(found["zone"])
    if found["every"] == "daily":
        return Schedule("daily", at, zone)
    return Schedule("weekly", at, zone, DAYS.index(found["day"] or "monday"))


def _time(hour: str, minute: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError as error:
        raise ValueError(f"{hour}:{minute} is no time of day") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{shown(name)} is no time zone: write one like Europe/Brussels") from error


def next_due(schedule: Schedule, moment: datetime) -> datetime:
    """When what is owed since `moment` goes out, in UTC: `moment` itself for instant, else the next slot after it.

    A time of day that the change to summer time skips is taken by the offset before it (02:30 becomes 03:30), one that
    happens twice is taken the first time, as RFC 5545 section 3.3.5 has it: one digest a day on every day.
    """
    moment = moment.astimezone(UTC)
    if schedule.every == "instant":
        return moment
    if schedule.every == "hourly":
        return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    today = moment.astimezone(schedule.zone).date()
    days = (today + timedelta(days=n) for n in range(-1, 9))
    slots = (
        datetime.combine(day, schedule.at, schedule.zone).astimezone(UTC)
        for day in days
        if schedule.weekday in (None, day.weekday())
    )
    return min(slot for slot in slots if slot > moment)


def after(moment: datetime, seconds: int) -> datetime:
    """The moment so many seconds later; where that can't be reckoned (a value stored unchecked), the last there is."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def duration(text: str) -> int:
    """Seconds in `90s`, `30m`, `2h`, `7d` or `1w`.

    Raises:
        ValueError: it is no duration.
    """
    found = typed(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no duration: write one like 30m, 2h or 7d")
    count, unit = found
    return count * unit.seconds
