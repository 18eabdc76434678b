"""A parsed feed document, or the reason why it is not one."""

from __future__ import annotations

from dataclasses import dataclass

from newswatch.entry import Entry


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A parsed feed document."""

    url: str | None
    format: str
    """"rss 2.0", "atom 1.0", "json feed 1.1", …"""
    title: str
    site: str | None
    language: str | None
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    ttl_s: int | None = None
    """Minimum seconds between polls that the feed itself asks for (ttl, sy:updatePeriod)."""
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    """Monday is 0."""
    hub: str | None = None
    """The hub that pushes this feed (WebSub), as an address; None: it names none."""
    topic: str | None = None
    """The address under which the hub knows this feed (rel=self)."""
    is_cut_off: bool = False
    """The document ends before its last tag, so entries may be missing: the next poll asks for the whole feed."""
    left_out: tuple[str, ...] = ()
    """Those of the problems that report entries which were not read because there were too many."""


@dataclass(frozen=True, slots=True)
class NotAFeed:
    """The document is not a feed; `feeds` are those it advertises, if it is a page."""

    url: str | None
    reason: str
    feeds: tuple[str, ...] = ()
