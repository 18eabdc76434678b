"""`newswatch problems`: shows what is in quarantine, why, and what to do; dismisses solved problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from cli.output import AsJson, ago, emit_json, err, out, printable, who
from newswatch.errors import NewswatchError
from newswatch.problems import REASON_CHARS, Problem, ProblemKind

if TYPE_CHECKING:
    from store.quarantine import Kept, Listed

app = typer.Typer(help="The quarantine: what could not be used, why, and what to do.", invoke_without_command=True)

MOST = 10_000
"""Maximum number of problems in one listing: the maximum of one answer of Elasticsearch."""
SUBJECT_SHOWN = 200
"""Maximum characters of a subject in the listing; `--json` shows it whole."""


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="problems", rich_help_panel="Use")


@app.callback()
def problems(
    context: typer.Context,
    kind: Annotated[ProblemKind | None, typer.Option(help="Only problems of this kind.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only problems of the feed with this id.")] = None,
    since: Annotated[str | None, typer.Option(help="Only problems that occurred since: 24h, 7d, 2026-03-01.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number, the latest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what is in quarantine, the latest first, with the reason and what to do. Exits with 0 in any case."""
    if context.invoked_subcommand:
        return
    from jobs.context import open_context
    from store.quarantine import Quarantine

    since_moment = _moment(since) if since else None
    here = open_context()
    listed = Quarantine(here.es, here.names).listed(kind=kind, feed_id=feed, since=since_moment, size=limit)
    if as_json:
        for kept in listed.problems:
            emit_json(problem_json(kept))
        return
    _print(listed, here.clock(), filtered=bool(kind or feed or since))


def _moment(since: str) -> datetime:
    from newswatch.clock import utc_now
    from search.time_spans import span

    try:
        return span(since, utc_now())[0]
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--since {since[:40]}: write 24h, 7d, 2w or a date such as 2026-03-01") from error


def _print(listed: Listed, now: datetime, *, filtered: bool) -> None:
    if not listed.problems:
        out.print("No problem matches." if filtered else "The quarantine is empty: everything could be used so far.")
        return
    for kept in listed.problems:
        out.print(_head(kept, now), soft_wrap=True)
        out.print(*_body(kept.problem))
    if listed.total > len(listed.problems):
        out.print(f"… and {listed.total - len(listed.problems):,} more: --limit {min(listed.total, MOST)}")
    out.print("Solved one? [cyan]newswatch problems dismiss ID[/]. What was kept: [cyan]… show ID[/].")


def _head(kept: Kept, now: datetime) -> Text:
    """Kind, subject, feed, count and times, and id, on one line."""
    problem = kept.problem
    line = Text(printable(problem.kind, SUBJECT_SHOWN), style="bold yellow")
    line.append(f" {printable(problem.subject, SUBJECT_SHOWN)}", style="bold")
    where = [f"feed {printable(problem.feed_id, SUBJECT_SHOWN)}"] if problem.feed_id else []
    often = f"{kept.count} times since {kept.first_at:%d %b %H:%M %Z}" if kept.count > 1 else "once"
    facts = [
        *where,
        *([printable(problem.stage, SUBJECT_SHOWN)] if problem.stage else []),
        ago(kept.last_at, now),
        often,
        kept.id,
    ]
    return line.append(f"  {' · '.join(facts)}", style="dim")


def _body(problem: Problem) -> Iterator[Padding]:
    """The reason, and what to do."""
    reason = printable(problem.reason, REASON_CHARS) or "No reason was recorded."
    yield Padding(Text(reason), (0, 0, 0, 2), expand=False)
    yield Padding(Text(f"→ {problem.advice}", style="dim"), (0, 0, 0, 2), expand=False)


@app.command()
def show(
    problem_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as listed.")], as_json: AsJson = False
) -> None:
    """Show one problem, with the document that was kept. Exits with 1 if there is no problem with this id."""
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
        out.print(Padding(Text(printable(kept.problem.url, REASON_CHARS)), (0, 0, 0, 2), expand=False))
    out.print(*_body(kept.problem))
    has_document = kept.problem.document is not None
    out.print("The document was kept: --json shows it." if has_document else "No document was kept with it.")


@app.command()
def dismiss(
    problem_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Their ids, as listed.")],
) -> None:
    """Forget solved problems and the documents kept with them. If they occur again, they come back.

    Exits with 1 if an id is unknown; the other problems are forgotten anyway.
    """
    from jobs.context import open_context
    from store.quarantine import Quarantine

    here = open_context()
    quarantine = Quarantine(here.es, here.names)
    known = quarantine.forget(problem_ids, by=who(), now=here.clock())
    unknown, forgotten = [one for one in dict.fromkeys(problem_ids) if one not in known], len(known)
    if forgotten:
        again = "they come back if they occur again" if forgotten > 1 else "it comes back if it occurs again"
        out.print(f"[green]forgotten[/] {forgotten}; {again}.")
    _print_unknown(unknown)


def _print_unknown(problem_ids: Sequence[str]) -> None:
    for problem_id in problem_ids:
        shown = escape(problem_id[:100])
        err.print(f"[bold red]There is no problem[/] {shown}. See `newswatch problems`.", soft_wrap=True)
    if problem_ids:
        raise typer.Exit(1)


def problem_json(kept: Kept) -> dict[str, Any]:
    """A problem as JSON, without its document."""
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
