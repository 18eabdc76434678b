"""Airflow's callbacks: they record in the pulse what a job can't record itself.

Jobs record the errors that are raised in them (`@job`). What is left: a task that was stopped after its time limit, or
failed before its job began (`task_failed`); a task that was killed, or whose worker was (`run_failed`); a run that does
not end in time (`dags.deadlines`); a DAG file that can't be imported (`dags.import_errors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JOB_OF_TASK = {"slices": "retag"}
"""Task → job, where they have different names."""
JOB_OF_DAG = {
    "poll_feeds": "plan",
    "match_alerts": "match",
    "deliver_mails": "deliver",
    "recheck_mailed": "recheck",
    "feed_health": "health",
    "check_feeds": "check",
    "daily_upkeep": "upkeep",
    "read_bounces": "bounces",
    "nightly_backup": "backup",
    "retag_archive": "retag",
}
"""DAG → the job that records what happens to the DAG as a whole."""
WHY_RUNS_FAIL = {
    "task_failure": "has failed without an error: a task was killed, or its worker died",
    "timed_out": "hung and was given up",
    "all_tasks_deadlocked": "has failed, as none of its tasks could start",
}
"""Airflow's reason for a failed run → the same in words."""


def task_failed(context: Mapping[str, Any]) -> None:
    """For `on_failure_callback` of tasks: the last attempt has failed."""
    from observe.record import sentence

    error = context.get("exception")
    reason = sentence(error) if isinstance(error, BaseException) else str(error or "no error was reported")
    _note(context, f"The task {context['ti'].task_id} has failed: {reason}")


def run_failed(context: Mapping[str, Any]) -> None:
    """For `on_failure_callback` of DAGs: a run has failed, perhaps because a task died without a word."""
    why = WHY_RUNS_FAIL.get(str(context.get("reason")), "has failed")
    _note(context, f"A run of {context['dag'].dag_id} {why}")


def _note(context: Mapping[str, Any], why: str) -> None:
    ti = context.get("ti")
    job = JOB_OF_TASK.get(ti.task_id, ti.task_id) if ti else JOB_OF_DAG[context["dag"].dag_id]
    # In the DAG processor, which calls for tasks that were killed, the task has no start of its own.
    began = getattr(ti, "start_date", None) or getattr(context.get("dag_run"), "start_date", None)
    note(job, why, began=began, attempts=getattr(ti, "try_number", 1), host=getattr(ti, "hostname", None) or "")


def note(job: str, why: str, **more: Any) -> None:
    """Record a lost run of the job (`observe.lost_runs.LostRun`), with the settings that its tasks have."""
    from dags.connections import airflow_settings
    from jobs.lost import note_lost_run
    from observe.lost_runs import LostRun

    note_lost_run(airflow_settings(), LostRun(job, why, **more))
