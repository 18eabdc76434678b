"""### Feed health

Once a day it mails the operator (`NEWSWATCH_OPERATOR`) which feeds have broken, gone silent, may have missed items or
have recovered since the last such mail, since when and why. It sends no mail if nothing has changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("30 6 * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    doc_md=__doc__,
    default_args=retried(5, timedelta(minutes=5)),
    **EVERY_DAG,
)
def feed_health() -> None:
    """The feeds' states → one mail, if any state has changed."""

    @task(multiple_outputs=False, execution_timeout=timedelta(minutes=10))
    def health() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs import health as job
        from newswatch.as_json import as_object

        report = as_object(job.health(task_context()))
        return report | {"changes": len(report["changes"])}

    health()


feed_health()
