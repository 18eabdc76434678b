"""Compares the last 24 hours with what is usual: the same 24 hours, by the clock, of earlier weeks. Pure.

The measure is robust: a median, and a spread around it that one exceptional week does not widen. Small counts don't
stand out: 3 after 1 is chance. So a count is more (or less) than usual only if it is `SPREADS` spreads and `LEAST`
articles away from the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, sqrt
from statistics import median
from typing import Final, Literal

from search.editing import written

DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
WEEKS: Final = 8
"""Earlier weeks to compare with, on the same weekday."""
ENOUGH: Final = 4
"""Minimum number of windows from which it is said what is usual."""
DAYS: Final = 7
"""Days to compare with, whatever the weekday, while there are too few weeks."""
SPREADS: Final = 3
LEAST: Final = 5
"""Articles."""
NOISE: Final = 0.1
"""Minimum spread as a share of the median: news comes in bursts, so that large counts vary more than by chance."""
_MAD_TO_SIGMA: Final = 1.4826
"""Median absolute deviation → standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time by the time of publication, from a full minute to another one."""

    start: datetime
    end: datetime
    """Not in it any more."""

    def before(self, distance: timedelta) -> Window:
        """The window as long before."""
        return Window(self.start - distance, self.end - distance)

    @property
    def filters(self) -> str:
        """The short filters for exactly this time. `until` is inclusive, so it names the last minute."""
        last = self.end - MINUTE
        return f"{written('since', f'{self.start:{_TYPED}}')} {written('until', f'{last:{_TYPED}}')}"


_TYPED: Final = "%Y-%m-%dT%H:%M"


def last_day(now: datetime) -> Window:
    """The 24 hours up to the end of this minute, in UTC."""
    end = now.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
    return Window(end - DAY, end)


def day_of(start: datetime) -> Window:
    """The 24 hours from `start` on."""
    return Window(start, start + DAY)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for a count."""

    median: float
    low: int
    """The least that is as usual."""
    high: int
    """The most that is as usual."""


def usual(before: Sequence[int]) -> Usual | None:
    """What is usual after these counts; None if they are fewer than `ENOUGH`."""
    if len(before) < ENOUGH:
        return None
    middle = median(before)
    deviation = _MAD_TO_SIGMA * median(abs(count - middle) for count in before)
    spread = max(deviation, sqrt(max(middle, 1)), NOISE * middle)
    away = max(SPREADS * spread, LEAST)
    return Usual(middle, max(0, ceil(middle - away)), floor(middle + away))


Verdict = Literal["more", "less", "usual", "unknown"]


@dataclass(frozen=True, slots=True)
class Compared:
    """A count of the last 24 hours beside those of earlier windows."""

    key: str
    """What is counted: a tag, a country, an entity."""
    now: int
    before: tuple[int, ...]
    """The latest first."""
    query: str = ""
    """The search that finds exactly these articles."""

    @property
    def usual(self) -> Usual | None:
        """What is usual; None if that can't be known yet."""
        return usual(self.before)

    @property
    def verdict(self) -> Verdict:
        """Whether it is more or less than usual."""
        expected = self.usual
        if expected is None:
            return "unknown"
        if self.now > expected.high:
            return "more"
        return "less" if self.now < expected.low else "usual"

    @property
    def surprise(self) -> float:
        """How far outside the usual it is, for sorting: 0 inside, else in widths of the usual range."""
        expected = self.usual
        if expected is None:
            return 0.0
        outside = max(self.now - expected.high, expected.low - self.now, 0)
        return outside / (expected.high - expected.low or 1)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the last 24 hours are compared with."""

    kind: Literal["weeks", "days", "none"]
    windows: tuple[Window, ...] = ()
    """In which newswatch ran, the latest first."""
    since: datetime | None = None
    """When newswatch took in its first article; None: it has none."""


def basis(now: Window, since: datetime | None, quiet: Sequence[Window] = ()) -> Basis:
    """What to compare `now` with in an installation whose first article came at `since`.

    Windows from before that are left out, as feeds carry only some old articles; so are the `quiet` ones, in which
    newswatch took in nothing because it did not run.
    """
    if since is None:
        return Basis("none")

    def ran(windows: Sequence[Window]) -> tuple[Window, ...]:
        return tuple(window for window in windows if window.start >= since and window not in quiet)

    weeks = ran([now.before(week * 7 * DAY) for week in range(1, WEEKS + 1)])
    if len(weeks) >= ENOUGH:
        return Basis("weeks", weeks, since)
    days = ran([now.before(day * DAY) for day in range(1, DAYS + 1)])
    return Basis("days", days, since) if len(days) >= ENOUGH else Basis("none", (), since)


def candidates(now: Window) -> tuple[Window, ...]:
    """Every window that `basis` may compare `now` with, each once."""
    days = {*range(1, DAYS + 1), *(7 * week for week in range(1, WEEKS + 1))}
    return tuple(now.before(day * DAY) for day in sorted(days))
