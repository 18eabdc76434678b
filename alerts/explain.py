"""Why a saved search matches an article or does not, clause by clause."""

from __future__ import annotations

from dataclasses import dataclass

from elasticsearch import Elasticsearch

from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.errors import NewswatchError, QueryError
from search.asking import SlowSearchError, count
from search.filters import FILTERS
from search.lucene import as_lucene
from search.query import text_query
from search.story_view import independent_sources
from search.syntax import QuerySyntaxError, parts
from store.articles import ArticleStore
from store.names import Names


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a saved search."""

    text: str
    holds: bool
    part: bool = False
    """A word or phrase of the query: not a condition by itself, but where a near miss shows."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why it matches, or does not."""

    article: Article
    matches: bool
    clauses: tuple[Clause, ...]

    @property
    def nearest_miss(self) -> tuple[Clause, ...]:
        """The conditions that would have to hold besides."""
        return tuple(clause for clause in self.clauses if not clause.holds and not clause.part)


def explain(es: Elasticsearch, names: Names, search: SavedSearch, article_id: str) -> Explanation:
    """Hold the article against each condition of the saved search.

    Raises:
        NewswatchError: there is no such article, or a condition takes too long.
    """
    article = ArticleStore(es, names).get([article_id]).get(article_id)
    if article is None:
        raise NewswatchError("That article was never indexed: is its feed polled, and did it carry the article?")
    es.indices.refresh(index=names.articles)
    clauses = tuple(
        Clause(text, _holds(es, names, article_id, text, query), part) for text, query, part in conditions(search)
    )
    matches = _holds(es, names, article_id, search.query, to_query(search))
    if search.min_sources > 1:
        story_id = article.story_id or article.id
        sources = independent_sources(es, names.articles, [story_id])[story_id]
        told = f"{search.min_sources} independent sources or more report the story: {sources} by now"
        clauses = (*clauses, Clause(told, sources >= search.min_sources))
        matches = matches and clauses[-1].holds
    return Explanation(article, matches, clauses)


def _holds(es: Elasticsearch, names: Names, article_id: str, typed: str, query: Query) -> bool:
    asked: Query = {"bool": {"filter": [{"ids": {"values": [article_id]}}, query]}}
    try:
        return count(es, names.articles, typed, asked) > 0
    except SlowSearchError:
        raise
    except QueryError:
        return False  # such as a word of a query that is no query by itself


def conditions(search: SavedSearch) -> list[tuple[str, Query, bool]]:
    """Each condition of a saved search as words and as a query; what its query consists of as parts. Pure."""
    found: list[tuple[str, Query, bool]] = []
    for query in to_query(search).get("bool", {}).get("filter", ()):
        if "query_string" in query:
            found.append((f"query {search.query.strip()}", query, False))
            said = _parts(search.query)
            found += [(part, text_query(part), True) for part in said if len(said) > 1]
        else:
            found.append((_said(query), query, False))
    return found


def _parts(query: str) -> list[str]:
    try:
        return parts(as_lucene(query))
    except QuerySyntaxError:
        return []  # saved before such queries were refused: the query as a whole is a condition all the same


_NAMES = {one.field: one.noun for one in FILTERS.values() if one.field and one.noun} | {"tags_main": "main tag"}


def _said(query: Query) -> str:
    ((kind, body),) = query.items()
    ((field, value),) = body.items()
    if kind == "range":
        return f"score of {field.removeprefix('scores.')} at least {value['gte']:g}"
    values = value if isinstance(value, list) else [value]
    return f"{_NAMES.get(field, field)} {' or '.join(map(str, values))}"
