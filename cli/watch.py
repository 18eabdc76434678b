"""`newswatch watch`: looks at everything every few seconds, and tells the operator what is wrong."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.configuration import refuse_mistyped
from cli.output import AsJson, emit_json, err, out, stated

if TYPE_CHECKING:
    from observe.condition import Condition

NAME = "watch"
"""The command that watches although a setting is wrong, and tells that."""
COLOURS = {"critical": "bold red", "warning": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(watch)


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and tell nobody; --json implies it.")] = False,
    as_json: AsJson = False,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message by every way, and say what became of it.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 15.0,
) -> None:
    """Watch everything, and tell the operator once what is wrong and once when it is over, by every way there is.

    With --once it exits with 0 if all is well, 1 for warnings, 2 if something is critical.
    """
    if test or once or as_json:
        refuse_mistyped()
    if test:
        _test(as_json)
    elif once or as_json:
        _look_once(as_json)
    else:
        _run(every)


def _run(every_s: float) -> None:
    from store.elastic import lean

    lean.load()

    from newswatch.setting_faults import mistyped
    from newswatch.settings_in_part import settings_or_defaults
    from observe.tell import ways
    from observe.watch import run

    settings, wrong = settings_or_defaults()
    wrong = {**wrong, **{finding.variables[0]: finding.message for finding in mistyped(os.environ)}}
    for variable, fault in wrong.items():
        err.print(f"[yellow]![/] {escape(variable)}: {escape(fault)}", soft_wrap=True)
    told = ways(settings)
    if not told:
        err.print("[yellow]![/] Nobody is told: set NEWSWATCH_OPERATOR or NEWSWATCH_OPERATOR_URL.")
    if not settings.airflow_url:
        err.print("[yellow]![/] Airflow is not watched: set NEWSWATCH_AIRFLOW_URL if there is one.")
    err.print(f"Watching; tells by {escape(', '.join(way.title for way in told)) or 'its log only'}.", soft_wrap=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    run(settings, over, every_s=every_s, wrong=wrong)


def _look_once(as_json: bool) -> None:
    from observe.notice import condition_as_json
    from observe.watch import look_once

    found, notes = look_once(stated())
    if as_json:
        for condition in found:
            emit_json(condition_as_json(condition))
    else:
        _show(found)
        for note in notes:
            err.print(f"[yellow]![/] {escape(note)}", soft_wrap=True)
    raise typer.Exit(_status(found))


def _show(found: tuple[Condition, ...]) -> None:
    from observe.notice import title

    for condition in found:
        colour = COLOURS[condition.severity]
        out.print(f"[{colour}]{condition.severity}[/] [bold]{escape(title(condition.id))}[/]", soft_wrap=True)
        out.print(f"  {escape(condition.sentence)}", soft_wrap=True)
        out.print(f"  [dim]{escape(condition.next_step)}[/]", soft_wrap=True)
    if not found:
        out.print("All is well.")


def _status(found: tuple[Condition, ...]) -> int:
    """0 if all is well, 1 for warnings, 2 if something is critical."""
    return max((2 if condition.severity == "critical" else 1 for condition in found), default=0)


def _test(as_json: bool) -> None:
    from observe.tell import Outcome
    from observe.watch import try_ways

    told = try_ways(stated())
    if not told:
        err.print("Nobody can be told: set NEWSWATCH_OPERATOR or NEWSWATCH_OPERATOR_URL.")
        raise typer.Exit(1)
    for way, result in told:
        accepted = result.outcome is Outcome.ACCEPTED
        if as_json:
            emit_json({"way": way.title, "outcome": result.outcome.name.lower(), "why": result.why})
        else:
            said = (
                "[green]accepted[/]"
                if accepted
                else f"[bold red]{result.outcome.name.lower()}[/]: {escape(result.why)}"
            )
            out.print(f"{escape(way.title)}: {said}", soft_wrap=True)
    raise typer.Exit(0 if all(result.outcome is Outcome.ACCEPTED for _, result in told) else 1)
