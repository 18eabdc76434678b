"""`newswatch feeds preview`: what would be read at an address, before it is saved."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.feeds import NO_FEED
from cli.feeds import app as feeds_app
from cli.offline_ingest import read_bytes
from cli.output import AsJson, emit_json, err, out, printable
from newswatch.feed import Read, Rule

if TYPE_CHECKING:
    from ingest.discovery.preview import Preview

SHOWN: int = 20
"""Items that are shown without `--json`."""
ReadAs = Annotated[
    str | None, typer.Option("--read", metavar="feed|page|sitemap|json", help="As what; default: what it is.")
]
Items = Annotated[str | None, typer.Option(help="What holds one item: CSS; a path in JSON; a part of addresses.")]
Link = Annotated[str | None, typer.Option(help="Within an item, its link.")]
ItemTitle = Annotated[str | None, typer.Option("--item-title", help="Within an item, its title.")]
Date = Annotated[str | None, typer.Option(help="Within an item, its date.")]


def register(main: typer.Typer) -> None:  # noqa: ARG001 - the command belongs to `feeds`
    """Add the command to `newswatch feeds`."""
    feeds_app.command("preview")(preview_command)


def preview_command(
    address: Annotated[str | None, typer.Argument(metavar="[URL]", help="Fetched now, as a poll would.")] = None,
    file: Annotated[Path | None, typer.Option(help="A saved document instead; - is standard input.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where the file was served.")] = None,
    read: ReadAs = None,
    items: Items = None,
    link: Link = None,
    item_title: ItemTitle = None,
    date: Date = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be read of a feed, a page of headlines, a sitemap or JSON, and what is missing. Saves nothing.

    With --json, one line for each item: its url, title and date, in the document's order; none for an article's page.

    Exits with 2 if nothing would be read at an address.
    """
    given, rule = read_of(read), rule_of(items, link, item_title, date)
    if (file is None) == (address is None):
        raise typer.BadParameter("Give an address, or --file with --url.")
    shown = _of_file(file, url, given, rule) if file else _live(address or "", given, rule)
    if as_json:
        _print_json(shown)
    else:
        _print(shown)
    if not shown.entries and file is None:
        raise typer.Exit(NO_FEED)


def read_of(read: str | None) -> Read | None:
    """The value of `--read`.

    Raises:
        typer.BadParameter: there is no such kind.
    """
    from ingest.discovery.preview import READS

    known = next((each for each in READS if each == read), None)
    if read is not None and known is None:
        raise typer.BadParameter(f"--read is one of {', '.join(READS)}.")
    return known


def rule_of(items: str | None, link: str | None, title: str | None, date: str | None) -> Rule | None:
    """The rule in the options; None if none is given."""
    return Rule(items, link, title, date) if any((items, link, title, date)) else None


def _of_file(file: Path, url: str | None, read: Read | None, rule: Rule | None) -> Preview:
    from ingest.discovery.preview import preview
    from newswatch.clock import utc_now

    if not url:
        raise typer.BadParameter("--file needs --url: links are relative to it.")
    return preview(read_bytes(file), url=url, now=utc_now(), read=read, rule=rule)


def _live(address: str, read: Read | None, rule: Rule | None) -> Preview:
    from ingest.addresses import with_scheme
    from ingest.discovery.preview import preview_live
    from ingest.http.fetch import Fetcher
    from newswatch.clock import utc_now
    from newswatch.settings import Settings

    async def run() -> Preview:
        async with Fetcher(Settings()) as fetcher:
            return await preview_live(fetcher, with_scheme(address), now=utc_now(), read=read, rule=rule)

    with err.status(f"Reading {escape(address)} …"):
        return asyncio.run(run())


def _print_json(shown: Preview) -> None:
    for entry in shown.entries:
        when = entry.published or entry.updated
        line: dict[str, Any] = {"url": entry.url, "title": entry.title, "date": when.isoformat() if when else None}
        emit_json(line)
    for told in (*([shown.why_not] if shown.why_not else []), *shown.warnings, *shown.problems):
        print(printable(told, 500), file=sys.stderr)


def _print(shown: Preview) -> None:
    if shown.why_not:
        err.print(f"[red]Nothing would be read[/] of {escape(shown.url)}: {escape(shown.why_not)}", soft_wrap=True)
        return
    table = Table("Date", "Title", "Address", box=None, header_style="bold")
    for entry in shown.entries[:SHOWN]:
        when = entry.published or entry.updated
        table.add_row(
            f"{when:%Y-%m-%d %H:%M %Z}" if when else "–", Text(printable(entry.title, 100)), Text(entry.url or "–")
        )
    out.print(table)
    if len(shown.entries) > SHOWN:
        out.print(f"… and {len(shown.entries) - SHOWN} more.")
    newest = f"the newest of {shown.newest:%d %B %Y}" if shown.newest else "without dates"
    out.print(f"[bold]{len(shown.entries)}[/] items, {newest}; read as {shown.format} (`read: {shown.read}`).")
    for warning in (*shown.warnings, *shown.problems[:5]):
        err.print(f"[yellow]Note:[/] {escape(warning)}.", soft_wrap=True)
