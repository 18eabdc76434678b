"""Precision of saved searches by the labels of what they find."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.evaluate.labels import Grade
from benchmarks.evaluate.searches import is_judged, limits, matches, search_figures, wanted
from benchmarks.evaluate.tags import Judged
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Tag
from tests.benchmarks.evaluate.test_tags import an_article

MAIN = Tag("nato", "main", 0.8, ())
MENTION = Tag("nato", "mention", 0.5, ())


def a_search(**changes: Any) -> SavedSearch:
    return SavedSearch(
        **{"id": "s", "name": "S", "query": "", "recipients": (), "tags": (TagFilter("nato"),), **changes}
    )


def found_by(search: SavedSearch, *tags: tuple[Tag, ...]) -> list[Judged]:
    return [Judged(an_article(), {}, {"whole": each, "feed": ()}) for each in tags]


@pytest.mark.parametrize(
    ("changes", "tags", "through"),
    [
        ({}, (MENTION,), True),
        ({}, (), False),
        ({"tags": (TagFilter("nato", "main"),)}, (MENTION,), False),
        ({"tags": (TagFilter("nato", "main"),)}, (MAIN,), True),
        ({"tags": (TagFilter("nato"), TagFilter("counter-terrorism"))}, (MAIN,), False),
        ({"min_score": 0.6}, (MENTION,), False),
        ({"min_score": 0.6}, (MAIN,), True),
        ({"languages": ("de",)}, (MAIN,), False),
        ({"languages": ("de", "en")}, (MAIN,), True),
    ],
)
def test_filters_let_through_what_elasticsearch_would(changes: Any, tags: tuple[Tag, ...], through: bool) -> None:
    assert matches(a_search(**changes), an_article(), tags) is through


def test_what_is_wanted_goes_by_level_and_doubt() -> None:
    main = a_search(tags=(TagFilter("nato", "main"),))
    unsure = an_article(grades={"nato": Grade(2, "12"), "counter-terrorism": Grade(0)})
    assert [wanted(main, an_article()), wanted(main, unsure), wanted(a_search(), unsure)] == [True, None, True]
    both = a_search(tags=(TagFilter("nato", "main"), TagFilter("counter-terrorism/attacks")))
    assert wanted(both, unsure) is False


def test_precision_is_of_what_was_found() -> None:
    search = a_search()
    wrong = Judged(
        an_article(grades={"nato": Grade(0), "counter-terrorism": Grade(0)}), {}, {"whole": (MAIN,), "feed": ()}
    )
    tuned_on = Judged(an_article(origin="before"), {}, {"whole": (MAIN,), "feed": (MAIN,)})
    figures = search_figures([search], [*found_by(search, (MAIN,), (MAIN,), ()), wrong, tuned_on])
    assert {path: (f.value, f.cases) for path, f in figures.items()} == {"searches/s/whole": (2 / 3, 3)}


@pytest.mark.parametrize(
    "changes", [{"query": "AWACS"}, {"tags": ()}, {"sources": ("a.example",)}, {"countries": ("BE",)}]
)
def test_what_labels_cannot_tell_is_not_judged(changes: Any) -> None:
    search = a_search(**changes)
    assert not is_judged(search)
    assert "Not judged" in limits(search)
    assert search_figures([search], found_by(search, (MAIN,))) == {}


def test_limits_are_told() -> None:
    assert limits(a_search()) == ""
    told = limits(a_search(tags=(TagFilter("nato/command"),), min_sources=2, kind="spike"))
    assert "nato/command" in told
    assert "other sources" in told
    assert "spike counts" in told
