"""What all DAGs and their tasks have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pendulum

from dags.failures import run_failed, task_failed

EVERY_DAG: Final[dict[str, Any]] = {
    "start_date": pendulum.datetime(2025, 1, 1, tz="UTC"),
    "catchup": False,
    "tags": ["newswatch"],
    "on_failure_callback": run_failed,
}


def retried(times: int, delay: timedelta) -> dict[str, Any]:
    """`default_args` of a DAG: its tasks are retried after `delay`, doubled each time; then the failure is recorded."""
    backoff = {"retry_delay": delay, "retry_exponential_backoff": 2.0}
    return {"retries": times, **backoff, "on_failure_callback": task_failed}
