"""Facets of a search's results: counts by topic, outlet, country and language, and over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import accumulate, pairwise
from typing import Any

from search.filter_clauses import clause_of
from search.filters import FACETS, FILTERS, fields_of
from search.syntax import Parsed
from search.time_spans import span
from store.elastic.times import daily, midnight, moment_at

_INTERVALS = (
    ("1m", timedelta(minutes=1)),
    ("5m", timedelta(minutes=5)),
    ("15m", timedelta(minutes=15)),
    ("1h", timedelta(hours=1)),
    ("3h", timedelta(hours=3)),
    ("12h", timedelta(hours=12)),
    ("1d", timedelta(days=1)),
    ("7d", timedelta(days=7)),
    ("28d", timedelta(days=28)),
    ("364d", timedelta(days=364)),
)
_DAY = timedelta(days=1)
MOST_VALUES = 1_000
"""Maximum number of values to count of one facet."""
_BARS = 100
"""Maximum number of bars. Below 100, a two-month range would fall back to weekly steps (9 bars)."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a facet."""

    value: str
    count: int
    label: str
    main: int = 0
    """For a tag: the number of articles with it as the main subject."""


@dataclass(frozen=True, slots=True)
class Facet:
    """The number of articles for each value of one short filter: what the query names first, then the most frequent."""

    name: str
    buckets: tuple[FacetValue, ...]
    others: int
    """Articles with values that are not in the buckets."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of the timeline."""

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The number of articles over time."""

    bars: tuple[Bar, ...] = ()
    step: timedelta = timedelta()
    earlier: int = 0
    """Articles before the first bar: outliers that would squeeze all others into one bar."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """When the articles were published."""

    first: datetime
    usual_first: datetime
    """The day after which 99 % of the articles were published."""
    last: datetime


@dataclass(frozen=True, slots=True)
class Counting:
    """What to count for the facets of a query."""

    parsed: Parsed
    all_of: str | None = None
    """The facet of which up to `MOST_VALUES` values are counted."""
    zone: tzinfo = UTC
    """Whose days are counted."""

    def aggregations(self) -> dict[str, Any]:
        """The aggregations over what the query finds."""
        asked: dict[str, Any] = {name: self._values(name) for name in FACETS if name not in self.apart}
        asked |= {f"named {name}": self._named(name) for name in asked if self._has_named(name)}
        asked["main"] = {"terms": {"field": "tags_main", "size": self._size("tag")}}
        asked["first"] = {"min": {"field": "time"}}
        asked["last"] = {"max": {"field": "time"}}
        asked["days"] = daily("time", self.zone)
        return asked

    @property
    def apart(self) -> dict[str, Parsed]:
        """Facet → the query without those of its filters that would hide its other values.

        `lang:fr` would leave no other language to choose; `tag:nato` leaves the other topics of its articles.
        """
        hiding = {name: [f for f in self.parsed.of(name) if f.negated or not FACETS[name].many] for name in FACETS}
        return {
            name: replace(self.parsed, filters=tuple(f for f in self.parsed.filters if f not in own))
            for name, own in hiding.items()
            if own
        }

    def aggregations_apart(self, name: str) -> dict[str, Any]:
        """The aggregations for one of the facets `apart`, over what its query finds."""
        return {name: self._values(name), f"named {name}": self._named(name)}

    def read(self, answers: Sequence[Mapping[str, Any]]) -> tuple[Facet, ...]:
        """The facets in the answers to all of these, without empty ones."""
        counts = {name: counted for answer in answers for name, counted in answer.items()}
        main = {bucket["key"]: bucket["doc_count"] for bucket in counts["main"]["buckets"]}
        facets = (self._read(name, counts, main if name == "tag" else {}) for name in FACETS)
        return tuple(facet for facet in facets if facet.buckets)

    def _values(self, name: str) -> dict[str, Any]:
        counted: dict[str, Any] = {"terms": {"field": fields_of(name), "size": self._size(name)}}
        if scale := FILTERS[name].scale:
            counted["terms"] |= {"missing": scale[-1], "order": {"_key": "asc"}}
        if name == "source":
            counted["aggs"] = {"name": {"terms": {"field": "source.name", "size": 1}}}
        return counted

    def _size(self, name: str) -> int:
        return MOST_VALUES if name == self.all_of else FACETS[name].values

    def _has_named(self, name: str) -> bool:
        return bool(self.parsed.of(name))

    def _named(self, name: str) -> dict[str, Any]:
        """The count of each value that the query names, which may be none of the most frequent ones."""
        level = self.parsed.first("level")
        return {"filters": {"filters": [clause_of(name, value, level) for value in self.parsed.values(name)]}}

    def _read(self, name: str, counts: Mapping[str, Any], main: Mapping[str, int]) -> Facet:
        frequent = [
            FacetValue(b["key"], b["doc_count"], _label(b), main.get(b["key"], 0)) for b in counts[name]["buckets"]
        ]
        of_named = counts.get(f"named {name}", {"buckets": ()})["buckets"]
        known = {value.value.casefold(): value for value in frequent}
        named, others = [], counts[name]["sum_other_doc_count"]
        for value, bucket in zip(self.parsed.values(name) if of_named else (), of_named, strict=True):
            others -= 0 if value.casefold() in known else bucket["doc_count"]
            found = known.pop(value.casefold(), FacetValue(value, 0, value))
            named.append(replace(found, count=bucket["doc_count"]))
        return Facet(name, (*named, *known.values()), max(0, others))


def _label(bucket: Mapping[str, Any]) -> str:
    names = bucket.get("name", {}).get("buckets", [])
    return str(names[0]["key"] if names else bucket["key"])


def time_range(answer: Mapping[str, Any]) -> TimeRange | None:
    """When the articles were published; None if there are none."""
    if answer["first"]["value"] is None:
        return None
    first, last = moment_at(answer["first"]["value"]), moment_at(answer["last"]["value"])
    return TimeRange(first, max(first, _usual_first(answer["days"]["buckets"])), last)


def _usual_first(days: Sequence[Mapping[str, Any]]) -> datetime:
    """The first day by whose end more than 1 % of the articles were published."""
    so_far = list(accumulate(day["doc_count"] for day in days))
    return moment_at(next(day["key"] for day, count in zip(days, so_far, strict=True) if count > so_far[-1] / 100))


@dataclass(frozen=True, slots=True)
class Scale:
    """The start, end and step of a timeline."""

    start: datetime
    last: datetime
    step: timedelta
    interval: str
    zone: tzinfo = UTC
    """Whose days begin with a step."""


def scale(range_: TimeRange, parsed: Parsed, now: datetime, zone: tzinfo = UTC) -> Scale:
    """The scale of the timeline. Its steps divide the days of `zone`, shorter ones as that of the first step."""
    since = parsed.first("since")
    start = max(span(since, now)[0], range_.first) if since else _worth_showing(range_)
    name, step = interval(range_.last - start)
    return Scale(_floor(start, step, zone), range_.last, step, name, zone)


def histogram(scale: Scale) -> dict[str, Any] | None:
    """The aggregation for a timeline with steps below a day; None for longer steps, which daily counts give."""
    if scale.step >= _DAY:
        return None
    first, last = int(scale.start.timestamp() * 1000), int(scale.last.timestamp() * 1000)
    bounds = {
        "extended_bounds": {"min": first, "max": last},
        # Elasticsearch rounds the upper bound down to a step and excludes it, so add one step.
        "hard_bounds": {"min": first, "max": last + int(scale.step.total_seconds() * 1000)},
    }
    offset = f"{(scale.start - _EPOCH) % scale.step // timedelta(milliseconds=1)}ms"
    asked = {"field": "time", "fixed_interval": scale.interval, "offset": offset, "min_doc_count": 0}
    return {"date_histogram": asked | bounds}


def _worth_showing(range_: TimeRange) -> datetime:
    """The first article's date, unless a few outliers would take most of the chart."""
    straggling = range_.last - range_.first > 4 * (range_.last - range_.usual_first)
    return range_.usual_first if straggling else range_.first


def interval(range_: timedelta) -> tuple[str, timedelta]:
    """The shortest step (name, length) with which the range fits into `_BARS` bars."""
    return next(((name, step) for name, step in _INTERVALS if range_ / step < _BARS - 1), _INTERVALS[-1])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _floor(moment: datetime, step: timedelta, zone: tzinfo) -> datetime:
    """The beginning of the step that the moment lies in, in UTC."""
    day = moment.astimezone(zone).date()
    if step < _DAY:
        return moment - (moment - midnight(day, zone)) % step
    return midnight(_first_day(day, step), zone)


def _first_day(day: date, step: timedelta) -> date:
    return day - timedelta((day - _EPOCH.date()).days % step.days)


def _starts(scale: Scale) -> list[datetime]:
    """The beginnings of the steps, and the end of the last one. A day has 23 or 25 hours where clocks are changed."""
    if scale.step < _DAY:
        steps = int((scale.last - scale.start) / scale.step) + 1
        return [scale.start + number * scale.step for number in range(steps + 1)]
    first, last = scale.start.astimezone(scale.zone).date(), scale.last.astimezone(scale.zone).date()
    steps = (last - first) // scale.step + 1
    return [midnight(first + number * scale.step, scale.zone) for number in range(steps + 1)]


def timeline(buckets: Iterable[Mapping[str, Any]], scale: Scale, total: int) -> Timeline:
    """The timeline, from buckets of its step or of days."""
    counts: Counter[datetime] = Counter()
    for bucket in buckets:
        start = moment_at(bucket["key"])
        counts[start if scale.step < _DAY else _floor(start, scale.step, scale.zone)] += bucket["doc_count"]
    bars = tuple(Bar(start, end, counts[start]) for start, end in pairwise(_starts(scale)))
    return Timeline(bars, scale.step, max(0, total - sum(bar.count for bar in bars)))
