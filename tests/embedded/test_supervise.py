"""Which part is started again when, and what the watchman gets to read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded import supervise
from embedded.supervise import PAUSES_S, RECOVERED_S, Supervisor, airflow_troubles, stack_troubles, troubles


@pytest.fixture
def seconds() -> list[float]:
    """The clock: its one number is the time."""
    return [1_000.0]


@pytest.fixture
def supervisor(tmp_path: Path, seconds: list[float]) -> Supervisor:
    return Supervisor(stack_troubles(tmp_path), progress=lambda: seconds[0])


def end(supervisor: Supervisor, part: str = "mail") -> bool:
    return supervisor.ended(part, "The mail catcher", "status -9", Path("/logs/mail.log"))


def test_pauses_grow_and_the_last_try_is_the_last(supervisor: Supervisor, seconds: list[float]) -> None:
    for pause in PAUSES_S:
        assert end(supervisor)
        assert supervisor.is_waiting("mail")
        seconds[0] += pause - 0.1
        assert supervisor.due() == []
        seconds[0] += 0.1
        assert supervisor.due() == ["mail"]
        supervisor.started("mail")
        assert supervisor.due() == []
        assert not supervisor.is_waiting("mail")
    assert not end(supervisor)


def test_a_part_that_has_run_for_long_is_well_again(
    tmp_path: Path, supervisor: Supervisor, seconds: list[float]
) -> None:
    end(supervisor)
    seconds[0] += 1
    supervisor.started("mail")
    seconds[0] += RECOVERED_S - 1
    supervisor.forgive()
    (trouble,) = troubles(tmp_path)
    assert (trouble.part, trouble.times, trouble.why, trouble.runs) == ("mail", 1, "status -9", True)
    seconds[0] += 1
    supervisor.forgive()
    assert troubles(tmp_path) == ()
    assert end(supervisor)
    assert troubles(tmp_path)[0].times == 1


def test_what_waits_is_not_forgiven(tmp_path: Path, supervisor: Supervisor, seconds: list[float]) -> None:
    end(supervisor)
    seconds[0] += 2 * RECOVERED_S
    supervisor.forgive()
    assert [trouble.runs for trouble in troubles(tmp_path)] == [False]


def test_troubles_of_the_stack_and_of_airflow_are_read_together(tmp_path: Path) -> None:
    end(Supervisor(stack_troubles(tmp_path)))
    end(Supervisor(airflow_troubles(tmp_path)), "scheduler")
    assert [trouble.part for trouble in troubles(tmp_path)] == ["mail", "scheduler"]
    Supervisor(stack_troubles(tmp_path))
    assert [trouble.part for trouble in troubles(tmp_path)] == ["scheduler"], "a new run begins without troubles"


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"part": "mail"}]', '[{"since": 5}]'])
def test_a_spoilt_file_is_no_trouble(tmp_path: Path, content: str) -> None:
    stack_troubles(tmp_path).write_text(content)
    assert troubles(tmp_path) == ()


def test_pauses_end_before_a_part_is_well() -> None:
    assert sum(supervise.PAUSES_S) < supervise.RECOVERED_S
