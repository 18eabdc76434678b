"""The channels that mails go by: can a message be sent now, and how long is the server's certificate valid."""

from __future__ import annotations

from delivery.channels.channel import Channel
from delivery.channels.registry import CHANNELS
from newswatch.clock import Clock, utc_now
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.certificates import expiry
from observe.probes.probe import DEADLINE_S, Probe, Report

MAIL_SERVER = "mail-server"
TRY_S = 9.0
"""Seconds for the whole dialogue, less than the probe's deadline: a server that dawdles is named as such."""


def channels(settings: Settings, *, clock: Clock = utc_now) -> tuple[Probe, ...]:
    """A probe for each channel."""
    return tuple(_probe(channel, settings, clock) for channel in CHANNELS)


def condition_id(channel: Channel) -> str:
    """The id of the condition that the channel can't be used."""
    return MAIL_SERVER if not channel.scheme else f"channel:{channel.name}"


def _probe(channel: Channel, settings: Settings, clock: Clock) -> Probe:
    def run() -> Report:
        trial = channel.try_out(settings, TRY_S)
        down = (_down(channel, trial.why),) if trial.why else ()
        expiring = expiry(trial.host, trial.expires_at, clock(), "mails", begin=trial.valid_from)
        # Without a connection nothing is known of the certificate.
        unknown = frozenset({f"certificate:{trial.host}"}) if trial.why and not expiring else frozenset()
        seen = {trial.host: trial.expires_at} if trial.expires_at else {}
        return Report((*down, *expiring), unknown=unknown, certificates=seen)

    late = Report((_down(channel, f"no end of the dialogue within {DEADLINE_S:g} s"),))
    return Probe(channel.name, run, late=late)


def _down(channel: Channel, why: str) -> Condition:
    return Condition(
        condition_id(channel),
        Severity.CRITICAL,
        f"No {channel.name} can be sent: {why.rstrip('.')}. Mails wait until it works again.",
        "Look at the mail server and at the settings NEWSWATCH_SMTP_…; newswatch watch --test tries it.",
    )
