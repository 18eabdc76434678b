"""`newswatch poll`, `match` and `deliver`: run the jobs without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from cli.output import AsJson, emit_json, err, out, working
from newswatch.as_json import as_object
from newswatch.errors import ConfigError

if TYPE_CHECKING:
    from delivery.report import DeliverReport
    from jobs.match import MatchedReport
    from jobs.plan import Plan
    from jobs.pull.batch import PullReport

NOTHING_DONE = 6
"""Exit code: the work was tried, and nothing could be done."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Pipeline")(poll)
    app.command(rich_help_panel="Pipeline")(match)
    app.command(rich_help_panel="Pipeline")(deliver)


def poll(as_json: AsJson = False) -> None:
    """Poll the feeds that are due and index their articles: runs the DAG `poll_feeds` once.

    Exits with 6 if feeds were due and no publisher could be reached.
    """
    from jobs.context import open_context
    from jobs.plan import plan
    from jobs.pull.batch import PullReport, pull

    context = open_context()
    planned = plan(context)
    if planned.config_error:
        err.print(f"[red]This machine's list of feeds is not used:[/] {escape(planned.config_error)}")
    total = PullReport(0)
    for done, number in enumerate(planned.batches, 1):
        with working(f"Polling batch {done} of {len(planned.batches)} ({planned.feeds} feeds in all) …"):
            total = total.plus(**pull(context, number).counts())
    if as_json:
        emit_json(
            {"batches": planned.batches, "reaped": planned.reaped, "config_error": planned.config_error}
            | total.counts()
        )
    else:
        _print_polled(planned, total)
    if total.silent and not total.reached:
        told = "The feed can't be reached." if total.feeds == 1 else f"None of {total.feeds} feeds can be reached."
        step = "Check this machine's connection to the internet; [cyan]newswatch feeds list[/] says why."
        err.print(f"[red]{told}[/] {step}", soft_wrap=True)
        raise typer.Exit(NOTHING_DONE)
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
    if total.waiting:
        wait = f"{total.waiting} {'entries wait' if total.waiting > 1 else 'entry waits'}"
        err.print(f"[red]{wait} for a month of the articles that can't be read:[/] see `newswatch status`.")
    if total.failed or total.not_a_feed:
        out.print("See which and why: [cyan]newswatch feeds list[/]")


def match(as_json: AsJson = False) -> None:
    """Match new articles against the saved searches and send the mails: runs `match_alerts` and `deliver_mails` once.

    A failed match does not keep mails from being sent. Exits with 6 if the mail server takes no mail.
    """
    from jobs.context import open_context
    from jobs.deliver import deliver as send
    from jobs.match import match as run

    context = open_context()
    with working("Matching …"):
        report = run(context)
    with working("Sending …"):
        sent = send(context)
    if as_json:
        emit_json(as_object(report) | {"delivered": sent})
    else:
        _print_matched(report)
        _print_sent(sent)
    _exit(sent)


def _print_matched(report: MatchedReport) -> None:
    out.print(f"[bold]{len(report.batches)}[/] batches matched: {report.matches} matches, {report.owed} new.")
    for saved_search_id, reason in report.failed.items():
        err.print(f"[red]Saved search {escape(saved_search_id)} could not be run:[/] {escape(reason)}")
    if report.out_of_reach:
        wait = f"{report.out_of_reach} {'batches wait' if report.out_of_reach > 1 else 'batch waits'}"
        err.print(f"[red]{wait} for a month of the articles that can't be read:[/] see `newswatch status`.")
    _print_quarantined(report.set_aside)


def deliver(as_json: AsJson = False) -> None:
    """Send the mails that are due, the recipient who has waited longest first: runs the DAG `deliver_mails` once.

    Exits with 6 if the mail server takes no mail.
    """
    from jobs.context import open_context
    from jobs.deliver import deliver as send

    with working("Sending …"):
        sent = send(open_context())
    if as_json:
        emit_json(sent)
    else:
        _print_sent(sent)
    _exit(sent)


def _exit(sent: DeliverReport) -> None:
    """End with `NOTHING_DONE` if a channel can't send; its mails are kept for the next run."""
    if sent.down:
        raise typer.Exit(NOTHING_DONE)


def _print_sent(sent: DeliverReport) -> None:
    out.print(f"[bold]{sent.sent}[/] mails sent, {sent.postponed} postponed, {sent.failed} failed.")
    for reason in filter(None, (sent.down, sent.stopped)):
        err.print(f"[red]Some mails were not sent:[/] {escape(reason)}", soft_wrap=True)
    if sent.out_of_reach:
        wait = f"{sent.out_of_reach} {'stories wait' if sent.out_of_reach > 1 else 'story waits'}"
        err.print(f"[red]{wait} for a month of the articles that can't be read:[/] see `newswatch status`.")
    _print_quarantined(sent.set_aside)


def _print_quarantined(count: int) -> None:
    if count:
        err.print(f"[red]{count} could not be used[/] and went into quarantine: [cyan]newswatch problems[/] says why.")
