"""Extracts the filters of a saved search from a typed query, and types what a saved search matches. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newswatch.alert import SavedSearch, TagFilter
from newswatch.reliability import LEAST
from search.editing import written
from search.filters import ADDING, FILTERS, SAVED, TIMES, State, fields_of, least, on_scale
from search.syntax import Filter, Parsed

_JOINED = re.compile(r"\bOR\b|\|\||\bAND\b|&&")


@dataclass(frozen=True, slots=True)
class ExtractedFilters:
    """The fields of a saved search that matches what a query finds."""

    query: str
    """Lucene's syntax only, so that Kibana accepts it too."""
    tags: tuple[TagFilter, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_reliability: str = ""
    dropped: tuple[str, ...] = ()
    """Filters without a meaning for future articles or without a reader: `since`, `until`, `is:new`, `similar`."""


def extract_filters(parsed: Parsed) -> ExtractedFilters:
    """The saved search's filters from the query's short filters; the others become Lucene's syntax."""
    level = parsed.first("level")
    positive = [filter_ for filter_ in parsed.filters if not filter_.negated]
    tags = [filter_ for filter_ in positive if filter_.name == "tag" and len(filter_.values) == 1]
    lists = {filter_.name: filter_ for filter_ in reversed(positive) if filter_.name in SAVED}
    rated = next((filter_ for filter_ in positive if filter_.name == "reliability" and _least_of(filter_)), None)
    own = {*tags, *lists.values(), *([rated] if rated else [])}
    dropped = [f for f in parsed.filters if f.name in TIMES | ADDING or f in parsed.personal]
    others = [f for f in parsed.filters if f not in own and f not in dropped and f.name != "level"]
    clauses = [as_lucene(filter_, level) for filter_ in others]
    if level and not any(filter_.name == "tag" for filter_ in positive):
        clauses.append("_exists_:tags_main" if level == "main" else "_exists_:tags")
    return ExtractedFilters(
        _with_clauses(parsed.text.strip(), clauses),
        tuple(TagFilter(tag.values[0], "main" if level == "main" else "mention") for tag in tags),
        **{SAVED[name].field: _stored_values(filter_) for name, filter_ in lists.items()},
        min_reliability=_least_of(rated) if rated else "",
        dropped=tuple(parsed.query[f.start : f.end] for f in dropped),
    )


def as_typed(search: SavedSearch) -> str:
    """The query that finds what a saved search matches.

    Its words stand in brackets: so they are all required, as in the saved search, and no list is filled up.
    """
    words = [f"({search.query.strip()})"] if search.query.strip() else []
    all_main = all(tag.level == "main" for tag in search.tags)
    tags = [
        written("tag", tag.tag) if all_main or tag.level == "mention" else f'tags_main:"{_escaped(tag.tag)}"'
        for tag in search.tags
    ]
    level = ["level:main"] if search.tags and all_main else []
    score = [_at_least(tag, search.min_score) for tag in search.tags if search.min_score > 0]
    lists = [_any_of(name, getattr(search, saved.field)) for name, saved in SAVED.items()]
    rated = [f"reliability:{least(search.min_reliability)}"] if search.min_reliability else []
    return " ".join((*words, *tags, *level, *score, *filter(None, lists), *rated))


def _at_least(tag: TagFilter, score: float) -> str:
    """The field's name may hold a slash, which begins a regular expression."""
    return f"scores.{tag.tag.replace('/', chr(92) + '/')}:>={score:g}"


def _any_of(name: str, values: Sequence[str]) -> str:
    """The values as a filter. `source:` would find sub-domains too, which a saved search does not."""
    if not values:
        return ""
    if name == "source":
        return f"{fields_of(name)}:({' OR '.join(f'{chr(34)}{_escaped(value)}{chr(34)}' for value in values)})"
    return f"{name}:{','.join(written(name, value).removeprefix(f'{name}:') for value in values)}"


def _stored_values(filter_: Filter) -> tuple[str, ...]:
    """The filter's values in the case in which articles have them."""
    return tuple(FILTERS[filter_.name].case(value) for value in filter_.values)


def _with_clauses(text: str, clauses: list[str]) -> str:
    """The words and the clauses in one query, all required."""
    if clauses and _JOINED.search(text):
        # Beside an OR, Lucene would require only the clauses and make the words optional.
        text = f"({text})"
    return _squeezed(" ".join(part for part in (text, *clauses) if part))


def as_lucene(filter_: Filter, level: str | None = None) -> str:
    """The filter in Lucene's syntax."""
    choices = FILTERS[filter_.name].choices
    states = [state for value in filter_.values if isinstance(state := choices.get(value), State)]
    if states:
        body = " OR ".join(state.lucene for state in states)
        return f"NOT ({body})" if filter_.negated else f"({body})"
    if FILTERS[filter_.name].scale:
        return _graded(filter_)
    main = filter_.name == "tag" and level == "main" and not filter_.negated
    field = "tags_main" if main else fields_of(filter_.name)
    values = " OR ".join(f'"{_escaped(value)}"' for value in filter_.values)
    if len(filter_.values) > 1:
        values = f"({values})"
    return f"{'-' if filter_.negated else ''}{field}:{values}"


def _least_of(filter_: Filter) -> str:
    """The grade that `reliability:a..c` asks for as the least; empty if it asks for something else."""
    grades = on_scale(filter_.name, filter_.values[0]) if len(filter_.values) == 1 else ()
    return grades[-1] if grades and grades[0] == LEAST[0] and grades[-1] in LEAST else ""


def _graded(filter_: Filter) -> str:
    field, scale = fields_of(filter_.name), FILTERS[filter_.name].scale
    asked = {one for value in filter_.values for one in on_scale(filter_.name, value)}
    body = f"{field}:({' OR '.join(one for one in scale if one in asked)})"
    if scale[-1] in asked:
        body = f"({body} OR (NOT _exists_:{field}))"
    return f"NOT {body}" if filter_.negated else body


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _squeezed(text: str) -> str:
    """The text without repeated blanks, which removed filters leave; blanks within quotation marks stay."""
    parts = text.split('"')
    return '"'.join(part if n % 2 else re.sub(r" +", " ", part) for n, part in enumerate(parts)).strip()
