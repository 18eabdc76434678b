"""The watchman of the embedded stack: `observe.watch` in a separate process, which this package can't import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from embedded.processes import Child
from newswatch.settings import Settings

TITLE: Final = "The watchman"
_MAIN: Final = "from store.elastic.lean import load; load(); from observe.watch import main; main()"
LOCK: Final = "watch.lock"
"""Its lock in the data folder; the file's time is that of its last look."""


def start_watchman(settings: Settings, airflow_url: str | None, log_file: Path) -> Child:
    """Start the watchman of the stack with these settings.

    Raises:
        StackError: its log can't be written.
    """
    environment = settings.environment() | {"NEWSWATCH_DATA_DIR": str(settings.data_dir.resolve())}
    if airflow_url and not settings.airflow_url:
        environment["NEWSWATCH_AIRFLOW_URL"] = airflow_url
    return Child.start(TITLE, (sys.executable, "-c", _MAIN), log_file, settings.data_dir, environment)
