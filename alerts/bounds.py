"""The bounds of a saved search's values, in one table; errors name the field, the value and the bound. Pure.

The form, `alerts.yaml` and the command line are checked against it (`alerts.definitions.AlertSpec`). Searches stored
before the bounds existed are accepted, unless they can't be run (`unusable`): those are quarantined.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts import schedule
from ingest.dates import in_utc
from newswatch.alert import SavedSearch
from newswatch.durations import exact
from newswatch.errors import QueryError
from search.limits import MAX_CHARS, check_cost, check_length, shown
from search.lucene import as_lucene


@dataclass(frozen=True, slots=True)
class Bound:
    """The minimum and maximum of a value."""

    least: float
    most: float
    unit: str
    """Unit of both: characters, items, seconds, years."""


BOUNDS: Final = {
    "id": Bound(1, 64, "characters"),
    "name": Bound(1, 200, "characters"),
    "query": Bound(0, MAX_CHARS, "characters"),
    "owner": Bound(0, 200, "characters"),
    "note": Bound(0, 4_000, "characters"),
    "schedule": Bound(1, 100, "characters"),
    "tags": Bound(0, 50, "items"),
    "languages": Bound(0, 100, "items"),
    "countries": Bound(0, 300, "items"),
    "sources": Bound(0, 500, "items"),
    "kinds": Bound(0, 50, "items"),
    "recipients": Bound(1, 500, "items"),
    "item": Bound(1, 255, "characters"),
    "min_score": Bound(0, 1, ""),
    "min_sources": Bound(1, 100, "sources"),
    "throttle": Bound(0, 31 * 86_400, "seconds"),
    "silence": Bound(60, 366 * 86_400, "seconds"),
    "mute": Bound(1, 3_660 * 86_400, "seconds"),
    "catch_up": Bound(1, 3_660 * 86_400, "seconds"),
    "moment": Bound(2000, 2200, "year"),
}
"""Field → its bounds. `item` holds for each of `sources` and `kinds`, `moment` for `mute_until` and `expires_at`."""


def chars(field: str) -> int:
    """The maximum number of characters of a text."""
    return int(BOUNDS[field].most)


def duration(field: str, text: str) -> int:
    """Seconds in `90s`, `30m`, `2h`, `7d` or `1w`, within the field's bounds.

    Raises:
        ValueError: it is not a duration, or out of bounds.
    """
    return within(field, schedule.duration(text), text)


def within(field: str, seconds: int, given: str) -> int:
    """The seconds, checked against the field's bounds.

    Raises:
        ValueError: they are out of bounds; the message names the bound.
    """
    bound = BOUNDS[field]
    if seconds < bound.least:
        raise ValueError(f"{shown(given)} is too short: {exact(int(bound.least))} at least")
    if seconds > bound.most:
        raise ValueError(f"{shown(given)} is too long: {exact(int(bound.most))} at most")
    return seconds


def moment(given: datetime) -> datetime:
    """A date and time in UTC; one without a zone is UTC.

    Raises:
        ValueError: its year is out of bounds, so that date arithmetic could overflow.
    """
    bound = BOUNDS["moment"]
    if not bound.least <= given.year <= bound.most:
        raise ValueError(
            f"{given.isoformat()} is out of bounds: the years {bound.least:g} to {bound.most:g} are allowed"
        )
    return in_utc(given)


def count(field: str, items: Sized) -> None:
    """Check the length of a list, before pydantic reads all of it.

    Raises:
        ValueError: it is too long; the message names the number of items and the bound.
    """
    bound = BOUNDS[field]
    if len(items) > bound.most:
        raise ValueError(f"it has {len(items):,} items; the maximum is {bound.most:,}")


def unusable(search: SavedSearch) -> str:
    """Why a stored saved search can't be run; empty if it can.

    Texts and lists beyond today's bounds do no harm; durations, dates, schedules and queries can.
    """
    try:
        check_length(search.query)
        check_cost(as_lucene(search.query))
        if search.schedule != "instant":  # the common case, with up to 100,000 searches
            schedule.parse(search.schedule)
        if not 0 <= search.throttle_s <= _MOST_THROTTLE:
            raise ValueError(f"throttle: {search.throttle_s:g} seconds exceed the maximum of {exact(_MOST_THROTTLE)}")
        if not 0 <= search.silence_s <= _MOST_SILENCE:
            raise ValueError(f"silence: {search.silence_s:g} seconds exceed the maximum of {exact(_MOST_SILENCE)}")
    except (QueryError, ValueError, OverflowError, TypeError, AttributeError) as error:
        return f"{str(error).rstrip('.')}. The search is not run until it is corrected and saved again."
    return ""


_MOST_THROTTLE, _MOST_SILENCE = int(BOUNDS["throttle"].most), int(BOUNDS["silence"].most)
