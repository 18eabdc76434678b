"""`newswatch import`: brings in JSON lines, WARC files, or the articles of another installation."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.output import AsJson, emit_json, err, out, printable, who
from newswatch.as_json import json_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from jobs.importing import ImportReport

SHOWN = 20
"""Faults that are printed; --faults writes all."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("import", rich_help_panel="Run")(import_)


def import_(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Files, or the Elasticsearch of another installation.")
    ],
    index_prefix: Annotated[str, typer.Option(help="The other installation's NEWSWATCH_INDEX_PREFIX.")] = "",
    again: Annotated[bool, typer.Option("--again", help="From the beginning, though it was imported before.")] = False,
    faults: Annotated[Path | None, typer.Option(help="File for what could not be used, as JSON lines.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring in what another archive has. Nobody is mailed; saved searches find it, backtests run over it.

    Files are JSON lines (.jsonl, .ndjson) as `newswatch search --export jsonl` writes them, or WARC (.warc), each also
    with .gz. An import that is stopped goes on where it was; running it twice repeats nothing. Exits with 1 if a record
    could not be used. See docs/import.md.
    """
    from rich.progress import Progress

    from jobs.context import open_context
    from jobs.importing import import_source as run
    from newswatch import private

    context, failed = open_context(), 0
    target = private.open_file(faults, "w", encoding="utf-8") if faults else None
    for source in sources:
        shown = 0

        def tell(name: str, why: str, source: str = source) -> None:
            nonlocal shown
            shown += 1
            if target:
                target.write(json_line({"source": source, "record": name, "fault": why}) + "\n")
            elif shown <= SHOWN:
                err.print(f"[yellow]{escape(name)}[/] {escape(printable(why, 1_000))}", soft_wrap=True)

        begin = time.monotonic()
        with Progress(console=err, transient=True) as progress:
            bar = progress.add_task(escape(source[-60:]), total=None)
            report = run(
                context,
                source,
                prefix=index_prefix,
                by=who(),
                again=again,
                fault=tell,
                progress=partial(_advance, progress, bar),
            )
        failed += report.faults
        if as_json:
            emit_json(report)
        else:
            _show(report, time.monotonic() - begin, 0 if target else max(0, shown - SHOWN))
    if target:
        target.close()
    if failed:
        raise typer.Exit(1)


def _advance(progress: Progress, bar: TaskID, place: int, end: int) -> None:
    progress.update(bar, completed=place, total=end)


def _show(report: ImportReport, seconds: float, hidden: int) -> None:
    name = escape(report.name)
    if report.was_done:
        out.print(f"[bold]{name}[/] was imported before, {report.resumed:,} records: --again does it anew.")
        return
    rate = f", {report.records / seconds:,.0f} a second" if seconds >= 1 else ""
    on = f" (went on after {report.resumed:,})" if report.resumed else ""
    out.print(
        f"[bold]{name}[/]: {report.records:,} record{'s' * (report.records != 1)} in {seconds:,.0f} s{rate}{on}.",
        soft_wrap=True,
    )
    parts = {
        "new": report.new,
        "merged with articles that were there": report.merged,
        "known just so": report.known,
        "joined a story": report.joined,
        "hold no article": report.without,
        "could not be used": report.faults,
    }
    for what, count in parts.items():
        if count:
            out.print(f"  {count:>9,} {what}")
    if hidden:
        err.print(f"{hidden:,} more could not be used: --faults FILE writes all.")
