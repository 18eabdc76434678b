"""A typed query as the parts of a saved search. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newswatch.alert import TagFilter
from search.filters import FILTERS, SAVED, TIMES, fields_of
from search.syntax import Filter, Parsed

_JOINED = re.compile(r"\bOR\b|\|\||\bAND\b|&&")


@dataclass(frozen=True, slots=True)
class Lifted:
    """What a saved search needs to watch what a query finds."""

    query: str
    """Lucene's syntax alone, so that Kibana takes it as well."""
    tags: tuple[TagFilter, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    """Filters that mean nothing for what is yet to come: `since`, `until`."""


def lift(parsed: Parsed) -> Lifted:
    """The query's short filters as the saved search's own, and what it has no own for in Lucene's syntax."""
    tags: list[TagFilter] = []
    lists: dict[str, tuple[str, ...]] = {}
    lucene = [parsed.text.strip()]
    level = parsed.first("level")
    for found in parsed.filters:
        saved = SAVED.get(found.name)
        if found.name == "tag" and not found.negated and len(found.values) == 1:
            tags.append(TagFilter(found.values[0], "main" if level == "main" else "mention"))
        elif saved and not found.negated and saved.field not in lists:
            lists[saved.field] = tuple(FILTERS[found.name].case(value) for value in found.values)
        elif found.name not in TIMES and found.name != "level":
            lucene.append(as_lucene(found, level))
    if level and not any(f.name == "tag" and not f.negated for f in parsed.filters):
        lucene.append("_exists_:tags_main" if level == "main" else "_exists_:tags")
    if len(lucene) > 1 and _JOINED.search(lucene[0]):
        # Beside an OR whatever stands behind it would be all that is required, and what was typed optional.
        lucene[0] = f"({lucene[0]})"
    text = _squeezed(" ".join(part for part in lucene if part))
    dropped = tuple(parsed.query[f.start : f.end] for f in parsed.filters if f.name in TIMES)
    return Lifted(text, tuple(tags), **lists, dropped=dropped)


def as_lucene(found: Filter, level: str | None = None) -> str:
    """The filter in Lucene's syntax."""
    states = [state for value in found.values if (state := FILTERS[found.name].choices.get(value))]
    if states:
        body = " OR ".join(state.lucene for state in states)
        return f"NOT ({body})" if found.negated else f"({body})"
    field = "tags_main" if found.name == "tag" and level == "main" and not found.negated else fields_of(found.name)
    values = " OR ".join(f'"{_escaped(value)}"' for value in found.values)
    return f"{'-' if found.negated else ''}{field}:" + (values if len(found.values) == 1 else f"({values})")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _squeezed(text: str) -> str:
    """Without the blanks that filters left behind; blanks within quotation marks stay."""
    parts = text.split('"')
    return '"'.join(part if n % 2 else re.sub(r" +", " ", part) for n, part in enumerate(parts)).strip()
