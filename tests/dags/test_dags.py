"""The DAGs as Airflow reads them, in a process of its own: Airflow settles its settings when it is first imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from embedded.airflow import FIXED_ENVIRONMENT
from tools.reference import read_dags

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    return {dag["name"]: dag for dag in read_dags()}


def edges(dag: dict[str, Any]) -> dict[str, list[str]]:
    return {task["id"]: task["then"] for task in dag["tasks"]}


def outlets(dag: dict[str, Any]) -> list[str]:
    return sorted(name for task in dag["tasks"] for name in task["announces"])


def test_every_dag_can_be_read(read: dict[str, Any]) -> None:
    assert {"poll_feeds", "match_alerts", "deliver_mails"} <= read.keys()


def test_every_dag_explains_itself_retries_and_never_catches_up(read: dict[str, Any]) -> None:
    for name, dag in read.items():
        assert dag["doc"], name
        assert min(task["retries"] for task in dag["tasks"]) >= 1, name
        assert not dag["catchup"], name
        # A run waits for its slowest publisher, and the next polls must not; a killed worker must not be waited for.
        assert dag["runs"] == {"poll_feeds": 16, "match_alerts": 2, "deliver_mails": 2}.get(name, 1), name


def test_poll_feeds_plans_and_then_pulls_and_announces(read: dict[str, Any]) -> None:
    dag = read["poll_feeds"]
    assert edges(dag) == {"plan": ["announce", "pull"], "pull": [], "announce": []}
    assert outlets(dag) == ["brought", "brought", "owed"]


@pytest.mark.parametrize(
    ("name", "task", "announced"), [("match_alerts", "match", ["owed"]), ("deliver_mails", "deliver", [])]
)
def test_matching_and_delivery_each_wait_for_what_they_work_on(
    read: dict[str, Any], name: str, task: str, announced: list[str]
) -> None:
    dag = read[name]
    assert edges(dag) == {task: []}
    assert outlets(dag) == announced
    assert dag["assets"]


def test_every_task_ends_in_time_and_keeps_one_result(read: dict[str, Any]) -> None:
    for name, dag in read.items():
        assert dag["given_up"], f"{name}: its time limits do not end a process that is stopped"
        for task in dag["tasks"]:
            assert task["limit"], f"{name}.{task['id']} may hang for ever"
            assert not task["unrolls"], f"{name}.{task['id']} stores an XCom for each key of its result"


def test_every_failure_reaches_the_pulse(read: dict[str, Any]) -> None:
    for name, dag in read.items():
        assert dag["tells"], name
        assert all(task["tells"] for task in dag["tasks"]), name
    assert {name: dag["deadlines_s"] for name, dag in read.items() if dag["deadlines_s"]} == {
        "poll_feeds": [900.0],
        "match_alerts": [120.0],
    }


def test_a_task_has_the_name_of_its_job(read: dict[str, Any]) -> None:
    from dags.failures import JOB_OF_DAG, JOB_OF_TASK

    texts = map(Path.read_text, Path("jobs").rglob("*.py"))
    jobs = set(re.findall(r'^@job\("(\w+)"\)', "\n".join(texts), re.MULTILINE))
    tasks = {task["id"] for dag in read.values() for task in dag["tasks"]}
    assert {JOB_OF_TASK.get(task, task) for task in tasks} | set(JOB_OF_DAG.values()) <= jobs
    assert JOB_OF_DAG.keys() == read.keys()


def test_pulls_leave_half_of_the_places_to_the_tasks_that_may_take_long(read: dict[str, Any]) -> None:
    tasks = {task["id"]: task for dag in read.values() for task in dag["tasks"]}
    assert tasks["pull"]["at_once"] == 16, "half of Airflow's default of 32"
    ours = int(FIXED_ENVIRONMENT["AIRFLOW__CORE__PARALLELISM"])
    match, deliver, recheck, retag, one_more = 1, 1, 1, 2, 1
    assert ours // 2 >= match + deliver + recheck + retag + one_more
    assert min(tasks[name]["weight"] for name in ("match", "deliver")) > tasks["plan"]["weight"] + 2
