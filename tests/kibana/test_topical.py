"""What is said once in the definition, for every topic there is."""

from __future__ import annotations

from typing import Any

import pytest

from kibana.definition import load
from kibana.topical import PlaceholderError, expanded
from newswatch.topics import TopicCalled, Topics


def topics(*ids: str) -> Topics:
    return Topics(topics={name: TopicCalled(name=name.replace("-", " ").title()) for name in ids})


TWO = topics("sea", "dry-land")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (["a", "x.$id", "b"], ["a", "x.sea", "x.dry-land", "b"]),
        ({"$id": "tags:$tag", "z": 1}, {"sea": "tags:sea", "dry-land": 'tags:"dry-land"', "z": 1}),
        ([{"id": "$id-count", "of": {"q": "$alone"}}][:1], [
            {"id": "sea-count", "of": {"q": 'tags:sea AND NOT tags:"dry-land"'}},
            {"id": "dry-land-count", "of": {"q": 'tags:"dry-land" AND NOT tags:sea'}},
        ]),
        ([{"id": "one", "y": [{"label": "$name"}]}], [{"id": "one", "y": [{"label": "Sea"}, {"label": "Dry Land"}]}]),
        ({"q": "$any", "t": "On $topics"}, {"q": 'tags:(sea OR "dry-land")', "t": "On Sea and Dry Land"}),
        ({"q": "$several AND $main"}, {"q": '(tags:sea AND tags:"dry-land") AND tags_main:(sea OR "dry-land")'}),
        ({"price": "$$5", "n": None}, {"price": "$5", "n": None}),
    ],
)  # fmt: skip
def test_it_is_repeated_where_it_speaks_of_one_and_joined_where_of_all(data: Any, wanted: Any) -> None:
    assert expanded(data, TWO) == wanted


def test_of_three_any_two_are_several_and_of_one_none() -> None:
    assert (
        expanded("$several", topics("a", "b", "c"))
        == "((tags:a AND tags:b) OR (tags:a AND tags:c) OR (tags:b AND tags:c))"
    )
    assert expanded("$several", topics("a")) == "NOT *"
    assert expanded(["$any", "$alone"], topics("a")) == ["tags:a", "tags:a"]


def test_a_placeholder_that_stands_for_nothing_is_told_with_its_place() -> None:
    for text in ("$topic", "$", "${id"):
        with pytest.raises(PlaceholderError) as error:
            expanded({"a": ["b", {"c": text}]}, TWO)
        assert error.value.place == ("a", 1, "c")
    with pytest.raises(ValueError, match="can't be repeated"):
        expanded({"a": {"b": "$id"}}, TWO)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 12])
def test_however_many_topics_there_are_their_panels_fill_their_place_and_no_other(count: int) -> None:
    definition = load(topics(*(f"topic-{n}" for n in range(count))))
    panels = [panel for panel in definition.dashboards["situation"].panels if panel.kind == "number"]
    assert len(panels) == count
    places = [panel.at for panel in panels]
    cells = [(x + dx, y + dy) for x, y, wide, high in places for dx in range(wide) for dy in range(high)]
    assert sorted(cells) == [(x, y) for x in range(16) for y in range(6)]
