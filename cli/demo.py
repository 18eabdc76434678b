"""`newswatch demo`: the whole pipeline on a local newsroom, run by the real scheduler, every result checked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.demo_steps import FAST, LISTED, NEXT, PUSHED, Checks, Demo, DemoError, wait_until
from cli.output import out, stated
from newswatch import private

if TYPE_CHECKING:
    from newswatch.settings import Settings

HURRIED = {"poll_min_interval_s": 20, "poll_max_interval_s": 20, "mail_group_s": 5, "websub": True}
"""Settings that shorten the waits for an audience; and hubs may push, as the newsroom's hub reaches this machine."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Folder for its data; emptied first.")] = None,
) -> None:
    """Show the pipeline on a local newsroom, from feeds to e-mails; exits with 0 if all is right."""
    home = (folder or stated().data_dir.parent / "newswatch-demo").absolute()
    began = time.monotonic()
    from embedded.receiver import open_receiver

    with (
        open_newsroom(home, keep=keep, hub=[PUSHED], fast=[FAST], lists=[LISTED]) as newsroom,
        open_receiver() as receiver,
        open_stack(home, newsroom, keep=keep, channel_allow_hosts=(receiver.pair,), **HURRIED) as settings,
    ):
        checks = Checks()
        Demo(settings, newsroom, checks, receiver).run()
        took = time.monotonic() - began
        if checks.failed:
            raise DemoError(f"{len(checks.failed)} of the demo's checks failed; logs: {home / 'logs'}")
        out.print(f"\n[bold green]Every check passed[/] ({took:.0f} s).")
        _where_to_look(settings, newsroom, keep)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NewsroomProcess:
    """The newsroom, in a process of its own so that it can outlive the demo."""

    url: str
    config: Path

    def requests(self) -> list[dict[str, object]]:
        """The requests that it has received so far."""
        import requests

        received: list[dict[str, object]] = requests.get(f"{self.url}/-/requests", timeout=10).json()
        return received

    def act(self, what: str, slug: str) -> None:
        """`publish` or `correct` a story."""
        import requests

        requests.post(f"{self.url}/-/{what}/{slug}", timeout=10).raise_for_status()


@contextmanager
def open_newsroom(
    home: Path, *, keep: bool = False, hub: Sequence[str] = (), fast: Sequence[str] = (), lists: Sequence[str] = ()
) -> Iterator[NewsroomProcess]:
    """The newsroom, until the block ends, or beyond that with `keep`; `home` is emptied first.

    The feeds of the outlets in `hub` name a hub, which pushes them; those in `fast` are for the fast lane;
    the front pages of those in `lists` are read too.
    """
    from embedded.processes import free_port
    from embedded.stack_status import down

    if home.exists():
        down(home)
        _end_newsroom(home)
        shutil.rmtree(home)
    config, port = home / "config", free_port()
    private.make_folder(config)
    command = [sys.executable, "-m", "embedded.newsroom", "--port", str(port), "--config", str(config)]
    command += [*(["--hub", *hub] if hub else []), *(["--fast", *fast] if fast else [])]
    command += ["--lists", *lists] if lists else []
    with private.open_file(home / "newsroom.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    (home / "newsroom.pid").write_text(str(process.pid), encoding="utf-8")
    newsroom = NewsroomProcess(f"http://127.0.0.1:{port}", config)
    try:
        wait_until(
            "the newsroom opens", lambda: (config / "taxonomy.yaml").exists() and bool(newsroom.requests() or True)
        )
        yield newsroom
    except BaseException:
        _end_newsroom(home)
        raise
    if not keep:
        _end_newsroom(home)


def _end_newsroom(home: Path) -> None:
    """Stop the newsroom of `home`, if it runs; the process id is trusted only if its command is a newsroom."""
    import psutil

    try:
        process = psutil.Process(int((home / "newsroom.pid").read_text(encoding="utf-8")))
        if "embedded.newsroom" in process.cmdline():
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    except (OSError, ValueError, psutil.Error):
        return


@contextmanager
def open_stack(home: Path, newsroom: NewsroomProcess, *, keep: bool = False, **changes: Any) -> Iterator[Settings]:
    """The stack as a user starts it, by `newswatch up`, with the newsroom's configuration and changed settings."""
    from embedded.processes import free_port
    from embedded.stack_status import down

    here: dict[str, Any] = {
        "data_dir": home,
        "config_dir": newsroom.config,
        "elasticsearch_url": f"http://127.0.0.1:{free_port()}",
        "smtp_port": free_port(),
        "public_url": f"http://127.0.0.1:{free_port()}",
        "mail_from": "newswatch@newsroom.example",
        "fetch_allow_hosts": (newsroom.url.removeprefix("http://"),),
        # A proxy of this machine's environment does not know the newsroom, which is on loopback.
        **({"fetch_no_proxy": "127.0.0.0/8"} if os.environ.get("NEWSWATCH_FETCH_PROXY") else {}),
        "fetch_host_delay_s": 0.05,  # one server plays all papers
    }
    from newswatch.settings import Settings

    settings = Settings(**here | changes)
    private.write_text(home / "env", _as_shell(settings))
    command = [sys.executable, "-c", "from cli.main import run; run()", "up", "--detach"]
    out.print("[bold]Starting Elasticsearch, Airflow and a mail catcher[/] (the first time takes longer) …")
    began = time.monotonic()
    started = subprocess.run(  # noqa: S603
        command, env=os.environ | settings.environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if started.returncode:
        raise DemoError(f"The stack did not start; see {home / 'logs'}.")
    out.print(f"  [green]✓[/] all three are up ({time.monotonic() - began:.0f} s)")
    try:
        yield settings
    except BaseException:
        down(home)
        raise
    if not keep:
        out.print("Stopping …")
        down(home)


def _as_shell(settings: Settings) -> str:
    return "".join(f"export {name}='{value}'\n" for name, value in settings.environment().items())


def _where_to_look(settings: Settings, newsroom: NewsroomProcess, keep: bool) -> None:
    """Print what to do next; at a terminal, keep everything running until the user has looked around."""
    from embedded.stack_files import mail_folder

    if not keep and not (out.is_terminal and sys.stdin.isatty()):
        mails = escape(str(mail_folder(settings.data_dir)))
        out.print(f"The mails it sent are in {mails}: open one in a mail program.", soft_wrap=True)
        out.print(
            "Look around on the News page with [cyan]make demo KEEP=1[/], or start for real: [cyan]newswatch up[/]."
        )
        return
    _tour(settings, newsroom, keep)
    if keep:
        out.print("It keeps running. In another shell:")
        out.print(f"  [cyan]source {escape(str(settings.data_dir / 'env'))}[/]", soft_wrap=True)
        out.print("  [cyan]newswatch search AWACS[/], or [cyan]feeds list[/], [cyan]status[/], [cyan]down[/]")
        return
    with suppress(EOFError, KeyboardInterrupt):
        out.input("\nPress Enter when you have saved it: then a matching story is published. ")
        newsroom.act("publish", NEXT)
        out.input("It is published. Press Enter when you have looked around: then everything stops. ")


def _tour(settings: Settings, newsroom: NewsroomProcess, keep: bool) -> None:
    from embedded.airflow import USER, password

    publish = f"[cyan]curl -X POST {newsroom.url}/-/publish/{NEXT}[/]" if keep else "press Enter here"
    out.print("\n[bold]Your turn[/]")
    steps = (
        f"Open [bold]{settings.public_url}/plugin/news[/] and log in: user [bold]{USER}[/], "
        f"password [bold]{password(settings.data_dir)}[/]",
        "Search for [cyan]NATO terrorism[/], choose [cyan]Save this search[/], and save it as it is.",
        f"Have a matching story published: {publish}",
        "Within about a minute its mail appears under [cyan]Mails[/].",
    )
    for number, step in enumerate(steps, 1):
        out.print(f"  {number}. {step}", soft_wrap=True)
