"""`newswatch fast`: asks some feeds every few seconds instead of once a minute."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, emit_json, err, out, stated
from newswatch.as_json import as_object

if TYPE_CHECKING:
    from ingest.polling.fast import Pace
    from newswatch.feed import Feed


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(fast)


def fast(
    list_: Annotated[bool, typer.Option("--list", help="Only show which feeds it takes, and why not others.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the fast lane: ask some feeds every few seconds, and mail what is new at once. Ctrl-C ends it.

    It takes the feeds that are marked `fast: true`, and those with more than six new entries an hour.
    """
    from jobs.context import open_context

    context = open_context()
    if list_:
        from jobs.fast.taken import listed

        _show(listed(context), as_json=as_json)
        return
    from jobs.fast import lane
    from jobs.fast.process import end_by_signals

    if "smtp_host" not in stated().model_fields_set:
        err.print("[yellow]![/] NEWSWATCH_SMTP_HOST is not set here, so mails are left to `deliver_mails`.")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    over = threading.Event()
    end_by_signals(over)
    report = lane.run(context, over)
    if as_json:
        emit_json(as_object(report))
    else:
        out.print(
            f"[bold]{report.asked}[/] requests, {report.unchanged} unchanged; {report.new} new articles, "
            f"{report.updated} updated, {report.sent} mails."
        )


def _show(feeds: list[tuple[Feed, Pace]], *, as_json: bool) -> None:
    if as_json:
        for feed, pace in feeds:
            emit_json({"id": feed.id, "title": feed.title, "marked": feed.fast} | as_object(pace))
        return
    if not feeds:
        out.print("No feed is marked `fast: true`, or brings more than six new entries an hour.")
        return
    table = Table("feed", "by", "", box=None)
    for feed, pace in feeds:
        colour = "yellow" if pace.why.startswith("not taken") else "green"
        by = "mark" if feed.fast else "rhythm" if pace.seconds else ""
        table.add_row(escape(feed.title), by, f"[{colour}]{escape(pace.why)}[/]")
    out.print(table)
