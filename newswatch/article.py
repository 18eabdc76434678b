"""An article, and all that is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TextStatus = Literal["full", "summary", "consent", "paywall", "empty", "failed"]
"""What `Article.text` is: the whole text, or the feed's summary, and why no more than that."""


Level = Literal["main", "mention"]


TextField = Literal["title", "summary", "text"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why: the characters `start:end` of the stored field, which read `text`."""

    field: TextField
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A topic (`nato`, `counter-terrorism`) or sub-topic (`nato/burden-sharing`) that the article is about."""

    tag: str
    level: Level
    score: float
    """In [0, 1]."""
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A gazetteer entity that is named in the article."""

    id: str
    name: str
    type: str
    count: int
    wikidata: str | None = None
    aliases: tuple[str, ...] = ()
    """Its other names, in every language: who searches for ISIS finds the article that says Daesh."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which outlet an article is from: its feed's facts, kept as they were when it was first seen."""

    feed_id: str
    name: str
    domain: str
    country: str | None = None
    kind: str = "press"
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the article came to be as it is."""

    fetched_at: datetime
    page_fetched: bool
    extractor: str
    """Name and version."""
    taxonomy: str = ""
    """Version of the taxonomy that gave the tags."""
    body_hash: str | None = None
    """Of what it was read from, as it was sent: the page, or else the feed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Words that were replaced, taken out (`after` empty) or put in (`before` empty)."""

    field: TextField
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Version:
    """One state that an article was seen in."""

    seen_at: datetime
    title: str
    text_hash: str
    changed: tuple[str, ...]
    """Which fields differ from the version before; empty for the first."""
    edits: tuple[Edit, ...] = ()
    """What the text says otherwise than in the version before; empty where it was rewritten."""


@dataclass(frozen=True, slots=True)
class Article:
    """An article: one per canonical URL."""

    id: str
    """`ingest.urls.known_id` of `url`."""
    url: str
    """Canonical, as the article is known; with a fragment where it is one of several articles of a page."""
    title: str
    summary: str
    text: str
    text_status: TextStatus
    source: Source
    first_seen: datetime
    provenance: Provenance
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    """None: the feed and the page give no plausible date; `first_seen` stands in."""
    updated: datetime | None = None
    language: str | None = None
    image: str | None = None
    tags: tuple[Tag, ...] = ()
    entities: tuple[Entity, ...] = ()
    text_hash: str = ""
    """Of title and text, white space folded: another hash is another version."""
    story_id: str = ""
    """Its own id until another article shares the story."""
    duplicate_of: str | None = None
    """The article whose text it shares, if it is a copy."""
    placed_at: datetime | None = None
    """When its story was decided on, which happens once; None: not yet."""
    agency: str | None = None
    version: int = 1
    versions: tuple[Version, ...] = ()
    feeds: tuple[str, ...] = ()
    """Every feed that carried it."""
    problems: tuple[str, ...] = ()
    link: str | None = None
    """As it was published, where that differs from `url`: a server may know its pages by one spelling alone."""

    @property
    def address(self) -> str:
        """Where readers are sent, and where its page is asked for."""
        return self.link or self.url
