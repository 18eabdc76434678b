"""`newswatch poll`, `match` and `deliver`: run the jobs without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from cli.output import AsJson, emit_json, err, out
from newswatch.as_json import as_object
from newswatch.errors import ConfigError

if TYPE_CHECKING:
    from jobs.plan import Plan
    from jobs.pull import PullReport

if TYPE_CHECKING:
    from delivery.deliver import DeliverReport


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Pipeline")(poll)
    app.command(rich_help_panel="Pipeline")(match)
    app.command(rich_help_panel="Pipeline")(deliver)


def poll(as_json: AsJson = False) -> None:
    """Poll the feeds that are due and index their articles: runs the DAG `poll_feeds` once."""
    from jobs.context import open_context
    from jobs.plan import plan
    from jobs.pull import PullReport, pull

    context = open_context()
    planned = plan(context)
    if planned.config_error:
        err.print(f"[red]The known feeds are polled, but the list is wrong:[/] {escape(planned.config_error)}")
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
        f"{total.unchanged} unchanged, {total.failed} failed, {total.not_a_feed} not a feed."
    )
    out.print(
        f"[bold]{total.new}[/] new articles, {total.updated} updated, {total.known} known, "
        f"{total.pages_failed} pages not read, {total.pages_again} tried again, {total.quarantined} in quarantine."
    )
    if total.failed or total.not_a_feed:
        out.print("See which and why: [cyan]newswatch feeds list[/]")


def match(as_json: AsJson = False) -> None:
    """Match new articles against the saved searches and send the mails: runs `match_alerts` and `deliver_mails` once.

    A failed match does not keep mails from being sent.
    """
    from jobs.context import open_context
    from jobs.deliver import deliver as send
    from jobs.match import match as run

    context = open_context()
    with err.status("Matching …"):
        report = run(context)
    with err.status("Sending …"):
        sent = send(context)
    if as_json:
        emit_json(as_object(report) | {"delivered": sent})
        return
    out.print(f"[bold]{len(report.batches)}[/] batches matched: {report.matches} matches, {report.owed} new.")
    for saved_search_id, reason in report.failed.items():
        err.print(f"[red]Saved search {escape(saved_search_id)} could not be run:[/] {escape(reason)}")
    _print_quarantined(report.set_aside)
    _print_sent(sent)


def deliver(as_json: AsJson = False) -> None:
    """Send the mails that are due, the recipient who has waited longest first: runs the DAG `deliver_mails` once."""
    from jobs.context import open_context
    from jobs.deliver import deliver as send

    with err.status("Sending …"):
        sent = send(open_context())
    if as_json:
        emit_json(sent)
        return
    _print_sent(sent)


def _print_sent(sent: DeliverReport) -> None:
    out.print(f"[bold]{sent.sent}[/] mails sent, {sent.postponed} postponed, {sent.failed} failed.")
    for reason in filter(None, (sent.down, sent.stopped)):
        err.print(f"[red]Some mails were not sent:[/] {escape(reason)}", soft_wrap=True)
    _print_quarantined(sent.set_aside)


def _print_quarantined(count: int) -> None:
    if count:
        err.print(f"[red]{count} could not be used[/] and went into quarantine: [cyan]newswatch problems[/] says why.")
