"""### Match alerts

When articles have arrived, it matches every waiting batch, in ingest order, against every saved search. Each new
(saved search, story) enqueues one mail, which wakes `deliver_mails`. What can't be matched goes into quarantine, and
the rest continues.

It also runs once an hour without new articles, because a silence is an event too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.assets import ARTICLES, MAILS, OWED


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
    """Articles in the index → mails in the outbox."""

    @task(outlets=[OWED], execution_timeout=timedelta(minutes=15))
    def match(*, outlet_events: Any = None) -> dict[str, Any]:
        from dags.connections import task_context
        from jobs.match import match
        from newswatch.as_json import as_object

        report = match(task_context())
        if report.owed:
            outlet_events[OWED].add(MAILS)
        return as_object(report)

    match()


match_alerts()
