"""What the jobs have recorded in Elasticsearch, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import replace

from newswatch.clock import Clock
from newswatch.settings import Settings
from observe.conditions import conditions
from observe.probes.probe import BLIND, Probe, Report
from observe.pulse import MailState, Pulse
from observe.reading import read_pulse
from store.elastic.client import Client
from store.names import Names

NAME = "pipeline"


def pipeline(settings: Settings, es: Client, names: Names, clock: Clock) -> Probe:
    """The probe of the pulse. It is blind while Elasticsearch does not answer: that has a probe of its own."""
    return Probe(NAME, lambda: judge(read_pulse(es, names, settings, clock()), settings))


def judge(pulse: Pulse, settings: Settings) -> Report:
    """What follows from a reading, without what the watchman itself has written: it would never be over. Pure.

    While the jobs can't record how they fare, what they reported before has neither ended nor not.
    """
    if pulse.storage.away:
        return BLIND
    found = conditions(replace(pulse, watched=(), watched_until=None, mail=_unprobed(pulse.mail, settings)), settings)
    return Report(found, blind=bool(pulse.unread) or not pulse.storage.takes_notes)


def _unprobed(mail: MailState, settings: Settings) -> MailState:
    """The mail server as the jobs found it, but not as down if its own probe would see that, which knows sooner.

    A probe goes as far as the sender. What jobs find beyond that (the line breaks with each recipient) only they know.
    """
    server = f"Mail server {settings.smtp_host}:{settings.smtp_port}"
    is_probed = re.match(rf"{re.escape(server)}\b", mail.why)
    if not (mail.down_since and is_probed):
        return mail
    return replace(mail, down_since=None, why=mail.why if mail.broken_since else "")
