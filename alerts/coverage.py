"""Decides what readers are told of what was *not* seen: feeds out of reach, possible gaps, our own outages. Pure.

A reader takes silence for "nothing happened". So each digest says what was watched, and one without stories is sent if
the watch was poor (`is_poor`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ingest.addresses import domain_of, is_address
from newswatch.alert import SavedSearch
from newswatch.feed import Gap
from newswatch.outages import WORTH_TELLING, Cause, History, Outage, overlapping
from store.watched import Watched, WatchedFeed

LONGEST: Final = timedelta(days=31)
"""The longest time that is looked back on. Outages are kept a little longer."""
LONG: Final = timedelta(hours=1)
"""A feed that is out of reach for so long makes a digest without stories worth sending."""
SHARE: Final = 10
"""Of the feeds of a search that names no sources, one in so many must have been out of reach for it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A feed that was out of reach for some of the time."""

    feed_id: str
    title: str
    outages: History
    """Oldest first; they may have begun before the time in question."""
    lost: timedelta
    """For how long within the time in question."""
    all_along: bool
    """It was out of reach when the time in question began, and has been ever since."""


@dataclass(frozen=True, slots=True)
class Gapped:
    """A feed that may have shown entries that no poll read."""

    feed_id: str
    title: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was watched in a time."""

    since: datetime
    until: datetime
    feeds: int
    """Feeds that were to be polled."""
    polled: int = 0
    """Of them, those that could be read for at least some of the time."""
    new: int = 0
    """Of them, those that were never polled so far."""
    missing: tuple[Missing, ...] = ()
    """The longest lost first; those that were out of reach all along come last."""
    gapped: tuple[Gapped, ...] = ()
    own: Mapping[Cause, History] = field(default_factory=dict)
    is_empty: bool = False
    """There is no feed at all, whatever the searches are narrowed to."""

    @property
    def is_whole(self) -> bool:
        """Whether every feed was polled all the time, as far as we know."""
        return self.polled == self.feeds and not (self.missing or self.gapped or any(self.own.values()))


def coverage(watched: Watched, searches: Iterable[SavedSearch], since: datetime) -> Coverage:
    """What was watched for these searches from `since` on, at most for `LONGEST`; no searches stand for all feeds."""
    now = watched.at
    since = min(max(since, now - LONGEST), now)
    feeds = feeds_of(watched.feeds, searches)
    own = {cause: told for cause in Cause if (told := overlapping(watched.own.get(cause, ()), since, now))}
    blind = _covered((*own.get(Cause.NETWORK, ()), *own.get(Cause.POLLING, ())), since, now)
    missing = [found for feed in feeds if (found := _missing(feed, since, now))]
    new = sum(feed.last_poll_at is None and not feed.outages for feed in feeds)
    never = sum(one.lost >= now - since for one in missing)
    gapped = [Gapped(feed.id, feed.title, gaps) for feed in feeds if (gaps := _gaps(feed, since, now))]
    return Coverage(
        since,
        now,
        feeds=len(feeds),
        polled=0 if blind else len(feeds) - new - never,
        new=new,
        missing=tuple(sorted(missing, key=lambda one: (one.all_along, -one.lost, one.title.casefold()))),
        gapped=tuple(sorted(gapped, key=lambda one: _longest_gap(one.gaps), reverse=True)),
        own=own,
        is_empty=not watched.feeds,
    )


def feeds_of(feeds: Iterable[WatchedFeed], searches: Iterable[SavedSearch]) -> list[WatchedFeed]:
    """The feeds that any of the searches may find something in, by the outlets that they are narrowed to.

    The filters look at an article's outlet, which is its feed's. What else a search asks for (a language, words) is
    known of articles only, so that it excludes no feed.
    """
    searches = tuple(searches)
    if not searches or not all(map(names_outlets, searches)):
        return list(feeds)
    return [feed for feed in feeds if any(_may_find(search, feed) for search in searches)]


def names_outlets(search: SavedSearch) -> bool:
    """Whether the search is narrowed to certain outlets."""
    return bool(search.sources or search.countries or search.kinds)


def _may_find(search: SavedSearch, feed: WatchedFeed) -> bool:
    if search.countries and feed.country not in search.countries:
        return False
    if search.kinds and feed.kind not in search.kinds:
        return False
    return not search.sources or _domain(feed) in search.sources


def _domain(feed: WatchedFeed) -> str:
    """The outlet's domain, as its articles have it (`ingest.assemble`); empty if its address is none."""
    address = feed.site if feed.site and is_address(feed.site) else feed.url
    return domain_of(address) if is_address(address) else ""


def _missing(feed: WatchedFeed, since: datetime, now: datetime) -> Missing | None:
    outages = overlapping(feed.outages, since, now)
    if not outages:
        return None
    last = outages[-1]
    return Missing(feed.id, feed.title, outages, _lost(outages, since, now), last.until is None and last.since <= since)


def _lost(outages: Iterable[Outage], since: datetime, now: datetime) -> timedelta:
    """How much of the time from `since` to `now` the outages take; those of one history don't overlap."""
    parts = (min(one.until or now, now) - max(one.since, since) for one in outages)
    return sum(parts, timedelta())


def _covered(outages: Iterable[Outage], since: datetime, now: datetime) -> bool:
    """Whether one of the outages lasted from before `since` until now."""
    return any(one.since <= since and (one.until is None or one.until >= now) for one in outages)


def _gaps(feed: WatchedFeed, since: datetime, now: datetime) -> tuple[Gap, ...]:
    """The gaps that were noticed in the time."""
    return tuple(gap for gap in feed.gaps if since < gap.until <= now)


def _longest_gap(gaps: Iterable[Gap]) -> timedelta:
    return max(gap.until - gap.since for gap in gaps)


def is_poor(seen: Coverage, search: SavedSearch) -> bool:
    """Whether a digest of `search` is worth sending without a story, to say what was not seen in the time of `seen`.

    It is if something that matters began to last too long, or ended, in that time: so that an outage of days is told
    when it begins and when it is over, not every morning. A search all of whose sources are out of reach is told each
    time, because its silence then says nothing at all.
    """
    if seen.is_empty:
        return False  # nothing is set up yet
    if not seen.polled:
        return True
    if any(_is_news(one, WORTH_TELLING, seen) for outages in seen.own.values() for one in outages):
        return True
    affected = {one.feed_id for one in seen.missing if any(_is_news(outage, LONG, seen) for outage in one.outages)}
    affected |= {one.feed_id for one in seen.gapped}
    return bool(affected) and (names_outlets(search) or len(affected) * SHARE >= seen.feeds)


def _is_news(outage: Outage, least: timedelta, seen: Coverage) -> bool:
    """Whether the outage began to last `least`, or ended after it had, in the time of `seen`."""
    if outage.lasted(seen.until) < least:
        return False
    moments = (outage.since + least, *((outage.until,) if outage.until else ()))
    return any(seen.since < moment <= seen.until for moment in moments)
