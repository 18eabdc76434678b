"""### Read bounces

Every hour this reads the mailbox of `NEWSWATCH_BOUNCE_MAILBOX`. An address that no mail reaches gets none from then on,
and stands in *Problems* until somebody mends it. Without a mailbox in the settings it does nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("47 * * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=20),
    doc_md=__doc__,
    default_args=retried(2, timedelta(minutes=1)),
    **EVERY_DAG,
)
def read_bounces() -> None:
    """Bounces → paused addresses."""

    @task(multiple_outputs=False, execution_timeout=timedelta(minutes=9))
    def bounces() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.bounces import bounces
        from newswatch.as_json import as_object

        return as_object(bounces(task_context()))

    bounces()


read_bounces()
