"""What is wrong with the runs of a job: they fail, one hangs, or none is started. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from newswatch.pulse import JobPulse
from observe.condition import Condition, Severity
from observe.pulse import FileState, Pulse
from observe.rules.rule import job_of, older, reason
from store.configuration import SETTINGS

BEAT_LOST: Final = timedelta(seconds=60)
"""A working run gives a sign of life every 15 s (`observe.record.BEAT_S`). Four missed ones are no coincidence."""
BY_HAND_QUIET: Final = timedelta(hours=2)
"""How long a job that commands run may wait to be started: a crontab runs them once an hour at least."""
FAILED_TRIES: Final = 2
"""Errors in a row of a job that runs all the time. A single one is repaired by Airflow's next try after 10 s."""
FAILED_RUNS: Final = 3
"""Errors in a row of any other job: Airflow has tried three times and does so no more before the next run."""


def broken(
    pulse: Pulse, job: JobPulse, id_: str, what: str, tries: int, severity: Severity = Severity.CRITICAL
) -> Iterator[Condition]:
    """The condition of a job whose last runs ended in errors. A wrong file is a condition of its own."""
    if job.failures >= tries and not is_of_file(pulse, job):
        steps = "It is tried again by itself. Do what the reason says; the job's log has more."
        yield Condition(id_, severity, f"{what}: {reason(job.why)}", steps, job.failing_since)


def hung(
    pulse: Pulse, job: JobPulse, id_: str, what: str, severity: Severity = Severity.CRITICAL
) -> Iterator[Condition]:
    """The condition of a job that began and gives no sign of life: it was stopped, or its machine is gone."""
    if job.under_way and older(job.alive_at, pulse.at, BEAT_LOST):
        on = f" on {job.host}" if job.host else ""
        step = f"End the job `{job.job}`{on} (in Airflow: clear its task); it is then run again, and nothing is lost."
        yield Condition(id_, severity, f"{what}: the job that does it gives no sign of life{on}.", step, job.alive_at)


def quiet(pulse: Pulse, job: JobPulse, in_airflow: timedelta) -> timedelta:
    """How long the job may wait to be started. Airflow starts all jobs, or none: a run by hand changes nothing."""
    plan = job_of(pulse, "plan")
    return in_airflow if (plan if plan.alive_at else job).runner == "airflow" else BY_HAND_QUIET


def is_of_file(pulse: Pulse, job: JobPulse) -> bool:
    """Whether the job has failed because of a file that is wrong, which is told as that."""
    return any(is_at_fault(file, job) for file in pulse.files)


def is_at_fault(file: FileState, job: JobPulse) -> bool:
    """Whether the job has failed because of the file, or of a setting: it names it (`newswatch.errors.ConfigError`)."""
    if not (file.wrong_since and job.failures):
        return False
    named = _VARIABLE.findall(file.why) if file.name == SETTINGS else [file.name]
    return any(f"{name}:" in job.why for name in named)


_VARIABLE: Final = re.compile(r"\bNEWSWATCH_[A-Z_]+")
