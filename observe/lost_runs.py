"""Failures that a job can't record itself, because it was not running or was stopped: what they add to its pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from newswatch.pulse import JobPulse


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run of a job that failed without the job having recorded it: timed out, killed, late, never loaded."""

    job: str
    """Its name as in `@job`."""
    why: str
    """What happened, in one sentence."""
    began: datetime | None = None
    """When the run began, if it did."""
    host: str = ""
    """The machine of the run, if known."""


def with_lost_run(pulse: JobPulse, lost: LostRun, at: datetime) -> JobPulse:
    """The pulse with the failure noticed at `at`; unchanged if it is recorded already. Pure.

    A failure is recorded already if the job has failed since that run began: jobs record the errors that are raised in
    them, and Airflow reports them once more. A run that never began is told by its reason.
    """
    if _recorded(pulse, lost):
        return pulse
    return replace(
        pulse,
        failed_at=at,
        failing_since=pulse.failing_since or at,
        why=lost.why,
        failures=pulse.failures + 1,
        host=lost.host or pulse.host,
    )


def _recorded(pulse: JobPulse, lost: LostRun) -> bool:
    if pulse.failing_since is None:
        return False
    if lost.began is None:
        return pulse.why == lost.why
    return pulse.failed_at is not None and pulse.failed_at >= lost.began
