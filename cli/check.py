"""`newswatch check`: whether all is well, as Nagios and Icinga ask; and the same in a few lines above other commands.

The output follows the monitoring plugins' interface (https://www.monitoring-plugins.org/doc/guidelines.html): a first
line with the state, a sentence and performance data; one further line per condition; the state as the exit code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from cli.output import AsJson, ago, emit_json, err
from newswatch.errors import NewswatchError
from newswatch.feed import FeedHealth

if TYPE_CHECKING:
    from jobs.context import Context
    from newswatch.settings import Settings
    from observe.condition import Condition
    from observe.pulse import Pulse

SHOWN = 3
"""Maximum number of conditions above the output of another command."""


class State(IntEnum):
    """The exit codes of a monitoring plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3
    """The plugin could not look."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(check)


def check(as_json: AsJson = False) -> None:
    """Tell whether all is well, as a plugin for Nagios or Icinga. Exits with 0 (ok), 1 (warning), 2 (critical) or 3.

    3 means that it could not look, because a setting is wrong. It needs no Airflow, and works on any installation.
    """
    try:
        pulse, found = look()
    except Exception as error:
        why = _one_line(str(error) or type(error).__name__)
        if as_json:
            emit_json({"state": State.UNKNOWN.name.lower(), "why": why, "conditions": []})
        else:
            typer.echo(f"NEWSWATCH {State.UNKNOWN.name} - {why}")
        raise typer.Exit(State.UNKNOWN) from error
    state = state_of(found)
    if as_json:
        emit_json({"state": state.name.lower(), "at": pulse.at, "conditions": found, "pulse": pulse})
    else:
        for line in lines(pulse, found):
            typer.echo(line)
    raise typer.Exit(state)


def look(settings: Settings | None = None) -> tuple[Pulse, tuple[Condition, ...]]:
    """The pulse of the installation that the settings name, and what is wrong with it. It creates nothing there.

    Raises:
        ValidationError, NewswatchError: the settings are wrong.
    """
    from store.elastic import lean

    lean.load()  # monitoring systems call it every minute or so

    from newswatch.settings import Settings
    from observe.conditions import conditions
    from observe.reading import PATIENCE_S, read_pulse
    from store.elastic.client import connect
    from store.elastic.clock import store_clock
    from store.names import Names

    settings = settings or Settings()
    with connect(settings) as es:
        # The jobs' times are by Elasticsearch's clock. If it does not answer, the reading says so.
        now = store_clock(es.options(request_timeout=PATIENCE_S, max_retries=0))()
        pulse = read_pulse(es, Names.of(settings), settings, now)
    return pulse, conditions(pulse, settings)


def state_of(found: Sequence[Condition]) -> State:
    """The state that the conditions amount to."""
    if not found:
        return State.OK
    return State.CRITICAL if any(condition.severity == "critical" for condition in found) else State.WARNING


def lines(pulse: Pulse, found: Sequence[Condition]) -> Iterable[str]:
    """The output for a monitoring system."""
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    told = _one_line(found[0].sentence) + more if found else _well(pulse)
    yield f"NEWSWATCH {state_of(found).name} - {told} | {' '.join(performance(pulse))}"
    for condition in found:
        since = f" Since {condition.since:%Y-%m-%d %H:%M} UTC." if condition.since else ""
        told = _one_line(f"{condition.sentence}{since} {condition.next_step}")
        yield f"{condition.severity.upper()} {condition.id}: {told}"


def _well(pulse: Pulse) -> str:
    if not pulse.reach.enabled:
        return "no feed is known yet"
    feeds = "1 feed" if pulse.reach.enabled == 1 else f"{pulse.reach.enabled} feeds"
    last = pulse.reach.reached_at
    return f"{feeds}, last reached {ago(last, pulse.at)}" if last else f"{feeds}, none reached yet"


def performance(pulse: Pulse) -> Iterable[str]:
    """The numbers as performance data: 'label'=value[unit];warn;crit;min;max. What is unknown is left out."""
    from observe.rules.polling import FAILING_SHARE

    if pulse.storage.away:
        return
    reach, waiting = pulse.reach, pulse.waiting
    failing = reach.states.get(FeedHealth.FAILING, 0) + reach.states.get(FeedHealth.GONE, 0)
    yield f"'feeds'={reach.enabled};;;0"
    yield f"'feeds_failing'={failing};{round(FAILING_SHARE * reach.enabled)};;0;{reach.enabled}"
    yield f"'feeds_due'={reach.due};;;0"
    yield from _age("reached_age", reach.reached_at, pulse.at)
    yield from _age("article_age", pulse.newest_article_at, pulse.at)
    yield f"'batches_waiting'={waiting.batches};;;0"
    yield from _age("batch_age", waiting.batch_since, pulse.at)
    yield f"'mails_waiting'={waiting.mails};;;0"
    yield from _age("mail_age", waiting.mail_since, pulse.at)
    yield f"'searches_failing'={len(pulse.failing_searches)};0;;0"
    yield f"'problems'={pulse.problems};;;0"
    if pulse.storage.disk_free is not None:
        yield f"'disk_free'={100 * pulse.storage.disk_free:.1f}%;;;0;100"


def _age(label: str, moment: datetime | None, now: datetime) -> Iterable[str]:
    if moment is not None:
        yield f"'{label}'={max(0, round((now - moment).total_seconds()))}s;;;0"


def _one_line(text: str) -> str:
    """The text on one line, without the bar that begins the performance data."""
    return " ".join(text.replace("|", "/").split())


# ── above other commands ─────────────────────────────────────────────────────────────────────────────────────────────


def show_banner(context: Context) -> None:
    """Print on standard error what is wrong, if anything is; never fails."""
    from observe.conditions import conditions
    from observe.reading import read_pulse

    try:
        pulse = read_pulse(context.es, context.names, context.settings, context.clock())
    except NewswatchError as error:
        err.print(f"[yellow]Whether all is well can't be told:[/] {escape(str(error))}", soft_wrap=True)
        return
    print_conditions(conditions(pulse, context.settings), pulse.at)


def print_conditions(found: Sequence[Condition], now: datetime, *, most: int = SHOWN) -> None:
    """Print the conditions on standard error, the worst first; beyond `most`, only their number."""
    for condition in found[:most]:
        colour = "bold red" if condition.severity == "critical" else "yellow"
        since = f" Since {ago(condition.since, now).removesuffix(' ago')}." if condition.since else ""
        told = f"[{colour}]![/] [bold]{escape(condition.sentence)}[/]{since} {escape(condition.next_step)}"
        err.print(told, soft_wrap=True)
    if len(found) > most:
        err.print(f"[yellow]![/] {len(found) - most} more: [cyan]newswatch check[/]")


def summary(pulse: Pulse) -> dict[str, Any]:
    """When the pipeline last did what, by name; for `newswatch status`."""
    jobs = pulse.jobs
    return {
        "polled": jobs["plan"].ended_at if "plan" in jobs else None,
        "reached": pulse.reach.reached_at,
        "newest article": pulse.newest_article_at,
        "matched": jobs["match"].ended_at if "match" in jobs else None,
        "mailed": pulse.mail.accepted_at,
    }
