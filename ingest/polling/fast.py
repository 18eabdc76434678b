"""Decides which feeds the fast lane asks every few seconds, and how often. Pure.

The fast lane (`jobs.fast`) takes feeds that are marked `fast`, and those whose own rhythm would have them polled more
often than once a minute. It never asks more often than the feed and its server allow; a feed that must not be asked
more than once a minute gains nothing there, and stays with the minute's poll.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.polling.rhythm import NEW_PER_POLL
from newswatch import durations
from newswatch.feed import Feed, FeedState
from newswatch.settings import Settings

IN_VAIN_MOST: Final = 4
"""Doublings of the interval of a feed whose document changes without saying anything new."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the fast lane treats a feed."""

    seconds: float | None
    """Between two requests; None: the minute's poll has the feed."""
    why: str


def pace(feed: Feed, state: FeedState, settings: Settings, now: datetime, *, in_vain: int = 0) -> Pace | None:
    """How the fast lane treats the feed; None: nobody wants it there.

    `in_vain` is how often in a row its document has changed without bringing anything new.
    """
    own = own_interval_s(feed, state, settings)
    if own is None:
        return None
    if why := _left_out(state, now):
        return Pace(None, f"not taken: {why}")
    asked = max(state.fresh_s or 0, state.asks_s or 0)
    seconds = max(own * 2 ** min(in_vain, IN_VAIN_MOST), asked)
    if seconds >= settings.poll_min_interval_s:
        reason = "its document changes without bringing anything new"
        if asked >= settings.poll_min_interval_s:
            reason = f"it asks to be read only every {durations.long(asked).removeprefix('1 ')}"
        return Pace(None, f"not taken: {reason}")
    return Pace(seconds, f"asked every {durations.long(seconds)}")


def is_well(state: FeedState, now: datetime) -> bool:
    """Whether the fast lane may have the feed at all: it was read, and nothing keeps it from being asked."""
    return not _left_out(state, now)


def wait_s(paced: Pace | None, state: FeedState, now: datetime, *, relied_on: bool | None) -> float | None:
    """Seconds until a held feed is asked; None: it is not for the fast lane.

    `relied_on` says of a feed with a subscription whether its hub is relied on (`hubs.pushes_well`); None: it has none.
    A subscribed feed is held in any case, so that a push waits for nobody.
    """
    if paced and paced.seconds is not None and not relied_on:
        return paced.seconds
    if relied_on is None:
        return None
    return max(1.0, ((state.next_poll_at or now) - now).total_seconds())


def own_interval_s(feed: Feed, state: FeedState, settings: Settings) -> float | None:
    """Seconds between two requests by the feed's mark or rhythm; None: once a minute is enough."""
    if not feed.enabled:
        return None
    if feed.fast:
        return float(settings.fast_interval_s)
    if not settings.fast_by_rhythm or feed.read != "feed" or state.new_rate <= 0:
        return None
    wanted = NEW_PER_POLL / state.new_rate * 3600
    return max(wanted, settings.fast_interval_s) if wanted < settings.poll_min_interval_s else None


def _left_out(state: FeedState, now: datetime) -> str:
    if state.last_success_at is None:
        return "it has not been read yet"
    if state.failures:
        return "it fails"
    if state.paused_until and state.paused_until > now:
        return "its host asked for a pause"
    if now.hour in state.skip_hours or now.weekday() in state.skip_days:
        return "it asks not to be read at this hour"
    return ""
