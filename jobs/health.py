"""`health`: tells the operator which feeds broke, went silent or came back, and only that.

The message is noted before it is sent and again after, so dying in between sends the same message once more, under the
same key and name, and never loses one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from delivery.message import Message, Notice, Row, Section
from delivery.notify import notify, reference_of
from delivery.words import safe_url, when
from jobs.context import Context, job
from newswatch.feed import FeedHealth
from newswatch.settings import Settings
from store.feeds import FeedRecord, FeedStore
from store.notices import HealthChange, HealthNotice, NoticeStore, Pending

log = logging.getLogger(__name__)

WELL = "ok"
_Tone = Literal["bad", "odd", "good"]
_SECTIONS: Final[tuple[tuple[str, _Tone, tuple[str, ...]], ...]] = (
    ("Not read any more", "bad", (FeedHealth.GONE, FeedHealth.FAILING)),
    ("Read, but look at them", "odd", (FeedHealth.STALE, FeedHealth.GAP, FeedHealth.SLOW)),
    ("Well again", "good", (WELL,)),
)
_ADVICE: dict[str, str] = {
    FeedHealth.GONE: "Gone: its publisher has taken it down. Find its new address, or remove it from the list.",
    FeedHealth.FAILING: "Failing: it is tried again by itself, ever more rarely, at least once a week.",
    FeedHealth.STALE: "Stale: it answers and brings nothing new. Its publisher may have moved to another feed.",
    FeedHealth.GAP: "Gap: it is polled sooner from now on. What was missed is not to be had from the feed any more.",
    FeedHealth.SLOW: "Slow: nothing is lost by it.",
}
_WHOLE = 20
"""Feeds of a section that are told in full; the others take a line each, as mail programs cut what is very long."""
_ORDER = (FeedHealth.GONE, FeedHealth.FAILING, FeedHealth.STALE, FeedHealth.GAP, FeedHealth.SLOW, WELL)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was told."""

    feeds: int
    """That are polled."""
    ill: int
    """Of them, those that are not simply well."""
    changes: tuple[HealthChange, ...] = ()
    mailed: bool = False


@job("health")
def health(context: Context) -> HealthReport:
    """Tell the operator what changed since the last message; without an operator, log it.

    Raises:
        NewswatchError: the message could not be sent; the next run sends it.
        StoreError: Elasticsearch is unavailable.
    """
    notices = NoticeStore(context.es, context.names)
    was = notices.read()
    if was.pending:  # made by a run that did not come to its end
        _send(context, notices, was, was.pending)
        was = notices.read()
    records = [record for record in FeedStore(context.es, context.names).all() if record.feed.enabled]
    changes, told = changed(records, was.told), state_of(records)
    report = HealthReport(len(records), len(told), changes)
    for change in changes:
        log.warning("feed %s: %s, was %s: %s", change.feed_id, change.state, change.before, change.why)
    if not changes or not context.settings.operator:
        return report
    pending = Pending(key_of(changes, was), context.clock(), changes, told)
    message = message_of(pending, context.settings, context.settings.operator)
    pending = replace(pending, reference=reference_of(message, context.settings))
    if not notices.begin(was, pending):
        return report
    _send(context, notices, notices.read(), pending)
    return HealthReport(report.feeds, report.ill, changes, mailed=True)


def _send(context: Context, notices: NoticeStore, was: HealthNotice, pending: Pending) -> None:
    operator = context.settings.operator
    if operator:
        notify(message_of(pending, context.settings, operator), context.settings)
    notices.finish(was, pending)


# ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def state_of(records: Sequence[FeedRecord]) -> dict[str, str]:
    """Feed id → state, for those that are not simply well."""
    states = {record.feed.id: _state(record) for record in records}
    return {feed_id: state for feed_id, state in states.items() if state != WELL}


def changed(records: Sequence[FeedRecord], told: Mapping[str, str]) -> tuple[HealthChange, ...]:
    """What differs from what the operator was told, the worst first. A feed that nobody was told of was well."""
    found = [
        HealthChange(
            record.feed.id,
            record.feed.title,
            record.state.url,
            told.get(record.feed.id, WELL),
            _state(record),
            record.state.health_since,
            record.state.health_why,
            record.state.last_success_at,
        )
        for record in records
        if _state(record) != told.get(record.feed.id, WELL)
    ]
    return tuple(sorted(found, key=lambda change: (_ORDER.index(change.state), change.title.casefold())))


def _state(record: FeedRecord) -> str:
    state = record.state.health
    return WELL if state in (FeedHealth.OK, FeedHealth.NEW) else str(state)


def key_of(changes: Sequence[HealthChange], was: HealthNotice) -> str:
    """The idempotency key: the same for the same changes after the same message, whoever makes it."""
    said = repr((was.key, [(change.feed_id, change.before, change.state) for change in changes]))
    return f"health.{hashlib.sha256(said.encode()).hexdigest()[:32]}"


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def message_of(pending: Pending, settings: Settings, operator: str) -> Message:
    """The message that tells the operator of the changes."""
    notice = Notice(
        sections=sections(pending.changes, settings),
        hint='"newswatch feeds show FEED" tells all of one; "newswatch feeds retry FEED" tries it now.',
        more_text="See all feeds",
        more_url=safe_url(f"{settings.public_url.rstrip('/')}/news/feeds"),
    )
    return Message(
        key=pending.key,
        recipient=operator,
        subject=subject(pending.changes),
        at=pending.at,
        sender=settings.mail_name,
        body=notice,
        reference=pending.reference,
    )


def subject(changes: Sequence[HealthChange]) -> str:
    """One line: how many feeds are in which new state."""
    counts = {state: sum(change.state == state for change in changes) for state in _ORDER}
    told = [f"{count} {'well again' if state == WELL else state}" for state, count in counts.items() if count]
    return f"Feeds: {', '.join(told)}"


def sections(changes: Sequence[HealthChange], settings: Settings) -> tuple[Section, ...]:
    """The changes by what they ask of the operator, each with its heading and tone; the worst first."""
    made = []
    for heading, tone, states in _SECTIONS:
        rows = tuple(_row(change, settings) for change in changes if change.state in states)
        advice = tuple(_ADVICE[state] for state in states if _has(changes, state))
        if rows:
            made.append(Section(heading, tone, rows[:_WHOLE], rows[_WHOLE:], advice))
    return tuple(made)


def _has(changes: Sequence[HealthChange], state: str) -> bool:
    return state in _ADVICE and any(change.state == state for change in changes)


def _row(change: HealthChange, settings: Settings) -> Row:
    well = change.state == WELL
    return Row(
        title=" ".join(change.title.split()),
        state="well again" if well else change.state,
        why=f"was {change.before}" if well else change.why.replace("`", '"'),
        facts=(f"since {_time(change.since)}", f"last read {_time(change.last_success_at)}"),
        url=change.url,
        link=safe_url(f"{settings.public_url.rstrip('/')}/news/feeds/{change.feed_id}"),
    )


def _time(moment: datetime | None) -> str:
    return when(moment) if moment else "never"
