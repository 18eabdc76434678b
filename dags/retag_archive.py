"""### Retag the archive

Run by hand after the taxonomy has changed (see `docs/tagging.md`). It tags every article that carries another version
of the taxonomy again from its stored text, one month per task. Nobody is mailed. With `dry_run` it writes nothing, and
the tasks return which tags articles would gain and lose, with examples. A second run continues where the first stopped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.defaults import EVERY_DAG, retried


@dag(
    schedule=None,
    max_active_runs=1,
    max_active_tasks=2,
    dagrun_timeout=timedelta(days=7),
    doc_md=__doc__,
    params={"dry_run": Param(True, type="boolean", description="Only show what would change.")},
    default_args=retried(3, timedelta(minutes=1)),
    **EVERY_DAG,
)
def retag_archive() -> None:
    """The archive under today's taxonomy."""

    @task(execution_timeout=timedelta(minutes=10))
    def slices() -> list[str]:
        from dags.tasks import task_context
        from jobs.retag import slices

        return slices(task_context())

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=12))
    def retag(index: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        from dags.tasks import task_context
        from jobs.retag import retag
        from newswatch.as_json import as_object

        return as_object(retag(task_context(), [index], dry_run=bool(params and params["dry_run"])))

    retag.expand(index=slices())


retag_archive()
