"""### Check of the list

Once a week it tries every source of the list and looks for what could replace those that bring nothing any more: where
they have moved, the fall-back that the list names, what their site offers. The operator is told; nothing is changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("40 3 * * 0", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    doc_md=__doc__,
    default_args=retried(2, timedelta(minutes=30)),
    **EVERY_DAG,
)
def check_feeds() -> None:
    """The list → a condition, if a source has a replacement."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=2))
    def check() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs import check as job
        from newswatch.as_json import as_object

        return as_object(job.check(task_context()))

    check()


check_feeds()
