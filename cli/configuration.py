"""`newswatch config`: checks what is configured, shows which version of each file is in force, and changes that."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.output import AsJson, ago, emit_json, err, out, who
from newswatch.errors import ConfigError, NewswatchError

if TYPE_CHECKING:
    from datetime import datetime

    from store.configuration import Kept

app = typer.Typer(help="The configuration: check it, and which version is in force.", no_args_is_help=True)

NAME = "config"
"""The command, which is the one that reports mistyped variables instead of being stopped by them."""


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name=NAME, rich_help_panel="Run")


@app.command()
def check(
    compose: Annotated[
        Path | None, typer.Option("--compose", metavar="FILE", help="Check this .env of docker-compose.yml, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check all settings, feeds.yaml, alerts.yaml, taxonomy.yaml and the languages. Exits with 3 if anything is wrong.

    Needs no server. Where Elasticsearch answers, its nodes and what other machines found are checked too.
    """
    from jobs.config_check import check_everything

    report = check_everything(compose=compose)
    if as_json:
        emit_json({"ok": report.ok, "checked": report.checked, "faults": report.faults, "asked": report.asked})
    else:
        for line in report.checked:
            out.print(Text(line, style="dim"), soft_wrap=True)
        for fault in report.faults:
            kind = "[bold red]error[/]" if fault.is_error else "[yellow]warning[/]"
            out.print(f"{kind} {escape(str(fault))}", soft_wrap=True)
        if not report.asked:
            missing = "Elasticsearch does not answer: its nodes and other machines' files were not checked."
            out.print(Text(missing, style="dim"), soft_wrap=True)
        errors = sum(fault.is_error for fault in report.faults)
        warnings = len(report.faults) - errors
        out.print(f"[bold]{errors}[/] error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}.")
    if not report.ok:
        raise typer.Exit(ConfigError.exit_code)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="feeds.yaml, alerts.yaml or taxonomy.yaml: print its text.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which version of each file is in force, from which machine and since when; with FILE, print that version."""
    from jobs.context import open_context
    from store.configuration import ConfigurationStore

    context = open_context()
    store = ConfigurationStore(context.es, context.names)
    if name is not None:
        text = store.text(store.kept(_known(name)))
        if text is None:
            raise NewswatchError(f"No version of {name} is in force yet: the next `newswatch poll` takes the file.")
        sys.stdout.write(text.text)
        return
    every, folder, now = store.all(), context.settings.config_dir, context.clock()
    if as_json:
        for kept in every:
            emit_json(_json(kept, folder))
        return
    if not every:
        out.print("No version is in force yet: the next [cyan]newswatch poll[/] takes the files.")
        return
    table = Table("File", "Version", "Of", "From", "In force since", "This machine's", box=None, header_style="bold")
    for kept in every:
        table.add_row(*_row(kept, folder, now))
    out.print(table)
    for kept in every:
        for wrong in kept.wrong:
            out.print(
                f"[red]{escape(kept.name)} on {escape(wrong.host)}, {ago(wrong.since, now)}:[/] {escape(wrong.why)}",
                soft_wrap=True,
            )


def _row(kept: Kept, folder: Path, now: datetime) -> tuple[str, ...]:
    if not kept.hash or kept.changed_at is None:
        return kept.name, "–", "–", "–", "–", "wrong" if kept.wrong else "good"
    of = f"{kept.changed_at:%Y-%m-%d %H:%M} UTC"
    return kept.name, kept.hash[:12], of, f"{kept.host}:{kept.path}", ago(kept.since, now), _own(kept, folder)


def _own(kept: Kept, folder: Path) -> str:
    """What this machine's file is beside the version in force."""
    from newswatch import config

    try:
        return "the same" if config.written(folder / kept.name).hash == kept.hash else "another"
    except ConfigError:
        return "can't be read"


def _json(kept: Kept, folder: Path) -> dict[str, Any]:
    return {
        "file": kept.name,
        "hash": kept.hash or None,
        "changed_at": kept.changed_at,
        "since": kept.since,
        "host": kept.host or None,
        "path": kept.path or None,
        "own": _own(kept, folder) if kept.hash else None,
        "wrong": kept.wrong,
    }


@app.command()
def use(
    file: Annotated[Path, typer.Argument(help="The file to put in force, on this machine.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="FILE", help="What it is, if its name doesn't say so: feeds.yaml, …")
    ] = None,
) -> None:
    """Put a file in force on all machines, though it is older than the version in force. It is checked first."""
    from jobs.configuration import use as put_in_force
    from jobs.context import open_context

    kept = put_in_force(open_context(), file, _known(name or file.name), by=who())
    out.print(f"[green]in force[/] {escape(kept.name)} {kept.hash[:12]} from {escape(str(file))}", soft_wrap=True)


def _known(name: str) -> str:
    from newswatch.config import did_you_mean
    from store.configuration import FILES

    if name not in FILES:
        listed = ", ".join(FILES)
        raise typer.BadParameter(f"{name!r} is none of {listed}{did_you_mean(name, FILES)}")
    return name


def refuse_mistyped() -> None:
    """Raise a ConfigError for variables that look like settings and are none: nobody reads what they say."""
    from newswatch.setting_faults import mistyped

    if found := mistyped(os.environ):
        more = f" (and {len(found) - 1} more: `newswatch config check` lists them)" if found[1:] else ""
        raise ConfigError(found[0].variables[0], None, found[0].message + more)


def refuse_disagreements() -> None:
    """Raise a ConfigError for settings that can't work together; print what works, but hardly as intended."""
    from newswatch.setting_faults import disagreements
    from newswatch.settings import Settings

    for finding in disagreements(Settings()):
        if finding.is_error:
            raise ConfigError(", ".join(finding.variables), None, finding.message)
        err.print(f"[yellow]{escape(str(finding))}[/]", soft_wrap=True)
