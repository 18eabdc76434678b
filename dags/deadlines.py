"""Deadlines of runs: a run that does not end in time is recorded in the pulse while it still runs, or still waits.

Time limits of tasks don't see a run whose tasks get no slot. The scheduler notices the deadline, the triggerer runs the
callback, so neither needs a slot for it. Nor do they end a task whose process is stopped or hangs in C code, since they
are a signal to that process; such a run is given up by the scheduler, and the task's supervisor kills the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined] # not in its stub


def in_time(dag_id: str, job: str, *, late: timedelta, given_up: timedelta) -> dict[str, Any]:
    """Parameters of a DAG: a run is recorded as late for `job` that long after it was queued, and failed `given_up`
    after it began.
    """
    told = AsyncCallback(run_late, {"dag_id": dag_id, "job": job, "minutes": late.total_seconds() / 60})
    return {
        "deadline": DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, late, told),
        "dagrun_timeout": given_up,
    }


async def run_late(dag_id: str, job: str, minutes: float, context: Mapping[str, Any]) -> None:
    """Record a run that is late. Airflow also calls this for runs that failed before; those are recorded already."""
    from asgiref.sync import sync_to_async

    from dags.connections import airflow_settings
    from jobs.lost import note_late_run

    run = context["dag_run"]
    if run["end_date"] is None:
        why = f"A run of {dag_id} has not ended within {minutes:g} minutes; it is {run['state']}"
        await sync_to_async(lambda: note_late_run(airflow_settings(), job, why))()
