"""`newswatch problems`: what was set aside, why, and what to do; and forgetting what was dealt with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from cli.output import AsJson, ago, emit_json, err, out, printable
from newswatch.errors import NewswatchError
from newswatch.problems import REASON_CHARS, Problem, ProblemKind

if TYPE_CHECKING:
    from store.quarantine import Kept, Listed

app = typer.Typer(help="What could not be used and was set aside: why, and what to do.", invoke_without_command=True)

MOST = 10_000
"""Problems that one call lists at most: as many as Elasticsearch gives at once."""
SUBJECT_SHOWN = 200
"""Characters of a subject that are shown; `--json` has it whole."""


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="problems", rich_help_panel="Use")


@app.callback()
def problems(
    context: typer.Context,
    kind: Annotated[ProblemKind | None, typer.Option(help="Only those of this kind.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only those of the feed with this id.")] = None,
    since: Annotated[str | None, typer.Option(help="Only those met since: 24h, 7d, 2026-03-01.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many, the ones met last.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What was set aside, the last first, with reason and what to do. Ends with 0 whether there are any or not."""
    if context.invoked_subcommand:
        return
    from jobs.context import open_context
    from store.quarantine import Quarantine

    asked = _moment(since) if since else None
    here = open_context()
    found = Quarantine(here.es, here.names).listed(kind=kind, feed_id=feed, since=asked, size=limit)
    if as_json:
        for kept in found.problems:
            emit_json(problem_json(kept))
        return
    _print(found, here.clock(), filtered=bool(kind or feed or since))


def _moment(since: str) -> datetime:
    from newswatch.clock import utc_now
    from search.syntax import span

    try:
        return span(since, utc_now())[0]
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--since {since[:40]}: write 24h, 7d, 2w or a date such as 2026-03-01") from error


def _print(found: Listed, now: datetime, *, filtered: bool) -> None:
    if not found.problems:
        out.print("No problem fits." if filtered else "Nothing is set aside: everything could be used so far.")
        return
    for kept in found.problems:
        out.print(_head(kept, now), soft_wrap=True)
        out.print(*_body(kept.problem))
    if found.total > len(found.problems):
        out.print(f"… and {found.total - len(found.problems):,} more: --limit {min(found.total, MOST)}")
    out.print("Dealt with one? [cyan]newswatch problems dismiss ID[/]. What was kept: [cyan]… show ID[/].")


def _head(kept: Kept, now: datetime) -> Text:
    """Kind, subject, feed, how often and when, id: one line."""
    problem = kept.problem
    line = Text(printable(problem.kind, SUBJECT_SHOWN), style="bold yellow")
    line.append(f" {printable(problem.subject, SUBJECT_SHOWN)}", style="bold")
    where = [f"feed {printable(problem.feed_id, SUBJECT_SHOWN)}"] if problem.feed_id else []
    often = f"{kept.count} times since {kept.first_at:%d %b %H:%M}" if kept.count > 1 else "once"
    facts = [
        *where,
        *([printable(problem.stage, SUBJECT_SHOWN)] if problem.stage else []),
        ago(kept.last_at, now),
        often,
        kept.id,
    ]
    return line.append(f"  {' · '.join(facts)}", style="dim")


def _body(problem: Problem) -> Iterator[Padding]:
    """Why, and what to do."""
    yield Padding(Text(printable(problem.reason, REASON_CHARS) or "No reason was told."), (0, 0, 0, 2))
    yield Padding(Text(f"→ {problem.advice}", style="dim"), (0, 0, 0, 2))


@app.command()
def show(
    problem_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as listed.")], as_json: AsJson = False
) -> None:
    """One problem, with the document that was kept. Ends with 1 if there is none of that id."""
    from jobs.context import open_context
    from store.quarantine import Quarantine

    here = open_context()
    kept = Quarantine(here.es, here.names).get(problem_id)
    if kept is None:
        raise NewswatchError(f"There is no problem {problem_id[:100]!r}. See `newswatch problems`.")
    if as_json:
        emit_json({**problem_json(kept), "document": kept.problem.document})
        return
    out.print(_head(kept, here.clock()), soft_wrap=True)
    if kept.problem.url:
        out.print(Padding(Text(printable(kept.problem.url, REASON_CHARS)), (0, 0, 0, 2)))
    out.print(*_body(kept.problem))
    kept_too = kept.problem.document is not None
    out.print("The document was kept: --json shows it." if kept_too else "No document was kept with it.")


@app.command()
def dismiss(
    problem_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Their ids, as listed.")],
) -> None:
    """Forget problems that were dealt with, and what was kept with them; met again, they come back.

    Ends with 1 if there was none of one of the ids; the others are forgotten all the same.
    """
    from jobs.context import open_context
    from store.quarantine import Quarantine

    here = open_context()
    quarantine = Quarantine(here.es, here.names)
    lacking = [one for one in dict.fromkeys(problem_ids) if not quarantine.dismiss(one)]
    forgotten = len(set(problem_ids)) - len(lacking)
    if forgotten:
        out.print(f"[green]forgotten[/] {forgotten}; met again, {'they come' if forgotten > 1 else 'it comes'} back.")
    _tell_lacking(lacking)


def _tell_lacking(lacking: Sequence[str]) -> None:
    for one in lacking:
        err.print(f"[bold red]There is no problem[/] {escape(one[:100])}. See `newswatch problems`.", soft_wrap=True)
    if lacking:
        raise typer.Exit(1)


def problem_json(kept: Kept) -> dict[str, Any]:
    """A problem as scripts read it, without its document."""
    problem = kept.problem
    return {
        "id": kept.id,
        "kind": problem.kind,
        "subject": problem.subject,
        "reason": problem.reason,
        "stage": problem.stage,
        "feed_id": problem.feed_id,
        "url": problem.url,
        "first_at": kept.first_at,
        "last_at": kept.last_at,
        "count": kept.count,
        "advice": problem.advice,
    }
