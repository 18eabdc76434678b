"""The files of an embedded stack: what its state file says, and which of them are closed to other users."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from newswatch import private

PRIVATE = ("mails", "airflow", "logs", "stack.json", "stack.lock", "stack-troubles.json", "watch.json", "secret-key")
"""The files and folders in the data folder that are closed to other users, file by file."""

PartName = Literal["elasticsearch", "mail", "airflow", "fast-lane", "watchman"]


@dataclass(frozen=True, slots=True)
class Part:
    """A running part, as in the state file."""

    name: PartName
    address: str
    pid: int
    log: str


@dataclass(frozen=True, slots=True)
class State:
    """The state file: which process runs the stack, since when, and what it runs."""

    pid: int
    created: float
    """When that process was created, in seconds since the epoch, because process ids are reused."""
    ready: bool
    started_at: str
    log_dir: str
    parts: tuple[Part, ...] = field(default=())

    @classmethod
    def read(cls, path: Path) -> State | None:
        """The content of the file; None if it is missing or is not a state file."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**stored, "parts": tuple(Part(**part) for part in stored["parts"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: Path) -> None:
        """Replace the file at once."""
        private.replace(path, json.dumps(asdict(self), indent=1).encode())

    def process(self) -> psutil.Process | None:
        """The process that runs the stack, if it is still running."""
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.created) < 1 else None
        except psutil.Error:
            return None


def mail_folder(data_dir: Path) -> Path:
    """The folder of the mail catcher's mails."""
    return data_dir / "mails"


def close_to_others(data_dir: Path) -> list[Path]:
    """Make the data folder and the stack's files in it private to their owner; returns those that couldn't be changed.

    Elasticsearch's own files are protected by their folder. The user's other files in the data folder are not changed.
    """
    alone = [folder for folder in (data_dir, data_dir / "elasticsearch") if folder.exists()]
    whole = [path for path in (data_dir / name for name in PRIVATE) if path.exists()]
    return [*private.tighten(*alone, inside=False), *private.tighten(*whole)]


def state_file(data_dir: Path) -> Path:
    """The file in which a running stack records what it runs."""
    return data_dir / "stack.json"
