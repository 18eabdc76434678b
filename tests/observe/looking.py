"""A watchman of its own process that is in a hurry, and how a test sees that it goes on looking."""

from __future__ import annotations

import time
from pathlib import Path

MAIN = "import observe.watch; observe.watch.PAUSES_S = (1.0, 2.0); from cli.main import run; run()"
"""The command, with a way that failed being tried again after seconds instead of minutes."""
LOOKS = 4
"""After so many whole looks what was told twice would be there."""
PATIENCE_S = 180.0


def await_looks(data_dir: Path, log: Path, times: int = LOOKS) -> None:
    """Return once the watchman of the folder has looked so often again: it touches its lock after each look."""
    lock, deadline = data_dir / "watch.lock", time.monotonic() + PATIENCE_S
    seen = lock.stat().st_mtime_ns
    while times:
        assert time.monotonic() < deadline, log.read_text()[-2_000:]
        time.sleep(0.05)
        now = lock.stat().st_mtime_ns
        times, seen = times - (now != seen), now
