"""What the watchman last saw, as it stands in Elasticsearch for pages, `newswatch check` and other machines. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from newswatch.pulse import JobPulse
from observe.condition import Condition, Severity

WATCH: Final = "watch"
"""The watchman's name among the jobs."""
_EVERY: Final = "every_s"
_BETWEEN: Final = "\n"
_MISSED: Final = 8
"""Looks that may be missing before what was seen is out of date."""


def as_pulse(was: JobPulse, conditions: Iterable[Condition], every_s: float) -> JobPulse:
    """The watchman's pulse with these conditions, which it has told or is about to tell."""
    conditions = tuple(conditions)
    severities = {condition.id: float(condition.severity is Severity.CRITICAL) for condition in conditions}
    return replace(
        was,
        last={_EVERY: every_s} | severities,
        moments={condition.id: condition.since for condition in conditions if condition.since},
        reasons={c.id: f"{c.sentence}{_BETWEEN}{c.next_step}" for c in conditions},
    )


def conditions_of(pulse: JobPulse | None, now: datetime) -> tuple[Condition, ...]:
    """What the watchman found wrong, if it looked lately; nothing if it did not, because that may be over."""
    if pulse is None or not is_watching(pulse, now):
        return ()
    return tuple(_condition(condition_id, said, pulse) for condition_id, said in pulse.reasons.items())


def _condition(condition_id: str, said: str, pulse: JobPulse) -> Condition:
    sentence, _, next_step = said.partition(_BETWEEN)
    severity = Severity.CRITICAL if pulse.last.get(condition_id) else Severity.WARNING
    return Condition(condition_id, severity, sentence, next_step, pulse.moments.get(condition_id))


def is_watching(pulse: JobPulse, now: datetime) -> bool:
    """Whether the watchman has looked within the last two minutes, or longer if it looks more rarely."""
    every_s = max(15.0, pulse.last.get(_EVERY, 15.0))
    return pulse.ended_at is not None and now - pulse.ended_at <= timedelta(seconds=_MISSED * every_s)
