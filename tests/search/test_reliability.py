"""Searching by the reliability of outlets: the filter, its facet, what a saved search keeps, a story's credibility."""

from __future__ import annotations

from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch

from alerts.backtest import backtest
from alerts.query import filters_of
from newswatch.alert import SavedSearch
from newswatch.article import Article
from search.extract_filters import as_lucene, as_typed, extract_filters
from search.filters import lists_of
from search.query import find
from search.story_view import arranged, story_facts
from search.syntax import parse
from search.syntax_error import QuerySyntaxError
from store.names import Names
from tests.factories import NOW, a_source, an_article
from tests.newsstand import stock

OUTLETS = {
    "alpha": ("A", False),
    "bravo": ("B", False),
    "charlie": ("C", False),
    "tass": ("D", True),
    "nobody": (None, False),
}


def articles() -> list[Article]:
    return [
        an_article(
            f"https://{name}.example/x",
            title=f"{name} on the flank",
            story_id="flank",
            source=a_source(
                feed_id=name, domain=f"{name}.example", owner=name, country="RU", reliability=grade, state_media=state
            ),
        )
        for name, (grade, state) in OUTLETS.items()
    ]


def test_a_typed_least_grade_becomes_the_saved_search_s_own_and_back() -> None:
    extracted = extract_filters(parse("flank reliability:a..C"))
    assert (extracted.query, extracted.min_reliability) == ("flank", "C")
    search = SavedSearch("s", "S", "flank", ("a@example.org",), min_reliability="C")
    assert as_typed(search) == "(flank) reliability:a..c"
    assert [*lists_of(search)] == ["reliability:a..c"]
    assert filters_of(search) == [{"terms": {"source.reliability": ["A", "B", "C"]}}]


@pytest.mark.parametrize(
    ("typed", "lucene"),
    [
        ("reliability:b..d", "source.reliability:(B OR C OR D)"),
        ("reliability:d..b", "source.reliability:(B OR C OR D)"),
        ("-reliability:e", "NOT source.reliability:(E)"),
        ("reliability:f", "(source.reliability:(F) OR (NOT _exists_:source.reliability))"),
    ],
)
def test_other_grades_become_lucene(typed: str, lucene: str) -> None:
    (found,) = parse(typed).filters
    assert as_lucene(found) == lucene
    assert extract_filters(parse(typed)) == extract_filters(parse(typed)).__class__(lucene)


@pytest.mark.parametrize("typed", ["reliability:g", "reliability:a..", "reliability:a..b..c", "reliability:good"])
def test_what_is_no_grade_is_an_error(typed: str) -> None:
    with pytest.raises(QuerySyntaxError, match="is one of A, B, C, D, E, F, or a range"):
        parse(typed)


@pytest.mark.slow
def test_on_the_real_server(es: Elasticsearch, names: Names) -> None:
    stock(es, names, articles())

    def found(query: str) -> set[str]:
        return {hit.article.source.feed_id for hit in find(es, names, query, now=NOW).hits}

    assert found("reliability:a..b") == {"alpha", "bravo"}
    assert found("reliability:f") == {"nobody"}, "what is not rated counts as F"
    assert found("-reliability:f flank") == {"alpha", "bravo", "charlie", "tass"}
    assert found("is:state-media") == {"tass"}
    for typed in ("reliability:f", "-reliability:f", "reliability:c..f", "is:state-media"):
        (one,) = parse(typed).filters
        assert found(as_lucene(one)) == found(typed), "the same in Lucene's syntax"

    facets = {facet.name: facet for facet in find(es, names, "flank", now=NOW, with_facets=True).facets}
    shown = [(value.value, value.count) for value in facets["reliability"].buckets]
    assert shown == [("A", 1), ("B", 1), ("C", 1), ("D", 1), ("F", 1)]

    facts = story_facts(es, names.articles, ["flank"])["flank"]
    story = arranged("flank", articles(), 5)
    assert facts.credibility == story.credibility
    assert (story.credibility.number, facts.independent, story.independent) == (1, 5, 5)

    search = SavedSearch("s", "S", "flank", ("a@example.org",), min_reliability="B")
    result = backtest(es, names, search, days=7, now=NOW)
    assert (result.articles, result.left_out, result.unrated) == (2, 3, 1)
    assert backtest(es, names, replace(search, min_reliability=""), days=7, now=NOW).left_out == 0
