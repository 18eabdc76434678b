"""Deadlines of runs: a run that does not end in time is recorded in the pulse while it still runs, or still waits.

Time limits of tasks don't see a run whose tasks get no slot. The scheduler notices the deadline, the triggerer runs the
callback, so neither needs a slot for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference


def in_time(dag_id: str, limit: timedelta) -> DeadlineAlert:
    """For `deadline`: records a run that has not ended `limit` after it was queued."""
    late = {"dag_id": dag_id, "minutes": limit.total_seconds() / 60}
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, limit, AsyncCallback(run_late, late))


async def run_late(dag_id: str, minutes: float, context: Mapping[str, Any]) -> None:
    """Record a run that is late. Airflow also calls this for runs that failed before; those are recorded already."""
    from asgiref.sync import sync_to_async

    from dags.failures import JOB_OF_DAG, note

    run = context["dag_run"]
    if run["end_date"] is None:
        why = f"A run of {dag_id} has not ended within {minutes:g} minutes; it is {run['state']}"
        await sync_to_async(note)(JOB_OF_DAG[dag_id], why, began=datetime.fromisoformat(run["queued_at"]))
