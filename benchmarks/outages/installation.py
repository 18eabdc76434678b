"""The stack that is broken: as a user starts it, by `newswatch up`, in a data folder of its own and on free ports."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Final

import psutil
import requests

from benchmarks.outages.receivers import Outside
from embedded.airflow import USER, password
from embedded.processes import free_port, of_stack
from embedded.stack_status import down
from newswatch import private
from newswatch.settings import default_config_dir

OPERATOR: Final = "operator@desk.example"
READER: Final = "reader@desk.example"
COMMAND_S: Final = 120.0
START_S: Final = 600.0
PAGE_S: Final = 30.0

_CONDITION: Final = re.compile(r"^(?:CRITICAL|WARNING) (\S+): ", re.MULTILINE)
"""A condition in the output of `newswatch check`."""

ALERTS: Final = f"""\
alerts:
  - id: nato
    name: NATO
    query: NATO
    recipients: [{READER}]
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What `newswatch check` and the News page say at one moment."""

    code: int
    """The exit status of `newswatch check`."""
    ids: frozenset[str]
    """Of the conditions that it names."""
    line: str
    """The first line of `newswatch check`."""
    banner: str
    """The text of the page's banner; empty: there is none."""
    page: int
    """The page's status; 0: no answer."""
    health: Mapping[str, str]
    """What /news/health says of each kind of condition."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A running stack, and how to find and ask its parts."""

    home: Path
    environment: Mapping[str, str]
    """What makes a command belong to it."""
    outside: Outside

    @property
    def config(self) -> Path:
        """The folder of the three files."""
        return self.home / "config"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    @property
    def elasticsearch(self) -> str:
        """The node's address."""
        return self.environment["NEWSWATCH_ELASTICSEARCH_URL"]

    @property
    def web(self) -> str:
        """The web server's address."""
        return self.environment["NEWSWATCH_PUBLIC_URL"]

    # ── commands and pages ──

    def command(self, *arguments: str, timeout_s: float = COMMAND_S, **variables: str) -> Said:
        """Run `newswatch ARGUMENTS` as the operator would, with these variables besides."""
        return self.python("from cli.main import run; run()", *arguments, timeout_s=timeout_s, **variables)

    def python(self, code: str, *arguments: str, timeout_s: float = COMMAND_S, **variables: str) -> Said:
        """Run the code in a process that belongs to the installation, with these variables besides."""
        command = [sys.executable, "-c", code, *arguments]
        env = {**self.environment, **variables}
        try:
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=self.home
            )
        except subprocess.TimeoutExpired:
            return Said(-1, "", f"no end within {timeout_s:.0f} s")
        return Said(done.returncode, done.stdout, done.stderr)

    def start(self) -> float:
        """Start the stack and wait until it is up; returns the seconds that it took.

        Raises:
            SystemExit: it does not start; the message says why.
        """
        began = time.monotonic()
        said = self.command("up", "--detach", timeout_s=START_S)
        if said.code:
            raise SystemExit(f"The stack does not start:\n{said.err}\n{self.log('stack.log')}")
        return time.monotonic() - began

    def check(self) -> Checked:
        """What the command and the page say now."""
        told = self.command("check")
        status, banner = self._banner()
        return Checked(
            code=told.code,
            ids=frozenset(_CONDITION.findall(told.out)),
            line=next(iter((told.out or told.err).strip().splitlines()), ""),
            banner=banner,
            page=status,
            health=self._health(),
        )

    def _banner(self) -> tuple[int, str]:
        try:
            given = requests.post(
                f"{self.web}/auth/token",
                json={"username": USER, "password": password(self.data)},
                timeout=PAGE_S,
            )
            token = given.json()["access_token"]
            page = requests.get(f"{self.web}/news/", headers={"Authorization": f"Bearer {token}"}, timeout=PAGE_S)
        except (requests.RequestException, ValueError, KeyError):
            return 0, ""
        found = re.search(r'<div class="banner[^"]*"[^>]*>(.*?)</div>', page.text, re.DOTALL)
        text = unescape(re.sub(r"<[^>]+>", " ", found[1])) if found else ""
        if not found and not page.ok:
            text = unescape(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]))[:500]
        return page.status_code, " ".join(text.split())

    def _health(self) -> Mapping[str, str]:
        try:
            return dict(requests.get(f"{self.web}/news/health", timeout=PAGE_S).json().get("checks", {}))
        except (requests.RequestException, ValueError, AttributeError):
            return {}

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Elasticsearch's answer."""
        answer = requests.request(method, f"{self.elasticsearch}/{path}", json=body, timeout=PAGE_S)
        answer.raise_for_status()
        return dict(answer.json())

    # ── processes ──

    def processes(self, is_wanted: Callable[[str], bool]) -> list[psutil.Process]:
        """The processes of the stack whose command line, as one text, is wanted."""
        found = []
        for process in of_stack(self.data):
            with suppress(psutil.Error):
                if is_wanted(" ".join(process.cmdline())):
                    found.append(process)
        return found

    def task_processes(self, dag: str) -> list[psutil.Process]:
        """The processes of the DAG's running tasks, by Airflow's database, in which they note their ids."""
        wanted = "SELECT pid FROM task_instance WHERE dag_id = ? AND state = 'running' AND pid IS NOT NULL"
        address = f"file:{self.data / 'airflow' / 'airflow.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=1)) as database:
            pids = [pid for (pid,) in database.execute(wanted, (dag,))]
        ours = {process.pid: process for process in of_stack(self.data)}
        return [ours[pid] for pid in pids if pid in ours]

    def log(self, name: str) -> str:
        """The end of a log of the stack."""
        with suppress(OSError):
            return (self.data / "logs" / name).read_text(encoding="utf-8", errors="replace")[-4_000:]
        return ""


# ── starting and stopping ────────────────────────────────────────────────────────────────────────────────────────────


def _environment(home: Path, outside: Outside) -> dict[str, str]:
    """The variables of the installation; what the caller's shell says of another one is left out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NEWSWATCH_", "AIRFLOW_"))}
    web = f"http://127.0.0.1:{free_port()}"
    stated = {
        "DATA_DIR": str(home / "data"),
        "CONFIG_DIR": str(home / "config"),
        "ELASTICSEARCH_URL": f"http://127.0.0.1:{free_port()}",
        "PUBLIC_URL": web,
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(outside.mail.port),
        "SMTP_SECURITY": "starttls",
        "MAIL_FROM": "newswatch@desk.example",
        "OPERATOR": OPERATOR,
        "OPERATOR_URL": outside.hooks.chat,
        "HEARTBEAT_URL": outside.hooks.heartbeat,
        "FETCH_ALLOW_HOSTS": json.dumps(outside.papers.hosts),
        "FETCH_HOST_DELAY_S": "0.1",
        "POLL_MAX_INTERVAL_S": "120",
    }
    variables = {f"NEWSWATCH_{name}": value for name, value in stated.items()}
    return {**inherited, **variables, "SSL_CERT_FILE": str(outside.authority.file)}


@contextmanager
def open_installation(home: Path, outside: Outside, *, keep: bool = False) -> Iterator[Installation]:
    """The stack in `home`, which is emptied first; with `keep` it stays on the disk, and it is stopped in any case."""
    if home.exists():
        down(home / "data")
        shutil.rmtree(home)
    config = home / "config"
    private.make_folder(config)
    (config / "feeds.yaml").write_text(outside.papers.feeds_yaml(), encoding="utf-8")
    (config / "alerts.yaml").write_text(ALERTS, encoding="utf-8")
    shutil.copyfile(default_config_dir() / "taxonomy.yaml", config / "taxonomy.yaml")
    installation = Installation(home, _environment(home, outside), outside)
    try:
        installation.start()
        yield installation
    finally:
        _resume(installation)
        down(installation.data)
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def _resume(installation: Installation) -> None:
    """Let processes that were stopped go on, or they could not end."""
    for process in of_stack(installation.data):
        with suppress(psutil.Error):
            process.resume()
