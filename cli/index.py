"""`newswatch index`: the Elasticsearch indices, made, shown, upgraded and kept in shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from cli.output import AsJson, emit_json, err, out

if TYPE_CHECKING:
    from jobs.context import Context
    from store.generations import Upgraded

app = typer.Typer(help="The Elasticsearch indices.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands to `parent`."""
    parent.add_typer(app, name="index", rich_help_panel="Run")


@app.command("setup")
def set_up_indices() -> None:
    """Put the index template, create the indices that are missing, add missing fields; safe at any time."""
    from jobs.context import open_context

    context = open_context()
    out.print(f"The indices at {context.settings.elasticsearch_url} are in place.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Every monthly slice of the articles: its generation, the version of its mapping, whether it is in force."""
    from jobs.context import open_context
    from store.generations import all_slices
    from store.mapping import VERSION

    context = open_context()
    slices = all_slices(context.es, context.names)
    counts = {one.index: context.es.count(index=one.index)["count"] for one in slices}
    if as_json:
        for one in slices:
            emit_json({"slice": one, "articles": counts[one.index], "newest_version": VERSION})
        return
    table = Table("Slice", "Generation", "Version", "Articles", "", box=None, header_style="bold")
    for one in slices:
        state = "in force" if one.live else "[dim]not in force[/]"
        table.add_row(one.index, str(one.generation), f"{one.version} of {VERSION}", f"{counts[one.index]:,}", state)
    out.print(table)
    if any(one.live and one.version < VERSION for one in slices):
        out.print("Older versions are made anew by [cyan]newswatch index upgrade[/].")


@app.command()
def upgrade(
    everything: Annotated[
        bool, typer.Option("--all", help="Slices that are of this version already, too: every article indexed anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the next generation of every slice of an older version and put it in force.

    Polling, matching and searching go on. If it dies, run it again.
    """
    from jobs.context import open_context

    done = _with_progress(open_context(), everything)
    if as_json:
        for one in done:
            emit_json(one)
        return
    for one in done:
        out.print(f"{one.old} → [bold]{one.new}[/]: {one.articles:,} articles; writing waited {one.closed_s:.1f} s.")
    if done:
        out.print("The generations before stay a day, then the DAG daily_upkeep or [cyan]newswatch index upkeep[/]")
        out.print("drops them.")
    else:
        out.print("Every slice is of this version.")


def _with_progress(context: Context, everything: bool) -> list[Upgraded]:
    from store import generations

    with Progress(console=err) as bars:
        tasks: dict[str, int] = {}

        def show(index: str, done: int, of: int) -> None:
            if index not in tasks:
                tasks[index] = bars.add_task(index, total=of)
            bars.update(tasks[index], completed=done, total=of)  # type: ignore[arg-type]

        return generations.upgrade(context.es, context.names, context.settings, everything=everything, progress=show)


@app.command()
def upkeep(as_json: AsJson = False) -> None:
    """Drop what is older than the retention, and generations that were replaced: the DAG `daily_upkeep`, once."""
    from jobs.context import open_context
    from jobs.upkeep import upkeep as run

    with err.status("Keeping the indices …"):
        report = run(open_context())
    if as_json:
        emit_json(report)
        return
    dropped = [*report.dropped, *report.superseded]
    out.print(f"Dropped: {', '.join(dropped) or 'no slice'}; {report.entries:,} entries, {report.batches:,} batches, ")
    out.print(f"{report.quarantined:,} problems. Packed: {', '.join(report.merged) or 'no slice'}.")
