"""Searches the articles, by Lucene's syntax and short filters (see `search.syntax`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.errors import QueryError
from search import personal
from search.asked import (
    Sort,
    filled_fields,
    has_all,
    most_words,
    text_query,
    understood,
    wording_of,
)
from search.asking import explain_refusal, first_line
from search.by_meaning import ADDED, FIRST, near, nearer_first
from search.filters import ADDING
from search.highlight import MARK_END, MARK_START
from search.meant import (
    AS_ITS_FIRST,
    Meant,
    Unmeant,
    began_by_words,
    count_failure,
    keep_order,
    meant_soon,
    not_searched,
)
from search.page import ARTICLES_A_STORY, Page
from search.ranking import any_word, scores
from search.results import Hit, Results
from search.similar import refuse_similar, with_similar
from store.names import Names

__all__ = ["MARK_END", "MARK_START", "Hit", "Results", "Sort", "explain_refusal", "find", "text_query"]

Json = dict[str, Any]

MAX_WINDOW = 10_000
"""Maximum offset of a page, which is Elasticsearch's limit; `search.export` has none."""
_FILLED_UP_TO = 20
"""Rows up to which a short list is filled up."""


def find(
    es: Elasticsearch,
    names: Names,
    query: str,
    *,
    size: int = 20,
    offset: int = 0,
    sort: Sort = "relevance",
    by_story: bool = False,
    with_facets: bool = False,
    with_story: bool = False,
    all_of: str | None = None,
    now: datetime | None = None,
    reader: str = "",
    vectors: bool = False,
) -> Results:
    """The articles that `query` finds, newest first or best first.

    If no article has all of the plain words, those with most of them are returned: see `relaxed`. A first page that is
    not full, best first, is filled up with those that have some: see `filled`. Facets count their most frequent values;
    the one named by `all_of`, up to `facets.MOST_VALUES`.
    `reader` is who asks, for filters such as `is:new`. `similar:` needs `vectors`, the setting of that name; with it,
    the first rows are ordered by meaning too. If they can't be, the page has the order of the words, and says why
    (`Results.unmeant`).

    Raises:
        QueryError: the query can't be parsed (the message says where), exceeds a limit or takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed, now = understood(query, names), now or datetime.now(UTC)
    own = personal.clauses(es, names, reader, parsed, now)
    page = _Search(es, names, parsed, now, size, offset, sort, by_story, with_facets, with_story, all_of, own)
    if parsed.of("similar"):
        return _with_similar(page, vectors)
    if not (vectors and parsed.words and sort == "relevance"):
        return _found(page)
    if offset and began_by_words(parsed.words):
        return replace(_found(page), unmeant=AS_ITS_FIRST)
    results = _found(replace(page, meant=meant_soon(parsed.words)))
    if not offset:
        keep_order(parsed.words, failed=results.unmeant is not None and not results.unmeant.is_absent)
    if results.unmeant:
        count_failure(results.unmeant)
    return results


def _with_similar(page: _Search, vectors: bool) -> Results:
    if page.sort != "relevance":
        refuse_similar(page.parsed, "similar: needs the order by relevance: what it adds is merged by rank.")
    plain = replace(page.parsed, filters=tuple(one for one in page.parsed.filters if one.name not in ADDING))

    def words(size: int, offset: int) -> Results:
        return _found(replace(page, parsed=plain, size=size, offset=offset))

    return with_similar(
        page.es,
        page.names,
        page.parsed,
        words,
        size=page.size,
        offset=page.offset,
        by_story=page.by_story,
        with_story=page.with_story,
        vectors=vectors,
        now=page.now,
        own=page.own,
    )


def _found(page: _Search) -> Results:
    es, names = page.es, page.names
    try:
        return page.find()
    except NotFoundError:
        if not es.indices.exists_alias(name=names.articles):
            return Results(0, (), 0)  # no article was ever indexed
        return page.find()  # an upgrade has replaced a slice meanwhile, so the index names are new


@dataclass(frozen=True, slots=True)
class _Search(Page):
    """Which clauses a page is read by: all words, most of them, some, and what is near to them in meaning."""

    def find(self) -> Results:
        """The page by the words, and by their meaning if `meant` has it."""
        found, near = self._by_words()
        return self._by_meaning(found, near) if self.meant else found

    def _by_words(self) -> tuple[Results, tuple[Hit, ...]]:
        """The page by the words, and what is near to them where no article has all."""
        fields = filled_fields(self.es, self.names, self.parsed) if self.parsed.text.strip() else []
        if not self.parsed.words:
            return self.read(text_query(self.parsed.text, fields)), ()
        asked = wording_of(self.parsed, self.names)
        clause = has_all(asked, fields)
        scored = self
        if self.sort == "relevance":
            scored = replace(self, scores=tuple(scores(asked, fields, self.names.shown_topics())))
        results = scored.read(clause)
        near: tuple[Hit, ...] = ()
        if results.total == 0 and len(asked.words) > 1:
            clause = most_words(asked.words, fields)
            results, near = scored._with_most(clause)
            results = replace(results, relaxed=results.total > 0, filled=0 if results.total else None)
        return scored._filled_up(results, clause, any_word(asked, fields)), near

    def _filled_up(self, results: Results, has: Json, some: Json) -> Results:
        """A first page that is not full, best first, with articles below that `has` does not find and `some` does."""
        lacking = min(self.size, _FILLED_UP_TO) - len(results.hits)
        if self.offset or lacking <= 0 or self.sort != "relevance":
            return results
        others = replace(self, with_facets=False, except_=(has, *self.shown_stories(results)))
        more = replace(others, size=lacking).read(some).hits
        if not more:
            return results
        place = len(results.hits) if results.filled is None else results.filled
        return replace(results, hits=results.hits + tuple(replace(hit, lacks_words=True) for hit in more), filled=place)

    def _with_most(self, clause: Json) -> tuple[Results, tuple[Hit, ...]]:
        """The page of what `clause` finds, above all what is near to the words; and what is near beside it."""
        meant = self.meant() if self.meant else None
        if not isinstance(meant, Meant):
            return self.read(clause), ()
        plain = replace(self, scores=())
        nearest = replace(self, scores=(*self.scores, near(meant, ADDED, plain.query(clause), FIRST)))
        others = replace(plain, except_=(*self.except_, clause)).query({"match_all": {}})
        beside = None if self.offset else near(meant, ARTICLES_A_STORY * ADDED, others, FIRST)
        try:
            results, more = nearest.read_beside(clause, beside, min(self.size, ADDED))
        except QueryError as error:
            return replace(self.read(clause), unmeant=not_searched(first_line(error))), ()
        if isinstance(more, Unmeant):
            return replace(results, unmeant=more), ()
        return results, more

    def _by_meaning(self, found: Results, near: Sequence[Hit]) -> Results:
        """The page as `by_meaning.nearer_first` orders and fills it."""
        if self.offset and not found.relaxed:
            return found
        meant = self.meant() if self.meant else None
        if not isinstance(meant, Meant):
            return replace(found, unmeant=meant)
        if self.offset:
            return self._moved_down(found)
        language = wording_of(self.parsed, self.names).language
        return nearer_first(found, meant, self.size, near if found.relaxed else (), language)

    def _moved_down(self, found: Results) -> Results:
        """A further page, which begins as many rows earlier as the first page has added ones."""
        on_first = max(0, self.size - self.offset)  # where the offset is no multiple of the size
        first = replace(self, offset=0, with_facets=False, with_story=self.with_story and on_first > 0).find()
        if not first.similar:
            return found
        start = max(self.offset, self.size) - first.similar
        moved, _ = replace(self, offset=start)._by_words()
        further = moved.hits[: max(0, moved.rows - start)]  # without what fills up a first page
        hits = (*first.hits[self.offset :], *further)[: self.size]
        return replace(moved, hits=hits, filled=0, similar=first.similar)
