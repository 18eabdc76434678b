"""An entry of a feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed. It always has an `id`, and a title or a link."""

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
    """What was wrong and how it was handled: "published 3247-01-01 is implausible: dropped"."""
    part: str = ""
    """Fragment that distinguishes it from other entries with the same link (`ingest.apart`); empty if its link does."""
