"""The way of one article, as types: one frozen dataclass per stage boundary, in the order an article passes them.

    Feed + FeedState ─fetch→ Fetched | NotModified | FetchFailed
    Fetched ─parse→ ParsedFeed(Entry…)
    Entry ─page, extract→ Extracted ─assemble→ Article
    Article ─clean, tag, fingerprint→ Article
    Article ─index→ a document stamped with its Batch
    Batch ─match→ Match ─deliver→ Delivery

All times are aware and in UTC. A field that holds text holds plain text, never HTML, unless its name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FullText = Literal["auto", "feed", "page"]
"""Where an article's text comes from: the feed, the page, or the page only where the feed's text is short."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as an analyst configured it (`config/feeds.yaml`)."""

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
    """A time in which a feed may have shown items that nobody read."""

    since: datetime
    """The poll before, of whose entries none was left."""
    until: datetime
    """The poll that found so."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is remembered of a feed between two polls."""

    feed_id: str
    url: str
    """Where it is polled; differs from the configured URL once a permanent redirect has been taken over."""
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
    """The entry ids of the last successful poll: when none is left in the next, entries may have been missed."""
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
    """The feed's host asked for rest until then (Retry-After): all feeds of the host wait."""
    asks_s: int | None = None
    """The least time between polls that the feed itself asked for when it was last read."""
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    former_urls: tuple[str, ...] = ()
    """Where it was polled before permanent redirects were taken over, oldest first."""
    gaps: tuple[Gap, ...] = ()
    """When it may have missed items, oldest first; the last `ingest.schedule.GAPS_KEPT` of them."""


# ── fetch ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to fetch, with what makes the GET conditional."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect that was followed."""

    status: int
    url: str
    """Where it led to."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body was received, whole."""

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    body_hash: str
    fetched_at: datetime
    elapsed_s: float
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModified:
    """Nothing new: a 304, or a body with the hash that is known already."""

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    fetched_at: datetime
    elapsed_s: float
    hops: tuple[Hop, ...] = ()


class FailureKind(StrEnum):
    """What kind of failure decides what happens next."""

    TRANSIENT = "transient"
    """Network, time-out, 5xx, 429: try again, with backoff."""
    PERMANENT = "permanent"
    """4xx, not a feed: try again, rarely."""
    GONE = "gone"
    """410: stop."""
    REFUSED = "refused"
    """We refused: a forbidden address or scheme, robots.txt, over the size cap."""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No body: why, as a value."""

    url: str
    kind: FailureKind
    reason: str
    """One sentence for a person, naming the URL or host."""
    fetched_at: datetime
    elapsed_s: float
    status: int | None = None
    retry_after_s: float | None = None
    hops: tuple[Hop, ...] = ()
    answered: bool = False
    """Something came back, though nothing that could be read. Where there is a `status`, it says so."""


FetchResult = Fetched | NotModified | FetchFailed

# ── parse ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed. Has an `id` always, and a title or a link."""

    id: str
    """Stable across polls; see `ingest.parse` for the rule."""
    url: str | None
    """Absolute; None where the feed gives no link."""
    title: str
    summary: str
    content: str
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    image: str | None = None
    problems: tuple[str, ...] = ()
    """What was wrong and what was done about it: "published 3247-01-01 is implausible: dropped"."""
    part: str = ""
    """What tells it from others that lead to the same page, as a fragment (`ingest.apart`); empty: its link does."""


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed document, read."""

    url: str | None
    format: str
    """"rss 2.0", "atom 1.0", "json feed 1.1", …"""
    title: str
    site: str | None
    language: str | None
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    ttl_s: int | None = None
    """The least time between polls that the feed itself asks for (ttl, sy:updatePeriod)."""
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    """Monday is 0."""
    left_out: tuple[str, ...] = ()
    """Those of the problems that tell of entries which were not read, as they were too many."""


@dataclass(frozen=True, slots=True)
class NotAFeed:
    """The document is no feed; `feeds` are those it advertises, if it is a page."""

    url: str | None
    reason: str
    feeds: tuple[str, ...] = ()


# ── extract ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TextStatus = Literal["full", "summary", "consent", "paywall", "empty", "failed"]
"""What `Article.text` is: the whole text, or the feed's summary, and why no more than that."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an article page says."""

    title: str
    text: str
    """Paragraphs separated by a newline."""
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    language: str | None = None
    canonical_url: str | None = None
    image: str | None = None
    status: TextStatus = "full"
    problems: tuple[str, ...] = ()


# ── article ──────────────────────────────────────────────────────────────────────────────────────────────────────────

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


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class BatchState(StrEnum):
    """Where a batch is on its way."""

    PLANNED = "planned"
    INDEXED = "indexed"
    MATCHED = "matched"


SEQ_PER_ATTEMPT = 1_000_000
SEQ_PER_BATCH = 100 * SEQ_PER_ATTEMPT


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of work: some feeds to poll, and the range of ingest numbers that their articles carry."""

    number: int
    feed_ids: tuple[str, ...]
    state: BatchState
    created_at: datetime
    lease_until: datetime
    attempts: int = 0
    """How often a worker has begun it; each attempt numbers its articles in a range of its own."""
    counts: Mapping[str, int] = field(default_factory=dict)
    indexed_at: datetime | None = None
    matched_at: datetime | None = None
    abandoned: bool = False
    """Its worker was given up for dead; what it had written is matched all the same."""
    unmatched: tuple[str, ...] = ()
    """Saved searches that could not be run against it; they are tried again, the others are done."""

    @property
    def id(self) -> str:
        """The document id: zero-padded, so that ids sort like numbers."""
        return f"{self.number:012d}"

    @property
    def seq_from(self) -> int:
        """First ingest number of this batch."""
        return self.number * SEQ_PER_BATCH

    @property
    def seq_to(self) -> int:
        """First ingest number that is no longer of this batch."""
        return (self.number + 1) * SEQ_PER_BATCH

    @property
    def seq_of_attempt(self) -> int:
        """First ingest number of the attempt under way."""
        return self.seq_from + self.attempts * SEQ_PER_ATTEMPT


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A tag that an article must carry; `level` "main" asks for main, "mention" takes either."""

    tag: str
    level: Level = "mention"


SearchKind = Literal["query", "spike", "silence"]
"""What fires it: an article that matches; far more articles than usual for the hour and weekday; none for too long."""


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
    kind: SearchKind = "query"
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

    alert_id: str
    article_id: str
    story_id: str
    published: datetime | None = None
    fetched_at: datetime | None = None
    indexed_at: datetime | None = None


class DeliveryState(StrEnum):
    """Where a delivery is on its way."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


DeliveryKind = Literal["story", "update", "correction", "retraction", "spike", "silence"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery for one of its recipients."""

    recipient: str
    state: DeliveryState = DeliveryState.PENDING
    message_id: str = ""
    """Of the mail that carried it."""
    subject: str = ""
    """Of that mail: a reply repeats it, so that mail programs keep the thread together."""
    at: datetime | None = None
    """When it got this state."""
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A story owed to the recipients of a saved search: at most one for each saved search and story."""

    alert_id: str
    alert_name: str
    story_id: str
    article_id: str
    recipients: tuple[str, ...]
    state: DeliveryState
    created_at: datetime
    """When it was matched."""
    passages: tuple[Passage, ...] = ()
    not_before: datetime | None = None
    sent_at: datetime | None = None
    """When the last of its recipients was served."""
    kind: DeliveryKind = "story"
    schedule: str = "instant"
    version: int = 1
    """Of the article, for a correction: each version is told once."""
    outcomes: tuple[Outcome, ...] = ()
    suppressed_by: str | None = None
    """Which rule kept it from being sent."""
    headline: str = ""
    """For `spike` and `silence`, which are about no article: the sentence that is told."""
    notice: str = ""
    """Which correction the article already announced when it was mailed, as a hash; empty for none."""
    published: datetime | None = None
    fetched_at: datetime | None = None
    indexed_at: datetime | None = None

    @property
    def id(self) -> str:
        """The document id: the pair, so that a second one can't be created; what comes after the first says which."""
        pair = f"{self.alert_id}~{self.story_id}"
        return pair if self.kind == "story" else f"{pair}~{self.kind}~{self.article_id}~{self.version}"

    @property
    def waiting(self) -> tuple[str, ...]:
        """Recipients who have neither got it nor been refused for good."""
        if self.state is not DeliveryState.PENDING:
            return ()
        settled = {o.recipient for o in self.outcomes if o.state is not DeliveryState.PENDING}
        return tuple(r for r in self.recipients if r not in settled)

    @property
    def refused(self) -> tuple[str, ...]:
        """Recipients the server refused for good, each with its answer."""
        return tuple(f"{o.recipient}: {o.error}" for o in self.outcomes if o.state is DeliveryState.FAILED)

    @property
    def last_error(self) -> str | None:
        """What the server last said, if it was not a yes."""
        return next((o.error for o in reversed(self.outcomes) if o.error), None)
