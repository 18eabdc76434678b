"""A saved search, and what it matches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from newswatch.article import Level, TextField


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A tag that an article must carry. `level` "main" requires the level main; "mention" accepts both levels."""

    tag: str
    level: Level = "mention"


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """What an analyst watches."""

    id: str
    name: str
    query: str
    """Lucene query string; an empty one matches everything that passes the filters."""
    recipients: tuple[str, ...]
    tags: tuple[TagFilter, ...] = ()
    """The article must carry all of them."""
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Domains of outlets."""
    kinds: tuple[str, ...] = ()
    enabled: bool = True
    note: str = ""
    version: int = 1
    kind: str = "query"
    """What triggers its mails: one of `alerts.kinds.KINDS`."""
    min_score: float = 0.0
    """Minimum score, in [0, 1], of each of `tags`."""
    min_sources: int = 1
    """How many independent sources must report the story before it is mailed."""
    min_reliability: str = ""
    """The least grade of an article's outlet (`newswatch.reliability.LEAST`); empty: any, even one without a grade."""
    schedule: str = "instant"
    """`instant`, `hourly`, `daily at 07:00 Europe/Brussels`, `weekly on monday at 07:00 Europe/Brussels`."""
    throttle_s: int = 0
    """Minimum seconds between two mails to one recipient; matches in between are held back and mailed together."""
    mute_until: datetime | None = None
    expires_at: datetime | None = None
    updates: bool = False
    """Whether later articles on a story are mailed too, as replies."""
    silence_s: int = 86_400
    """For kind `silence`: seconds without a matching article after which a mail is due."""
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
