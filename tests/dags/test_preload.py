"""What a worker imports before its tasks, in processes of their own, as each says what it is on its command line."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from embedded.airflow import FIXED_ENVIRONMENT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def preload() -> ModuleType:
    """Imported by who runs these tests alone: Airflow takes a second."""
    return import_module("dags.preload")


SEES = """
import json, os, sys, threading
opened = []
def seen(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])
sys.argv = ["-m", *sys.argv[1:]]
sys.addaudithook(seen)
import airflow
files = sum(os.path.lexists(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
threads = threading.active_count()
print(json.dumps({"modules": list(sys.modules), "threads": threads, "files": files, "opened": opened}))
"""
"""Imports Airflow as its command does, and prints what that brought along."""
READS = {"dags/poll_feeds.py", "dags/match_alerts.py", "dags/deliver_mails.py"}


@pytest.mark.parametrize(
    ("arguments", "executor", "forks"),
    [
        (["celery", "worker"], "CeleryExecutor", True),
        (["celery", "worker", "--concurrency", "12"], "CeleryExecutor", True),
        (["scheduler", "--skip-serve-logs"], "LocalExecutor", True),
        (["scheduler"], "CeleryExecutor,LocalExecutor", True),
        (["scheduler"], "CeleryExecutor", False),
        (["celery", "flower"], "CeleryExecutor", False),
        (["api-server"], "LocalExecutor", False),
        (["dag-processor"], "LocalExecutor", False),
        (["triggerer"], "LocalExecutor", False),
        (["tasks", "test", "scheduler"], "LocalExecutor", False),
        ([], "LocalExecutor", False),
    ],
)
def test_only_processes_from_which_tasks_are_forked_preload(
    preload: ModuleType, arguments: list[str], executor: str, forks: bool
) -> None:
    assert preload.forks_tasks(arguments, executor) is forks


def test_airflow_finds_it() -> None:
    assert "dags.preload" in {point.value for point in entry_points(group="airflow.policy")}


def test_every_job_of_each_minute_is_preloaded(preload: ModuleType) -> None:
    jobs = {
        node.module
        for path in READS
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jobs.")
    }
    assert jobs == set(preload.OF_TASKS)


@pytest.mark.slow
def test_a_worker_imports_code_and_opens_nothing_and_others_import_nothing(preload: ModuleType, tmp_path: Path) -> None:
    worker, other = preloaded(tmp_path, "scheduler"), preloaded(tmp_path, "api-server")
    assert {*preload.OF_TASKS, "airflow.dag_processing.dagbag"} <= set(worker["modules"])
    assert not {"jobs", "store", "elasticsearch"} & set(other["modules"])
    assert (worker["threads"], worker["files"]) == (other["threads"], other["files"])
    # `ctypes.util` looks for a library of a package by a compiler's trial.
    packages = (str(ROOT), sys.prefix, sys.base_prefix, str(Path(os.__file__).parent), tempfile.gettempdir(), "/dev/")
    opened = {path for path in set(worker["opened"]) - set(other["opened"]) if not path.startswith(packages)}
    assert opened == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jobs.lean_start", "jobs.match"])
def test_what_cant_be_imported_is_told_and_left_to_the_tasks(tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{name!r}] = None\n", encoding="utf-8")
    process = run(tmp_path, "scheduler", PYTHONPATH=str(tmp_path))
    assert f"{name} could not be imported before the tasks" in process.stdout + process.stderr
    assert "jobs.deliver" in process.stdout


def preloaded(home: Path, *arguments: str) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads(run(home, *arguments).stdout.splitlines()[-1])
    return seen


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SEES, *arguments],
        env={**os.environ, **FIXED_ENVIRONMENT, "AIRFLOW_HOME": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
