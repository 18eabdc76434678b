"""The facts of a matched article that a delivery needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from newswatch.alert import Match
from store.elastic.documents import readable

SOURCE = ["seq", "story_id", "published", "provenance.fetched_at", "indexed_at"]
"""The fields to request."""


class MatchedArticle(NamedTuple):
    """An article, its story, and when it was published, fetched and indexed."""

    article_id: str
    story_id: str
    published: datetime | None
    fetched_at: datetime | None
    indexed_at: datetime | None

    def match(self, saved_search_id: str) -> Match:
        """The match of the saved search with this article."""
        return Match(saved_search_id, *self)


def matched_articles(hits: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, MatchedArticle]]:
    """Ingest number and article of each hit; an unreadable article is quarantined."""
    for _, (seq, article) in readable(hits, _numbered):
        yield seq, article


def _numbered(article_id: str, source: Mapping[str, Any]) -> tuple[int, MatchedArticle]:
    return int(source["seq"]), _article(article_id, source)


def _article(article_id: str, source: Mapping[str, Any]) -> MatchedArticle:
    moments = (source.get("published"), source.get("provenance", {}).get("fetched_at"), source.get("indexed_at"))
    published, fetched, indexed = (_moment(moment) if moment else None for moment in moments)
    story = source.get("story_id") or article_id
    if not isinstance(story, str):
        raise TypeError(f"story_id: {story!r} is not a text")
    return MatchedArticle(article_id, story, published, fetched, indexed)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
