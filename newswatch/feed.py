"""A feed, and its state between two polls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from newswatch.outages import Outage
from newswatch.reliability import Grade

FullText = Literal["auto", "feed", "page"]
"""Where an article's text comes from: the feed, the page, or (auto) the page only if the feed's text is short."""


Read = Literal["feed", "page", "sitemap", "json"]
"""What a source's address leads to: a feed, or a list that is not one: a page of headlines, a sitemap, JSON."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the items of a list stand, if they are not found unaided: CSS selectors on a page, paths in JSON."""

    items: str | None = None
    """What holds one item; in JSON the path of their list; in a sitemap what an article's address contains."""
    link: str | None = None
    """Within an item: the link; in JSON its field, or a pattern of fields: `/news/{slug}`."""
    title: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another way to the same source, which `feeds check` proposes once the first is of no use."""

    url: str
    read: Read
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """How far a source can be relied on, as somebody has judged it."""

    grade: Grade
    why: str
    rated: date


Origin = Literal["file", "store", "edited", "removed"]
"""Where a feed is listed: in `feeds.yaml`; only in Elasticsearch (added where the file can't be written); or in the
file, and edited or removed in Elasticsearch, until the file says the same, or no longer names it."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as an analyst configured it (`config/feeds.yaml`, or beside it in Elasticsearch)."""

    id: str
    url: str
    title: str
    site: str | None = None
    country: str | None = None
    """ISO 3166-1 alpha-2, upper case; None for international bodies."""
    language: str | None = None
    """BCP 47 primary subtag, lower case."""
    topics: tuple[str, ...] = ()
    kind: str = "press"
    owner: str | None = None
    """Who controls the outlet: two feeds of one owner are not two independent sources."""
    full_text: FullText = "auto"
    enabled: bool = True
    read: Read = "feed"
    rule: Rule | None = None
    fallback: Fallback | None = None
    reliability: Rating | None = None
    """None: nobody has rated it yet."""
    state_media: bool = False
    """A state owns or pays for it and may decide what it says, with nothing that keeps the state out."""
    fast: bool = False
    """Asked every few seconds by the fast lane instead of once a minute (`ingest.polling.fast`)."""
    origin: Origin = "file"


class FeedHealth(StrEnum):
    """The states a feed is shown in."""

    NEW = "new"
    OK = "ok"
    SLOW = "slow"
    FAILING = "failing"
    STALE = "stale"
    GAP = "gap"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Gap:
    """A period in which a feed may have shown items that no poll read."""

    since: datetime
    """The poll before, none of whose entries was left."""
    until: datetime
    """The poll that noticed it."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """The state of a feed between two polls."""

    feed_id: str
    url: str
    """The polled URL; it differs from the configured one after a permanent redirect was adopted."""
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    next_poll_at: datetime | None = None
    """None: due at once."""
    interval_s: int = 60
    interval_why: str = "first poll"
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    last_new_at: datetime | None = None
    failures: int = 0
    """Failed polls in a row."""
    health: FeedHealth = FeedHealth.NEW
    health_since: datetime | None = None
    health_why: str = "not polled yet"
    last_status: int | None = None
    last_error: str | None = None
    entry_ids: tuple[str, ...] = ()
    """The entry ids of the last successful poll. If the next poll has none of them, entries may have been missed."""
    redirect_to: str | None = None
    redirect_seen: int = 0
    """Polls in a row that answered with a permanent redirect to `redirect_to`."""
    polls: int = 0
    new_articles: int = 0
    """Over the feed's whole life."""
    new_rate: float = 0.0
    """New entries an hour, smoothed."""
    usual_silence_s: float | None = None
    """Time between two polls that brought something new, smoothed: the feed's own rhythm."""
    paused_until: datetime | None = None
    """The feed's host asked for a pause until then (Retry-After): all feeds of the host wait."""
    asks_s: int | None = None
    """Minimum seconds between polls that the feed itself asked for when it was last read."""
    fresh_s: int | None = None
    """Seconds for which its server called its last answer fresh (Cache-Control, Expires)."""
    hub: str | None = None
    """The hub that offers to push the feed (WebSub)."""
    topic: str | None = None
    """The address under which that hub knows the feed."""
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    former_urls: tuple[str, ...] = ()
    """URLs it was polled under before permanent redirects were adopted, oldest first."""
    gaps: tuple[Gap, ...] = ()
    """When it may have missed items, oldest first; the last `ingest.polling.schedule.GAPS_KEPT` of them."""
    usual_entries: float | None = None
    """Entries that a list usually shows, smoothed; only of sources that are not feeds."""
    short_polls: int = 0
    """Polls in a row in which a list showed less than half of that."""
    outages: tuple[Outage, ...] = ()
    """When it could not be read, oldest first (`newswatch.outages`); our own outages are not among them."""
