"""The stored articles that `pull` decides by, and which of them nobody knows of while a month is out of reach."""

from __future__ import annotations

from collections.abc import Iterable

from newswatch.article import Article
from store.articles import ArticleStore


class InReach:
    """Reads articles for one step of a batch. What depends on an `unknown` one waits for the next poll."""

    def __init__(self, articles: ArticleStore) -> None:
        self._articles = articles
        self.unknown: set[str] = set()
        """The ids asked for that a month out of reach may have."""

    def get(self, ids: Iterable[str]) -> dict[str, Article]:
        """The existing articles among `ids`, by id, without those out of reach."""
        wanted = set(ids)
        if not wanted:
            return {}
        found = self._articles.in_reach(wanted)
        self.unknown |= found.unknown
        return found.articles

    def exist(self, ids: Iterable[str]) -> set[str]:
        """The ids that have a document, readable or not, without those out of reach."""
        wanted = set(ids)
        if not wanted:
            return set()
        found, unknown = self._articles.exist_in_reach(wanted)
        self.unknown |= unknown
        return found
