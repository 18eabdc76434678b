"""### Feed health

Once a day it mails the operator (`NEWSWATCH_OPERATOR`) which feeds have broken, gone silent, may have missed items or
have recovered since the last such mail, since when and why. It sends no mail if nothing has changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("30 6 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["newswatch"],
    default_args={"retries": 5, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": 2.0},
)
def feed_health() -> None:
    """The feeds' states → one mail, if any state has changed."""

    @task(execution_timeout=timedelta(minutes=10))
    def tell() -> dict[str, Any]:
        from dags.connections import task_context
        from jobs.health import health
        from newswatch.as_json import as_object

        report = as_object(health(task_context()))
        return report | {"changes": len(report["changes"])}

    tell()


feed_health()
