"""### Poll feeds

Every minute, `plan` leases the feeds that are due and divides them into batches of up to `NEWSWATCH_FEEDS_PER_BATCH`; a
site is never split over two. While much waits for a worker, it leases less. `pull` polls one batch and indexes its
articles. If there are any, it wakes `match_alerts` without waiting for the other batches. `announce` wakes
`match_alerts` for batches that were waiting already, such as one whose worker died, and `deliver_mails` for due mails.

A batch with a slow host may take longer than a minute; the next run starts all the same, without its feeds and sites. A
task that dies half-way loses nothing: its feeds come due again when their lease ends, and what it indexed is matched.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.assets import ARTICLES, BROUGHT, MAILS, OWED
from dags.deadlines import in_time
from dags.defaults import EVERY_DAG, retried
from dags.places import places_for_pulls


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    max_active_runs=16,
    doc_md=__doc__,
    **in_time("poll_feeds", "pull", late=timedelta(minutes=15), given_up=timedelta(minutes=40)),
    default_args=retried(2, timedelta(seconds=10)),
    **EVERY_DAG,
)
def poll_feeds() -> None:
    """Feeds → articles in the index."""
    limited: dict[str, Any] = {"max_active_tis_per_dag": places_for_pulls()}

    @task(execution_timeout=timedelta(minutes=5))
    def plan(run_id: str | None = None) -> list[int]:
        from dags.tasks import task_context
        from jobs.plan import plan

        return list(plan(task_context(), planned_by=run_id or "").batches)

    @task(outlets=[BROUGHT], multiple_outputs=False, execution_timeout=timedelta(minutes=15), **limited)
    def pull(batch: int, *, outlet_events: Any = None) -> dict[str, float]:
        from dags.tasks import task_context
        from jobs.pull.batch import pull

        counts = pull(task_context(), batch).counts()
        if counts["new"] or counts["updated"]:
            outlet_events[BROUGHT].add(ARTICLES)
        return counts

    @task(outlets=[BROUGHT, OWED], trigger_rule="all_done", execution_timeout=timedelta(minutes=5))
    def announce(*, outlet_events: Any = None) -> None:
        from dags.tasks import task_context
        from jobs.announce import announce

        waits = announce(task_context())
        if waits.batch:
            outlet_events[BROUGHT].add(ARTICLES)
        if waits.mails:
            outlet_events[OWED].add(MAILS)

    planned = plan()
    pull.expand(batch=planned)
    planned >> announce()


poll_feeds()
