"""What runs in a data folder, asked from another process, and its end."""

from __future__ import annotations

import os
import signal
import smtplib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
import requests

from embedded.airflow import USER as AIRFLOW_USER
from embedded.airflow import password
from embedded.airflow_api import AirflowApi
from embedded.fast_lane import BEAT
from embedded.processes import LOOPBACK, end_all, of_stack
from embedded.stack_files import Part, PartName, State, state_file
from embedded.watchman import LOCK
from newswatch.errors import StackError

DOWN_TIMEOUT_S = 120.0
WATCHED_S = 120.0
"""Seconds without a sign of life after which the watchman or the fast lane is not well."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """The current state of a part."""

    name: PartName
    ok: bool
    state: str
    """"green", "listening", "healthy", …, or what is wrong."""
    address: str
    pid: int
    log: str


@dataclass(frozen=True, slots=True)
class Status:
    """The current state of the stack in a data folder."""

    state: Literal["running", "starting", "stopped"]
    data_dir: str
    pid: int | None = None
    started_at: str | None = None
    log_dir: str | None = None
    parts: tuple[PartStatus, ...] = ()
    airflow_user: str | None = None
    airflow_password: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it runs and every part is well."""
        return self.state == "running" and all(part.ok for part in self.parts)


def status(data_dir: Path) -> Status:
    """The current state of the stack in `data_dir`; asks each part instead of only looking for its process."""
    state = State.read(state_file(data_dir))
    if state is None or state.process() is None:
        return Status("stopped", str(data_dir))
    has_airflow = any(part.name == "airflow" for part in state.parts)
    return Status(
        state="running" if state.ready else "starting",
        data_dir=str(data_dir),
        pid=state.pid,
        started_at=state.started_at,
        log_dir=state.log_dir,
        parts=tuple(_ask(part) for part in state.parts),
        airflow_user=AIRFLOW_USER if has_airflow else None,
        airflow_password=password(data_dir) if has_airflow else None,
    )


def down(data_dir: Path) -> bool:
    """Stop the stack in `data_dir`, and the processes of a killed one; returns whether there was anything to stop.

    Raises:
        StackError: it does not end.
    """
    state = State.read(state_file(data_dir))
    supervisor = state.process() if state else None
    if supervisor:
        supervisor.send_signal(signal.SIGTERM)
        try:
            supervisor.wait(DOWN_TIMEOUT_S)
        except psutil.TimeoutExpired as error:
            raise StackError(
                f"The stack (process {supervisor.pid}) has not ended within {DOWN_TIMEOUT_S:.0f} s; "
                f"see {data_dir / 'logs'}, or end it with: kill -9 {supervisor.pid}"
            ) from error
    orphans = [process for process in of_stack(data_dir) if process.pid != os.getppid()]
    end_all(orphans)
    state_file(data_dir).unlink(missing_ok=True)
    return bool(supervisor or orphans)


def _ask(part: Part) -> PartStatus:
    asks = {"elasticsearch": _ask_elasticsearch, "mail": _ask_mail, "airflow": _ask_airflow, "watchman": _ask_watchman}
    asks["fast-lane"] = _ask_fast_lane
    ok, state = asks[part.name](part)
    return PartStatus(part.name, ok, state, part.address, part.pid, part.log)


def _ask_elasticsearch(part: Part) -> tuple[bool, str]:
    try:
        health = requests.get(f"{part.address}/_cluster/health", timeout=10).json()["status"]
    except (requests.RequestException, ValueError, KeyError):
        return False, "does not answer"
    return health in ("green", "yellow"), str(health)


def _ask_mail(part: Part) -> tuple[bool, str]:
    port = urlsplit(part.address).port or 0
    try:
        with smtplib.SMTP(LOOPBACK, port, timeout=10) as smtp:
            smtp.noop()
    except (OSError, smtplib.SMTPException):
        return False, "does not answer"
    return True, "listening"


def _ask_airflow(part: Part) -> tuple[bool, str]:
    health = AirflowApi(part.address, AIRFLOW_USER, "").health()
    if not health:
        return False, "does not answer"
    ill = [f"{name} {state}" for name, state in health.items() if state not in ("healthy", "None")]
    return not ill, ", ".join(ill) or "healthy"


def _ask_fast_lane(part: Part) -> tuple[bool, str]:
    return _ask_file(part, BEAT, "asking")


def _ask_watchman(part: Part) -> tuple[bool, str]:
    return _ask_file(part, LOCK, "watching")


def _ask_file(part: Part, file: str, well: str) -> tuple[bool, str]:
    """The state of a part that touches a file in the data folder."""
    if not psutil.pid_exists(part.pid):
        return False, "has ended"
    try:
        quiet_s = time.time() - (Path(part.log).parent.parent / file).stat().st_mtime
    except OSError:
        return False, "has not begun yet"
    return quiet_s < WATCHED_S, well if quiet_s < WATCHED_S else f"has been silent for {quiet_s:.0f} s"
