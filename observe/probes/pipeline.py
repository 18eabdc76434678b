"""What the jobs have recorded in Elasticsearch, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

from newswatch.clock import Clock
from newswatch.settings import Settings
from observe.conditions import conditions
from observe.probes.probe import BLIND, Probe, Report
from observe.pulse import MailState, Pulse
from observe.reading import read_pulse
from store.client import Client
from store.names import Names

NAME = "pipeline"


def pipeline(settings: Settings, es: Client, names: Names, clock: Clock) -> Probe:
    """The probe of the pulse. It is blind while Elasticsearch does not answer: that has a probe of its own."""
    return Probe(NAME, lambda: judge(read_pulse(es, names, settings, clock()), settings))


def judge(pulse: Pulse, settings: Settings) -> Report:
    """What follows from a reading, without what the watchman itself has written: it would never be over. Pure."""
    if pulse.storage.away:
        return BLIND
    found = conditions(replace(pulse, watched=(), watched_at=None, mail=_unprobed(pulse.mail, settings)), settings)
    return Report(found, blind=bool(pulse.unread))


def _unprobed(mail: MailState, settings: Settings) -> MailState:
    """The mail server as the jobs found it, but not as down if it has a probe of its own, which knows sooner."""
    is_probed = f"{settings.smtp_host}:{settings.smtp_port}" in mail.why
    return replace(mail, down_since=None, why="") if is_probed else mail
