"""What is read of an article that saved searches match: enough to tell of it later. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from newswatch.model import Match

SOURCE = ["seq", "story_id", "published", "provenance.fetched_at", "indexed_at"]
"""The fields that are read."""


class Found(NamedTuple):
    """An article, its story, and when it was published, fetched and indexed."""

    article_id: str
    story_id: str
    published: datetime | None
    fetched_at: datetime | None
    indexed_at: datetime | None

    def matches(self, alert_id: str) -> Match:
        """That the saved search matches it."""
        return Match(alert_id, *self)


def found(hit: Mapping[str, Any]) -> Found:
    """Of a hit with the fields of `SOURCE`; an article without a story is one."""
    source = hit["_source"]
    moments = (source.get("published"), source.get("provenance", {}).get("fetched_at"), source.get("indexed_at"))
    published, fetched, indexed = (datetime.fromisoformat(moment) if moment else None for moment in moments)
    return Found(hit["_id"], source.get("story_id") or hit["_id"], published, fetched, indexed)
