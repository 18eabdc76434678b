"""Starts parts that have ended by themselves again, with growing pauses, and says so in a file for the watchman."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from newswatch import private

PAUSES_S: Final = (1.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before each try; after the last one in vain the part is given up."""
RECOVERED_S: Final = 120.0
"""Seconds after which a part that runs is well again, and its tries count anew."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part that has ended by itself lately."""

    part: str
    title: str
    since: datetime
    """When it first ended."""
    why: str
    times: int
    log: str
    runs: bool
    """Whether it runs again."""


@dataclass(frozen=True, slots=True)
class _Fate:
    trouble: Trouble
    due_s: float
    started_s: float | None = None


class Supervisor:
    """When to start which part again. It starts nothing itself; `progress` are seconds that never go back."""

    def __init__(self, path: Path, *, progress: Callable[[], float] = time.monotonic) -> None:
        """`path` is the file that shows the troubles."""
        self._path, self._progress = path, progress
        self._fates: dict[str, _Fate] = {}
        self._write()

    def ended(self, part: str, title: str, why: str, log: Path) -> bool:
        """Note that the part has ended by itself. False: it has been tried often enough."""
        was = self._fates.get(part)
        times = was.trouble.times + 1 if was else 1
        if times > len(PAUSES_S):
            return False
        since = was.trouble.since if was else datetime.now(UTC)
        trouble = Trouble(part, title, since, why, times, str(log), runs=False)
        self._fates[part] = _Fate(trouble, self._progress() + PAUSES_S[times - 1])
        self._write()
        return True

    def due(self) -> list[str]:
        """The parts to start now."""
        now = self._progress()
        return [part for part, fate in self._fates.items() if fate.started_s is None and now >= fate.due_s]

    def is_waiting(self, part: str) -> bool:
        """Whether the part has ended and is not started again yet."""
        fate = self._fates.get(part)
        return fate is not None and fate.started_s is None

    def started(self, part: str) -> None:
        """Note that the part runs again."""
        fate = self._fates[part]
        self._fates[part] = replace(fate, trouble=replace(fate.trouble, runs=True), started_s=self._progress())
        self._write()

    def forgive(self) -> None:
        """Forget the troubles of the parts that have run for long enough."""
        now = self._progress()
        well = [
            part
            for part, fate in self._fates.items()
            if fate.started_s is not None and now - fate.started_s >= RECOVERED_S
        ]
        for part in well:
            del self._fates[part]
        if well:
            self._write()

    def _write(self) -> None:
        listed = [_as_json(fate.trouble) for fate in self._fates.values()]
        private.make_folder(self._path.parent)
        private.replace(self._path, json.dumps(listed, indent=1).encode())


def _as_json(trouble: Trouble) -> dict[str, Any]:
    return asdict(trouble) | {"since": trouble.since.isoformat()}


TROUBLES: Final = "troubles.json"
"""The file's name in Airflow's folder."""


def stack_troubles(data_dir: Path) -> Path:
    """The file with the troubles of the stack's parts."""
    return data_dir / "stack-troubles.json"


def airflow_troubles(data_dir: Path) -> Path:
    """The file with the troubles of Airflow's components."""
    return data_dir / "airflow" / TROUBLES


def troubles(data_dir: Path) -> tuple[Trouble, ...]:
    """The troubles of all parts and components; none if there is no stack, or a file can't be read."""
    return (*_read(stack_troubles(data_dir)), *_read(airflow_troubles(data_dir)))


def _read(path: Path) -> tuple[Trouble, ...]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Trouble(**item | {"since": datetime.fromisoformat(item["since"])}) for item in listed)
    except (OSError, ValueError, TypeError, KeyError):
        return ()
