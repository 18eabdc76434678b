"""The configuration files as this machine reads them.

They are read by a process of their own, and only after one of them has changed: the code that reads them needs more
memory than all of the watchman, and the taxonomy half a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from newswatch import private
from newswatch.errors import ConfigError
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import BLIND, Probe, Report

READ_S: Final = 60.0
"""Seconds for reading all files."""
FILES: Final = ("feeds.yaml", "taxonomy.yaml", "alerts.yaml")

Stamps = tuple[tuple[str, int, int], ...]
"""Name, time and size of every file: what shows that one has changed."""


def configuration(settings: Settings, deadline_s: float) -> Probe:
    """The probe of the files in `NEWSWATCH_CONFIG_DIR`; a reading that takes longer counts at a later look."""
    kept: dict[Stamps, Report] = {}

    def run() -> Report:
        stamps = stamps_of(settings.config_dir)
        if stamps not in kept:
            report = _ask(settings)
            if report.blind:
                return report
            kept.clear()
            kept[stamps] = report
        return kept[stamps]

    return Probe("configuration", run, deadline_s)


def stamps_of(folder: Path) -> Stamps:
    """The state of the files in the folder, those of languages too."""
    paths = [*(folder / name for name in FILES), *sorted(folder.glob("languages/*.yaml"))]
    return tuple(stamp for path in paths for stamp in _stamp(path))


def _stamp(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        found = path.stat()
    except OSError:
        return
    yield str(path), found.st_mtime_ns, found.st_size


def _ask(settings: Settings) -> Report:
    command = [sys.executable, "-m", "observe.probes.configuration", str(settings.config_dir)]
    try:
        read = subprocess.run(command, capture_output=True, timeout=READ_S, check=True, umask=private.UMASK)  # noqa: S603
        faults: dict[str, str] = json.loads(read.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return Report(blind=BLIND.blind, note=f"configuration: it can't be read by a process of its own ({error})")
    return Report(tuple(_wrong(settings.config_dir, name, why) for name, why in faults.items()))


def _wrong(folder: Path, name: str, why: str) -> Condition:
    changed = next((stamp[1] for stamp in _stamp(folder / name)), None)
    return Condition(
        f"configuration:{name}",
        Severity.WARNING,
        f"{name} is wrong, so its last version is not in force: {why}",
        "Correct the line that is named.",
        datetime.fromtimestamp(changed / 1e9, UTC) if changed else None,
    )


# ── in a process of its own ──────────────────────────────────────────────────────────────────────────────────────────


def faults(folder: Path) -> dict[str, str]:
    """File → what is wrong with it; files that are right are missing."""
    found = ((name, _fault(read, folder / name)) for name, read in _readers().items())
    return {name: why for name, why in found if why}


def _readers() -> dict[str, Callable[[Path], Any]]:
    from alerts.definitions import load_alerts
    from delivery.channels.registry import parse_address
    from ingest.feed_list.feeds import load_feeds
    from newswatch.languages import languages
    from transforms.taxonomy import load_taxonomy

    return {
        "languages": lambda _: languages(),
        "feeds.yaml": load_feeds,
        "taxonomy.yaml": load_taxonomy,
        "alerts.yaml": lambda path: load_alerts(path, parse_address),
    }


def _fault(read: Callable[[Path], Any], path: Path) -> str:
    try:
        read(path)
    except ConfigError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    print(json.dumps(faults(Path(sys.argv[1]))))
