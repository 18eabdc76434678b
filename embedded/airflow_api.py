"""A client for the REST API of Airflow 3 (`/api/v2`), as far as the stack, the demo and the tests need it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests

from newswatch.errors import StackError

REQUEST_TIMEOUT_S = 30.0
FINISHED = ("success", "failed")
PAUSES_S = (0.5, 2.0, 5.0)
"""Seconds to wait before repeating a call after a server error, because its database is busy."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    """queued, running, success or failed."""


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A DAG file that can't be loaded."""

    filename: str
    trace: str


class AirflowApi:
    """Airflow's REST API (`/api/v2`), as far as the stack, the demo and the tests need it.

    Calls raise StackError if Airflow can't be reached or refuses.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self.password = password
        self._session = requests.Session()

    def health(self) -> dict[str, str]:
        """State by component (`metadatabase`, `scheduler`, `dag_processor`, `triggerer`); empty without an answer."""
        try:
            response = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=REQUEST_TIMEOUT_S)
            return {part: str(report.get("status")) for part, report in response.json().items()}
        except (requests.RequestException, ValueError, AttributeError):
            return {}

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> Run:
        """Start a run of the DAG now, exactly once: its id is ours, so the call can be repeated after an error."""
        run_id = f"manual__{datetime.now(UTC).isoformat(timespec='seconds')}_{secrets.token_hex(4)}"
        wanted = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        return _run(
            self._call("POST", f"dags/{dag_id}/dagRuns", wanted, known=f"dags/{dag_id}/dagRuns/{_quoted(run_id)}")
        )

    def runs(self, dag_id: str, limit: int = 100) -> list[Run]:
        """The DAG's last `limit` runs, newest first."""
        answer = self._call("GET", f"dags/{dag_id}/dagRuns?order_by=-run_after&limit={limit}")
        return [_run(run) for run in answer["dag_runs"]]

    def run(self, dag_id: str, run_id: str) -> Run:
        """The current state of one run."""
        return _run(self._call("GET", f"dags/{dag_id}/dagRuns/{_quoted(run_id)}"))

    def await_run(self, dag_id: str, run_id: str, timeout_s: float = 120) -> Run:
        """The run once it has succeeded or failed; StackError if that takes longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (run := self.run(dag_id, run_id)).state not in FINISHED:
            if time.monotonic() > deadline:
                raise StackError(f"The run {run_id} of {dag_id} is still {run.state} after {timeout_s:.0f} s.")
            time.sleep(0.3)
        return run

    def dag_ids(self) -> list[str]:
        """The DAGs that Airflow has loaded."""
        return [dag["dag_id"] for dag in self._call("GET", "dags?limit=100")["dags"]]

    def import_problems(self) -> list[ImportProblem]:
        """The DAG files that can't be loaded."""
        errors = self._call("GET", "importErrors?limit=100")["import_errors"]
        return [ImportProblem(error["filename"], error["stack_trace"]) for error in errors]

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Stop the scheduler from starting the DAG's runs, or let it start them again."""
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.pause(dag_id, paused=False)

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, known: str | None = None
    ) -> dict[str, Any]:
        """Airflow's answer. Calls may be repeated: if one was carried out but its answer lost, `known` has it."""
        for pause_s in (*PAUSES_S, None):
            response = self._request(method, f"/api/v2/{path}", body)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                self._log_in()
                response = self._request(method, f"/api/v2/{path}", body)
            if response.status_code == HTTPStatus.CONFLICT and known:
                return self._call("GET", known)
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or pause_s is None:
                break
            time.sleep(pause_s)
        if not response.ok:
            raise StackError(f"Airflow refuses {method} {path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer

    def _log_in(self) -> None:
        response = self._request("POST", "/auth/token", {"username": self.user, "password": self.password})
        if not response.ok:
            raise StackError(f"Airflow does not accept the password of {self.user}: {response.status_code}.")
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}{path}", json=body, timeout=REQUEST_TIMEOUT_S)
        except requests.RequestException as error:
            raise StackError(f"Airflow does not answer at {self.url}: {error}. See `newswatch status`.") from error


def _quoted(run_id: str) -> str:
    return quote(run_id, safe="")


def _run(answer: Mapping[str, Any]) -> Run:
    return Run(answer["dag_id"], answer["dag_run_id"], answer["state"])
