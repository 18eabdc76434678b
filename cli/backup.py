"""`newswatch backup`: takes, lists, restores and tries snapshots of everything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, ago, emit_json, err, out, stated, who, working
from newswatch.some_of import some_of

if TYPE_CHECKING:
    from jobs.backup import Restored

app = typer.Typer(help="Backups: Elasticsearch's snapshots of everything.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(help="A backup's name; otherwise the newest complete one.")]


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="backup", rich_help_panel="Run")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the backups, the newest first."""
    from jobs.backup import listed
    from newswatch.clock import utc_now

    found = listed(stated())
    if as_json:
        for each in found:
            emit_json(each)
        return
    if not found:
        out.print("There is none yet: [cyan]newswatch backup now[/] takes one.")
        return
    table = Table("Backup", "Of", "", "Took", "Indices", box=None, header_style="bold")
    for each in found:
        state = "" if each.is_good else f"[red]{escape(each.state.lower())}[/]"
        table.add_row(each.name, ago(each.begun_at, utc_now()), state, f"{each.seconds:.1f} s", str(len(each.indices)))
    out.print(table)
    for each in found:
        _tell_lacking(each.name, each.lacking)


@app.command()
def now(as_json: AsJson = False) -> None:
    """Take one now, and forget those that are too old: runs the DAG `nightly_backup` once."""
    from jobs.backup import backup, listed
    from jobs.context import open_context

    listed(stated())  # refuses settings without a location
    with working("Taking a backup …"):
        report = backup(open_context())
    if as_json:
        emit_json(report)
        return
    forgotten = f"; {report.forgotten} old ones are forgotten" if report.forgotten else ""
    out.print(
        f"[bold]{report.taken}[/]: {report.indices} indices in {report.seconds:.1f} s{forgotten}.", soft_wrap=True
    )
    _tell_lacking(report.taken, report.lacking)


@app.command()
def restore(
    name: Name = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put what is there into a backup of its own, and take it away.")
    ] = False,
    untried: Annotated[
        bool,
        typer.Option("--untried", help="With --replace: don't first restore a copy, for which there must be room."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of what Elasticsearch holds. Stop Airflow and the fast lane first.

    `newswatch up --no-airflow --no-fast-lane` starts Elasticsearch without them.
    """
    from jobs.backup import restore as run

    with working("Restoring …"):
        tell = partial(err.print, soft_wrap=True)
        done = run(stated(), name, replace=replace, untried=untried, told=tell, by=who())
    if as_json:
        emit_json(done)
        return
    _show(done)
    out.print(f"[bold]{escape(done.backup.name)}[/] is restored, in {done.seconds:.1f} s.", soft_wrap=True)
    out.print("Start Airflow and the fast lane again. What feeds still show and came after the backup is read again.")


@app.command()
def drill(name: Name = None, as_json: AsJson = False) -> None:
    """Try a backup: restore it beside what is there, count what it holds, and take it away again.

    Needs as much free disk as the backup has indices. Exits with 4 if it can't be restored.
    """
    from jobs.backup import drill as run

    with working("Restoring a copy …"):
        done = run(stated(), name)
    if as_json:
        emit_json(done)
        return
    _show(done)
    out.print(
        f"[green]✓[/] [bold]{escape(done.backup.name)}[/] can be restored; it took {done.seconds:.1f} s. "
        "The copy is gone again.",
        soft_wrap=True,
    )


@app.command()
def reopen() -> None:
    """Have Elasticsearch read the folder of the backups anew, after it was mounted, or put back from a copy."""
    from jobs.backup import reopen as run

    found = run(stated())
    out.print(f"The folder is open again; it has {len(found)} backups.")


def _tell_lacking(name: str, lacking: Sequence[str]) -> None:
    if lacking:
        closed = escape(some_of(lacking, len(lacking)))
        why = "was closed" if len(lacking) == 1 else "were closed"
        err.print(
            f"[red]{escape(name)} lacks {closed}[/], which {why} when it was taken: open it, and back up again.",
            soft_wrap=True,
        )


def _show(done: Restored) -> None:
    table = Table("Index", "Documents", *(["Now"] if done.live else []), box=None, header_style="bold")
    for index, count in done.documents.items():
        table.add_row(index, f"{count:,}", *([f"{done.live[index]:,}"] if done.live else []))
    out.print(table)
