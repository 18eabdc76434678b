"""Airflow's listener for DAG files that can't be imported: their jobs don't run, and no callback is called for them.

Airflow's DAG processor calls it, inside a transaction of its database, so the pulse is written by a thread. Every
process of Airflow loads this module as part of the plugin `newswatch`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Thread

from airflow.listeners import hookimpl

MOST = 3
"""Attempts that a file which can't be imported counts as: none will succeed before it is corrected."""

log = logging.getLogger(__name__)


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """Record that a file can't be imported."""
    Thread(target=record, args=(filename, stacktrace), daemon=True).start()


@hookimpl
def on_existing_dag_import_error(filename: str, stacktrace: str) -> None:
    """The same at each later attempt, in case that the pulse could not be written before."""
    Thread(target=record, args=(filename, stacktrace), daemon=True).start()


def record(filename: str, stacktrace: str) -> None:
    """Record in the pulse that a DAG file of ours can't be imported; other files are ignored."""
    from dags.failures import JOB_OF_DAG, note

    path = Path(filename)
    if path.stem not in JOB_OF_DAG or path.resolve().parent != Path(__file__).resolve().parent:
        return
    reason = next((line for line in reversed(stacktrace.splitlines()) if line.strip()), "no reason was given").strip()
    try:
        note(
            JOB_OF_DAG[path.stem],
            f"The DAG file {path.name} can't be imported, so nothing in it runs: {reason}",
            attempts=MOST,
        )
    except Exception:
        log.exception("%s can't be imported (%s), and this could not be recorded", path.name, reason)
