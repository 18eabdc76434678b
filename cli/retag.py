"""`newswatch retag`: tags the archive by the current taxonomy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.output import AsJson, emit_json, err, out

if TYPE_CHECKING:
    from jobs.retag import RetagReport


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(retag)


def retag(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which articles gain or lose which tags.")
    ] = False,
    taxonomy: Annotated[
        Path | None,
        typer.Option(
            help="File to use instead of the configured one; only with --dry-run.", exists=True, dir_okay=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tag the whole archive again from its stored text, after the taxonomy has changed. Nobody is mailed."""
    from jobs.context import open_context
    from jobs.retag import retag as run

    if taxonomy and not dry_run:
        raise typer.BadParameter("--taxonomy only shows what would change: add --dry-run, or configure the file first.")
    context = open_context()
    from rich.progress import Progress

    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task("Tagging", total=None)
        report = run(
            context,
            dry_run=dry_run,
            taxonomy=taxonomy,
            progress=lambda done, all_: progress.update(bar, completed=done, total=all_),
        )
    if as_json:
        emit_json(report)
        return
    _show(report, "would change" if dry_run else "changed")
    if dry_run and report.changed:
        first = f"Configure {taxonomy}, then apply the change" if taxonomy else "Apply the change"
        out.print(f"{escape(first)} with [cyan]newswatch retag[/].", soft_wrap=True)


def _show(report: RetagReport, changed: str) -> None:
    out.print(f"[bold]{report.articles}[/] articles tagged by taxonomy {report.taxonomy}; {report.changed} {changed}.")
    if not report.changed:
        return
    table = Table("tag", "articles", "such as", box=None, header_style="bold")
    for sign, counts in (("+", report.gained), ("-", report.lost)):
        for tag, count in counts.most_common():
            titles = "\n".join(example.title for example in report.examples[sign + tag])
            table.add_row(Text(sign + tag, style="green" if sign == "+" else "red"), str(count), Text(titles))
    out.print(table)
