"""What is read of an article that saved searches match: enough to tell of it later. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from newswatch.alert import Match
from store.documents import read, readable

SOURCE = ["seq", "story_id", "published", "provenance.fetched_at", "indexed_at"]
"""The fields that are read."""


class Found(NamedTuple):
    """An article, its story, and when it was published, fetched and indexed."""

    article_id: str
    story_id: str
    published: datetime | None
    fetched_at: datetime | None
    indexed_at: datetime | None

    def matches(self, saved_search_id: str) -> Match:
        """That the saved search matches it."""
        return Match(saved_search_id, *self)


def found(hit: Mapping[str, Any]) -> Found:
    """Of a hit with the fields of `SOURCE`; an article without a story is one.

    Raises:
        DocumentError: a time or the story of the article can't be read.
    """
    return read(hit, _found)


def all_found(hits: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Found]]:
    """Ingest number and what was read of each hit; an article that can't be read is set aside."""
    for _, (seq, one) in readable(hits, _numbered):
        yield seq, one


def _numbered(article_id: str, source: Mapping[str, Any]) -> tuple[int, Found]:
    return int(source["seq"]), _found(article_id, source)


def _found(article_id: str, source: Mapping[str, Any]) -> Found:
    moments = (source.get("published"), source.get("provenance", {}).get("fetched_at"), source.get("indexed_at"))
    published, fetched, indexed = (_moment(moment) if moment else None for moment in moments)
    story = source.get("story_id") or article_id
    if not isinstance(story, str):
        raise TypeError(f"story_id: {story!r} is no text")
    return Found(article_id, story, published, fetched, indexed)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
