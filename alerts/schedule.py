"""Schedules of saved searches: `instant`, `hourly`, `daily at 07:00 Europe/Brussels`, `weekly on monday at …`. Pure.

`daily briefing at …` and `weekly briefing on monday at …` are digests in another form (`delivery.briefing`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from newswatch.config import did_you_mean
from newswatch.durations import typed
from search.limits import shown

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FORM = re.compile(
    rf"(?P<every>(?i:daily|weekly))(?P<briefing>(?i: briefing))?(?i: on (?P<day>{'|'.join(DAYS)}))?(?i: at) "
    r"(?P<hour>[0-9][0-9]?):(?P<minute>[0-9][0-9]) (?P<zone>\S+)"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When mails are due. `time_of_day` and `zone` are set for daily and weekly, `weekday` (Monday is 0) for weekly."""

    every: Literal["instant", "hourly", "daily", "weekly"]
    time_of_day: time = time()
    zone: tzinfo = UTC
    weekday: int | None = None
    briefing: bool = False
    """Whether the digest comes as a briefing."""

    @property
    def digest(self) -> bool:
        """Whether stories are collected until the next due time, instead of mailed one by one."""
        return self.every != "instant"


def parse(text: str) -> Schedule:
    """The schedule in `text`; a weekly one without a day is due on Monday.

    Raises:
        ValueError: it is not a schedule; the message shows the valid forms.
    """
    folded = " ".join(text.split())
    if folded.lower() in ("instant", "hourly"):
        return Schedule("instant" if folded.lower() == "instant" else "hourly")
    parts = _FORM.fullmatch(folded)
    every = parts["every"].lower() if parts else ""
    if not parts or (parts["day"] and every == "daily"):
        raise ValueError(
            f"{shown(text)} is not a schedule: write instant, hourly, 'daily at 07:00 Europe/Brussels' "
            "or 'weekly on monday at 07:00 Europe/Brussels'; 'daily briefing at …' adds a PDF"
        )
    time_of_day, zone = _time(parts["hour"], parts["minute"]), _zone(parts["zone"])
    briefing = bool(parts["briefing"])
    if every == "daily":
        return Schedule("daily", time_of_day, zone, briefing=briefing)
    return Schedule("weekly", time_of_day, zone, DAYS.index((parts["day"] or "monday").lower()), briefing)


def _time(hour: str, minute: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError as error:
        raise ValueError(f"{hour}:{minute} is not a time of day") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        meant = did_you_mean(name[:60], available_timezones()) or ": write one like Europe/Brussels"
        raise ValueError(f"{shown(name)} is not a time zone{meant}") from error


def next_due(schedule: Schedule, moment: datetime) -> datetime:
    """When a mail enqueued at `moment` is due, in UTC: `moment` itself for instant, otherwise the next slot after it.

    If the change to summer time skips the time of day, the offset before the change holds (02:30 becomes 03:30). If the
    time occurs twice, the first one holds (RFC 5545 section 3.3.5). So every day has one digest.
    """
    moment = moment.astimezone(UTC)
    if schedule.every == "instant":
        return moment
    if schedule.every == "hourly":
        return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    today = moment.astimezone(schedule.zone).date()
    days = (today + timedelta(days=n) for n in range(-1, 9))
    slots = (
        datetime.combine(day, schedule.time_of_day, schedule.zone).astimezone(UTC)
        for day in days
        if schedule.weekday in (None, day.weekday())
    )
    return min(slot for slot in slots if slot > moment)


def previous_due(schedule: Schedule, moment: datetime) -> datetime:
    """The last slot of a digest that is not later than `moment`, in UTC; `moment` itself for instant."""
    moment = moment.astimezone(UTC)
    if schedule.every == "instant":
        return moment
    if schedule.every == "hourly":
        return moment.replace(minute=0, second=0, microsecond=0)
    slot = next_due(schedule, moment - timedelta(days=9))
    while (later := next_due(schedule, slot)) <= moment:
        slot = later
    return slot


def after(moment: datetime, seconds: int) -> datetime:
    """The moment `seconds` later; the latest possible moment if that overflows, as with an unchecked stored value."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def duration(text: str) -> int:
    """Seconds in `90s`, `30m`, `2h`, `7d` or `1w`.

    Raises:
        ValueError: it is not a duration.
    """
    parts = typed(text)
    if parts is None:
        raise ValueError(f"{shown(text)} is not a duration: write one like 30m, 2h or 7d")
    count, unit = parts
    return count * unit.seconds
