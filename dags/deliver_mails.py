"""### Deliver mails

When mails are owed, or have come due: they are sent, whoever has waited longest first. A mail that the server would not
take stays owed. A mail that is held so that others may go with it is sent when its minute is over; the task stays for
that.

Apart from `match_alerts`, so that a mail server that dawdles never holds up matching, and nothing that can't be matched
holds up a mail. A run begins no more mails after ten minutes (`NEWSWATCH_MAIL_RUN_S`) and leaves the rest to the next.

Also every ten minutes, should nobody have woken it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.assets import MAILS


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=[MAILS]),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["newswatch"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0},
)
def deliver_mails() -> None:
    """Mails owed → e-mails."""

    # More than a run's time, one mail's and its saying goodbye together.
    @task(execution_timeout=timedelta(minutes=15))
    def deliver() -> dict[str, Any]:
        from dags.connections import task_context
        from jobs.deliver import attend
        from newswatch.as_json import as_object

        return as_object(attend(task_context()))

    deliver()


deliver_mails()
