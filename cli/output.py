"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

STAGES = "A stage by itself"
"""Where `--help` lists the commands that run one stage, without any server."""

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table, for scripts.")]


def emit_json(value: Any) -> None:
    """One JSON document on a line of its own; dataclasses as objects, times in ISO 8601."""
    # Half of a surrogate pair, which a publisher may send, can't be written out; as JSON escapes it, it can.
    sys.stdout.write(as_json_line(value).encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def as_json_line(value: Any) -> str:
    """The same, as a string."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def printable(text: str, size: int) -> str:
    """A stranger's text for the terminal, at most `size` characters: nothing in it moves the cursor or colours."""
    shown = "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text[:size])
    return shown if len(text) <= size else f"{shown}… ({len(text) - size:,} more characters)"


def ago(moment: datetime | None, now: datetime) -> str:
    """A past or coming moment as a person says it: "3 min ago", "in 2 h"."""
    if moment is None:
        return "–"
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    told = next(f"{size / unit:.0f} {name}" for unit, name in _UNITS if size >= unit or unit == 1)
    return f"{told} ago" if seconds >= 0 else f"in {told}"


_UNITS: tuple[tuple[int, str], ...] = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

Register = Callable[[typer.Typer], None]
