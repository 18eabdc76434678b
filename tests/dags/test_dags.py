"""The DAGs as Airflow reads them, in a process of its own: Airflow settles its settings when it is first imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        name: {
            "doc": bool(dag.doc_md),
            "schedule": str(dag.timetable.summary if hasattr(dag.timetable, "summary") else dag.timetable),
            "runs": dag.max_active_runs,
            "catchup": dag.catchup,
            "edges": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
            "retries": min((task.retries for task in dag.tasks), default=0),
            "outlets": [a.name for task in dag.tasks for a in task.outlets],
        }
        for name, dag in bag.dags.items()
    },
}))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    run = subprocess.run(
        [sys.executable, "-c", READ, str(ROOT / "dags")],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return told


def test_every_dag_can_be_read(read: dict[str, Any]) -> None:
    assert read["errors"] == {}
    assert {"poll_feeds", "match_alerts", "deliver_mails"} <= set(read["dags"])


def test_every_dag_explains_itself_retries_and_never_catches_up(read: dict[str, Any]) -> None:
    for name, dag in read["dags"].items():
        assert dag["doc"], name
        assert dag["retries"] >= 1, name
        assert not dag["catchup"], name
        assert dag["runs"] == (4 if name == "poll_feeds" else 1), name


def test_poll_feeds_plans_and_then_pulls_and_announces(read: dict[str, Any]) -> None:
    dag = read["dags"]["poll_feeds"]
    assert dag["edges"] == {"plan": ["announce", "pull"], "pull": [], "announce": []}
    assert dag["outlets"] == ["brought", "brought", "owed"]


@pytest.mark.parametrize(
    ("name", "task", "outlets"), [("match_alerts", "match", ["owed"]), ("deliver_mails", "deliver", [])]
)
def test_matching_and_delivery_each_wait_for_what_they_work_on(
    read: dict[str, Any], name: str, task: str, outlets: list[str]
) -> None:
    dag = read["dags"][name]
    assert dag["edges"] == {task: []}
    assert dag["outlets"] == outlets
    assert "asset" in dag["schedule"].lower()
