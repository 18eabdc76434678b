"""Rules on the mail server, and on mails that wait. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.pulse import Pulse
from observe.rules.rule import job_of, older, reason
from observe.rules.runs import (
    FAILED_TRIES,
    broken,
    hung,
    quiet,
)

BROKEN_AFTER: Final = timedelta(seconds=100)
"""After the connection to the mail server first broke with a recipient. The next try comes after a minute."""
MAIL_QUIET: Final = timedelta(minutes=3)
"""Airflow starts the sending when mails are owed, and again with the next poll, a minute later."""
MAILS_LATE: Final = timedelta(minutes=30)
"""A run sends for ten minutes (`mail_run_s`), and waits for the claims of a dead worker for five."""
REFUSED_LATE: Final = timedelta(hours=1)
"""A server that greylists unknown senders accepts them within the hour."""


def mail_server(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    mail = pulse.mail
    begun = [moment for moment in (mail.down_since, mail.broken_since) if moment]
    if mail.down_since or older(mail.broken_since, pulse.at, BROKEN_AFTER):
        yield Condition(
            "mail-server",
            Severity.CRITICAL,
            f"No mail can be sent: {reason(mail.why)}",
            "Check the mail server and the settings NEWSWATCH_SMTP_…; the mails are kept until it accepts them.",
            min(begun),
        )


def mails(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    deliver, waiting = job_of(pulse, "deliver"), pulse.waiting
    what = "Mails that are due are not sent"
    yield from broken(pulse, deliver, "mails-waiting", what, FAILED_TRIES)
    yield from hung(pulse, deliver, "mails-waiting", what)
    if waiting.mail_since and not pulse.mail.down_since and _is_late(pulse, deliver, waiting.mail_since):
        yield Condition(
            "mails-waiting",
            Severity.CRITICAL,
            f"{what}: {waiting.mails} {'notice waits' if waiting.mails == 1 else 'notices wait'}.",
            "Look at the DAG `deliver_mails` in Airflow, or run `newswatch deliver`.",
            waiting.mail_since,
        )
    if waiting.refused and not pulse.mail.down_since and older(waiting.refused_since, pulse.at, REFUSED_LATE):
        who = "A recipient gets" if waiting.refused == 1 else f"{waiting.refused} recipients get"
        yield Condition(
            "mails-waiting",
            Severity.WARNING,
            f"{who} no mail, as the mail server refuses it for now: {reason(waiting.refused_why)}",
            "Correct the recipient's address, or ask the mail server's operator. It is tried again by itself.",
            waiting.refused_since,
        )


def _is_late(pulse: Pulse, deliver: JobPulse, due: datetime) -> bool:
    """Whether nothing has tried to send since mails came due, or nothing was sent although it was tried."""
    started = max(moment for moment in (due, deliver.alive_at, pulse.watch_began_at) if moment)
    served = max(moment for moment in (due, pulse.mail.accepted_at, pulse.watch_began_at) if moment)
    patience = quiet(pulse, deliver, MAIL_QUIET)
    return pulse.at - started > patience or pulse.at - served > max(patience, MAILS_LATE)


def signing(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """Whoever sends the mails and whoever opens their links must have the same key."""
    deliver = job_of(pulse, "deliver")
    signed = deliver.reasons.get("signed", "")
    if signed and pulse.key_mark and signed != pulse.key_mark:
        on = f" on {deliver.host}" if deliver.host else ""
        yield Condition(
            "signing-key",
            Severity.WARNING,
            f"The links in mails are refused here: they are signed{on} by another key than this machine's.",
            "Set NEWSWATCH_SECRET_KEY to the same on every machine; the key that was used before, as "
            "NEWSWATCH_SECRET_KEY_BEFORE, so that the links in old mails work.",
            deliver.moments.get("signed"),
        )
