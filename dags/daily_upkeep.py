"""### Daily upkeep

Every night this drops articles older than `NEWSWATCH_RETENTION_DAYS`, a whole month at a time, and what was remembered
of their feeds' entries, their deliveries, and readers' marks and verdicts on them. It also drops index generations that
an upgrade has replaced, gives indices the stated number of replicas, and force-merges past months.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("17 3 * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=18),
    doc_md=__doc__,
    default_args=retried(3, timedelta(minutes=5)),
    **EVERY_DAG,
)
def daily_upkeep() -> None:
    """Keeps the index in shape."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=4))
    def upkeep() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.upkeep import upkeep
        from newswatch.as_json import as_object

        return as_object(upkeep(task_context()))

    upkeep()


daily_upkeep()
