"""Searches the articles, by Lucene's syntax and short filters (see `search.syntax`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
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
    within_budget,
    wording_of,
)
from search.asking import explain_refusal, first_line
from search.by_meaning import FIRST, OF_ANOTHER, near, nearer_first
from search.filters import ADDING
from search.first_page import MOST_ADDED, FirstPage
from search.highlight import MARK_END, MARK_START
from search.meant import SWITCHED_OFF, Meant, Unmeant, count_failure, meant_soon, not_searched
from search.missing import IncompleteError, noted, worst
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
    zone: tzinfo = UTC,
    vectors: bool = False,
    said_first: bool = False,
    first: FirstPage | None = None,
) -> Results:
    """The articles that `query` finds, newest first or best first.

    If no article has all of the plain words, those with most of them are returned: see `relaxed`. A first page that is
    not full, best first, is filled up with those that have some: see `filled`. Facets count their most frequent values;
    the one named by `all_of`, up to `facets.MOST_VALUES`.
    `reader` is who asks, for filters such as `is:new`; the time-line's days are those of `zone`.
    `similar:` needs `vectors`, the setting of that name; with it, the first rows are ordered by meaning too. If they
    can't be, the page goes by the words alone, and says why (`Results.unmeant`). Either way they rise by how much of
    the words they say first; with `said_first`, they do so where vectors are switched off, too. A later page goes on
    behind `first`, if that is given, and leaves out what came in since; else it makes the first page anew where rows
    may have been moved.

    Raises:
        QueryError: the query can't be parsed (the message says where), exceeds a limit or takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed, now = understood(query, names), now or datetime.now(UTC)
    own = personal.clauses(es, names, reader, parsed, now, first.read_at if first else None)
    page = _Search(
        es,
        names,
        parsed,
        now,
        size,
        offset,
        sort,
        by_story,
        with_facets,
        with_story,
        all_of,
        own,
        zone=zone,
        first=first,
    )
    if parsed.of("similar"):
        return _with_similar(page, vectors)
    if not (parsed.words and sort == "relevance" and (vectors or (said_first and not offset))):
        return _found(page)
    meant: Callable[[], Meant | Unmeant]
    if not vectors:
        meant = _switched_off
    elif offset:  # only a first page is sure to need what the words mean
        meant = partial(_meant, parsed.words)
    else:  # begun at once, they are encoded while Elasticsearch searches
        meant = meant_soon(parsed.words)
    results = _found(replace(page, meant=meant))
    if results.unmeant:
        count_failure(results.unmeant)
    return results


def _meant(words: Sequence[str]) -> Meant | Unmeant:
    return meant_soon(words)()


def _switched_off() -> Unmeant:
    return SWITCHED_OFF


def _with_similar(page: _Search, vectors: bool) -> Results:
    if page.sort != "relevance":
        refuse_similar(page.parsed, "similar: needs the order by relevance: what it adds is merged by rank.")
    plain = replace(page.parsed, filters=tuple(one for one in page.parsed.filters if one.name not in ADDING))
    first = replace(page.first, raised=(), added=0) if page.first else None  # what it adds is merged anew

    def words(size: int, offset: int) -> Results:
        return _found(replace(page, parsed=plain, size=size, offset=offset, first=first))

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
        but=[page.first.came_since] if page.first else [],
        lacking=page.lacking,
    )


def _found(page: _Search) -> Results:
    es, names = page.es, page.names
    try:
        found = page.find()
    except NotFoundError:
        if not es.indices.exists_alias(name=names.alias):
            return Results(0, (), 0)  # no article was ever indexed
        found = page.find()  # an upgrade has replaced a slice meanwhile, so the index names are new
    missing = worst(page.lacking)
    return replace(found, missing=noted(missing) if missing else None)


@dataclass(frozen=True, slots=True)
class _Search(Page):
    """Which clauses a page is read by: all words, most of them, some, and what is near to them in meaning."""

    def find(self) -> Results:
        """The page by the words, and by their meaning if `meant` has it."""
        if self.offset and (self.meant or self.first):
            return self._further()
        found, near = self._by_words()
        return self._by_meaning(found, near) if self.meant else found

    def _further(self) -> Results:
        """A page behind the rows that the first one has moved by meaning."""
        if self.first and self.offset >= self.size:
            return self._behind(self.first)
        found, _ = replace(self, meant=None)._by_words()
        if not found.relaxed or not self.meant:
            return found
        begun = replace(self, offset=0, with_facets=False, with_story=self.with_story and self.offset < self.size)
        page = begun.find()
        moved = FirstPage(self.now, page.raised, page.similar)
        if not moved.moved:
            return replace(found, unmeant=page.unmeant)
        if self.offset >= self.size:
            return replace(self._behind(moved), unmeant=page.unmeant)
        # An address that somebody typed: it begins within the first page.
        rest = replace(self, offset=self.size)._behind(moved)
        return replace(rest, hits=(*page.hits[self.offset :], *rest.hits)[: self.size])

    def _behind(self, first: FirstPage) -> Results:
        """The page as it goes on behind what the first one has moved, by the words alone."""
        words = replace(self, meant=None)
        if first.moved:
            found, _ = replace(words, moved=first)._by_words()
            if found.relaxed:
                # Counts that come with the list lack what is left out of it.
                unlisted = 0 if self.with_facets or self.by_story else len(first.raised)
                total = found.total + unlisted
                return replace(found, total=total, filled=0, similar=first.added, raised=first.raised)
        return words._by_words()[0]

    def _by_words(self) -> tuple[Results, tuple[Hit, ...]]:
        """The page by the words, and what is near to them where no article has all."""
        fields: Sequence[str] = filled_fields(self.es, self.names, self.parsed) if self.parsed.text.strip() else []
        if not self.parsed.words:
            return self.read(text_query(self.parsed.text, fields)), ()
        asked = wording_of(self.parsed, self.names)
        fields = within_budget(asked, fields)
        clause = has_all(asked, fields)
        scored = self
        if self.sort == "relevance":
            scored = replace(self, scores=tuple(scores(asked, fields, self.names.shown_topics())))
        results = scored.read(clause)
        near: tuple[Hit, ...] = ()
        if results.total == 0 and len(asked.words) > 1:
            clause = most_words(asked, fields)
            results, near = scored._with_most(clause)
            results = replace(results, relaxed=results.total > 0, filled=0 if results.total else None)
        results = replace(results, shortened=asked.shortened)
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
        nearest = replace(self, scores=(*self.scores, near(meant, MOST_ADDED, plain.query(clause), FIRST)))
        others = replace(plain, except_=(*self.except_, clause)).query({"match_all": {}})
        beside = near(meant, ARTICLES_A_STORY * MOST_ADDED, others, FIRST)
        try:
            results, more = nearest.read_beside(clause, beside, min(self.size, MOST_ADDED))
        except (QueryError, IncompleteError) as error:
            return replace(self.read(clause), unmeant=not_searched(first_line(error))), ()
        if isinstance(more, Unmeant):
            return replace(results, unmeant=more), ()
        return results, more

    def _by_meaning(self, found: Results, near: Sequence[Hit]) -> Results:
        """The first page as `by_meaning.nearer_first` orders and fills it."""
        meant = self.meant() if self.meant else None
        if not isinstance(meant, Meant):
            return nearer_first(replace(found, unmeant=None if meant is SWITCHED_OFF else meant), None, self.size)
        language = wording_of(self.parsed, self.names).language
        page = nearer_first(found, meant, self.size, near if found.relaxed else (), language)
        if page.unmeant != OF_ANOTHER or not (page.raised or page.similar):
            return page
        # Elasticsearch has raised the few with our vectors above all others, whose order of the words is asked for now.
        plain, _ = replace(self, meant=_switched_off)._by_words()  # `None` would not read what articles say first
        return nearer_first(replace(plain, unmeant=OF_ANOTHER), None, self.size)
