"""### Deliver mails

Sends the mails that are due, the recipient who has waited longest first. Runs when mails are enqueued or come due, and
every ten minutes in case nothing woke it.

A mail that the server did not accept stays in the outbox. A mail that is held back for grouping is sent when its time
(`NEWSWATCH_MAIL_GROUP_S`) is over; the task waits for it.

Delivery is a DAG of its own, so that a slow mail server does not delay matching and a failing match does not delay
mails. Two runs may be active: a recipient is leased to one of them, and a worker that has died holds up nobody else's
mails. After ten minutes (`NEWSWATCH_MAIL_RUN_S`) a run starts no more mails and leaves the rest to the next run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.assets import MAILS
from dags.defaults import EVERY_DAG, retried
from dags.places import FIRST


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=[MAILS]),
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=16),
    doc_md=__doc__,
    default_args=retried(2, timedelta(seconds=10)),
    **EVERY_DAG,
)
def deliver_mails() -> None:
    """Due mails → e-mails."""

    # Longer than a run, plus the time for its last mail and for closing the connection.
    @task(multiple_outputs=False, execution_timeout=timedelta(minutes=15), priority_weight=FIRST)
    def deliver() -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.deliver import run
        from newswatch.as_json import as_object

        return as_object(run(task_context()))

    deliver()


deliver_mails()
