"""Imports, once for all tasks, what each of them would import anew.

Airflow forks a task's process from a worker's, so what a worker's process has imported is there already: most of what
a short task costs is imports. Airflow imports this module in all its processes (`airflow.policy` in pyproject.toml);
only those from which tasks are forked act on it. They import code alone: no settings are read and nothing is opened.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

from airflow.configuration import conf

FIRST = "jobs.lean_start"
"""It decides what is imported after it."""
OF_AIRFLOW = ("airflow.dag_processing.dagbag",)
"""What Airflow imports in each task beyond what a worker has, which is half a second."""
OF_TASKS = ("jobs.plan", "jobs.pull.batch", "jobs.announce", "jobs.match", "jobs.deliver")
"""The jobs that run every minute. Those that run seldom are imported by their tasks."""

_log = logging.getLogger(__name__)


def forks_tasks(arguments: Sequence[str], executor: str) -> bool:
    """Whether `airflow` with these arguments is a process from which tasks are forked."""
    match [word for word in arguments if not word.startswith("-")]:
        case ["celery", "worker", *_]:
            return True
        case ["scheduler", *_]:
            return "LocalExecutor" in executor
    return False


def preload() -> None:
    """Import it. What can't be imported here is told, and left to the tasks, which then say why they fail."""
    for name in (FIRST, *OF_AIRFLOW, *OF_TASKS):
        try:
            importlib.import_module(name)
        except Exception:  # a worker that starts more slowly is better than none
            _log.exception("%s could not be imported before the tasks; each of them will try", name)


if forks_tasks(sys.argv[1:], conf.get("core", "executor", fallback="")):
    preload()
