"""What the watchman last saw, as it stands in Elasticsearch for pages, `newswatch check` and other machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from newswatch.pulse import JobPulse
from observe.condition import Condition, Severity

WATCHMAN: Final = "watchman"
"""The watchman's name among the jobs: it began at `started_at` and last looked at `beat_at`."""
_EVERY: Final = "every_s"
_ENDS: Final = "ends:"
"""Prefix of the moment at which a certificate ends, before its server."""
_BETWEEN: Final = "\n"
_MISSED: Final = 8
"""Looks that may be missing before what was seen is out of date."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchman writes down at each look."""

    conditions: tuple[Condition, ...]
    """What it has found by itself, and told or is about to tell."""
    began_s: float
    """Seconds since it began to look."""
    every_s: float
    """Seconds between two looks."""
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    """Server → when its certificate ends."""


def as_pulse(watched: Watched, now: datetime, host: str) -> JobPulse:
    """The watchman's pulse at `now`."""
    conditions = watched.conditions
    severities = {condition.id: float(condition.severity is Severity.CRITICAL) for condition in conditions}
    return JobPulse(
        WATCHMAN,
        started_at=now - timedelta(seconds=watched.began_s),
        beat_at=now,
        host=host,
        last={_EVERY: watched.every_s} | severities,
        moments={condition.id: condition.since for condition in conditions if condition.since}
        | {_ENDS + server: ends for server, ends in watched.certificates.items()},
        reasons={c.id: f"{c.sentence}{_BETWEEN}{c.next_step}" for c in conditions},
    )


def conditions_of(pulse: JobPulse | None, now: datetime) -> tuple[Condition, ...]:
    """What the watchman found wrong, if it looked lately; nothing if it did not, because that may be over."""
    until = valid_until(pulse) if pulse else None
    if pulse is None or until is None or now > until:
        return ()
    return tuple(_condition(condition_id, said, pulse) for condition_id, said in pulse.reasons.items())


def certificates_of(pulse: JobPulse | None) -> dict[str, datetime]:
    """Server → when its certificate ends, as the watchman saw it last."""
    moments = pulse.moments if pulse else {}
    return {name.removeprefix(_ENDS): moment for name, moment in moments.items() if name.startswith(_ENDS)}


def _condition(condition_id: str, said: str, pulse: JobPulse) -> Condition:
    sentence, _, next_step = said.partition(_BETWEEN)
    severity = Severity.CRITICAL if pulse.last.get(condition_id) else Severity.WARNING
    return Condition(condition_id, severity, sentence, next_step, pulse.moments.get(condition_id))


def valid_until(pulse: JobPulse) -> datetime | None:
    """Until when the watchman's last look counts: two minutes, or longer if it looks rarely; None: it never looked."""
    every_s = max(15.0, pulse.last.get(_EVERY, 15.0))
    return pulse.beat_at and pulse.beat_at + timedelta(seconds=_MISSED * every_s)
