"""What a job can't record itself, because it was not running or was stopped: lost runs, late runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from newswatch.pulse import LATE, JobPulse
from observe.record import lasts, marked


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run of a job that failed without the job having recorded it: killed, never begun, never loaded."""

    job: str
    """Its name as in `@job`."""
    why: str
    """What happened, in one sentence."""
    began: datetime | None = None
    """When the run began, if it did."""
    attempts: int = 1
    """How often it was tried."""
    host: str = ""
    """The machine of the run, if known."""


def with_lost_run(pulse: JobPulse, lost: LostRun, at: datetime) -> JobPulse:
    """The pulse with the failure noticed at `at`; unchanged if it is recorded already.

    A failure is recorded already if the job has failed since that run began: jobs record the errors that are raised in
    them, and Airflow reports them once more. A run that never began is known by its reason.
    """
    if _recorded(pulse, lost):
        return pulse
    return replace(
        pulse,
        failed_at=at,
        failing_since=pulse.failing_since or at,
        why=lost.why,
        failures=pulse.failures + lost.attempts,
        host=lost.host or pulse.host,
    )


def with_late_run(pulse: JobPulse, why: str, at: datetime) -> JobPulse:
    """The pulse with a run that is late at `at` and has not failed: it may still work, or wait for its turn."""
    return marked(pulse, at, [lasts(LATE, why)])


def _recorded(pulse: JobPulse, lost: LostRun) -> bool:
    if pulse.failing_since is None:
        return False
    if lost.began is None:
        return pulse.why == lost.why
    return pulse.failed_at is not None and pulse.failed_at >= lost.began
