"""The help of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from rich.text import Text

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
