"""What a task begins with. A task imports it before any job, because it makes the jobs' imports cheaper.

Each task is a new process, whose processor time is mostly spent on imports.
"""

from __future__ import annotations

import jobs.lean_start  # noqa: F401 - it decides what is imported after it

# isort: split
from dags import statistics
from dags.connections import airflow_settings
from jobs.context import Context, open_context


def task_context() -> Context:
    """The context of a task, whose runs' counts go where Airflow sends its own metrics."""
    return statistics.followed(open_context(airflow_settings(), check_channels=False))
