"""### Nightly backup

Takes a snapshot of all indices in `NEWSWATCH_BACKUP_LOCATION`, and forgets those older than `NEWSWATCH_BACKUP_DAYS`.
Without a location it does nothing. Snapshots are incremental, so further ones (`newswatch backup now`) cost little.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("30 1 * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=18),
    doc_md=__doc__,
    default_args=retried(3, timedelta(minutes=5)),
    **EVERY_DAG,
)
def nightly_backup() -> None:
    """Keeps what the pipeline has gathered."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=4))
    def backup() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.backup import backup
        from newswatch.as_json import as_object

        return as_object(backup(task_context()))

    backup()


nightly_backup()
