"""The fast lane of the embedded stack: `jobs.fast.lane` in a separate process, which this package can't import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from embedded.processes import Child
from newswatch.settings import Settings

TITLE: Final = "The fast lane"
BEAT: Final = "fast-lane.beat"
"""The file in the data folder whose time is that of its last sign of life."""
_MAIN: Final = "from jobs.fast.process import main; main()"


def start_fast_lane(settings: Settings, log_file: Path) -> Child:
    """Start the fast lane of the stack with these settings.

    Raises:
        StackError: its log can't be written.
    """
    environment = settings.environment() | {"NEWSWATCH_DATA_DIR": str(settings.data_dir.resolve())}
    return Child.start(TITLE, (sys.executable, "-c", _MAIN), log_file, settings.data_dir, environment)
