"""Whether a host or our own network is at fault when nothing comes back; which hosts asked for a pause. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from ingest.addresses import host_of, is_address
from ingest.http.fetched import FailureKind, FetchFailed, FetchResult
from newswatch.feed import FeedState

OUTAGE_HOSTS: Final = 3
"""Without hosts to ask, fewer failing hosts than that don't prove an outage of our network."""
WITNESSES: Final = 3
"""Number of hosts that are asked whether our network is down, so that a single broken one does not decide."""


def is_silent(outcome: FetchResult) -> bool:
    """Whether nothing came back at all: the host or our own network may be down."""
    if not isinstance(outcome, FetchFailed) or outcome.kind is not FailureKind.TRANSIENT:
        return False
    return not answered(outcome) and outcome.retry_after_s is None


def proxy_fault(outcomes: Iterable[FetchResult]) -> str | None:
    """Why the operator's proxy lets nothing through, which proves an outage of ours without asking anybody."""
    return next((out.reason for out in outcomes if isinstance(out, FetchFailed) and out.by_proxy), None)


def is_ours(outcome: FetchResult, *, our_outage: bool) -> bool:
    """Whether our own network or proxy kept the host from answering, so that it says nothing about the feed."""
    return is_silent(outcome) and (our_outage or proxy_fault([outcome]) is not None)


def answered(outcome: FetchResult) -> bool:
    """Whether a server answered anything; then our network is not down."""
    return not isinstance(outcome, FetchFailed) or outcome.status is not None or outcome.answered


def last_answer(outcomes: Iterable[FetchResult]) -> datetime | None:
    """When a server last answered; None if none did."""
    return max((outcome.fetched_at for outcome in outcomes if answered(outcome)), default=None)


def may_be_ours(outcome: FetchResult, heard_at: datetime | None) -> bool:
    """Whether our own network may have caused the failure: no server has answered since `heard_at`."""
    return is_silent(outcome) and (heard_at is None or heard_at < outcome.fetched_at)


def is_our_outage(silent_hosts: Collection[str], witnesses: Collection[bool]) -> bool:
    """Whether our own network kept `silent_hosts` from answering.

    `witnesses` says of each other host that was asked, all known to be well, whether it answered. Without witnesses,
    several hosts that fall silent together are sufficient proof; one or two are not.
    """
    return not any(witnesses) if witnesses else len(silent_hosts) >= OUTAGE_HOSTS


def resting_hosts(states: Iterable[FeedState], now: datetime) -> Mapping[str, datetime]:
    """The hosts that asked for a pause, and its end; none of their feeds may be polled before."""
    until: dict[str, datetime] = {}
    for state in states:
        if state.paused_until and state.paused_until > now and is_address(state.url):
            host = host_of(state.url)
            until[host] = max(state.paused_until, until.get(host, state.paused_until))
    return until
