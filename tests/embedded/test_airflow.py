"""Airflow's configuration, and the client for its REST API."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from pydantic import SecretStr

from embedded import airflow
from embedded.airflow import (
    COMPONENTS,
    dags_folder,
    elasticsearch_connection,
    environment,
    password,
    smtp_connection,
    unhealthy,
)
from embedded.airflow_api import AirflowApi, ImportProblem, Run
from embedded.processes import LOOPBACK, Child, free_port
from newswatch.errors import StackError
from newswatch.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, elasticsearch_url="http://127.0.0.1:9209", smtp_port=2525)


def test_every_variable_is_one_that_airflow_knows(settings: Settings) -> None:
    known = airflow_options()
    variables = environment(settings, port=8080, log_dir=settings.data_dir / "logs")
    ours = [name.removeprefix("AIRFLOW__").lower() for name in variables if name.startswith("AIRFLOW__")]
    assert len(ours) > 15
    assert [name for name in ours if name not in known] == []


def airflow_options() -> set[str]:
    """`section__option`, from the file Airflow itself reads; importing Airflow would take seconds."""
    spec = importlib.util.find_spec("airflow")
    assert spec
    assert spec.submodule_search_locations
    config = Path(spec.submodule_search_locations[0]) / "config_templates" / "config.yml"
    sections = yaml.load(config.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return {f"{section}__{option}" for section, told in sections.items() for option in told["options"]}


def test_airflow_listens_on_loopback_only(settings: Settings) -> None:
    variables = environment(settings, port=8099, log_dir=settings.data_dir / "logs")
    assert variables["AIRFLOW__API__HOST"] == LOOPBACK
    assert variables["AIRFLOW__API__PORT"] == "8099"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8099/execution/"
    assert all("--skip-serve-logs" in COMPONENTS[name] for name in ("scheduler", "triggerer"))


def test_tasks_get_the_settings(settings: Settings) -> None:
    variables = environment(settings, port=8080, log_dir=settings.data_dir / "logs")
    assert variables["NEWSWATCH_ELASTICSEARCH_URL"] == "http://127.0.0.1:9209"
    assert variables["NEWSWATCH_SMTP_PORT"] == "2525"
    assert variables["NEWSWATCH_DATA_DIR"] == str(settings.data_dir)
    assert json.loads(variables["AIRFLOW_CONN_NEWSWATCH_ELASTICSEARCH"])["port"] == 9209
    assert json.loads(variables["AIRFLOW_CONN_NEWSWATCH_SMTP"])["port"] == 2525


def test_secrets_are_kept_and_nobody_else_can_read_them(settings: Settings) -> None:
    first = environment(settings, port=8080, log_dir=settings.data_dir)
    again = environment(settings, port=8080, log_dir=settings.data_dir)
    assert first == again
    secret = password(settings.data_dir)
    assert len(secret) >= 12
    assert password(settings.data_dir) == secret
    assert first["AIRFLOW__API_AUTH__JWT_SECRET"] != first["AIRFLOW__API__SECRET_KEY"]
    for file in (settings.data_dir / "airflow").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_the_dags_are_those_installed() -> None:
    assert (dags_folder() / "poll_feeds.py").is_file()


@pytest.mark.parametrize(
    ("ill", "name"),
    [
        ({}, "api-server"),
        ({"metadatabase": "unhealthy", "scheduler": "None"}, "api-server"),
        ({"metadatabase": "healthy", "scheduler": "unhealthy", "dag_processor": "unhealthy"}, "scheduler"),
        ({"metadatabase": "healthy", "scheduler": "healthy", "dag_processor": "None"}, "dag-processor"),
    ],
)
def test_what_does_not_start_is_named(ill: dict[str, str], name: str) -> None:
    assert unhealthy(ill) == name


def test_connections_say_what_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(
        elasticsearch_url="https://es.example:9243",
        elasticsearch_username="writer",
        elasticsearch_password=SecretStr("p@ss"),
        elasticsearch_api_key=SecretStr("key"),
        elasticsearch_ca_certs=tmp_path / "ca.pem",
        smtp_host="smtp.example",
        smtp_port=587,
        smtp_security="starttls",
        smtp_username="mailer",
        smtp_password=SecretStr("s"),
        mail_from="watch@example",
    )
    assert elasticsearch_connection(settings) == {
        "conn_type": "elasticsearch",
        "schema": "https",
        "host": "es.example",
        "port": 9243,
        "login": "writer",
        "password": "p@ss",
        "extra": {"api_key": "key", "ca_certs": str(tmp_path / "ca.pem")},
    }
    assert smtp_connection(settings) == {
        "conn_type": "smtp",
        "host": "smtp.example",
        "port": 587,
        "login": "mailer",
        "password": "s",
        "extra": {"disable_ssl": True, "disable_tls": False, "from_email": "watch@example"},
    }


class FakeAirflow(BaseHTTPRequestHandler):
    """Answers the few calls of the client in the form that Airflow 3.3 answers them."""

    runs: ClassVar[list[dict[str, Any]]] = []
    calls: ClassVar[list[tuple[str, str, Any]]] = []
    statuses: ClassVar[list[int]] = []
    """What the next POSTs are answered with; 200 when used up."""
    polls = 0

    def do_GET(self) -> None:
        if self.path == "/api/v2/monitor/health":
            self.answer(200, {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}})
        elif not self.is_known():
            return
        elif self.path.startswith("/api/v2/importErrors"):
            self.answer(
                200, {"import_errors": [{"filename": "x.py", "stack_trace": "SyntaxError", "bundle_name": "b"}]}
            )
        elif self.path.startswith("/api/v2/dags?"):
            self.answer(200, {"dags": [{"dag_id": "poll"}, {"dag_id": "match"}]})
        elif "/dagRuns?" in self.path:
            self.answer(200, {"dag_runs": self.runs})
        elif self.path.startswith("/api/v2/dags/poll/dagRuns/manual__20"):
            type(self).polls += 1
            self.answer(200, {**self.runs[0], "state": "success" if self.polls > 2 else "running"})
        else:
            self.answer(404, {"detail": f"nothing at {self.path}"})

    def do_POST(self) -> None:
        body = self.read()
        if self.path == "/auth/token":
            right = body == {"username": "admin", "password": "right"}
            self.answer(201, {"access_token": "token"}) if right else self.answer(401, {"detail": "Invalid"})
        elif self.is_known():
            self.calls.append(("POST", self.path, body))
            status = self.statuses.pop(0) if self.statuses else 200
            self.answer(status, self.runs[0] if status == 200 else {"detail": "busy"})

    def do_PATCH(self) -> None:
        body = self.read()
        if self.is_known():
            self.calls.append(("PATCH", self.path, body))
            self.answer(200, {})

    def is_known(self) -> bool:
        known = self.headers["Authorization"] == "Bearer token"
        if not known:
            self.answer(401, {"detail": "Not authenticated"})
        return known

    def read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def fake() -> Iterator[str]:
    FakeAirflow.polls = 0
    FakeAirflow.calls = []
    FakeAirflow.statuses = []
    run_id = "manual__2026-01-01T00:00:00+00:00"
    FakeAirflow.runs = [{"dag_id": "poll", "dag_run_id": run_id, "state": "queued", "note": None}]
    with ThreadingHTTPServer((LOOPBACK, 0), FakeAirflow) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


def test_triggers_a_run_and_waits_for_it(fake: str) -> None:
    api = AirflowApi(fake, "admin", "right")
    run = api.trigger("poll", {"why": "test"})
    assert run == Run("poll", "manual__2026-01-01T00:00:00+00:00", "queued")
    ((method, path, body),) = FakeAirflow.calls
    assert (method, path) == ("POST", "/api/v2/dags/poll/dagRuns")
    assert body.pop("dag_run_id").startswith("manual__20")
    assert body == {"logical_date": None, "conf": {"why": "test"}}
    assert api.await_run("poll", run.run_id).state == "success"
    assert FakeAirflow.polls == 3
    assert api.runs("poll") == [run]


def test_a_busy_database_is_asked_again_and_no_run_started_twice(fake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.airflow_api.PAUSES_S", (0.01, 0.01))
    FakeAirflow.statuses = [500, 409]
    AirflowApi(fake, "admin", "right").trigger("poll")
    first, second = (body["dag_run_id"] for _, _, body in FakeAirflow.calls)
    assert first == second


def test_a_database_that_stays_busy_is_told(fake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.airflow_api.PAUSES_S", (0.01,))
    FakeAirflow.statuses = [500, 503]
    with pytest.raises(StackError, match=r"503 .*busy"):
        AirflowApi(fake, "admin", "right").trigger("poll")


def test_a_run_that_takes_too_long_is_named(fake: str) -> None:
    api = AirflowApi(fake, "admin", "right")
    with pytest.raises(StackError, match="of poll is still running after 0 s"):
        api.await_run("poll", "manual__2026-01-01T00:00:00+00:00", timeout_s=0)


def test_health_needs_no_password(fake: str) -> None:
    assert AirflowApi(fake, "admin", "").health() == {"metadatabase": "healthy", "scheduler": "unhealthy"}


def test_reads_dags_and_import_problems(fake: str) -> None:
    api = AirflowApi(fake, "admin", "right")
    assert api.dag_ids() == ["poll", "match"]
    assert api.import_problems() == [ImportProblem("x.py", "SyntaxError")]
    api.unpause("poll")
    assert FakeAirflow.calls == [("PATCH", "/api/v2/dags/poll", {"is_paused": False})]


def test_a_wrong_password_is_said(fake: str) -> None:
    with pytest.raises(StackError, match="does not accept the password of admin: 401"):
        AirflowApi(fake, "admin", "wrong").dag_ids()


def test_a_refusal_carries_airflows_words(fake: str) -> None:
    with pytest.raises(StackError, match=r"Airflow refuses GET dags/poll/dagRuns/x: 404 .*nothing at"):
        AirflowApi(fake, "admin", "right").run("poll", "x")


def test_nobody_there() -> None:
    api = AirflowApi(f"http://{LOOPBACK}:{free_port()}", "admin", "x")
    assert api.health() == {}
    with pytest.raises(StackError, match="does not answer at"):
        api.dag_ids()


@pytest.mark.slow
def test_airflows_database_and_logs_are_its_owners_alone(settings: Settings) -> None:
    """Started as the stack starts it, and whatever the user's umask is."""
    log_dir, before = settings.data_dir / "logs", os.umask(0)
    try:
        said = environment(settings, port=free_port(), log_dir=log_dir)
        command = (sys.executable, "-m", "airflow", "db", "migrate")
        child = Child.start("Airflow", command, log_dir / "airflow.log", settings.data_dir, said)
        while child.poll() is None:
            time.sleep(0.2)
        assert child.poll() == 0, child.log()
        child.stop()
    finally:
        os.umask(before)
    made = [path for folder in (log_dir, settings.data_dir / "airflow") for path in (folder, *folder.rglob("*"))]
    assert {"airflow.db", "airflow.log", "airflow.cfg", "secrets.json"} <= {path.name for path in made}
    assert [str(path) for path in made if path.lstat().st_mode & 0o077] == []


def test_a_cleaning_runs_with_the_folder_of_the_logs_and_never_twice_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "CLEAN", ("-c", "import sys, time; print(sys.argv[1], flush=True); time.sleep(60)"))
    cleaning: dict[str, subprocess.Popen[bytes]] = {}
    airflow._clean(cleaning, tmp_path)
    first = cleaning["clean"]
    airflow._clean(cleaning, tmp_path)
    assert cleaning["clean"] is first
    deadline = time.monotonic() + 30
    while not (tmp_path / "clean.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "clean.log").read_text() == f"{tmp_path}\n"
    first.kill()
    first.wait()
    airflow._clean(cleaning, tmp_path)
    assert cleaning["clean"] is not first
    airflow._end(cleaning)
