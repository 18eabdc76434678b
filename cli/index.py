"""`newswatch index`: creates, shows, upgrades and maintains the Elasticsearch indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.output import AsJson, emit_json, err, out, working

if TYPE_CHECKING:
    from jobs.context import Context
    from store.generations import Upgraded

app = typer.Typer(help="The Elasticsearch indices.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands to `parent`."""
    parent.add_typer(app, name="index", rich_help_panel="Run")


@app.command("setup")
def set_up_indices() -> None:
    """Put the index templates, create missing indices, add missing fields; safe at any time."""
    from jobs.context import open_context

    context = open_context()
    out.print(f"The indices at {context.settings.elasticsearch_url} are in place.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """List the monthly slices of the articles: generation, version of the mapping, whether it is in use."""
    from jobs.context import open_context
    from store.generations import all_slices
    from store.indices.mapping import VERSION

    context = open_context()
    slices = all_slices(context.es, context.names)
    counts = {part.index: context.es.count(index=part.index)["count"] for part in slices}
    if as_json:
        for part in slices:
            emit_json({"slice": part, "articles": counts[part.index], "newest_version": VERSION})
        return
    table = Table("Slice", "Generation", "Version", "Articles", "", box=None, header_style="bold")
    for part in slices:
        state = "in use" if part.live else "[dim]not in use[/]"
        table.add_row(
            part.index, str(part.generation), f"{part.version} of {VERSION}", f"{counts[part.index]:,}", state
        )
    out.print(table)
    if any(part.live and part.version < VERSION for part in slices):
        out.print("[cyan]newswatch index upgrade[/] rebuilds the older versions.")


@app.command()
def upgrade(
    everything: Annotated[
        bool, typer.Option("--all", help="Also slices that have the current version: reindex every article.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build the next generation of every slice with an older version and switch to it.

    Polling, matching and searching continue. After a crash, run it again.
    """
    from jobs.context import open_context

    done = _with_progress(open_context(), everything)
    if as_json:
        for upgraded in done:
            emit_json(upgraded)
        return
    for upgraded in done:
        counted = f"{upgraded.articles:,} articles; writes waited {upgraded.closed_s:.1f} s"
        out.print(f"{upgraded.old} → [bold]{upgraded.new}[/]: {counted}.")
    if done:
        out.print("The old generations stay for a day; then the DAG daily_upkeep or [cyan]newswatch index upkeep[/]")
        out.print("drops them.")
    else:
        out.print("Every slice has the current version.")


def _with_progress(context: Context, everything: bool) -> list[Upgraded]:
    from rich.progress import Progress

    from store import generations

    with Progress(console=err) as bars:
        tasks: dict[str, int] = {}

        def show(index: str, done: int, of: int) -> None:
            if index not in tasks:
                tasks[index] = bars.add_task(index, total=of)
            bars.update(tasks[index], completed=done, total=of)  # type: ignore[arg-type]

        return generations.upgrade(context.es, context.names, context.settings, everything=everything, progress=show)


@app.command()
def upkeep(
    clock_is_right: Annotated[
        bool, typer.Option("--clock-is-right", help="After a pause of more than a month: the clock was looked at.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop what is older than the retention, and replaced generations: runs the DAG `daily_upkeep` once."""
    from jobs.context import open_context
    from jobs.upkeep import upkeep as run

    with working("Maintaining the indices …"):
        report = run(open_context(), clock_is_right=clock_is_right)
    if as_json:
        emit_json(report)
        return
    dropped = [*report.dropped, *report.superseded]
    out.print(f"Dropped: {', '.join(dropped) or 'no slice'}; {report.entries:,} entries, {report.batches:,} batches, ")
    out.print(f"{report.quarantined:,} problems, {report.desks:,} marks of readers. ")
    out.print(f"Merged: {', '.join(report.merged) or 'no slice'}.")
