"""### Recheck mailed articles

Every ten minutes it reads articles again that were mailed 1, 6 or 24 hours ago, because outlets correct what they have
published. A change becomes a new version of the article. A correction is mailed, in the same thread, to the recipients
of the first mail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    doc_md=__doc__,
    default_args=retried(2, timedelta(minutes=1)),
    **EVERY_DAG,
)
def recheck_mailed() -> None:
    """Mailed articles → their later versions."""

    @task(multiple_outputs=False, execution_timeout=timedelta(minutes=9))
    def recheck() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.recheck import recheck
        from newswatch.as_json import as_object

        return as_object(recheck(task_context()))

    recheck()


recheck_mailed()
