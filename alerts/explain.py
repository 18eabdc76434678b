"""Why a saved search matches an article or does not, clause by clause."""

from __future__ import annotations

from dataclasses import dataclass

from elasticsearch import Elasticsearch

from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.errors import NewswatchError, QueryError
from search.asked import text_query
from search.asking import SlowSearchError, count
from search.filters import FILTERS
from search.lucene import as_lucene
from search.story_view import independent_sources
from search.syntax import parts
from search.syntax_error import QuerySyntaxError
from store.articles import ArticleStore
from store.names import Names


@dataclass(frozen=True, slots=True)
class CheckedClause:
    """One condition of a saved search, and whether the article meets it."""

    text: str
    holds: bool
    part: bool = False
    """A word or phrase of the query: not a condition by itself, but it shows near misses."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a saved search matches an article, or does not."""

    article: Article
    matches: bool
    clauses: tuple[CheckedClause, ...]

    @property
    def nearest_miss(self) -> tuple[CheckedClause, ...]:
        """The conditions that do not hold."""
        return tuple(clause for clause in self.clauses if not clause.holds and not clause.part)


def explain(es: Elasticsearch, names: Names, search: SavedSearch, article_id: str) -> Explanation:
    """Check the article against each condition of the saved search.

    Raises:
        NewswatchError: the article is not in the index, or a condition takes too long.
    """
    article = ArticleStore(es, names).get([article_id]).get(article_id)
    if article is None:
        raise NewswatchError("That article was never indexed: is its feed polled, and did it carry the article?")
    es.indices.refresh(index=names.articles)
    clauses = tuple(
        CheckedClause(text, _holds(es, names, article_id, text, query), part)
        for text, query, part in conditions(search)
    )
    matches = _holds(es, names, article_id, search.query, to_query(search))
    if search.min_sources > 1:
        story_id = article.story_id or article.id
        sources = independent_sources(es, names.articles, [story_id])[story_id]
        text = f"at least {search.min_sources} independent sources report the story: {sources} so far"
        clauses = (*clauses, CheckedClause(text, sources >= search.min_sources))
        matches = matches and clauses[-1].holds
    return Explanation(article, matches, clauses)


def _holds(es: Elasticsearch, names: Names, article_id: str, typed: str, query: Query) -> bool:
    asked: Query = {"bool": {"filter": [{"ids": {"values": [article_id]}}, query]}}
    try:
        return count(es, names.articles, typed, asked) > 0
    except SlowSearchError:
        raise
    except QueryError:
        return False  # such as a part of a query that is not valid on its own


def conditions(search: SavedSearch) -> list[tuple[str, Query, bool]]:
    """(text, query, is part) for each condition of a saved search, and for each part of its query. Pure."""
    listed: list[tuple[str, Query, bool]] = []
    for query in to_query(search).get("bool", {}).get("filter", ()):
        if "query_string" in query:
            listed.append((f"query {search.query.strip()}", query, False))
            query_parts = _parts(search.query)
            if len(query_parts) > 1:
                listed += [(part, text_query(part), True) for part in query_parts]
        else:
            listed.append((_in_words(query), query, False))
    return listed


def _parts(query: str) -> list[str]:
    try:
        return parts(as_lucene(query))
    except QuerySyntaxError:
        return []  # saved before such queries were rejected: only the query as a whole is checked


_NAMES = {one.field: one.noun for one in FILTERS.values() if one.field and one.noun} | {"tags_main": "main tag"}


def _in_words(query: Query) -> str:
    ((kind, body),) = query.items()
    ((field, value),) = body.items()
    if kind == "range":
        return f"score of {field.removeprefix('scores.')} at least {value['gte']:g}"
    values = value if isinstance(value, list) else [value]
    return f"{_NAMES.get(field, field)} {' or '.join(map(str, values))}"
