"""What the API answers, in version 1: fields are added, never renamed or taken away. Server and client share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from newswatch.alert import TagFilter
from newswatch.article import Entity, Tag, Version
from newswatch.reliability import Credibility


@dataclass(frozen=True, slots=True)
class Outlet:
    """The outlet of an article, as it was when the article was first seen."""

    feed: str
    name: str
    domain: str
    country: str | None
    kind: str
    owner: str | None
    reliability: str
    """By the Admiralty code: A (completely reliable) to E, F: cannot be judged."""
    state_media: bool


@dataclass(frozen=True, slots=True)
class Correction:
    """What the outlet says of its own article."""

    kind: Literal["correction", "retraction"]
    line: str


@dataclass(frozen=True, slots=True)
class ArticleShape:
    """An article in its latest version."""

    id: str
    seq: int | None
    """Its ingest number, which is higher for each new version; null where it was not asked for in ingest order."""
    version: int
    url: str
    title: str
    summary: str
    text: str | None
    """The publisher's text; null in lists unless it was asked for by `text=true`."""
    text_status: str
    """`full`, or why there is only a summary."""
    language: str | None
    authors: tuple[str, ...]
    published: datetime | None
    """As the outlet says; null where it gives no plausible date."""
    updated: datetime | None
    first_seen: datetime
    indexed_at: datetime | None
    """When this version was indexed."""
    outlet: Outlet
    tags: tuple[Tag, ...]
    """Each with its evidence: characters `start` to `end` of title, summary or text."""
    entities: tuple[Entity, ...]
    story: str
    """The id of its story; its own until `placed`."""
    placed: bool
    """Whether its story has been decided on."""
    copy_of: str | None
    """The article that it copies."""
    correction: Correction | None
    versions: tuple[Version, ...]
    news_page: str
    """Where people with an account see it."""


@dataclass(frozen=True, slots=True)
class ArticlePage:
    """Articles in ingest order."""

    articles: tuple[ArticleShape, ...]
    next: str
    """Give it back as `after`: the next page, also if there is no more now. It holds for good."""
    has_more: bool
    """Whether there is more now. If not, ask again in a while."""
    shortened: str = ""
    """Which words of a very long query are not looked for; empty: all are, as they are of a saved search."""


@dataclass(frozen=True, slots=True)
class Found:
    """One row of a search."""

    article: ArticleShape
    score: float
    """How well the words fit. It compares rows of one answer that have all of the words, and no others."""
    highlights: Mapping[str, tuple[str, ...]]
    """Field → passages; what matches stands between U+E000 and U+E001."""
    matching: int
    """How many articles of the story match; 1 with `rows=articles`."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What the News page's search finds."""

    total: int
    """Number of articles."""
    stories: int | None
    """Number of stories, with `rows=stories`: nearly exact up to 3,000, then within a few percent."""
    relaxed: bool
    """No article has all the words; these have most of them."""
    rows: tuple[Found, ...]
    next_offset: int | None
    """The `offset` of the next page; null: this is the last, or the last that can be paged to."""
    incomplete: str = ""
    """What could not be searched, so that rows and counts lack it; empty: everything was."""
    shortened: str = ""
    """Which words of a very long query were not looked for; empty: all were."""


@dataclass(frozen=True, slots=True)
class StoryShape:
    """A story: all articles that report it."""

    id: str
    total: int
    """Number of its articles; of more than 1,000 the first are listed."""
    independent_sources: int
    credibility: Credibility
    articles: tuple[ArticleShape, ...]
    """In order of publication, without texts."""
    news_page: str
    incomplete: str = ""
    """What could not be searched, so that articles may be missing; empty: everything was."""


@dataclass(frozen=True, slots=True)
class SavedSearchShape:
    """A saved search, without the addresses that it mails to."""

    id: str
    name: str
    kind: str
    query: str
    tags: tuple[TagFilter, ...]
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    min_score: float
    min_sources: int
    min_reliability: str
    schedule: str
    enabled: bool
    owner: str
    version: int
    problem: str
    """Why it can't be run; empty if it can."""


@dataclass(frozen=True, slots=True)
class SavedSearchList:
    """All saved searches, by name."""

    saved_searches: tuple[SavedSearchShape, ...]


@dataclass(frozen=True, slots=True)
class FeedShape:
    """A feed and how it fares."""

    id: str
    title: str
    url: str
    """The polled address, without a login."""
    country: str | None
    language: str | None
    kind: str
    owner: str | None
    reliability: str
    state_media: bool
    enabled: bool
    health: str
    health_since: datetime | None
    health_why: str
    failures: int
    last_poll_at: datetime | None
    last_success_at: datetime | None
    last_new_at: datetime | None
    interval_s: int
    new_articles: int


@dataclass(frozen=True, slots=True)
class FeedList:
    """All feeds, or those in the state that was asked for."""

    counts: Mapping[str, int]
    """State → number of feeds, of all feeds."""
    feeds: tuple[FeedShape, ...]


@dataclass(frozen=True, slots=True)
class TopicShape:
    """A topic or sub-topic of the taxonomy."""

    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class TopicList:
    """The taxonomy's topics, each followed by its sub-topics."""

    topics: tuple[TopicShape, ...]


@dataclass(frozen=True, slots=True)
class Me:
    """The key that asks."""

    id: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    expires_at: datetime
    per_minute: int


@dataclass(frozen=True, slots=True)
class Noted:
    """Feedback that was kept. Given again for the same saved search and story, it replaces the former."""

    saved_search: str
    story: str
    relevant: bool
    reader: str


@dataclass(frozen=True, slots=True)
class ProblemShape:
    """Problem details (RFC 9457), with the parameter that is wrong and what to do."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str = ""
    parameter: str = ""
