"""How much room the disk of the data folder has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import Probe, Report

GB: Final = 1_000_000_000
WARNING: Final = (0.10, 5 * GB)
CRITICAL: Final = (0.03, 1 * GB)
"""Free share and free bytes; a disk is too full if both are less, so that a large one isn't called full at 100 GB."""


def disk(settings: Settings) -> Probe:
    """The probe of the disk that holds `NEWSWATCH_DATA_DIR`."""
    return Probe("disk", lambda: _look(settings.data_dir))


def _look(folder: Path) -> Report:
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    usage = shutil.disk_usage(there)
    return judge(str(folder), usage.free, usage.total)


def judge(folder: str, free: int, total: int) -> Report:
    """The condition that follows from `free` and `total` bytes. Pure."""
    levels = ((Severity.CRITICAL, CRITICAL), (Severity.WARNING, WARNING))
    severity = next((level for level, limits in levels if _is_below(free, total, limits)), None)
    if severity is None:
        return Report()
    sentence = f"The disk of {folder} has {free / GB:.1f} GB left ({free / max(1, total):.0%})."
    next_step = "Free some space: Elasticsearch accepts no more articles once its disk is nearly full."
    return Report((Condition("disk", severity, sentence, next_step),))


def _is_below(free: int, total: int, limits: tuple[float, int]) -> bool:
    share, room = limits
    return free < share * total and free < room
