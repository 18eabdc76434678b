"""`newswatch poll`, `match`, `feeds`: the jobs, without Airflow."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.output import AsJson, ago, emit_json, err, out

feeds_app = typer.Typer(help="The feeds that are polled.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Pipeline")(poll)
    app.command(rich_help_panel="Pipeline")(match)
    app.add_typer(feeds_app, name="feeds", rich_help_panel="Use")


def poll(as_json: AsJson = False) -> None:
    """Poll the feeds that are due and index what they bring: what the DAG `poll_feeds` does, once."""
    from jobs.context import open_context
    from jobs.plan import plan
    from jobs.pull import PullReport, pull

    context = open_context()
    planned = plan(context)
    total = PullReport(0)
    for done, number in enumerate(planned.batches, 1):
        with err.status(f"Polling batch {done} of {len(planned.batches)} ({planned.feeds} feeds in all) …"):
            total = total.plus(**pull(context, number).counts())
    if as_json:
        emit_json({"batches": planned.batches, "reaped": planned.reaped} | total.counts())
        return
    if not planned.batches:
        out.print("No feed is due.")
        return
    out.print(
        f"[bold]{total.feeds}[/] feeds polled in {len(planned.batches)} batches: "
        f"{total.unchanged} unchanged, {total.failed} failed, {total.not_a_feed} no feed."
    )
    out.print(
        f"[bold]{total.new}[/] new articles, {total.updated} updated, {total.known} known, "
        f"{total.pages_failed} pages not read, {total.quarantined} in quarantine."
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


@feeds_app.command("list")
def list_feeds(as_json: AsJson = False) -> None:
    """Every feed with its state, since when and why."""
    from jobs.context import open_context
    from search.feeds import FeedStore

    context = open_context()
    records = FeedStore(context.es, context.names).all()
    if as_json:
        for record in records:
            emit_json({"feed": record.feed, "state": record.state})
        return
    now = context.clock()
    table = Table("Feed", "State", "Since", "Why", "Last poll", "Next", "Articles", box=None, header_style="bold")
    for record in records:
        feed, state = record.feed, record.state
        health = state.health if feed.enabled else "disabled"
        table.add_row(
            Text(feed.title),
            Text(health, style=_COLOURS.get(health, "red")),
            ago(state.health_since, now),
            Text(state.health_why),
            ago(state.last_poll_at, now),
            ago(state.next_poll_at, now),
            str(state.new_articles),
        )
    out.print(table)
    if not records:
        out.print("No feed was brought in yet: [cyan]newswatch poll[/] reads config/feeds.yaml.")


_COLOURS = {"ok": "green", "new": "blue", "slow": "yellow", "stale": "yellow", "gap": "yellow", "disabled": "dim"}
