"""Decides what a poll's outcome means for the feed: its next poll and why, its health, its stored state. Pure.

Intervals adapt to how often a feed brings something new, within the bounds of the settings and the wishes of the feed
and its server. Errors never make a feed give up: the waits grow to a week and stay there. Only a 410 stops a feed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.addresses import AddressError, is_address, read_address
from ingest.bounds import MAX_ENTRIES
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, NotModified, Request
from ingest.http.semantics import validator
from ingest.http.silence import is_ours
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.polling.hubs import hub_links
from ingest.polling.rhythm import WEEK_S, Wait, backoff, fresh_s, rolled_over_since, usual_wait, with_rhythm
from newswatch import durations
from newswatch.feed import Feed, FeedHealth, FeedState, Gap
from newswatch.outages import begun, ended
from newswatch.settings import Settings

NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The next poll of a feed that is gone."""
FAILING_AFTER: Final = 3
"""Number of temporary failures in a row after which a feed is shown as failing."""
REVERT_AFTER: Final = 5
"""Number of failures in a row at a redirect's target after which the configured URL is tried again."""
REDIRECTS_BELIEVED: Final = 3
"""Number of polls in a row that must see a permanent redirect before it is adopted."""
SLOW_S: Final = 10.0
STALE_AT_LEAST_S: Final = 3 * 86_400
STALE_FACTOR: Final = 10
GAP_SHOWN_S: Final = 86_400
GAPS_KEPT: Final = 50
"""Maximum gaps kept per feed: enough to see its habit. It is polled more often after each, so few feeds reach it."""
FIRST_WAIT_S: Final = {FailureKind.TRANSIENT: 60, FailureKind.PERMANENT: 3_600, FailureKind.REFUSED: 3_600}
"""Seconds to wait after the first failure; doubled by each further one."""
LAG_S: Final = 15
"""Maximum seconds by which a poll may end after the start of the minute for which it was planned."""
NO_FEED_WAIT_S: Final = 900
SHRUNK_TO: Final = 0.5
"""Share of its usual entries below which a list that is not a feed may have broken."""
SHRUNK_AFTER: Final = 3
"""Polls in a row with so few entries after which the list is shown as failing; its entries are read all the same."""
SHRUNK_FOR_GOOD: Final = 50
"""Polls in a row after which so few entries count as usual."""
COUNT_WEIGHT: Final = 0.2
"""Weight of the latest poll in the smoothed number of entries."""
NOT_MODIFIED: Final = 304
WHOLE_EVERY: Final = 24
"""Of the polls of a feed that answers 304, one in so many asks for the whole feed."""
_PERMANENT_REDIRECTS: Final = frozenset({301, 308})


def after_poll(
    state: FeedState,
    feed: Feed,
    outcome: FetchResult,
    parsed: ParsedFeed | NotAFeed | None,
    *,
    new_entries: int,
    now: datetime,
    settings: Settings,
    rng: random.Random,
    our_outage: bool = False,
) -> FeedState:
    """`state` after a poll with this `outcome`; `parsed` is its body, `new_entries` the number of unseen entries.

    `our_outage`: our own network was down (`is_our_outage`), so silence says nothing about the feed.
    """
    if isinstance(outcome, Fetched) and outcome.pushed:
        return _after_push(state, parsed, new_entries, now)
    if isinstance(outcome, FetchFailed) and is_ours(outcome, our_outage=our_outage):
        return _after_outage(state, outcome, now, settings, rng)
    if isinstance(outcome, FetchFailed) and outcome.status is None and outcome.retry_after_s is not None:
        return _after_no_turn(state, outcome, outcome.retry_after_s, now, rng)
    state = replace(state, last_poll_at=now, polls=state.polls + 1)
    if isinstance(outcome, FetchFailed):
        return _after_failure(state, feed, outcome, now, rng)
    state = replace(state, last_status=outcome.status, paused_until=None)
    if isinstance(outcome, Fetched) and not isinstance(parsed, ParsedFeed):
        return _after_no_feed(state, feed, parsed, now, rng)
    state = _with_redirects(state, outcome)
    read = parsed if isinstance(parsed, ParsedFeed) else None
    was = state
    state = _after_success(state, outcome, read, new_entries, now, settings, rng)
    return state if feed.read == "feed" else _of_list(was, state, read, now)


def _of_list(was: FeedState, state: FeedState, parsed: ParsedFeed | None, now: datetime) -> FeedState:
    """`state` of a list that is not a feed: its rule may have broken if it shows much less than usual."""
    if parsed is None:
        kept = state.short_polls >= SHRUNK_AFTER
        return _shown(state, was.health, was.health_why, now) if kept else state
    count, usual = len(parsed.entries), state.usual_entries
    if usual is None:
        why = f"first read: its {count} items are remembered, what comes after them is news"
        return _shown(replace(state, usual_entries=float(count)), state.health, why, now)
    if count >= SHRUNK_TO * usual or state.short_polls >= SHRUNK_FOR_GOOD:
        steady = count if state.short_polls >= SHRUNK_FOR_GOOD else usual + COUNT_WEIGHT * (count - usual)
        return replace(state, usual_entries=float(steady), short_polls=0)
    state = replace(state, short_polls=state.short_polls + 1)
    if state.short_polls < SHRUNK_AFTER:
        return state
    why = f"the list shows {count} items, usually {usual:.0f}: it may have changed; see `newswatch feeds preview`"
    return _shown(state, FeedHealth.FAILING, why, now)


def is_newly_broken(feed: Feed, was: FeedState, state: FeedState) -> bool:
    """Whether a poll made a list that is not a feed fail: its page has changed, or refuses to be read."""
    return feed.read != "feed" and state.health is FeedHealth.FAILING and was.health is not FeedHealth.FAILING


def request_of(state: FeedState) -> Request:
    """The next poll's request: conditional, but after a 304 one in `WHOLE_EVERY` asks for the whole feed.

    Some servers answer 304 forever once they have started (Ranchero-Software/NetNewsWire#3191). The hash of the body
    still shows when nothing is new.
    """
    if state.last_status == NOT_MODIFIED and state.polls % WHOLE_EVERY == 0:
        return Request(state.url, body_hash=state.body_hash)
    return Request(state.url, state.etag, state.last_modified, state.body_hash)


@dataclass(frozen=True, slots=True)
class Misaddressed:
    """A feed whose stored address can't be requested."""

    state: FeedState
    """Its new state."""
    reason: str
    """Why, and how it was handled."""


def misaddressed(state: FeedState, feed: Feed, now: datetime) -> Misaddressed | None:
    """How to handle a feed whose stored address is invalid; None if it is valid.

    If a redirect led there, the feed returns to its configured address and is due at once. If the configured address is
    invalid, the feed is shown as failing and checked again after an hour, then two, finally every week; a corrected
    configuration makes it due at once.
    """
    reason = _no_address(state.url)
    if reason is None:
        return None
    if state.url != feed.url and is_address(feed.url):
        reason += f". It is polled at its configured address again, {feed.url}"
        return Misaddressed(replace(_reverted(state, feed), next_poll_at=None, last_error=reason), reason)
    state = replace(unread(state, reason, now), failures=state.failures + 1, last_status=None, last_error=reason)
    wait = backoff(FIRST_WAIT_S[FailureKind.REFUSED], state.failures)
    state = replace(state, next_poll_at=now + timedelta(seconds=wait.seconds), interval_why=wait.why)
    return Misaddressed(_shown(state, FeedHealth.FAILING, reason, now), reason)


def _no_address(url: str) -> str | None:
    try:
        read_address(url)
    except AddressError as error:
        return str(error)
    return None


def retried(state: FeedState) -> FeedState:
    """`state` due at once, for `newswatch feeds retry`; its failures are forgotten, its history stays."""
    return replace(
        state,
        next_poll_at=None,
        paused_until=None,
        failures=0,
        etag=None,
        last_modified=None,
        body_hash=None,
        interval_why="a retry was requested",
        health=FeedHealth.NEW if state.health is FeedHealth.GONE else state.health,
    )


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _after_outage(
    state: FeedState, outcome: FetchFailed, now: datetime, settings: Settings, rng: random.Random
) -> FeedState:
    wait = Wait(settings.poll_min_interval_s, "no host was reachable: our own outage, not counted against the feed")
    return _due(replace(state, last_error=outcome.reason), wait, now, rng)


def _after_no_turn(
    state: FeedState, outcome: FetchFailed, rest_s: float, now: datetime, rng: random.Random
) -> FeedState:
    """The host asked for a pause before the feed's turn came; it was not asked, so it did not fail."""
    return _due(state, Wait(min(max(rest_s, 1.0), WEEK_S), outcome.reason, asked=True), now, rng)


def unread(state: FeedState, why: str, now: datetime) -> FeedState:
    """`state` after a poll at `now` that could not read the feed; it is out of reach until a poll can."""
    # Failures that were counted before outages were kept: it has been out of reach since it was last read.
    since = state.last_success_at if state.failures and state.last_success_at else now
    return replace(state, outages=begun(state.outages, since, why))


def _after_failure(state: FeedState, feed: Feed, outcome: FetchFailed, now: datetime, rng: random.Random) -> FeedState:
    state = unread(state, outcome.reason, now)
    state = replace(state, failures=state.failures + 1, last_status=outcome.status, last_error=outcome.reason)
    if outcome.kind is FailureKind.GONE:
        why = "410 Gone: not polled any more; `newswatch feeds retry` tries it again"
        state = replace(state, next_poll_at=NEVER, interval_why=why)
        return _shown(state, FeedHealth.GONE, why, now)
    if state.failures >= REVERT_AFTER and state.url != feed.url:
        state = _reverted(state, feed)
    wait = backoff(FIRST_WAIT_S[outcome.kind], state.failures)
    if outcome.retry_after_s:
        seconds = min(max(outcome.retry_after_s, 1.0), WEEK_S)
        more = "" if seconds >= outcome.retry_after_s else f"; it waits {durations.long(seconds)}"
        wanted = durations.long(max(outcome.retry_after_s, 1.0))
        wait = Wait(seconds, f"the server asked to wait {wanted}{more}", asked=True)
        state = replace(state, paused_until=now + timedelta(seconds=seconds))
    lasting = outcome.kind is not FailureKind.TRANSIENT or state.failures >= FAILING_AFTER
    if lasting or state.health is FeedHealth.FAILING:
        state = _shown(state, FeedHealth.FAILING, outcome.reason, now)
    return _due(state, wait, now, rng)


def _after_no_feed(
    state: FeedState, feed: Feed, parsed: NotAFeed | ParsedFeed | None, now: datetime, rng: random.Random
) -> FeedState:
    """A body that is not a feed: mostly a maintenance page or a wall for a while, so it counts as temporary."""
    reason = parsed.reason if isinstance(parsed, NotAFeed) else "it was not read"
    if isinstance(parsed, NotAFeed) and parsed.feeds:
        reason += f"; it advertises {parsed.feeds[0]}"
    state = replace(unread(state, reason, now), failures=state.failures + 1, last_error=reason)
    if state.failures >= REVERT_AFTER and state.url != feed.url:
        state = _reverted(state, feed)
    if state.failures >= FAILING_AFTER or state.health is FeedHealth.FAILING:
        state = _shown(state, FeedHealth.FAILING, reason, now)
    return _due(state, backoff(NO_FEED_WAIT_S, state.failures), now, rng)


def _reverted(state: FeedState, feed: Feed) -> FeedState:
    """`state` back at the configured URL, because the redirect's target does not work any more."""
    return replace(
        state,
        url=feed.url,
        former_urls=tuple(dict.fromkeys((*state.former_urls, state.url))),
        etag=None,
        last_modified=None,
        body_hash=None,
        redirect_to=None,
        redirect_seen=0,
    )


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_redirects(state: FeedState, outcome: FetchResult) -> FeedState:
    """Count permanent redirects (301, 308) and adopt one that has lasted long enough; ignore others.

    Only redirects to a feed count: a site that redirects all its old addresses to its home page has not moved a feed.
    """
    target = permanent_target(outcome)
    if target is None or target == state.url:
        return replace(state, redirect_to=None, redirect_seen=0)
    seen = state.redirect_seen + 1 if target == state.redirect_to else 1
    if seen < REDIRECTS_BELIEVED:
        return replace(state, redirect_to=target, redirect_seen=seen)
    former = tuple(dict.fromkeys((*state.former_urls, state.url)))
    return replace(state, url=target, former_urls=former, redirect_to=None, redirect_seen=0)


def permanent_target(outcome: FetchResult) -> str | None:
    """The target of the unbroken run of permanent redirects at the beginning; None if there is none."""
    target = None
    for hop in outcome.hops:
        if hop.status not in _PERMANENT_REDIRECTS or not is_address(hop.url):
            break
        target = hop.url
    return target


# ── success ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _after_success(
    state: FeedState,
    outcome: Fetched | NotModified,
    parsed: ParsedFeed | None,
    new_entries: int,
    now: datetime,
    settings: Settings,
    rng: random.Random,
) -> FeedState:
    first = state.last_success_at is None
    rolled_over = parsed is not None and rolled_over_since(state.entry_ids, parsed.entries, new_entries)
    if rolled_over and state.last_success_at:
        state = replace(state, gaps=(*state.gaps, Gap(state.last_success_at, now))[-GAPS_KEPT:])
    state = with_rhythm(state, parsed.entries if parsed else (), new_entries, now, first)
    state = replace(
        _answer_known(state, outcome, parsed),
        failures=0,
        last_error=None,
        last_success_at=now,
        entry_ids=tuple(entry.id for entry in parsed.entries) if parsed and parsed.entries else state.entry_ids,
        new_articles=state.new_articles + new_entries,
        outages=ended(state.outages, now),
        fresh_s=fresh_s(outcome.headers, now, settings),
    )
    if parsed:
        state = replace(
            state,
            asks_s=parsed.ttl_s,
            skip_hours=tuple(sorted(parsed.skip_hours)),
            skip_days=tuple(sorted(parsed.skip_days)),
        )
        state = _with_hub(state, outcome, parsed)
    state = _with_health(state, outcome, rolled_over, now)
    return _awake(_due(state, usual_wait(state, outcome, rolled_over, now, settings), now, rng))


def _answer_known(state: FeedState, outcome: Fetched | NotModified, parsed: ParsedFeed | None) -> FeedState:
    """`state` with what the next poll says it has: ETag, Last-Modified and the body's hash.

    Nothing after half a document: its rest would never come.
    """
    if parsed is not None and parsed.is_cut_off:
        return replace(state, etag=None, last_modified=None, body_hash=None)
    etag, last_modified = (state.etag, state.last_modified) if parsed is None else (None, None)
    return replace(
        state,
        etag=validator(outcome.headers.get("etag", etag)),
        last_modified=validator(outcome.headers.get("last-modified", last_modified)),
        body_hash=outcome.body_hash if isinstance(outcome, Fetched) else state.body_hash,
    )


def _after_push(state: FeedState, parsed: ParsedFeed | NotAFeed | None, new_entries: int, now: datetime) -> FeedState:
    """`state` after a hub has pushed what may be a part of the feed. Its next poll stays as it was planned."""
    entries = parsed.entries if isinstance(parsed, ParsedFeed) else ()
    known = dict.fromkeys((*(entry.id for entry in entries), *state.entry_ids))
    state = with_rhythm(state, entries, new_entries, now, first=state.last_success_at is None)
    return replace(state, new_articles=state.new_articles + new_entries, entry_ids=tuple(known)[:MAX_ENTRIES])


def _with_hub(state: FeedState, outcome: Fetched | NotModified, parsed: ParsedFeed) -> FeedState:
    """`state` with the hub that the answer's header or else the feed names, and the address it knows the feed under."""
    links = hub_links(outcome.headers.get("link", ""), outcome.final_url)
    hub = links.get("hub") or parsed.hub
    return replace(state, hub=hub, topic=(links.get("self") or parsed.topic or state.url) if hub else None)


def _awake(state: FeedState) -> FeedState:
    """Move the next poll out of the hours and days (GMT) that the feed skips.

    A feed that skips everything is ignored.
    """
    due = state.next_poll_at
    for _ in range(24 * 8):
        if due is None or (due.hour not in state.skip_hours and due.weekday() not in state.skip_days):
            break
        due = due.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    else:
        return state
    if due == state.next_poll_at:
        return state
    return replace(state, next_poll_at=due, interval_why=f"{state.interval_why}; moved out of the hours the feed skips")


# ── health, due time ─────────────────────────────────────────────────────────────────────────────────────────────────


def _with_health(state: FeedState, outcome: Fetched | NotModified, rolled_over: bool, now: datetime) -> FeedState:
    if rolled_over:
        before = state.gaps[-1].since if state.gaps else now
        between = durations.long((now - before).total_seconds())
        why = f"may have missed items: no entry of the poll {between} before was left"
        return replace(_shown(state, FeedHealth.GAP, why, now), health_since=now)
    if (
        state.health is FeedHealth.GAP
        and state.health_since
        and (now - state.health_since).total_seconds() < GAP_SHOWN_S
    ):
        return state
    silent = (now - state.last_new_at).total_seconds() if state.last_new_at else 0.0
    if silent > max(STALE_AT_LEAST_S, STALE_FACTOR * (state.usual_silence_s or 0)):
        usual = f", usually {durations.long(state.usual_silence_s)}" if state.usual_silence_s else ""
        return _shown(state, FeedHealth.STALE, f"silent for {durations.long(silent)}{usual}", now)
    if outcome.elapsed_s > SLOW_S:
        return _shown(state, FeedHealth.SLOW, f"took {outcome.elapsed_s:.0f} s to answer", now)
    return _shown(state, FeedHealth.OK, "answers", now)


def _shown(state: FeedState, health: FeedHealth, why: str, now: datetime) -> FeedState:
    since = state.health_since if health is state.health and state.health_since else now
    return replace(state, health=health, health_why=why, health_since=since)


def _due(state: FeedState, wait: Wait, now: datetime, rng: random.Random) -> FeedState:
    """Due after `wait`, a tenth earlier or later, so that feeds which were polled together spread out.

    It is earlier if the wait is our own choice, because a later one would miss every second run of a scheduler that
    plans each minute; and later if the server or the feed asked for the wait. Our own waits count from the minute for
    which the poll was planned, for the same reason: counted from its end, a one-minute feed was polled every second
    minute.
    """
    if wait.asked:
        seconds = wait.seconds * rng.uniform(1.0, 1.1)
    else:
        seconds = wait.seconds * rng.uniform(0.9, 1.0) - min(LAG_S, wait.seconds / 4)
    return replace(
        state,
        next_poll_at=now + timedelta(seconds=seconds),
        interval_s=round(wait.seconds),
        interval_why=wait.why,
    )
