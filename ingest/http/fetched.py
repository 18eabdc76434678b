"""Requests to servers, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to fetch, with the validators that make the GET conditional."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect that was followed."""

    status: int
    url: str
    """Where it led."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete body was received."""

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
    joined: bool = False
    """The body was put together from several answers."""
    pushed: bool = False
    """A hub has pushed it: it may hold only what is new, and says nothing of the feed's own answers."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """Nothing new: a 304, or a body with the known hash."""

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    fetched_at: datetime
    elapsed_s: float
    hops: tuple[Hop, ...] = ()


class FailureKind(StrEnum):
    """The kind of failure decides what happens next."""

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
    """There is no body; `reason` says why."""

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
    """Something came back, although it could not be read. With a `status`, that is certain anyway."""
    by_proxy: bool = False
    """The operator's proxy is at fault and not the host: it is dead, or refuses our login."""


FetchResult = Fetched | NotModified | FetchFailed
