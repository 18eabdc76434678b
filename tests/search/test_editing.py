"""Filters of a query are added, excluded and taken away one value at a time; the words stay. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search.editing import (
    between,
    excluding,
    since_from,
    until_before,
    with_value,
    without,
    without_filter,
    without_value,
    written,
)
from search.syntax import parse


@pytest.mark.parametrize(
    ("query", "name", "value", "edited"),
    [
        ("AWACS", "tag", "nato", "AWACS tag:nato"),
        ("tag:nato x", "tag", "counter-terrorism", "tag:nato x tag:counter-terrorism"),  # both
        ("lang:fr x", "lang", "de", "lang:fr,de x"),  # any
        ("x NOT lang:fr", "lang", "de", "x NOT lang:fr lang:de"),
        ("x -lang:fr,nl", "lang", "fr", "x -lang:nl lang:fr"),
        ("lang:FR", "lang", "fr", "lang:FR"),
        ("x since:7d y", "since", "24h", "x y since:24h"),
        ("x", "source", "Le Monde", 'x source:"Le Monde"'),
    ],
)
def test_a_value_is_added(query: str, name: str, value: str, edited: str) -> None:
    assert with_value(parse(query), name, value) == edited


@pytest.mark.parametrize(
    ("query", "name", "value", "edited"),
    [
        ("x", "lang", "fr", "x -lang:fr"),
        ("x -lang:fr", "lang", "de", "x -lang:fr,de"),
        ("NOT lang:fr x", "lang", "de", "-lang:fr,de x"),
        ("lang:fr,de x", "lang", "fr", "lang:de x -lang:fr"),
        ("x -tag:a", "tag", "b", "x -tag:a,b"),
        ("x -lang:fr", "lang", "FR", "x -lang:fr"),
    ],
)
def test_a_value_is_excluded(query: str, name: str, value: str, edited: str) -> None:
    assert excluding(parse(query), name, value) == edited


@pytest.mark.parametrize(
    ("query", "edited"),
    [
        ("lang:fr x lang:de", "x lang:de"),
        ("lang:fr,de x", "lang:de x"),
        ("x -lang:de,fr,nl", "x -lang:de,nl"),
        ('a AND lang:fr AND "b  c"', 'a AND "b  c"'),
        ("lang:de", "lang:de"),
        ('lang:"fr" a   b', "a   b"),
    ],
)
def test_one_value_is_taken_away_and_the_others_stay(query: str, edited: str) -> None:
    assert without_value(parse(query), "lang", "fr") == edited


def test_whole_filters_are_taken_away() -> None:
    assert without(parse('a AND tag:nato AND "b  c" lang:fr'), "tag", "lang") == 'a AND "b  c"'
    query = parse("tag:a x tag:b")
    assert without_filter(query, query.filters[1]) == "tag:a x"


def test_times_take_the_place_of_those_before() -> None:
    assert between(parse("since:7d x until:today"), "2026-03-01", "") == "x since:2026-03-01"
    hour, day = timedelta(hours=1), timedelta(days=1)
    start = datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert (since_from(start, hour), until_before(start + hour, hour)) == ("2026-03-01T05:00", "2026-03-01T05:59")
    assert until_before(datetime(2026, 3, 8, tzinfo=UTC), 7 * day) == "2026-03-07"
    parse(between(parse("x"), since_from(start, hour), until_before(start + hour, hour)))


_VALUES = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() == text and text.isprintable())


@given(st.lists(_VALUES, min_size=1, max_size=4, unique_by=str.casefold), _VALUES)
@example([":"], "0/0")  # the slash is none between words
def test_any_value_can_be_added_and_is_gone_once_taken_away(values: list[str], value: str) -> None:
    query = f"NATO {written('owner', *values)} x"
    added = parse(with_value(parse(query), "owner", value))
    assert value.casefold() in {one.casefold() for one in added.values("owner")}
    left = parse(without_value(added, "owner", value))
    assert [one.casefold() for one in left.values("owner")] == [
        one.casefold() for one in values if one.casefold() != value.casefold()
    ]
    assert left.text.split() == ["NATO", "x"]
