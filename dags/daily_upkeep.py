"""### Daily upkeep

Every night this drops articles older than `NEWSWATCH_RETENTION_DAYS`, a whole month at a time, and what was remembered
of their feeds' entries. It also drops index generations that an upgrade has replaced, and force-merges past months.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("17 3 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["newswatch"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": 2.0},
)
def daily_upkeep() -> None:
    """Keeps the index in shape."""

    @task(execution_timeout=timedelta(hours=4))
    def upkeep() -> dict[str, Any]:
        from dags.connections import task_context
        from jobs.upkeep import upkeep
        from newswatch.as_json import as_object

        return as_object(upkeep(task_context()))

    upkeep()


daily_upkeep()
