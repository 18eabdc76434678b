"""How long to wait until a feed's next poll, and why: its rhythm, its wish and its server's, and its failures. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.http.fetched import Fetched, NotModified
from ingest.http.semantics import retry_after_s, seconds_of
from newswatch import durations
from newswatch.entry import Entry
from newswatch.feed import FeedState
from newswatch.settings import Settings

WEEK_S: Final = 604_800
NEW_PER_POLL: Final = 0.1
"""Target: one poll in ten brings something new. Twice as many polls would halve the delay, for twice the requests."""
RATE_MEMORY_S: Final = 43_200
"""How long the past weighs in the smoothed rate of new entries, in seconds."""
UNKNOWN_RATE: Final = 0.2
"""New entries an hour that a feed without a known rhythm is taken to have: polled every half an hour, and less and less
as nothing comes."""
_NOT_FRESH: Final = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)")
_MAX_AGE: Final = re.compile(r"\bmax-age\s*=\s*\"?([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Wait:
    """A time to wait, in seconds, and its reason in words."""

    seconds: float
    why: str
    asked: bool = False
    """Whether the feed or its server asked for it; then it is not shortened."""


def backoff(first_s: float, failures: int) -> Wait:
    """The wait after `failures` in a row: doubles from `first_s` up to a week."""
    seconds = min(WEEK_S, first_s * 2 ** min(failures - 1, 20))
    return Wait(seconds, f"{failures} failure{'s' * (failures > 1)} in a row: next try in {durations.long(seconds)}")


def usual_wait(
    state: FeedState, outcome: Fetched | NotModified, rolled_over: bool, now: datetime, settings: Settings
) -> Wait:
    """The longest of the feed's own rhythm, its wish and its server's."""
    asked = [_server_wait(outcome.headers, now, settings), _feed_wait(state, settings)]
    own = interval(state, settings, rolled_over)
    return max((own, *(wait for wait in asked if wait)), key=lambda wait: wait.seconds)


def rolled_over_since(before: Sequence[str], entries: Sequence[Entry], new_entries: int) -> bool:
    """Whether none of the last poll's entries is left, so that some may have come and gone in between.

    Entries that were recognised under other ids are left.
    """
    if not before or not entries or new_entries < len(entries):
        return False
    return set(before).isdisjoint(entry.id for entry in entries)


def with_rhythm(state: FeedState, entries: Sequence[Entry], new_entries: int, now: datetime, first: bool) -> FeedState:
    """`state` with the smoothed rate of new entries and the usual silence between them, after a poll."""
    if first:
        return _first_rhythm(state, entries, now)
    elapsed = max(1.0, (now - (state.last_success_at or now)).total_seconds())
    weight = 1 - math.exp(-elapsed / RATE_MEMORY_S)
    rate = state.new_rate + weight * (new_entries / elapsed * 3600 - state.new_rate)
    if not new_entries:
        return replace(state, new_rate=rate)
    silence = (now - (state.last_new_at or now)).total_seconds()
    usual = silence if state.usual_silence_s is None else 0.8 * state.usual_silence_s + 0.2 * silence
    return replace(state, new_rate=rate, last_new_at=now, usual_silence_s=usual)


def _first_rhythm(state: FeedState, entries: Sequence[Entry], now: datetime) -> FeedState:
    """The rhythm according to the dates of the first poll's entries; one date says at most how rare they are."""
    times = sorted(min(entry.published, now) for entry in entries if entry.published)
    if not times:
        return replace(state, last_new_at=now if entries else None, new_rate=UNKNOWN_RATE)
    span = max(60.0, (max(now, times[-1]) - times[0]).total_seconds())
    rate = len(times) / span * 3600
    if len(times) < 2:
        return replace(state, last_new_at=times[-1], new_rate=min(rate, UNKNOWN_RATE))
    return replace(
        state,
        last_new_at=times[-1],
        new_rate=rate,
        usual_silence_s=max(60.0, (times[-1] - times[0]).total_seconds()) / (len(times) - 1),
    )


def interval(state: FeedState, settings: Settings, rolled_over: bool = False) -> Wait:
    """The wait by the feed's own rhythm, within the bounds of the settings."""
    low, high = settings.poll_min_interval_s, settings.poll_max_interval_s
    wanted = NEW_PER_POLL / state.new_rate * 3600 if state.new_rate > 0 else high
    why = _rhythm(state.new_rate) if state.usual_silence_s or not state.new_rate else "its rhythm is not known yet"
    if rolled_over:
        wanted, why = min(wanted, state.interval_s / 4), "all entries of the last poll were gone"
    seconds = min(max(wanted, low), high)
    return Wait(seconds, f"{why}: polled {_every(seconds)}")


def _rhythm(rate: float) -> str:
    """`rate`, in new entries an hour, in words."""
    if rate >= 1:
        return f"{rate:.2g} new entries an hour"
    return f"a new entry {_every(3600 / rate)}" if rate > 1 / 8_760 else "hardly anything new in a year"


def _every(seconds: float) -> str:
    return f"every {durations.long(seconds).removeprefix('1 ')}"


def _server_wait(headers: Mapping[str, str], now: datetime, settings: Settings) -> Wait | None:
    """The wait in Cache-Control, or else Expires (RFC 9111, 4.2.1), limited to our longest interval."""
    control = headers.get("cache-control", "").lower()
    max_age = _MAX_AGE.search(control)
    if _NOT_FRESH.search(control):
        seconds = None
    elif max_age:
        seconds = float(max_age[1]) - _age(headers)
    else:
        seconds = _until_expiry(headers, now)
    if not seconds or seconds <= 0:
        return None
    seconds = min(seconds, settings.poll_max_interval_s)
    return Wait(seconds, f"the server calls its answer fresh for {durations.long(seconds)}", asked=True)


def _until_expiry(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds until Expires, less the answer's age (4.2.3): an intermediary may have kept it for a while.

    By the server's own clock if it is ahead of ours: some write their local time as GMT.
    """
    expires, date = headers.get("expires", ""), headers.get("date", "")
    if "," not in expires:
        return None
    try:
        theirs = parsedate_to_datetime(date) if date else now
        aged = theirs.replace(tzinfo=theirs.tzinfo or UTC) + timedelta(seconds=_age(headers))
        return retry_after_s(expires, max(aged, now))
    except (ValueError, TypeError, OverflowError, IndexError):  # there is no list of what a hostile date raises
        return retry_after_s(expires, now)


def fresh_s(headers: Mapping[str, str], now: datetime, settings: Settings) -> int | None:
    """For how many seconds the server calls its answer fresh; None if it does not say."""
    wait = _server_wait(headers, now, settings)
    return math.ceil(wait.seconds) if wait else None


def _age(headers: Mapping[str, str]) -> float:
    return seconds_of(headers.get("age", "")) or 0.0


def _feed_wait(state: FeedState, settings: Settings) -> Wait | None:
    if not state.asks_s:
        return None
    seconds = min(state.asks_s, settings.poll_max_interval_s)
    return Wait(seconds, f"the feed asks to be read {_every(seconds)}", asked=True)
