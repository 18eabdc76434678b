"""What the search page shows beside the hits: facets and chosen filters as links, the time-line, dates. Pure.

Each link is the page with an edited query (`search.editing`), so all of it works without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal

from newswatch.article import Article
from newswatch.clock import local_time
from newswatch.errors import QueryError
from newswatch.topics import Topics
from search.editing import (
    between,
    excluding,
    instead,
    same,
    since_from,
    until_before,
    with_value,
    without,
    without_filter,
    without_value,
    written,
)
from search.facets import Bar, Facet, FacetValue
from search.filters import FACETS, FILTERS
from search.hints import Hint
from search.story_view import published
from search.syntax import Filter, Parsed
from search.time_spans import span
from store.elastic.times import midnight
from web.render import facet_value, iso, safe_url

SHOWN: Final = 200
"""Maximum number of values of a facet of which all are asked for; the others are found by searching within."""

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_LENGTH: Final = re.compile(r"\d+[a-z]")
"""`7d`: a length of time up to now."""

State = Literal["", "chosen", "excluded"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet, with what its links lead to."""

    value: str
    label: str
    count: int
    main: int
    state: State
    toggled: str
    """The query with the value, or without it where it is chosen or excluded."""
    excluding: str


@dataclass(frozen=True, slots=True)
class FacetView:
    """A facet as it is shown."""

    name: str
    heading: str
    choices: Sequence[Choice]
    others: int
    """Articles with values that are not counted one by one."""
    unshown: int
    """Values that are counted but not shown."""
    has_more: bool
    """There are more values than shown: all of them can be asked for."""
    is_open: bool
    """All values were asked for."""


def facet_view(facet: Facet, query: Parsed, topics: Topics, *, open_: str = "", within: str = "") -> FacetView:
    """The facet, with the values whose name or own form contains `within`, if it is the one that is open."""
    kind, is_open = FACETS[facet.name], facet.name == open_
    choices = [_choice(facet.name, value, query, facet_value(kind.written, value, topics)) for value in facet.buckets]
    if facet.name == "tag":
        choices.sort(key=lambda choice: choice.value)
    if is_open and within:
        choices = [choice for choice in choices if _contains(choice, within)]
    shown = choices[:SHOWN]
    others = 0 if is_open and within else facet.others
    has_more = facet.others > 0 and not is_open
    return FacetView(facet.name, kind.heading, shown, others, len(choices) - len(shown), has_more, is_open)


def _contains(choice: Choice, within: str) -> bool:
    return choice.state != "" or any(within.casefold() in text.casefold() for text in (choice.label, choice.value))


def _choice(name: str, value: FacetValue, query: Parsed, label: str) -> Choice:
    state = _state(query, name, value.value)
    toggled = without_value(query, name, value.value) if state else with_value(query, name, value.value)
    return Choice(value.value, label, value.count, value.main, state, toggled, excluding(query, name, value.value))


def _state(query: Parsed, name: str, value: str) -> State:
    for one in query.of(name):
        if any(same(value, other) for other in one.values):
            return "excluded" if one.negated else "chosen"
    return ""


# ── what is chosen ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Chosen:
    """One value of one filter of the query, and the query without it."""

    heading: str
    label: str
    excluded: bool
    query: str
    moment: datetime | None = None
    """What the label says, where that is a moment."""


def chosen(query: Parsed, topics: Topics, zone: tzinfo = UTC) -> list[Chosen]:
    """Each value that the query's filters name, in its order. A day says that it is UTC's if `zone` is another."""
    pairs = [(one, value) for one in query.filters for value in one.values]
    return [_timed(_chosen(query, one, value, topics), one, value, zone) for one, value in pairs]


def _timed(found: Chosen, one: Filter, value: str, zone: tzinfo) -> Chosen:
    if not FILTERS[one.name].is_time or _LENGTH.fullmatch(value):
        return found
    if "T" not in value:
        return found if zone is UTC else replace(found, label=f"{value}, UTC")
    try:
        return replace(found, moment=span(value, datetime.now(UTC))[0])
    except (ValueError, OverflowError):  # the search says so
        return found


def _chosen(query: Parsed, one: Filter, value: str, topics: Topics) -> Chosen:
    kind, label = FACETS.get(one.name), value
    if kind:
        label = facet_value(kind.written, FacetValue(FILTERS[one.name].case(value), 0, value), topics)
    alone = without_filter(query, one) if len(one.values) == 1 else without_value(query, one.name, value)
    return Chosen(kind.heading if kind else one.name.capitalize(), label, one.negated, alone)


@dataclass(frozen=True, slots=True)
class Guess:
    """A filter that matches nothing, and what was probably meant: filters, each with the query that has it instead."""

    filter: str
    meant: Sequence[tuple[str, str]]


def guesses(hints: Sequence[Hint], query: Parsed) -> list[Guess]:
    """A guess for each filter of the query that no article matches."""
    by_text = {query.query[one.start : one.end]: one for one in query.filters}
    return [_guess(query, by_text[hint.filter], hint) for hint in hints if hint.alone == 0]


def _guess(query: Parsed, one: Filter, hint: Hint) -> Guess:
    meant = [(written(one.name, value), instead(query, one, value)) for value in hint.meant]
    return Guess(hint.filter, meant)


# ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class BarLink:
    """A bar of the time-line; its link narrows the search to its time."""

    bar: Bar
    height: float
    """In percent of the highest."""
    since: str
    until: str
    """The values of the filters for its time; both include it."""
    query: str


def bar_links(bars: Sequence[Bar], query: Parsed, now: datetime) -> list[BarLink]:
    """The bars of the time-line as links to exactly what they count."""
    most = max((bar.count for bar in bars), default=0) or 1
    return [_bar_link(bar, most, query, now) for bar in bars]


def _bar_link(bar: Bar, most: int, query: Parsed, now: datetime) -> BarLink:
    step = bar.end - bar.start
    since, until = since_from(bar.start, step), until_before(bar.end, step)
    narrowed = {"since": since, "until": until}
    # The query's own bounds cut the first and the last bar.
    if (first := query.first("since")) and bar.start < (begin := span(first, now)[0]) < bar.end:
        narrowed["since"], since = first, since_from(begin, _MINUTE)
    if (last := query.first("until")) and bar.start < (end := span(last, now)[1]) < bar.end:
        narrowed["until"], until = last, until_before(end, _MINUTE)
    return BarLink(bar, 100 * bar.count / most, since, until, between(query, **narrowed))


def days(query: Parsed, now: datetime, zone: tzinfo = UTC) -> tuple[str, str]:
    """The first and the last day in `zone` that the query asks for, empty where it is open."""
    since, until = query.first("since"), query.first("until")
    first = local_time(span(since, now)[0], zone).date().isoformat() if since else ""
    if not until:
        return first, ""
    start, end = span(until, now)
    return first, local_time(end - timedelta(microseconds=end > start), zone).date().isoformat()


def with_days(query: Parsed, first: str, last: str, now: datetime, zone: tzinfo = UTC) -> str:
    """The query from the first day in `zone` (or moment, in UTC) to the last.

    A day that is as before keeps what was typed for it. Filters mean UTC, so other days become moments.

    Raises:
        QueryError: the first is after the last.
    """
    if first and last and first > last:
        raise QueryError(f"From {first} is after to {last}: exchange them.")
    typed = (query.first("since"), query.first("until"))
    asked = (_bound(first, zone, is_end=False), _bound(last, zone, is_end=True))
    is_kept = (day == was for day, was in zip((first, last), days(query, now, zone), strict=True))
    since, until = (was if was and kept else new for was, new, kept in zip(typed, asked, is_kept, strict=True))
    return between(query, since, until)


def _bound(day: str, zone: tzinfo, *, is_end: bool) -> str:
    """The value of a filter for a day in `zone`; UTC's, a moment, or nothing, as it is."""
    if zone is UTC or len(day) != len("2026-03-04"):
        return day
    try:
        start = midnight(date.fromisoformat(day) + timedelta(is_end), zone)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{day} is not a date.") from error
    return until_before(start, _DAY) if is_end else since_from(start, _DAY)


def range_query(query: Parsed, value: str) -> tuple[str, bool]:
    """The query for a usual length of time up to now, and whether it is chosen; chosen, the query without it."""
    if query.first("since") == value and not query.first("until"):
        return without(query, "since"), True
    return between(query, value, ""), False


# ── citing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def citation(article: Article, now: datetime, zone: tzinfo = UTC) -> str:
    """The article as a reader in `zone` would cite it: who, what, where, when, and which version was read when."""
    authors = f"{', '.join(article.authors)}. " if article.authors else ""
    said = "" if article.published else "first seen "
    version = f"version {article.version}, " if article.version > 1 else ""
    where = f"{article.source.name}, {said}{iso(published(article), zone)}"
    read = f"{now.astimezone(zone):%Y-%m-%d}"
    address = f" {safe_url(article.address)}".rstrip()
    return f"{authors}“{article.title or '(no title)'}”. {where}.{address} ({version}read {read})"
