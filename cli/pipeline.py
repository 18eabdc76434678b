"""`newswatch poll` and `match`: the jobs, without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from cli.output import AsJson, emit_json, err, out
from newswatch.errors import ConfigError

if TYPE_CHECKING:
    from jobs.plan import Plan
    from jobs.pull import PullReport


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Pipeline")(poll)
    app.command(rich_help_panel="Pipeline")(match)


def poll(as_json: AsJson = False) -> None:
    """Poll the feeds that are due and index what they bring: what the DAG `poll_feeds` does, once."""
    from jobs.context import open_context
    from jobs.plan import plan
    from jobs.pull import PullReport, pull

    context = open_context()
    planned = plan(context)
    if planned.config_error:
        err.print(f"[red]The feeds known from before are polled; the list is wrong:[/] {escape(planned.config_error)}")
    total = PullReport(0)
    for done, number in enumerate(planned.batches, 1):
        with err.status(f"Polling batch {done} of {len(planned.batches)} ({planned.feeds} feeds in all) …"):
            total = total.plus(**pull(context, number).counts())
    if as_json:
        emit_json(
            {"batches": planned.batches, "reaped": planned.reaped, "config_error": planned.config_error}
            | total.counts()
        )
    else:
        _print_polled(planned, total)
    if planned.config_error:
        raise typer.Exit(ConfigError.exit_code)


def _print_polled(planned: Plan, total: PullReport) -> None:
    if not planned.batches:
        out.print("No feed is due.")
        return
    out.print(
        f"[bold]{total.feeds}[/] feeds polled in {len(planned.batches)} batches: "
        f"{total.unchanged} unchanged, {total.failed} failed, {total.not_a_feed} no feed."
    )
    out.print(
        f"[bold]{total.new}[/] new articles, {total.updated} updated, {total.known} known, "
        f"{total.pages_failed} pages not read, {total.pages_again} tried again, {total.quarantined} in quarantine."
    )
    if total.failed or total.not_a_feed:
        out.print("See which and why: [cyan]newswatch feeds list[/]")


def match(as_json: AsJson = False) -> None:
    """Match what was indexed against the saved searches and send the mails: the DAG `match_alerts`, once."""
    from jobs.context import open_context
    from jobs.match import match as run

    with err.status("Matching …"):
        report = run(open_context())
    if as_json:
        emit_json(report)
        return
    out.print(f"[bold]{len(report.batches)}[/] batches matched: {report.matches} matches, {report.owed} new.")
    if report.delivered:
        sent = report.delivered
        out.print(f"[bold]{sent.sent}[/] mails sent, {sent.postponed} postponed, {sent.failed} failed.")
    for alert, reason in report.failed.items():
        err.print(f"[red]Saved search {escape(alert)} could not be run:[/] {escape(reason)}")
