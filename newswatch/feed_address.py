"""A reader's address of a feed: what it shows, and whether it still opens. Its secret is a signature, not stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Shows = Literal["search", "saved-search", "story"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a feed shows."""

    shows: Shows
    of: str
    """The query as it is typed, or the id of the saved search or story."""


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """The address by which one reader's program gets one feed."""

    id: str
    """Made of owner and target, so that a reader has one address for each feed."""
    owner: str
    target: Target
    created_at: datetime
    number: int = 1
    """Part of what is signed: an address that was revoked and made again is another one."""
    last_used_at: datetime | None = None
    """To the hour."""
    announced: int = -1
    """The highest ingest number that the hub was told of."""
    revoked_at: datetime | None = None
    revoked_by: str = ""
