"""The pulse of the pipeline: one reading of everything from which it follows whether all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newswatch.pulse import JobPulse
from observe.condition import Condition


@dataclass(frozen=True, slots=True)
class Reach:
    """The feeds as they stand now."""

    enabled: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    """Health (`FeedHealth`) → number of enabled feeds."""
    due: int = 0
    """Feeds whose poll is overdue by more than the shortest interval."""
    reached_at: datetime | None = None
    """When any publisher last answered."""
    offline_since: datetime | None = None
    """Since when none could be reached because of our own network; None: the last poll reached some."""
    unanswered_since: datetime | None = None
    """Since when the feeds that were polled have not answered, for whatever reason; None: one has answered since."""
    why: str = ""
    """An example: which feed was not reached, and why."""
    failing_since: datetime | None = None
    """When the middle one of the failing feeds began to fail."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that was taken in and not finished."""

    batches: int = 0
    """Batches that are indexed and not matched."""
    batch_since: datetime | None = None
    """When the oldest of them was indexed."""
    matched_at: datetime | None = None
    """When a batch was last matched."""
    mails: int = 0
    """Deliveries that are due and not sent."""
    mail_since: datetime | None = None
    """When the oldest of them came due, without those that the recipient's server refuses for now."""
    refused: int = 0
    """Recipients whose server refuses mails for now."""
    refused_since: datetime | None = None
    """When the first of those refusals began."""
    refused_why: str = ""
    """The server's answer to the recipient who has been refused longest."""


@dataclass(frozen=True, slots=True)
class MailState:
    """The mail server, as the last run of `deliver` found it."""

    accepted_at: datetime | None = None
    """When it last accepted a mail."""
    down_since: datetime | None = None
    """Since when no mail can be sent; None: it can."""
    broken_since: datetime | None = None
    """Since when the connection breaks with every recipient, too few to be sure after one run; None: it does not."""
    why: str = ""
    states: Mapping[str, int] = field(default_factory=dict)
    """State (`DeliveryState`) → number of deliveries, each counted once for each recipient."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A configuration file, as the jobs read it."""

    name: str
    wrong_since: datetime | None = None
    """None: the version in force is the newest one."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class FailingSearch:
    """A saved search that can't be run."""

    id: str
    name: str
    since: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class EndingKey:
    """An API key that ends soon, or has ended lately, and is not revoked."""

    id: str
    name: str
    owner: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    """When it was last used, to the hour."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Elasticsearch itself."""

    away: str = ""
    """Why it does not answer, or lets newswatch do nothing: then nothing else of the reading is known; else empty."""
    away_step: str = ""
    """What to do then; empty: start it."""
    status: str = ""
    """The health of our indices: green, yellow or red."""
    lost: tuple[str, ...] = ()
    """Those that are red: a part of each is on no node in reach."""
    closed: tuple[str, ...] = ()
    """The months that somebody has closed. Elasticsearch calls them green."""
    disk_free: float | None = None
    """Smallest free share of a node's disk, from 0 to 1; None: unknown."""
    disk: str = ""
    """Elasticsearch's own judgement of its disks by its watermarks: green, yellow or red; empty: unknown."""
    disk_why: str = ""
    """The same in its words."""
    read_only: tuple[str, ...] = ()
    """Our indices that refuse writes (Elasticsearch sets that when a disk is full)."""
    takes_notes: bool = True
    """False: the index of the pulse is one of them, so what jobs and watchman noted there is of an earlier time."""
    installed_at: datetime | None = None
    """When the index of the pulse was created; None: there is none yet."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One reading."""

    at: datetime
    jobs: Mapping[str, JobPulse] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach)
    newest_article_at: datetime | None = None
    """When the newest article was indexed."""
    waiting: Waiting = field(default_factory=Waiting)
    mail: MailState = field(default_factory=MailState)
    files: tuple[FileState, ...] = ()
    failing_searches: tuple[FailingSearch, ...] = ()
    problems: int = 0
    """Problems in quarantine."""
    problem_kinds: Mapping[str, int] = field(default_factory=dict)
    """The same by kind (`newswatch.problems.KINDS`)."""
    key_mark: str = ""
    """Of the key by which this machine knows the links in mails (`delivery.links.key_mark`)."""
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    """Server → when its certificate ends; those that are known."""
    keys: tuple[EndingKey, ...] = ()
    storage: Storage = field(default_factory=Storage)
    watched_at: datetime | None = None
    """When the watchman last looked; None: there never was one."""
    watched_until: datetime | None = None
    """Until when that look counts. Later, what it saw may be over, and the watchman is taken for dead."""
    watched: tuple[Condition, ...] = ()
    """What the watchman has found by itself at its last look; empty if that is long ago."""
    watch_began_at: datetime | None = None
    """When the watchman was started."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Part of the reading that could not be read → why. Its fields have their defaults."""
