"""`newswatch feeds check`: whether each source of the list works, and what could replace those that don't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.feeds import app as feeds_app
from cli.feeds import named_feed, settings_here, to_poll
from cli.output import AsJson, emit_json, err, out
from newswatch.as_json import as_object
from newswatch.feed import Feed

if TYPE_CHECKING:
    from ingest.discovery.check import Checked
    from ingest.discovery.replacement import Proposals
    from newswatch.settings import Settings


def register(main: typer.Typer) -> None:  # noqa: ARG001 - the command belongs to `feeds`
    """Add the command to `newswatch feeds`."""
    feeds_app.command("check")(check)


def check(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="[FEED]...", help="Ids, URLs or parts of titles.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace/--no-replace", help="Look for what could replace those that bring nothing.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Fetch and parse the sources of the list now, and show what was found of each. Exits with 1 if any fails.

    For those of no use (stale, empty, not a feed, refused, gone, failing) or that have moved, it seeks a replacement.

    It shows the command that adds it: of the `fallback` in the list, or of what the site offers. Nothing is changed.

    With --json, one line for each: its `finding`, and its `proposal` if there is one.

    The list is the next poll's: config/feeds.yaml or the version in force, and the feeds listed in Elasticsearch.

    Needs no server: without Elasticsearch it is the file.
    """
    settings = settings_here()
    listed = to_poll(settings)
    feeds = [named_feed(name, listed) for name in which] if which else [feed for feed in listed if feed.enabled]
    found = _check(settings, feeds, quiet=as_json, replace=replace)
    if as_json:
        for result in found.checked:
            emit_json({**as_object(result), "proposal": found.found.get(result.id)})
    else:
        _print_checked(found.checked)
        _print_proposals(found, {feed.id: feed for feed in feeds})
    if not all(result.ok for result in found.checked):
        raise typer.Exit(1)


def _check(settings: Settings, feeds: Sequence[Feed], *, quiet: bool, replace: bool) -> Proposals:
    from ingest.discovery.check import check
    from ingest.discovery.replacement import Proposals, propose
    from ingest.http.fetch import Fetcher
    from newswatch.clock import utc_now

    async def run(progress: Callable[[Checked], None], looking: Callable[[], None]) -> Proposals:
        async with Fetcher(settings) as fetcher:
            checked = await check(fetcher, feeds, now=utc_now(), progress=progress)
            looking()
            return await propose(fetcher, feeds, checked, now=utc_now()) if replace else Proposals(checked, {})

    from rich.progress import Progress

    with nullcontext() if quiet else Progress(console=err, transient=True) as shown:
        task = shown.add_task("Fetching the feeds", total=len(feeds)) if shown else None

        def show_progress(result: Checked) -> None:
            if shown is not None and task is not None:
                shown.update(task, advance=1, description=escape(result.title[:40]))

        def show_looking() -> None:
            if shown is not None and task is not None:
                shown.update(task, description="Looking for replacements")

        return asyncio.run(run(show_progress, show_looking))


def _print_checked(checked: Sequence[Checked]) -> None:
    table = Table("", "Feed", "Found", "Format", "Entries", "Newest", "Answer", box=None, header_style="bold")
    for result in sorted(checked, key=lambda result: (result.ok, result.finding == "answers")):
        well = result.finding in ("answers", "undated")
        mark = Text("ok", style="green" if well else "yellow") if result.ok else Text("no", style="red")
        why = result.why + (f": {result.moved_to}" if result.moved_to else "")
        why += f"; it advertises {', '.join(result.advertises)}" if result.advertises else ""
        newest = f"{result.newest:%Y-%m-%d}" if result.newest else "–"
        facts = (result.finding, result.format or "–", str(result.entries), newest)
        table.add_row(mark, Text(result.title), *facts, Text(why))
    good = sum(result.ok for result in checked)
    out.print(table)
    out.print(f"[bold]{good}[/] of {len(checked)} feeds answer.")


def _print_proposals(found: Proposals, feeds: Mapping[str, Feed]) -> None:
    from ingest.discovery.replacement import command

    if found.offline:
        err.print("Nobody answered, so no replacement was looked for: is this machine's network up, or its proxy?")
    for feed_id, one in found.found.items():
        newest = f"the newest of {one.newest:%d %B %Y}" if one.newest else "without dates"
        feed = feeds[feed_id]
        out.print(
            f"[bold]{escape(feed.title)}[/] could be read at {escape(one.url)}: {escape(one.why)}", soft_wrap=True
        )
        out.print(f"  {one.format}, {one.entries} entries, {newest}", soft_wrap=True)
        out.print(Text(f"  {command(feed, one)} && newswatch feeds remove {feed_id}", style="cyan"), soft_wrap=True)
    if found.untried:
        err.print(f"For {len(found.untried)} more none was looked for: check them by name.", soft_wrap=True)
