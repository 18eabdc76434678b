"""`health`: mails the operator which feeds broke, went silent or recovered since the last such mail.

The mail is stored before it is sent and marked as sent afterwards. A crash in between sends the same mail again, under
the same Message-ID, and never loses one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import cache
from typing import Any

from jinja2 import Environment

from delivery.mail import headed, safe_url, templates, when
from delivery.smtp import Mailer
from jobs.context import Context, job
from newswatch.errors import NewswatchError
from newswatch.feed import FeedHealth
from newswatch.settings import Settings
from store.feeds import FeedRecord, FeedStore
from store.notices import HealthChange, NoticeStore, Pending, Told

log = logging.getLogger(__name__)

WELL = "ok"
_SECTIONS = (
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
    """Mail the operator what has changed since the last mail; without an operator, log it.

    Raises:
        NewswatchError: the mail could not be sent; the next run sends it.
        StoreError: Elasticsearch is unavailable.
    """
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
    pending = Pending(message_id(changes, was, context.settings), context.clock(), changes, states)
    if not notices.begin(was, pending):
        return report
    _send(context, notices, notices.read(), pending)
    return HealthReport(report.feeds, report.ill, changes, mailed=True)


def _send(context: Context, notices: NoticeStore, was: Told, pending: Pending) -> None:
    operator = context.settings.operator
    if operator:
        with Mailer(context.settings) as mailer:
            result = mailer.send(render(pending, context.settings, operator), [operator])
        if operator not in result.accepted:
            why = result.down or result.unknown or result.refused[operator].reason
            raise NewswatchError(f"The mail on the feeds' health to {operator} could not be sent: {why}")
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


def message_id(changes: Sequence[HealthChange], was: Told, settings: Settings) -> str:
    """The same for the same changes after the same mail, so that a repeated mail has the same Message-ID."""
    content = repr((was.message_id, [(change.feed_id, change.before, change.state) for change in changes]))
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    return f"<health.{digest}@{settings.mail_from.rpartition('@')[2]}>"


# ── the mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def render(pending: Pending, settings: Settings, operator: str) -> EmailMessage:
    """The whole message: headers, text and HTML."""
    context: dict[str, Any] = {
        "subject": subject(pending.changes),
        "when": when(pending.at),
        "sender": settings.mail_name,
        "recipient": operator,
        "feeds_url": safe_url(f"{settings.public_url.rstrip('/')}/news/feeds"),
        "sections": sections(pending.changes, settings),
    }
    message = headed(settings, operator, context["subject"], pending.message_id, pending.at)
    message.set_content(_environment().get_template("feed_health.txt.j2").render(context), charset="utf-8")
    html = _environment().get_template("feed_health.html.j2").render(context)
    message.add_alternative(html, subtype="html", charset="utf-8")
    return message


def subject(changes: Sequence[HealthChange]) -> str:
    """One line: the number of feeds in each new state."""
    counts = {state: sum(change.state == state for change in changes) for state in _ORDER}
    parts = [f"{count} {'well again' if state == WELL else state}" for state, count in counts.items() if count]
    return f"Feeds: {', '.join(parts)}"


def sections(changes: Sequence[HealthChange], settings: Settings) -> list[dict[str, Any]]:
    """The changes grouped by what the operator should do, each group with its heading and colour; the worst first."""
    shown = []
    for heading, tone, states in _SECTIONS:
        rows = [_row(change, settings) for change in changes if change.state in states]
        if rows:
            section = {"heading": heading, "tone": tone, "rows": rows[:_WHOLE], "brief": rows[_WHOLE:]}
            shown.append(section | {"advice": [_ADVICE[state] for state in states if _has(changes, state)]})
    return shown


def _has(changes: Sequence[HealthChange], state: str) -> bool:
    return state in _ADVICE and any(change.state == state for change in changes)


def _row(change: HealthChange, settings: Settings) -> dict[str, Any]:
    well = change.state == WELL
    return {
        "title": " ".join(change.title.split()),
        "state": "well again" if well else change.state,
        "why": f"was {change.before}" if well else change.why.replace("`", '"'),
        "since": _time(change.since),
        "last_success": _time(change.last_success_at),
        "url": change.url,
        "link": safe_url(f"{settings.public_url.rstrip('/')}/news/feeds/{change.feed_id}"),
    }


def _time(moment: datetime | None) -> str:
    return when(moment) if moment else "never"


@cache
def _environment() -> Environment:
    return templates("jobs")
