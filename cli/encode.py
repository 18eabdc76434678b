"""`newswatch encode`: gives stored articles the vectors that they lack."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import AsJson, emit_json, err, out


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(encode)


def encode(
    days: Annotated[
        int | None, typer.Option(min=1, help="Only articles first seen in the last N days.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Encode tagged articles from before there was an encoder, or from before it changed. Stories stay as they are.

    Some ten articles a second, the newest first; run it again if it was interrupted.
    """
    from jobs.context import open_context
    from jobs.encode import encode as run

    context = open_context()
    from rich.progress import Progress

    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task("Encoding", total=None)
        report = run(
            context,
            days=days,
            dry_run=dry_run,
            progress=lambda done, all_: progress.update(bar, completed=done, total=all_),
        )
    if as_json:
        emit_json(report)
        return
    done = "would be encoded" if dry_run else "encoded"
    count = report.lacking if dry_run else report.encoded
    out.print(f"[bold]{count}[/] of {report.lacking} tagged articles without a vector of {report.encoder} {done}.")
    if report.left and not dry_run:
        out.print(f"{report.left} are left: [cyan]newswatch problems[/] says why, or they were changed meanwhile.")
