"""`newswatch settings`: shows every setting, its variable and its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.padding import Padding

from cli.output import AsJson, emit_json, out

if TYPE_CHECKING:
    from newswatch.settings import Settings


VECTORS = "NEWSWATCH_VECTORS"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(settings)


def settings(
    only_set: Annotated[bool, typer.Option("--set", help="Only settings that differ from the default.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the settings: environment variable, value, purpose. Passwords and keys are not shown."""
    from newswatch.settings import Settings

    stated = Settings()
    rows = [
        (f"NEWSWATCH_{name.upper()}", _shown(getattr(stated, name)), name in stated.model_fields_set, field.description)
        for name, field in Settings.model_fields.items()
        if name in stated.model_fields_set or not only_set
    ]
    reason = _why_no_vectors(stated)
    if as_json:
        for variable, value, is_set, description in rows:
            emit_json({"variable": variable, "value": value, "set": is_set, "description": description})
        return
    if not rows:
        out.print("Every setting has its default. [cyan]newswatch settings[/] shows them.")
        return
    for variable, value, is_set, description in rows:
        name = f"[bold cyan]{variable}[/]" if is_set else f"[bold]{variable}[/]"
        unused = f" [yellow]without effect: {escape(reason)}[/]" if variable == VECTORS and reason else ""
        out.print(name, ("[dim]not set[/]" if value is None else escape(value)) + unused, soft_wrap=True)
        out.print(Padding(f"[dim]{escape(description or '')}[/]", (0, 0, 0, 2), expand=False))


def _why_no_vectors(settings: Settings) -> str:
    from transforms.encoder import why_none

    return why_none(tried=True) if settings.vectors else ""


def _shown(value: object) -> str | None:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or None
    return str(value) if value not in (None, "") else None
