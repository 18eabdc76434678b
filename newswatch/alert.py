"""A saved search, and what it matches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from newswatch.article import Level, TextField


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A tag that an article must carry; `level` "main" asks for main, "mention" takes either."""

    tag: str
    level: Level = "mention"


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """What an analyst watches."""

    id: str
    name: str
    query: str
    """Lucene query string; empty: everything that passes the filters."""
    recipients: tuple[str, ...]
    tags: tuple[TagFilter, ...] = ()
    """All must be there."""
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Domains of outlets."""
    kinds: tuple[str, ...] = ()
    enabled: bool = True
    note: str = ""
    version: int = 1
    kind: str = "query"
    """What makes it mail: one of `alerts.kinds.KINDS`."""
    min_score: float = 0.0
    """Least score, in [0, 1], that each of `tags` must have."""
    min_sources: int = 1
    """How many independent sources must report the story before it is mailed."""
    schedule: str = "instant"
    """`instant`, `hourly`, `daily at 07:00 Europe/Brussels`, `weekly on monday at 07:00 Europe/Brussels`."""
    throttle_s: int = 0
    """Least time between two mails to one recipient; what matches meanwhile is held and goes together."""
    mute_until: datetime | None = None
    expires_at: datetime | None = None
    updates: bool = False
    """Whether later articles on a story are mailed too, as replies."""
    silence_s: int = 86_400
    """For kind `silence`: how long no article may match before it is told."""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article with the matching characters marked."""

    field: TextField
    text: str
    marks: tuple[tuple[int, int], ...]
    """Offsets into `text`, not overlapping, in order."""


class Match(NamedTuple):
    """An article of a batch that a saved search matches. There may be a million at once."""

    saved_search_id: str
    article_id: str
    story_id: str
    published: datetime | None = None
    fetched_at: datetime | None = None
    indexed_at: datetime | None = None
