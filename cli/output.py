"""Output of the commands: results on standard output, everything else on standard error."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from newswatch import durations
from newswatch.as_json import json_line

if TYPE_CHECKING:
    from newswatch.settings import Settings

PIPED_COLUMNS = 2_000
"""Width of the output where there is no terminal: nothing is cut for a line that nobody looks at."""


def _width() -> int | None:
    """The width of standard output; None: the terminal's, or what COLUMNS says."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_COLUMNS


out = Console(width=_width())
err = Console(stderr=True)

STAGES = "A single stage"
"""Heading in `--help` for the commands that run one stage, without a server."""

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table, for scripts.")]


def emit_json(value: Any) -> None:
    """Write one JSON document on its own line (see `newswatch.as_json`), in UTF-8 whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json_line(value).encode() + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def working(on: str) -> Iterator[None]:
    """Show on standard error what is being done: a moving sign on a terminal, elsewhere one line."""
    if not err.is_terminal:
        err.print(on, soft_wrap=True)
        yield
        return
    with err.status(on):
        yield


def os_fault(error: OSError) -> str:
    """The operating system's refusal as a sentence that names the file and the next step."""
    if error.filename is None:
        return f"{error.strerror or error}."
    step = ", or change its permissions" if isinstance(error, PermissionError) else ""
    return f"{error.filename} can't be read or written: {error.strerror}. Name another{step}."


def stated() -> Settings:
    """The settings; imported here, as reading their schema takes longer than all of `newswatch --help`."""
    from newswatch.settings import Settings

    return Settings()


def login() -> str:
    """The name of whoever runs this command; "uid N" where it has none, as in a container of its host's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def who() -> str:
    """Who runs this command, for the records of what is changed."""
    return f"{login()} (command line)"


def printable(text: str, size: int) -> str:
    """Other people's text for the terminal, at most `size` characters, without control characters."""
    shown = "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text[:size])
    return shown if len(text) <= size else f"{shown}… ({len(text) - size:,} more characters)"


def ago(moment: datetime | None, now: datetime) -> str:
    """A past or future moment as `newswatch.durations.ago` writes it; a dash for None."""
    if moment is None:
        return "–"
    return durations.ago(moment, now)


Register = Callable[[typer.Typer], None]
