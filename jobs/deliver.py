"""`deliver`: the mails that are due are sent, whoever has waited longest first.

Apart from `jobs.match`, so that a channel that dawdles never holds up matching, and nothing that can't be matched
holds up a mail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from delivery import deliver as mails
from delivery.deliver import DeliverReport
from delivery.due import Due, look
from jobs.context import Context, job

LOOK_S = 2.0
"""Seconds between two looks for new mails while one is held."""


def attend(context: Context, *, pause: Callable[[float], None] = time.sleep) -> DeliverReport:
    """`deliver`, and then stay while mails are held that come due within the grouping time, to send them on time.

    Else a mail that is held for a second would wait for the next poll, a minute. What else comes due meanwhile is sent
    at once. It stays two grouping times at most: whatever comes later wakes the next run.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    group, now = timedelta(seconds=context.settings.mail_group_s), context.clock()
    end, until = now + 2 * group, now + timedelta(seconds=context.settings.mail_run_s)
    report = last = deliver(context, until=until)
    while not (last.down or last.stopped) and last.later and last.later <= min(context.clock() + group, end):
        _await(context, last.later, pause)
        last = deliver(context, until=until)
        report = replace(report + last, down=last.down, later=last.later)
    return report


def _await(context: Context, moment: datetime, pause: Callable[[float], None]) -> None:
    """Wait until `moment`, or until somebody is due who is not due now."""
    known = set(_due(context).recipients)
    while (left := (moment - context.clock()).total_seconds()) > 0:
        pause(min(left, LOOK_S))
        if set(_due(context).recipients) - known:
            return


@job("deliver")
def deliver(context: Context, *, until: datetime | None = None) -> DeliverReport:
    """Send the mails that are due, until `until`, or for `Settings.mail_run_s`; the rest stays due.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    with context.stage("deliver") as walls:
        return mails.deliver(
            context.es,
            context.names,
            context.settings,
            now=context.clock(),
            until=until,
            bulkhead=walls,
        )


def mails_wait(context: Context) -> bool:
    """Whether a mail is due to anybody who does not rest."""
    return bool(_due(context).recipients)


def _due(context: Context) -> Due:
    walls = context.bulkhead("deliver")
    return look(context.es, context.names, context.settings, now=context.clock(), bulkhead=walls)
