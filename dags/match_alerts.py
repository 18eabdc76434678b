"""### Match alerts

When articles have come in: every batch that waits is matched, in ingest order, against every saved search; each new
(saved search, story) is owed one mail; the mails owed are sent. A mail that the server would not take stays owed. A
mail that is held so that others may go with it is sent when its minute is over; the task stays for that.

Also once an hour without any article, as silence is something to tell too.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.assets import ARTICLES


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("7 * * * *", timezone="UTC"), assets=[ARTICLES]),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["newswatch"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0},
)
def match_alerts() -> None:
    """Articles in the index → e-mails."""

    @task(execution_timeout=timedelta(minutes=15))
    def match() -> dict[str, Any]:
        from dags.connections import task_context
        from jobs.match import attend

        return asdict(attend(task_context()))

    match()


match_alerts()
