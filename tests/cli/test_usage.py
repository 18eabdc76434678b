"""What every command keeps to: its help, and the times it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from cli import main
from cli.main import app


def helps(command: Any, name: str = "newswatch") -> Iterator[tuple[str, str]]:
    """Each command and option with its help."""
    yield name, command.help or ""
    yield from ((f"{name} {one.name}", getattr(one, "help", None) or "") for one in command.params)
    for of, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{name} {of}")


def test_no_help_loses_what_stands_in_brackets() -> None:
    lost = {name: text for name, text in helps(typer.main.get_command(app)) if Text.from_markup(text).plain != text}
    assert lost == {}


def test_no_time_is_shown_without_its_zone() -> None:
    sources = {file.name: file.read_text(encoding="utf-8") for file in Path(main.__file__).parent.glob("*.py")}
    # The rows of a table may leave it to the column's heading.
    told = {name: text.splitlines() for name, text in sources.items() if "(UTC)" not in text}
    timed = [f"{name}: {line.strip()}" for name, lines in told.items() for line in lines if "%H:%M" in line]
    assert timed
    assert [line for line in timed if "%Z" not in line and "UTC" not in line] == []
