"""A slice that can't be searched is told where people look, and an error wherever something counts on the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from elasticsearch import Elasticsearch

from alerts.counts import counts as counts_of
from alerts.kinds.silence import look
from newswatch.errors import QueryError
from search.asking import ask, count
from search.counts import counts
from search.entity_view import read_trend
from search.export import every
from search.failures import Tally
from search.hints import hints
from search.ingest_pages import page_before
from search.missing import IncompleteError, Missing, incomplete, missing_in
from search.query import find
from search.situation import read_situation
from search.story_view import independent_sources, read_article, read_story, story_facts
from search.tail import Tail
from search.usual import last_day
from search.whole_text import whole_text
from store.ingest_order import Horizons
from tests.alerts.press import Press, a_search, a_story
from tests.broken_slice import broken_slice
from tests.factories import NOW
from tests.pristine import Pristine


@pytest.fixture(scope="module")
def press(es: Elasticsearch, pristine: Pristine) -> Iterator[Press]:
    """Stories, and a slice that can't be searched."""
    names = pristine.names()
    press = Press(es, names)
    press.publish(*(a_story(n) for n in range(3)))
    es.indices.refresh(index=names.articles)
    with broken_slice(es, names):
        yield press
    pristine.clean()


@pytest.fixture(autouse=True)
def tally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.missing._tally", Tally())


@pytest.mark.slow
@pytest.mark.parametrize("by_story", [False, True])
@pytest.mark.parametrize("query", ["", "glacier", "glacier OR harbour", "tag:nato", "glacier zebra"])
def test_a_page_shows_the_rest_and_says_what_it_lacks(press: Press, query: str, by_story: bool) -> None:
    for with_facets in (False, True):
        found = find(press.es, press.names, query, now=NOW, sort="time", by_story=by_story, with_facets=with_facets)
        assert found.missing is not None
        assert (found.missing.of, "2001.01" in str(found.missing)) == (2, True)
        assert len(found.hits) == len({hit.article.id for hit in found.hits})
    assert incomplete().count >= 2


WHOLE: dict[str, Callable[[Press], object]] = {
    "an export": lambda press: next(every(press.es, press.names, "", now=NOW)),
    "an export by score": lambda press: [*every(press.es, press.names, "glacier", sort="relevance", now=NOW)],
    "a number": lambda press: count(press.es, press.names.articles, "", {"term": {"source.country": "BE"}}),
    "a facet": lambda press: counts(press.es, press.names, ["country:be"], NOW, seconds=9),
    "a feed": lambda press: page_before(
        press.es, press.names, {"match_all": {}}, None, size=9, horizons=Horizons(), now=NOW
    ),
    "a tail": lambda press: Tail.start(press.es, press.names, "glacier", NOW),
    "a trend": lambda press: read_trend(press.es, press.names, "nato", NOW, seconds=9),
    "the situation": lambda press: read_situation(press.es, press.names, last_day(NOW), seconds=9),
    "independent sources": lambda press: independent_sources(press.es, press.names.articles, ["s"]),
    "a silence": lambda press: look(press.es, press.names, a_search("s", silence_s=60.0, kind="silence"), NOW),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_what_must_be_whole_is_an_error_that_names_the_slice(press: Press, name: str) -> None:
    with pytest.raises(IncompleteError, match=r"could not be searched \(.*2001\.01"):
        WHOLE[name](press)
    assert incomplete().count


@pytest.mark.slow
def test_an_article_is_read_and_one_that_may_be_there_is_not_said_to_be_gone(es: Elasticsearch, press: Press) -> None:
    article = next(iter(press.articles.values()))
    assert read_article(es, press.names, article.id) is not None
    story = read_story(es, press.names, article.story_id)
    assert story is not None
    assert story.missing is not None
    assert "in every count" in str(story.missing)
    assert whole_text(es, press.names, "harbour", article)
    assert hints(es, press.names, "harbour since:1d lang:xx", NOW) == ()
    (counted,) = counts_of(es, press.names, [a_search("s", "harbour")], {"match_all": {}}, NOW).values()
    assert "2001.01" in counted.fault
    with pytest.raises(IncompleteError):
        read_story(es, press.names, "gone")


@pytest.mark.slow
def test_figures_of_a_story_say_that_they_are_the_least(es: Elasticsearch, press: Press) -> None:
    article = next(iter(press.articles.values()))
    lacking: list[Missing] = []
    facts = story_facts(es, press.names.articles, [article.story_id], lacking=lacking)[article.story_id]
    assert (facts.articles, facts.is_whole) == (1, False)
    assert "2001.01" in str(lacking[0])


def test_an_answer_that_the_time_limit_has_cut_is_not_whole() -> None:
    missing = missing_in({"timed_out": True, "_shards": {"total": 3, "successful": 3, "failed": 0}})
    assert str(missing) == (
        "A part of the index could not be searched (the time limit has passed):"
        " its articles are missing here, and in every count."
    )
    assert "): their articles" in str(Missing(("a", "b"), 2, 3, "gone"))


def test_a_query_that_every_slice_in_question_refuses_is_the_querys_fault() -> None:
    failure = {"index": "a", "reason": {"type": "query_shard_exception", "reason": "no such thing"}}
    passed_over = {"_shards": {"total": 3, "skipped": 2, "failed": 1, "failures": [failure]}}
    with pytest.raises(QueryError, match="no such thing"):
        ask(Answering(passed_over), "articles", "since:1d x")  # type: ignore[arg-type]
    one_of_them = {"_shards": {"total": 3, "skipped": 1, "failed": 1, "failures": [failure]}}
    with pytest.raises(IncompleteError, match="1 of 3 slices"):
        ask(Answering(one_of_them), "articles", "since:1d x")  # type: ignore[arg-type]


class Answering:
    """A client that answers so."""

    def __init__(self, body: object) -> None:
        self.body = body

    def options(self, **_: object) -> Answering:
        """The same."""
        return self

    def search(self, **_: object) -> Answering:
        """The answer."""
        return self


def test_a_sentence_names_a_few_slices_and_a_short_reason() -> None:
    failures = [
        {"index": f"articles-2026.0{n}", "reason": {"type": "t", "reason": "r", "caused_by": {"reason": "deep\n" * 99}}}
        for n in range(1, 6)
    ]
    missing = missing_in({"_shards": {"total": 9, "failed": 5, "failures": failures}})
    assert missing == Missing(
        tuple(f"articles-2026.0{n}" for n in range(1, 6)), 5, 9, missing.reason if missing else ""
    )
    assert "5 of 9 slices" in str(missing)
    assert "articles-2026.03 and 2 more: deep deep" in str(missing)
    assert len(str(missing)) < 400
    assert missing_in({"_shards": {"total": 9, "failed": 0}}) is missing_in({}) is None
    assert "1 of 1 slices" in str(missing_in({"_shards": {"total": 1, "failed": 1}}))


def test_a_shard_of_which_no_copy_is_in_reach_is_missing_though_it_did_not_fail() -> None:
    lost = {"_shards": {"total": 3, "successful": 2, "skipped": 1, "failed": 0}}
    assert str(missing_in(lost)).startswith("1 of 3 slices of the index could not be searched (no copy is in reach): ")
    assert missing_in({"_shards": {"total": 3, "successful": 3, "skipped": 2, "failed": 0}}) is None
