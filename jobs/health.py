"""`health`: mails the operator which feeds broke, went silent or recovered since the last such mail.

The message is stored before it is sent and marked as sent afterwards. A crash in between sends the same message again,
under the same key and reference, and never loses one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

from delivery.message import Message, Notice, Row, Section
from delivery.notify import notify, reference_of
from delivery.words import safe_url, when
from jobs.context import Context, job
from jobs.deliver import require_settings
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
    FeedHealth.FAILING: "Failing: it is tried again automatically, less and less often, but at least once a week.",
    FeedHealth.STALE: "Stale: it answers but brings nothing new. Its publisher may have moved to another feed.",
    FeedHealth.GAP: "Gap: it is polled more often from now on. The feed no longer contains what was missed.",
    FeedHealth.SLOW: "Slow: nothing is lost.",
}
_WHOLE = 20
"""Feeds of a section that are shown in full; the others take one line each, because mail programs cut long mails."""
_ORDER = (FeedHealth.GONE, FeedHealth.FAILING, FeedHealth.STALE, FeedHealth.GAP, FeedHealth.SLOW, WELL)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was reported."""

    feeds: int
    """Feeds that are polled."""
    ill: int
    """Of them, those with a problem."""
    changes: tuple[HealthChange, ...] = ()
    mailed: bool = False


@job("health")
def health(context: Context) -> HealthReport:
    """Tell the operator what has changed since the last message; without an operator, log it.

    Raises:
        NewswatchError: the message could not be sent; the next run sends it.
        StoreError: Elasticsearch is unavailable.
    """
    require_settings(context.settings)
    notices = NoticeStore(context.es, context.names)
    was = notices.read()
    if was.pending:  # left by a run that did not finish
        _send(context, notices, was, was.pending)
        was = notices.read()
    records = [record for record in FeedStore(context.es, context.names).all() if record.feed.enabled]
    changes, states = changed(records, was.told), state_of(records)
    report = HealthReport(len(records), len(states), changes)
    for change in changes:
        log.warning("feed %s: %s, was %s: %s", change.feed_id, change.state, change.before, change.why)
    if not changes or not context.settings.operator:
        return report
    pending = Pending(key_of(changes, was), context.clock(), changes, states)
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
    """Feed id → state, for the feeds with a problem."""
    states = {record.feed.id: _state(record) for record in records}
    return {feed_id: state for feed_id, state in states.items() if state != WELL}


def changed(records: Sequence[FeedRecord], reported: Mapping[str, str]) -> tuple[HealthChange, ...]:
    """The differences from the states last reported to the operator, the worst first. Unreported feeds were well."""
    changes = [
        HealthChange(
            record.feed.id,
            record.feed.title,
            record.state.url,
            reported.get(record.feed.id, WELL),
            _state(record),
            record.state.health_since,
            record.state.health_why,
            record.state.last_success_at,
        )
        for record in records
        if _state(record) != reported.get(record.feed.id, WELL)
    ]
    return tuple(sorted(changes, key=lambda change: (_ORDER.index(change.state), change.title.casefold())))


def _state(record: FeedRecord) -> str:
    state = record.state.health
    return WELL if state in (FeedHealth.OK, FeedHealth.NEW) else str(state)


def key_of(changes: Sequence[HealthChange], was: HealthNotice) -> str:
    """The idempotency key: the same for the same changes after the same message."""
    content = repr((was.key, [(change.feed_id, change.before, change.state) for change in changes]))
    return f"health.{hashlib.sha256(content.encode()).hexdigest()[:32]}"


# ── the mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def message_of(pending: Pending, settings: Settings, operator: str) -> Message:
    """The message that tells the operator of the changes."""
    notice = Notice(
        sections=sections(pending.changes, settings),
        hint='"newswatch feeds show FEED" shows all details of a feed; "newswatch feeds retry FEED" polls it now.',
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
        zone=ZoneInfo(settings.time_zone),
        reference=pending.reference,
    )


def subject(changes: Sequence[HealthChange]) -> str:
    """One line: the number of feeds in each new state."""
    counts = {state: sum(change.state == state for change in changes) for state in _ORDER}
    parts = [f"{count} {'well again' if state == WELL else state}" for state, count in counts.items() if count]
    return f"Feeds: {', '.join(parts)}"


def sections(changes: Sequence[HealthChange], settings: Settings) -> tuple[Section, ...]:
    """The changes grouped by what the operator should do, each group with its heading and tone; the worst first."""
    shown = []
    for heading, tone, states in _SECTIONS:
        rows = tuple(_row(change, settings) for change in changes if change.state in states)
        advice = tuple(_ADVICE[state] for state in states if _has(changes, state))
        if rows:
            shown.append(Section(heading, tone, rows[:_WHOLE], rows[_WHOLE:], advice))
    return tuple(shown)


def _has(changes: Sequence[HealthChange], state: str) -> bool:
    return state in _ADVICE and any(change.state == state for change in changes)


def _row(change: HealthChange, settings: Settings) -> Row:
    well, zone = change.state == WELL, ZoneInfo(settings.time_zone)
    return Row(
        title=" ".join(change.title.split()),
        state="well again" if well else change.state,
        why=f"was {change.before}" if well else change.why.replace("`", '"'),
        facts=(f"since {_time(change.since, zone)}", f"last read {_time(change.last_success_at, zone)}"),
        url=change.url,
        link=safe_url(f"{settings.public_url.rstrip('/')}/news/feeds/{change.feed_id}"),
    )


def _time(moment: datetime | None, zone: tzinfo) -> str:
    return when(moment, zone) if moment else "never"
