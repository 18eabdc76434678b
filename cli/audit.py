"""`newswatch audit`: who changed what, when and from where; its export, and whether it is whole."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, emit_json, err, out, printable
from newswatch.as_json import json_line

if TYPE_CHECKING:
    from store.audit import Record

app = typer.Typer(help="Who changed what, when and from where.", no_args_is_help=True)

MOST = 10_000
"""Maximum number of records in one listing; `export` has no maximum."""
_SHOWN = 300
"""Maximum characters of a text in the listing; `--json` shows it whole."""

Who = Annotated[str, typer.Option(help="Only what this user, job or file did.")]
What = Annotated[str, typer.Option(help='Only this kind of change, as listed: "feed added".')]
Subject = Annotated[str, typer.Option(help="Only changes of the saved search, feed or file with this id.")]
Since = Annotated[str, typer.Option(help="Only since: 24h, 7d, 2026-03-01.")]
Until = Annotated[str, typer.Option(help="Only until the end of: 24h, 2026-03-31.")]


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="audit", rich_help_panel="Run")


@app.command("list")
def list_(
    who: Who = "",
    what: What = "",
    subject: Subject = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number, the latest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the changes, the latest first."""
    from jobs.context import open_context

    log = open_context().audit
    log.refresh()
    begin, end = _moment("since", since, 0), _moment("until", until, 1)
    found = log.listed(who=who, what=what, subject=subject, since=begin, until=end, size=limit)
    if as_json:
        for record in found:
            emit_json(record)
        return
    if not found:
        out.print("Nothing was changed that fits.")
        return
    table = Table("N", "at (UTC)", "who", "what", "which", "details", "from", box=None, header_style="bold")
    for record in found:
        table.add_row(*map(escape, _row(record)))
    out.print(table)
    if len(found) == limit:
        err.print(f"There may be more: --limit {MOST}, or `newswatch audit export`.")


def _row(record: Record) -> tuple[str, ...]:
    texts = (record.who, record.what, record.subject, record.details, record.where)
    return (str(record.n), f"{record.at:%Y-%m-%d %H:%M:%S}", *(printable(text, _SHOWN) for text in texts))


def _moment(option: str, text: str, end: int) -> datetime | None:
    from newswatch.clock import utc_now
    from search.time_spans import span

    if not text:
        return None
    try:
        return span(text, utc_now())[end]
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--{option} {text[:40]}: write 24h, 7d, 2w or a date such as 2026-03-01") from error


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="[FILE|-]", allow_dash=True, help="- is standard output.")] = Path(
        "-"
    ),
) -> None:
    """Write the whole log as JSON lines, the oldest first. Kept elsewhere, it proves what the log was."""
    from jobs.context import open_context
    from newswatch import private

    log = open_context().audit
    log.refresh()
    if str(file) == "-":
        for record in log.all():
            emit_json(record)
        return
    with private.open_file(file, "w", encoding="utf-8") as written:
        count = sum(bool(written.write(json_line(record) + "\n")) for record in log.all())
    err.print(f"{count:,} records in {escape(str(file))}.", soft_wrap=True)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check that no record is missing or was changed. Exits with 1 if one is. `daily_upkeep` does it each night."""
    from jobs.context import open_context

    chain = open_context().audit.check()
    if as_json:
        emit_json(chain)
    elif chain.faults:
        for fault in chain.faults:
            err.print(f"[bold red]{escape(fault)}[/]", soft_wrap=True)
    else:
        first = f", from number {chain.first}" if chain.first > 1 else ""
        out.print(f"{chain.records:,} records{first}, none missing or changed. The last has the hash {chain.hash}.")
    if chain.faults:
        sys.exit(1)
