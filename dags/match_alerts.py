"""### Match alerts

When articles have arrived, it matches every waiting batch, in ingest order, against every saved search. Each new
(saved search, story) enqueues one mail, which wakes `deliver_mails`. What can't be matched goes into quarantine, and
the rest continues.

Two runs may be active, but only one matches at a time: the other waits for its turn, and takes over within 20 seconds
from a worker that has died, long before Airflow notices that.

It also runs once an hour without new articles, because a silence is an event too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.assets import ARTICLES, MAILS, OWED
from dags.deadlines import in_time
from dags.defaults import EVERY_DAG, retried
from dags.places import FIRST


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("7 * * * *", timezone="UTC"), assets=[ARTICLES]),
    max_active_runs=2,
    doc_md=__doc__,
    **in_time("match_alerts", "match", late=timedelta(minutes=2), given_up=timedelta(minutes=16)),
    default_args=retried(2, timedelta(seconds=10)),
    **EVERY_DAG,
)
def match_alerts() -> None:
    """Articles in the index → mails in the outbox."""

    @task(outlets=[OWED], multiple_outputs=False, execution_timeout=timedelta(minutes=15), priority_weight=FIRST)
    def match(*, outlet_events: Any = None) -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.match import match
        from newswatch.as_json import as_object

        report = match(task_context())
        if report.owed:
            outlet_events[OWED].add(MAILS)
        return as_object(report)

    match()


match_alerts()
