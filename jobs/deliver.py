"""`deliver`: sends the mails that are due, the recipient who has waited longest first.

It is separate from `jobs.match`, so that a slow channel does not delay matching and a failing match does not delay
mails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from delivery import deliver as mails
from delivery.channels import registry as channels
from delivery.digests import enqueue_coverage
from delivery.due import LEASE, Due, look
from delivery.links import key_mark
from delivery.report import DeliverReport
from jobs.context import Context, job
from newswatch.outages import Cause, begun, ended
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from observe.record import noted
from store.outages import OutageStore

LOOK_S = 2.0
"""Seconds between two checks for new mails while one is held back."""


def run(context: Context, *, pause: Callable[[float], None] = time.sleep) -> DeliverReport:
    """`deliver`, then wait for mails that come due soon, and send them on time (`_is_awaited` says which).

    Otherwise a mail that is held back for a second would wait a minute for the next poll. Other mails that come due
    in the meantime are sent at once.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    began = context.clock()
    until = began + timedelta(seconds=context.settings.mail_run_s)
    report = last = deliver(context, until=until)
    while last.later and not (last.down or last.stopped):
        due = _due(context)
        if not _is_awaited(context, due, last.later, began):
            break
        _await(context, last.later, known=due.recipients, pause=pause)
        last = deliver(context, until=until)
        report = replace(report + last, down=last.down, later=last.later)
    return report


def _is_awaited(context: Context, due: Due, later: datetime, began: datetime) -> bool:
    """Whether a run that has begun then waits for a mail that comes due at `later`: within the grouping time, and for
    two of those at most. While another worker holds recipients, that time is its lease, as it may have died.
    """
    group = timedelta(seconds=context.settings.mail_group_s)
    patience = max(group, LEASE) if due.held else group
    return later <= min(context.clock() + patience, began + 2 * patience)


def _await(context: Context, moment: datetime, *, known: Collection[str], pause: Callable[[float], None]) -> None:
    """Wait until `moment`, or until a mail to a recipient who is not `known` comes due."""
    while (left := (moment - context.clock()).total_seconds()) > 0:
        pause(min(left, LOOK_S))
        if set(_due(context).recipients).difference(known):
            return


@job("deliver")
def deliver(context: Context, *, until: datetime | None = None) -> DeliverReport:
    """Send the mails that are due, until `until`, or for `Settings.mail_run_s`; the rest stays due.

    Raises:
        StoreError: nothing is lost; run it again.
        NewswatchError: with these settings no mail can be sent, and none was tried.
    """
    require_settings(context.settings)
    noted("signed", key_mark(context.settings))
    with context.stage("deliver") as walls:
        deciding = partial(enqueue_coverage, context.es, context.names, context.clock(), bulkhead=walls)
        walls.attempt("document", "digests", deciding)
        report = mails.deliver(
            context.es,
            context.names,
            context.settings,
            now=context.clock(),
            until=until,
            bulkhead=walls,
        )
        _note_outage(context, report, walls)
        return report


def require_settings(settings: Settings) -> None:
    """Find out before the first mail is begun whether all settings are there that it needs.

    Raises:
        NewswatchError: one is wrong; the message names the environment variable.
    """
    channels.check(settings)
    for name in ("public_url", "kibana_url", "secret_key", "secret_key_before"):
        getattr(settings, name)


def _note_outage(context: Context, report: DeliverReport, walls: Bulkhead) -> None:
    """Record that no mail can be sent, or can again."""
    if not report.tried:
        return
    if report.down and not report.sent:
        changed = partial(begun, at=context.clock(), why=report.down)
    else:
        changed = partial(ended, at=context.clock())
    outages = OutageStore(context.es, context.names)
    walls.attempt("document", f"{Cause.MAIL} outages", partial(outages.change, Cause.MAIL, changed))


def mails_wait(context: Context) -> bool:
    """Whether a run is to be started: a mail is due to a recipient who is not in a pause after a failure, or another
    worker holds recipients. If it has died, the run takes over as its lease ends."""
    due = _due(context)
    return bool(due.recipients) or due.held


def _due(context: Context) -> Due:
    walls = context.bulkhead("deliver")
    return look(context.es, context.names, context.settings, now=context.clock(), bulkhead=walls)
