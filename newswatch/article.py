"""An article, and everything that is derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TextStatus = Literal["full", "summary", "consent", "paywall", "empty", "failed"]
"""What `Article.text` holds: the full text, or only the feed's summary, and why."""


Level = Literal["main", "mention"]


TextField = Literal["title", "summary", "text"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The reason for a tag: the characters `start:end` of the stored field, which read `text`."""

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
    """Its other names, in every language: a search for ISIS also matches an article that says Daesh."""


@dataclass(frozen=True, slots=True)
class Source:
    """The outlet of an article: the facts of its feed when the article was first seen."""

    feed_id: str
    name: str
    domain: str
    country: str | None = None
    kind: str = "press"
    owner: str | None = None
    reliability: str | None = None
    """The grade of its feed (`newswatch.reliability.GRADES`); None: it had none."""
    state_media: bool = False


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
    """Hash of the bytes it was read from: the page, or else the feed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Words that were replaced, removed (`after` is empty) or inserted (`before` is empty)."""

    field: TextField
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the article."""

    seen_at: datetime
    title: str
    text_hash: str
    changed: tuple[str, ...]
    """Which fields differ from the version before; empty for the first."""
    edits: tuple[Edit, ...] = ()
    """The changed words since the version before; empty if the text was rewritten."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What its headline and lead say, as a vector."""

    by: str
    """The encoder, with its version. Vectors of different ones must not be compared."""
    of: str
    """Hash of what was encoded: if that changes, the vector is out of date."""
    vector: str
    """Signed bytes in hexadecimal (`transforms.encoder.packed`)."""


@dataclass(frozen=True, slots=True)
class Article:
    """An article: one per canonical URL."""

    id: str
    """`ingest.urls.known_id` of `url`."""
    url: str
    """Its canonical URL; with a fragment if it is one of several articles on a page."""
    title: str
    summary: str
    text: str
    text_status: TextStatus
    source: Source
    first_seen: datetime
    provenance: Provenance
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    """None: neither the feed nor the page gives a plausible date; use `first_seen` instead."""
    updated: datetime | None = None
    language: str | None = None
    image: str | None = None
    tags: tuple[Tag, ...] = ()
    entities: tuple[Entity, ...] = ()
    text_hash: str = ""
    """Of title and text, white space folded: a different hash means a new version."""
    story_id: str = ""
    """Its own id until another article shares the story."""
    duplicate_of: str | None = None
    """The article that it copies, if it is a copy."""
    placed_at: datetime | None = None
    """When its story was decided, which happens once; None: not yet."""
    placed_by: str = ""
    """Who moved it to its story; empty: its words decided."""
    agency: str | None = None
    version: int = 1
    versions: tuple[Version, ...] = ()
    repeated: tuple[str, ...] = ()
    """Hashes of its lines that the outlet repeats in other articles: they count for no tag, copy or story."""
    feeds: tuple[str, ...] = ()
    """Every feed that carried it."""
    problems: tuple[str, ...] = ()
    link: str | None = None
    """The URL as it was published, where it differs from `url`: a server may accept only that spelling."""
    meaning: Meaning | None = None
    """None: it is not tagged, or there is no encoder."""

    @property
    def address(self) -> str:
        """The URL for readers, and the one its page is fetched from."""
        return self.link or self.url
