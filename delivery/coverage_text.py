"""Says in words what was watched and what was not, for mails, pages and the command line alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from alerts.coverage import Coverage, Gapped, Missing
from delivery.words import one_line, shortened, zone_name
from newswatch import durations
from newswatch.outages import Cause, History, Outage
from newswatch.some_of import some_of

FEEDS_TOLD: Final = 5
"""Feeds that get a line of their own; the others are counted. A mail is about stories."""
PERIODS_TOLD: Final = 3
_TITLE: Final = 60
_WHY: Final = 80
_OWN: Final = {
    Cause.NETWORK: "{none} could be reached: our own network was down",
    Cause.POLLING: "{none} was polled: newswatch stood still",
    Cause.MATCHING: "articles waited to be matched, so that mails came late",
    Cause.MAIL: "no mail could be sent, so that mails came late",
}


@dataclass(frozen=True, slots=True)
class CoverageText:
    """What was watched: one sentence, and a line for each thing that was not seen."""

    summary: str
    lines: tuple[str, ...] = ()
    """The worst first; none if everything was seen."""


def told(seen: Coverage, zone: tzinfo = UTC) -> CoverageText:
    """The coverage in words, with times in `zone`."""
    return CoverageText(_summary(seen), tuple(_lines(seen, zone)))


def _summary(seen: Coverage) -> str:
    if seen.is_empty:
        return "No feed is polled yet."
    if not seen.feeds:
        return "None of the feeds that are polled is of the outlets that it is narrowed to, so nothing is watched."
    polled = f"{seen.polled:,} of {seen.feeds:,} {'feed' if seen.feeds == 1 else 'feeds'} polled"
    missing = len(seen.missing)
    out = "none was" if not missing else f"{missing:,} {'was' if missing == 1 else 'were'}"
    new = f"; {seen.new:,} {'is' if seen.new == 1 else 'are'} new and not polled yet" if seen.new else ""
    return f"{polled}; {out} out of reach{' for a time' if _recovered(seen) else ''}{new}."


def _recovered(seen: Coverage) -> bool:
    return bool(seen.missing) and all(one.outages[-1].until for one in seen.missing)


def _lines(seen: Coverage, zone: tzinfo) -> Iterator[str]:
    none = f"none of {seen.feeds:,} feeds" if seen.feeds != 1 else "not one feed"
    for cause, outages in seen.own.items():
        yield f"{_sentence(_periods(outages, seen.until, zone))} {_OWN[cause].format(none=none)}."
    yield from _feeds(
        [_out(one, seen.until, zone) for one in seen.missing if not one.all_along], "were out of reach too"
    )
    yield from _feeds([_gap(one, zone) for one in seen.gapped], "may have shown items that nobody read, too")
    if before := [one for one in seen.missing if one.all_along]:
        names = [f"{_name(one.title)} (since {_day(one.outages[-1].since, zone)})" for one in before]
        yield f"Not reached all this time: {some_of(names, FEEDS_TOLD)}."


def _feeds(lines: list[str], others: str) -> Iterator[str]:
    yield from lines[:FEEDS_TOLD]
    if (more := len(lines) - FEEDS_TOLD) > 0:
        yield f"{more:,} more {others.replace('were', 'was') if more == 1 else others}."


def _out(one: Missing, now: datetime, zone: tzinfo) -> str:
    why = one_line(one.outages[-1].why)
    reason = f": {shortened(why, _WHY)}" if why else ""
    return f"{_name(one.title)}: not reached {_periods(one.outages, now, zone)}{reason}"


def _gap(one: Gapped, zone: tzinfo) -> str:
    shown = [f"between {moment(gap.since, zone)} and {moment(gap.until, zone)}" for gap in one.gaps[-PERIODS_TOLD:]]
    return f"{_name(one.title)}: items may have been missed {_and(shown)}{_more(len(one.gaps))}"


def _periods(outages: History, now: datetime, zone: tzinfo) -> str:
    """The latest periods: "from Tue 3 Mar, 02:10 to 04:10 UTC (2 hours)"."""
    shown = [_period(one, now, zone) for one in outages[-PERIODS_TOLD:]]
    return _and(shown) + _more(len(outages))


def _period(one: Outage, now: datetime, zone: tzinfo) -> str:
    lasted = durations.long(one.lasted(now).total_seconds())
    if one.until is None:
        return f"since {moment(one.since, zone)} ({lasted})"
    start, end = one.since.astimezone(zone), one.until.astimezone(zone)
    if (start.date(), start.utcoffset()) == (end.date(), end.utcoffset()):
        return f"from {_day_and_time(start)} to {end:%H:%M} {zone_name(end)} ({lasted})"
    return f"from {moment(start, zone)} to {moment(end, zone)} ({lasted})"


def _and(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _more(count: int) -> str:
    more = count - PERIODS_TOLD
    return "" if more <= 0 else f", and {more} time{'s' * (more != 1)} before"


def _name(title: str) -> str:
    return shortened(one_line(title), _TITLE) or "(no title)"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def moment(at: datetime, zone: tzinfo = UTC) -> str:
    """Day and time in `zone`: "Tue 3 Mar, 02:10 UTC"."""
    here = at.astimezone(zone)
    return f"{_day_and_time(here)} {zone_name(here)}"


def _day_and_time(here: datetime) -> str:
    return f"{here:%a} {here.day} {here:%b}, {here:%H:%M}"


def _day(at: datetime, zone: tzinfo) -> str:
    here = at.astimezone(zone)
    return f"{here.day} {here:%b %Y}"
