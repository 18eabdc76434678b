"""Children that end with whoever started them, ports, and finding what was left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded.processes import LOOPBACK, Child, await_port, end_all, free_port, make_room, of_stack, require_free, tail
from newswatch.errors import StackError

OBEDIENT = "from embedded.processes import end_of_life; print('up', flush=True); end_of_life().wait(); print('end')"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def start(code: str, folder: Path) -> Child:
    child = Child.start("The child", (sys.executable, "-c", code), folder / "child.log", folder)
    until(lambda: "up" in child.log())
    return child


def until(condition: object, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = start(OBEDIENT, tmp_path)
    yield child
    child.stop()


def test_a_child_ends_in_good_order_when_stopped(child: Child) -> None:
    assert child.poll() is None
    child.stop()
    assert child.poll() == 0
    assert child.log() == "up\nend\n"
    child.stop()


def test_a_child_ends_on_a_signal(child: Child) -> None:
    os.kill(child.pid, signal.SIGTERM)
    until(lambda: child.poll() == 0)


def test_a_child_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.processes.STOP_TIMEOUT_S", 0.2)
    child = start(STUBBORN, tmp_path)
    child.stop()
    assert child.poll() == -signal.SIGKILL


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    child = start(f"import subprocess; subprocess.Popen(['sleep', '60']); {OBEDIENT}", tmp_path)
    (grandchild,) = psutil.Process(child.pid).children()
    child.stop()
    until(lambda: not grandchild.is_running())


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(f"""
            import sys, time
            from pathlib import Path
            from embedded.processes import Child
            folder = Path({str(tmp_path)!r})
            Child.start("x", (sys.executable, "-c", {OBEDIENT!r}), folder / "log", folder)
            time.sleep(60)
        """)]
    )  # fmt: skip
    until(lambda: (tmp_path / "log").is_file() and "up" in (tmp_path / "log").read_text())
    (orphan,) = of_stack(tmp_path)
    parent.kill()
    parent.wait()
    until(lambda: not orphan.is_running())
    assert (tmp_path / "log").read_text() == "up\nend\n"


def test_children_are_known_by_the_folder_they_work_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.processes.END_TIMEOUT_S", 0.2)
    ours = start(STUBBORN, tmp_path / "a" / "elasticsearch")
    other = start(STUBBORN, tmp_path / "ab")
    try:
        assert [process.pid for process in of_stack(tmp_path / "a")] == [ours.pid]
        end_all(list(of_stack(tmp_path / "a")))
        until(lambda: ours.poll() is not None)
        assert other.poll() is None
    finally:
        for child in (ours, other):
            os.killpg(child.pid, signal.SIGKILL) if child.poll() is None else None
            child.stop()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"The child can't be started: .*no-such-command"):
        Child.start("The child", ("no-such-command",), tmp_path / "log", tmp_path)


def test_a_log_keeps_earlier_runs_but_a_child_shows_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        child = start(OBEDIENT, tmp_path)
        child.stop()
    assert child.log() == "up\nend\n"
    assert (tmp_path / "child.log").read_text() == "up\nend\nup\nend\n"


def test_a_log_that_has_grown_long_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.processes.LOG_BYTES", 4)
    log = tmp_path / "logs" / "x.log"
    make_room(log)
    log.write_text("1234")
    make_room(log)
    assert log.read_text() == "1234"
    log.write_text("12345")
    make_room(log)
    assert not log.exists()
    assert (tmp_path / "logs" / "x.log.1").read_text() == "12345"


def test_a_taken_port_is_refused_with_its_holder_and_the_option() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as refused:
            require_free(port, "Airflow", "--airflow-port")
    assert f"Airflow can't listen on 127.0.0.1:{port}, because process {os.getpid()} (" in str(refused.value)
    assert str(refused.value).endswith("choose another port (--airflow-port).")
    require_free(port, "Airflow")


def test_a_free_port_can_be_listened_on() -> None:
    require_free(free_port(), "Something")


def test_a_child_that_does_not_listen_is_shown_with_its_log(child: Child) -> None:
    with pytest.raises(StackError, match=r"The child does not answer on port \d+; .*ends with:\nup"):
        await_port(free_port(), child, timeout_s=0.1)


def test_tail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "can't be read" in tail(log)
    log.write_bytes(b"a\nb\xff\nc\n")
    assert tail(log, 2) == "b\N{REPLACEMENT CHARACTER}\nc"
