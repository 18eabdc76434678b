"""Small bar charts: what a template needs to draw one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of a chart."""

    day: date
    count: int
    height: float
    """In percent of the highest."""


def bars(days: Mapping[date, int]) -> list[DayBar]:
    """The days in order, each with its bar."""
    most = max(days.values(), default=0) or 1
    return [DayBar(day, count, 100 * count / most) for day, count in sorted(days.items())]
