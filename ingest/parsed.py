"""A feed document, read; or that it is none."""

from __future__ import annotations

from dataclasses import dataclass

from newswatch.entry import Entry


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
