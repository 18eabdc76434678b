"""The DAGs as Airflow reads them, in a process of its own: Airflow settles its settings when it is first imported."""

from __future__ import annotations

from typing import Any

import pytest

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
        assert dag["runs"] == (4 if name == "poll_feeds" else 1), name


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
