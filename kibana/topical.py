"""What in the definition is said once and meant for every topic of the taxonomy. Pure.

An item of a list, or an entry whose name says so, is repeated for each topic where it holds one of

    $id       the topic's id                      counter-terrorism
    $tag      the id as a value in a query        "counter-terrorism"
    $name     its name                            Counter-terrorism
    $alone    finds articles on it alone          tags:"counter-terrorism" AND NOT tags:nato

and everywhere one may write

    $topics   the names of all                    NATO and Counter-terrorism
    $any      finds articles on any topic         tags:(nato OR "counter-terrorism")
    $several  finds articles on two or more       (tags:nato AND tags:"counter-terrorism")
    $main     finds main subjects                 tags_main:(nato OR "counter-terrorism")

Panels that are repeated stand side by side in the place that `beside` gives them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import ceil
from string import Template
from typing import Any

from babel.lists import format_list

from newswatch.topics import Topics

ONE = frozenset(("id", "tag", "name", "alone"))
"""Placeholders that stand for one topic."""
NOTHING = "NOT *"
"""A query that finds nothing."""
_IN_A_ROW = 4
"""Panels side by side; of more than that, the row is parted into lower ones."""


ALL = frozenset(("topics", "any", "several", "main"))
"""Placeholders that stand for all topics."""


class PlaceholderError(ValueError):
    """A placeholder that stands for nothing, at `place` of the definition."""

    def __init__(self, place: tuple[int | str, ...], text: str) -> None:
        self.place = place
        known = ", ".join(f"${name}" for name in sorted(ONE | ALL))
        super().__init__(f"{text!r} has a placeholder that is none of {known}")


def expanded(data: Any, topics: Topics) -> Any:
    """The definition's plain values with every topic in them.

    Raises:
        PlaceholderError: a placeholder is none of the above.
        ValueError: one for a single topic stands where nothing can be repeated.
    """
    _check(data, ())
    everywhere = _of_all(topics)
    return _filled(_repeated(data, [_of_one(topic, topics) | everywhere for topic in topics.topics]), everywhere)


def _of_all(topics: Topics) -> dict[str, str]:
    tags = [_tag(topic) for topic in topics.topics]
    pairs = [f"tags:{one} AND tags:{other}" for one, other in combinations(tags, 2)]
    pairs = [f"({pair})" for pair in pairs] if len(pairs) > 1 else pairs
    return {
        "topics": format_list(topics.names, locale="en"),
        "any": _among("tags", tags),
        "main": _among("tags_main", tags),
        "several": f"({' OR '.join(pairs)})" if pairs else NOTHING,
    }


def _of_one(topic: str, topics: Topics) -> dict[str, str]:
    others = [_tag(other) for other in topics.topics if other != topic]
    alone = f"tags:{_tag(topic)}" + (f" AND NOT {_among('tags', others)}" if others else "")
    return {"id": topic, "tag": _tag(topic), "name": topics.name(topic), "alone": alone}


def _among(field: str, tags: list[str]) -> str:
    if len(tags) < 2:
        return f"{field}:{tags[0]}" if tags else NOTHING
    return f"{field}:({' OR '.join(tags)})"


def _tag(topic: str) -> str:
    return topic if topic.isalnum() else f'"{topic}"'


def _check(data: Any, place: tuple[int | str, ...]) -> None:
    if isinstance(data, dict | list):
        for step, part in data.items() if isinstance(data, dict) else enumerate(data):
            _check(step, (*place, step))
            _check(part, (*place, step))
    elif isinstance(data, str) and not (Template(data).is_valid() and {*Template(data).get_identifiers()} <= ONE | ALL):
        raise PlaceholderError(place, data)


# ── repeating ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _repeated(data: Any, each: list[dict[str, str]]) -> Any:
    if isinstance(data, list):
        return [one for item in data for one in _copies(_repeated(item, each), each)]
    if isinstance(data, dict):
        entries = [(name, _repeated(value, each)) for name, value in data.items()]
        return dict(one for entry in entries for one in _named_copies(entry, each))
    return data


def _copies(item: Any, each: list[dict[str, str]]) -> Iterator[Any]:
    if not _names_one(item):
        yield item
        return
    for number, words in enumerate(each):
        copy = _filled(item, words)
        yield _placed(copy, number, len(each)) if isinstance(copy, dict) and "beside" in copy else copy


def _named_copies(entry: tuple[str, Any], each: list[dict[str, str]]) -> Iterator[tuple[str, Any]]:
    name, value = entry
    if not _names_one(name):
        yield name, value
        return
    for words in each:
        yield _filled(name, words), _filled(value, words)


def _names_one(data: Any) -> bool:
    """Whether a placeholder for one topic is left in it."""
    if isinstance(data, dict):
        return any(_names_one(part) for entry in data.items() for part in entry)
    if isinstance(data, list):
        return any(map(_names_one, data))
    return isinstance(data, str) and bool(ONE & {*Template(data).get_identifiers()})


def _placed(panel: dict[str, Any], number: int, count: int) -> dict[str, Any]:
    """The panel in its share of the place that it is given with its like."""
    left, top, wide, high = panel.pop("beside")
    rows = ceil(count / _IN_A_ROW)
    longest = ceil(count / rows)
    row, at = divmod(number, longest)
    in_row = min(longest, count - row * longest)
    first, last = (wide * n // in_row for n in (at, at + 1))
    upper, lower = (high * n // rows for n in (row, row + 1))
    return panel | {"at": [left + first, top + upper, last - first, lower - upper]}


# ── filling in ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _filled(data: Any, words: Mapping[str, str]) -> Any:
    if isinstance(data, dict):
        return {_filled(name, words): _filled(value, words) for name, value in data.items()}
    if isinstance(data, list):
        return [_filled(item, words) for item in data]
    return _written(data, words) if isinstance(data, str) else data


def _written(text: str, words: Mapping[str, str]) -> str:
    try:
        return Template(text).substitute(words)
    except KeyError as error:
        raise ValueError(f"{text!r}: ${error.args[0]} is of one topic, and this can't be repeated for each") from error
