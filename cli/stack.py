"""`newswatch up`, `down` and `status`: the embedded stack."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.check import State, look, print_conditions, state_of, summary
from cli.configuration import refuse_disagreements
from cli.output import AsJson, ago, emit_json, err, out, stated, working
from newswatch import private
from newswatch.as_json import as_object
from newswatch.errors import StackError

if TYPE_CHECKING:
    from embedded.stack import Stack
    from embedded.stack_status import Status
    from newswatch.settings import Settings
    from observe.pulse import Pulse

START_TIMEOUT_S = 600.0

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, show_default="as in the settings", help="0: any free port.")
]
Embedded = Annotated[bool | None, typer.Option(show_default="unless the settings name another")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel="Run")(up)
    app.command(rich_help_panel="Run")(down)
    app.command(rich_help_panel="Run")(status)


def up(
    elasticsearch_port: Port = None,
    smtp_port: Port = None,
    airflow_port: Port = None,
    elasticsearch: Embedded = None,
    mail: Embedded = None,
    airflow: bool = True,
    watchman: Annotated[bool, typer.Option(help="Tell the operator what is wrong (newswatch watch).")] = True,
    fast_lane: Annotated[bool, typer.Option(help="Ask fast feeds every few seconds (newswatch fast).")] = True,
    heap_mb: Annotated[int, typer.Option(min=128, help="Java heap of Elasticsearch.")] = 512,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it is up, and keep it running.")] = False,
) -> None:
    """Start Elasticsearch, the mail catcher, Airflow, the fast lane and the watchman here; Ctrl-C stops them."""
    refuse_disagreements()
    if detach:
        _detach(stated().data_dir)
        return
    from embedded.stack import Ports, Stack

    settings = stated()
    usual = Ports.of(settings)
    ports = Ports(
        elasticsearch=usual.elasticsearch if elasticsearch_port is None else elasticsearch_port,
        smtp=usual.smtp if smtp_port is None else smtp_port,
        airflow=usual.airflow if airflow_port is None else airflow_port,
    )
    stack = Stack(
        settings,
        elasticsearch=elasticsearch,
        mail=mail,
        airflow=airflow,
        watchman=watchman,
        fast_lane=fast_lane,
        ports=ports,
        heap_mb=heap_mb,
        console=err,
    )
    _exit_cleanly_on_signals()
    with stack:
        _show_stack(stack)
        stack.watch()


def down() -> None:
    """Stop the embedded stack, wherever it was started, and processes that a killed stack has left behind."""
    from embedded.stack_status import down as stop

    with working("Stopping …"):
        was_up = stop(stated().data_dir)
    out.print("Stopped." if was_up else "Nothing was running.")


def status(as_json: AsJson = False) -> None:
    """Show which parts of the stack run, whether they are well, and what the pipeline did last.

    Exits with 0 only if all is well. Where the parts run elsewhere, it shows the pipeline as Elasticsearch knows it.
    """
    from embedded.stack_status import status as ask
    from store.elastic.client import where

    stack_status = ask(stated().data_dir)
    pulse, found = look()
    works = bool(pulse.jobs)
    ok = (stack_status.ok or (stack_status.state == "stopped" and works)) and state_of(found) < State.CRITICAL
    if as_json:
        pipeline = {"elasticsearch": where(stated()), "last": summary(pulse), "conditions": found} if works else None
        emit_json(as_object(stack_status) | {"ok": ok, "pipeline": pipeline})
        raise typer.Exit(0 if ok else 1)
    if stack_status.state != "stopped":
        _show_status(stack_status)
    elif not works:
        nothing = f"Nothing runs in {escape(stack_status.data_dir)}. Start it with [cyan]newswatch up[/]."
        out.print(nothing, soft_wrap=True)
        if not pulse.storage.away:
            address = escape(where(stated()))
            out.print(f"Elasticsearch at {address} answers, and newswatch has not run there yet.", soft_wrap=True)
        raise typer.Exit(1)
    else:
        out.print(f"The pipeline works with Elasticsearch at [cyan]{escape(where(stated()))}[/].", soft_wrap=True)
    if works:
        out.print(_pipeline(pulse))
    print_conditions(found, pulse.at)
    raise typer.Exit(0 if ok else 1)


def _pipeline(pulse: Pulse) -> Table:
    """What the pipeline did last, and how long ago."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_row("Feeds", f"{pulse.reach.enabled}, {', '.join(_states(pulse))}" if pulse.reach.enabled else "none yet")
    for name, moment in summary(pulse).items():
        table.add_row(f"Last {name}" if name != "newest article" else "Newest article", ago(moment, pulse.at))
    return table


def _states(pulse: Pulse) -> list[str]:
    return [f"{count} {escape(state)}" for state, count in pulse.reach.states.items()]


def _exit_cleanly_on_signals() -> None:
    """Make a signal to end the normal way out: the stack stops, and the exit status is 0."""

    def leave(number: int, frame: object) -> None:  # noqa: ARG001
        # Further signals are ignored: stopping takes a moment and must not be interrupted.
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)
        raise SystemExit(0)

    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A signal that `nohup` or a shell's `&` has set to be ignored stays ignored.
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, leave)


def _detach(data_dir: Path) -> None:
    """Run the same command again in a process of its own, and return once that is up."""
    from embedded.processes import tail
    from embedded.stack_status import status as ask

    log_file = data_dir / "logs" / "stack.log"
    options = [argument for argument in sys.argv[sys.argv.index("up") + 1 :] if argument not in ("--detach", "-d")]
    command = [sys.executable, "-c", "from cli.main import run; run()", "up", *options]
    private.make_folder(log_file.parent)
    with private.open_file(log_file, "wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=private.UMASK,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    with working("Starting; the first time Elasticsearch is downloaded …"), log_file.open(encoding="utf-8") as said:
        stack_status = ask(data_dir)
        while stack_status.pid != process.pid or stack_status.state != "running":
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"The stack did not start; {log_file} ends with:\n{tail(log_file)}")
            err.print(escape(said.read()), end="", soft_wrap=True)
            time.sleep(0.5)
            stack_status = ask(data_dir)
    _show_status(stack_status)
    out.print("It keeps running. Stop it with [cyan]newswatch down[/].")


def _show_stack(stack: Stack) -> None:
    from embedded.airflow import USER, password
    from embedded.stack_files import mail_folder

    table = Table(box=None, show_header=False, padding=(0, 2))
    for part in stack.parts():
        where_or_what = escape(part.address or _does(part.name, stack.settings))
        table.add_row(f"[bold]{TITLES[part.name]}[/]", f"[cyan]{where_or_what}[/]")
        if part.name == "airflow":
            table.add_row("", f"user [bold]{USER}[/], password [bold]{escape(password(stack.data_dir))}[/]")
        if part.name == "mail":
            table.add_row("", f"keeps mails in {escape(str(mail_folder(stack.data_dir)))}; list: newswatch mails")
    table.add_row("[bold]Logs[/]", escape(str(stack.log_dir)))
    out.print(table, soft_wrap=True)
    if hint := _for_other_commands(stack):
        out.print(f"Other commands find it with: [cyan]{escape(hint)}[/]", soft_wrap=True)
    out.print("Stop with Ctrl-C, or [cyan]newswatch down[/] in another terminal.")


def _does(name: str, settings: Settings) -> str:
    """What a part without an address does."""
    if name == "watchman":
        return _tells(settings)
    return f"asks fast feeds every {settings.fast_interval_s} s; list: newswatch fast --list"


def _tells(settings: Settings) -> str:
    """Whom the watchman tells."""
    from observe.tell import ways

    titles = ", ".join(way.title for way in ways(settings))
    return f"tells by {titles}" if titles else "tells nobody: set NEWSWATCH_OPERATOR or NEWSWATCH_OPERATOR_URL"


def _for_other_commands(stack: Stack) -> str:
    """The environment that other commands need if the ports differ from the settings."""
    usual = stated()
    differing = {
        f"NEWSWATCH_{name.upper()}": str(getattr(stack.settings, name))
        for name in ("elasticsearch_url", "smtp_port", "public_url")
        if getattr(stack.settings, name) != getattr(usual, name)
    }
    return f"export {' '.join(f'{name}={value}' for name, value in differing.items())}" if differing else ""


def _show_status(stack_status: Status) -> None:
    table = Table("", "state", "address", "process", box=None)
    for part in stack_status.parts:
        colour = "green" if part.ok else "bold red"
        state = f"[{colour}]{escape(part.state)}[/]"
        table.add_row(f"[bold]{TITLES[part.name]}[/]", state, part.address, str(part.pid))
    started = f"process {stack_status.pid}, since {stack_status.started_at}"
    out.print(f"The stack is [bold]{stack_status.state}[/] ({started}).")
    out.print(table)
    if stack_status.airflow_password:
        login = f"user [bold]{stack_status.airflow_user}[/], password [bold]{escape(stack_status.airflow_password)}[/]"
        out.print(f"Airflow: {login}")
    out.print(f"Logs: {escape(str(stack_status.log_dir))}", soft_wrap=True)


TITLES = {
    "elasticsearch": "Elasticsearch",
    "mail": "Mail catcher",
    "airflow": "Airflow",
    "fast-lane": "Fast lane",
    "watchman": "Watchman",
}
