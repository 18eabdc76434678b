"""### Poll feeds

Every minute, `plan` leases the feeds that are due and divides them into a few batches; a site is never split over two.
`pull` polls one batch and indexes its articles. If there are any, it wakes `match_alerts` without waiting for the other
batches. `announce` wakes `match_alerts` for batches that were waiting already, such as one whose worker died, and
`deliver_mails` for mails that have come due.

A batch with a slow host may take longer than a minute. The next run starts all the same and leaves alone the feeds and
sites that the batch is still polling. A task that dies half-way loses nothing: its feeds come due again when their
lease ends, and the articles it had indexed are matched.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.assets import ARTICLES, BROUGHT, MAILS, OWED


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    doc_md=__doc__,
    tags=["newswatch"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0},
)
def poll_feeds() -> None:
    """Feeds → articles in the index."""

    @task
    def plan() -> list[int]:
        from dags.connections import task_context
        from jobs.plan import plan

        return list(plan(task_context()).batches)

    @task(outlets=[BROUGHT], execution_timeout=timedelta(minutes=15))
    def pull(batch: int, *, outlet_events: Any = None) -> dict[str, float]:
        from dags.connections import task_context
        from jobs.pull import pull

        counts = pull(task_context(), batch).counts()
        if counts["new"] or counts["updated"]:
            outlet_events[BROUGHT].add(ARTICLES)
        return counts

    @task(outlets=[BROUGHT, OWED], trigger_rule="all_done")
    def announce(*, outlet_events: Any = None) -> None:
        from dags.connections import task_context
        from jobs.deliver import mails_wait
        from jobs.match import batch_waits

        context = task_context()
        if batch_waits(context):
            outlet_events[BROUGHT].add(ARTICLES)
        if mails_wait(context):
            outlet_events[OWED].add(MAILS)

    planned = plan()
    pull.expand(batch=planned)
    planned >> announce()


poll_feeds()
