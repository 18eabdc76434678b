"""`newswatch archive` and `newswatch replay`: what is kept of what was read, and reading it again."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.output import AsJson, emit_json, err, out

if TYPE_CHECKING:
    from jobs.replay import Change, FieldChange, ReplayReport

SHOWN = 10
"""Articles whose changes are shown; --json writes all."""
LINES = 4
"""Lines that are shown of each side of a changed text."""
LINE_CHARS = 160
COMPARED = 2_000
"""Lines of both sides up to which they are compared line by line."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Run")(archive)
    app.command(rich_help_panel="Run")(replay)


def archive(as_json: AsJson = False) -> None:
    """Show what is archived of what was read: files and size of each day. Needs no server."""
    from ingest.archive import days
    from newswatch.settings import Settings

    settings = Settings()
    folder = settings.archive_dir
    held = days(folder) if folder else []
    if as_json:
        for day in held:
            emit_json(day)
        return
    if folder is None:
        out.print("Nothing is archived: set [cyan]NEWSWATCH_ARCHIVE_DIR[/], and what is read from then on is kept.")
        return
    table = Table("Day", "Files", "Size", box=None, header_style="bold")
    for day in held:
        table.add_row(f"{day.day}", f"{day.files:,}", decimal(day.bytes))
    if held:
        out.print(table)
    total, most = sum(day.bytes for day in held), settings.archive_max_bytes
    over = [day for day in held if day.day < max(each.day for each in held)]
    usual = f", {decimal(sum(day.bytes for day in over) // len(over))} a day" if over else ""
    kept = f"{decimal(total)} of at most {decimal(most)} in {escape(str(folder))}{usual}"
    out.print(f"{kept}; days are kept for {settings.archive_days} days.", soft_wrap=True)


def replay(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The first day; otherwise the archive's first."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last day.")
    ] = None,
    feed: Annotated[str | None, typer.Option(metavar="ID", help="Only articles of this feed.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Store what is read otherwise now. Nobody is mailed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read archived articles again with this version's code, and show what would be different.

    With --json, each article that changes is an object on a line, and the counts are the last one.
    """
    from rich.progress import Progress

    from jobs.context import open_context
    from jobs.replay import replay as run

    shown: list[Change] = []

    def each(change: Change) -> None:
        if as_json:
            emit_json(change)
        elif len(shown) < SHOWN:
            shown.append(change)

    context = open_context()
    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task("Reading again", total=None)
        report = run(
            context,
            since=since.date() if since else None,
            until=until.date() if until else None,
            feed_id=feed,
            write=write,
            each=each,
            progress=lambda done, all_: progress.update(bar, completed=done, total=all_),
        )
    if as_json:
        emit_json(report)
        return
    for change in shown:
        _show(change)
    _show_counts(report, len(shown), wrote=write)


def _show(change: Change) -> None:
    out.print(Text(change.title, style="bold"))
    out.print(Text(change.url, style="dim"), soft_wrap=True)
    for field in change.fields:
        removed, added = _lines(field)
        out.print(f"  [cyan]{field.field}[/]")
        for sign, lines, style in (("-", removed, "red"), ("+", added, "green")):
            for line in lines[:LINES]:
                cut = line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"
                out.print(Text(f"    {sign} {cut}", style=style))
            if len(lines) > LINES:
                out.print(Text(f"    {sign} and {len(lines) - LINES} more lines", style=style))


def _lines(field: FieldChange) -> tuple[list[str], list[str]]:
    """The lines that only the one or the other has."""
    before, after = field.before.splitlines() or [""], field.after.splitlines() or [""]
    if len(before) + len(after) > COMPARED:  # it takes the square of that
        return before, after
    compared = list(difflib.ndiff(before, after))
    return (
        [line[2:] for line in compared if line.startswith("- ")],
        [line[2:] for line in compared if line.startswith("+ ")],
    )


def _show_counts(report: ReplayReport, shown: int, *, wrote: bool) -> None:
    counts = (
        f"[bold]{report.compared:,}[/] articles read again by {escape(report.extractor)}: {report.changed:,} differ"
    )
    if report.changed > shown:
        counts += f", of which {shown} are shown (--json writes all)"
    out.print(f"{counts}.", soft_wrap=True)
    for name, count in report.fields.most_common():
        out.print(f"  {name}: {count:,}")
    for count, what in (
        (report.unread, "documents are of feeds that are gone, or are no feed as they are read now"),
        (report.without_page, "articles have no page in the archive"),
        (report.damaged, "records can't be read"),
        (report.failed, "articles could not be read again: see `newswatch problems`"),
        (report.overtaken, "articles changed meanwhile: run it again"),
    ):
        if count:
            out.print(f"[yellow]{count:,} {what}.[/]")
    if wrote:
        out.print(f"[bold]{report.written:,}[/] written.")
    elif report.changed:
        out.print("Nothing was written: store the change with [cyan]newswatch replay --write[/].")
