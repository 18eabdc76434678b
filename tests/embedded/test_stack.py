"""The parts as one. Airflow is left out here: the end-to-end test runs it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from pydantic import SecretStr
from rich.console import Console

from delivery.links import signing_keys
from embedded.processes import LOOPBACK, MARK, Child, free_port, of_stack
from embedded.stack import Ports, Stack, is_embedded_elasticsearch, is_embedded_mail
from embedded.stack_files import Part, State, state_file
from embedded.stack_status import down, status
from embedded.supervise import troubles
from newswatch.errors import StackError
from newswatch.settings import Settings

slow = pytest.mark.slow
ANY = Ports(elasticsearch=0, smtp=0, airflow=0)
FOREVER = (sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def mail_only(settings: Settings, ports: Ports = ANY) -> Stack:
    """The smallest stack: it starts in a moment."""
    return Stack(settings, elasticsearch=False, airflow=False, ports=ports)


def send(port: int, subject: str) -> None:
    with smtplib.SMTP(LOOPBACK, port) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], f"Subject: {subject}\r\n\r\n")


@pytest.fixture
def in_another_process(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A small stack that another process runs; it is up."""
    code = f"""
import signal, sys
from pathlib import Path
from embedded.stack import Ports, Stack
from newswatch.settings import Settings
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Stack(Settings(data_dir=Path({str(settings.data_dir)!r})), elasticsearch=False, airflow=False,
           ports=Ports(0, 0, 0)) as stack:
    print(stack.smtp_port, flush=True)
    stack.watch()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline().strip().isdigit()
    yield process
    process.kill()
    process.communicate()


# ── without starting anything ────────────────────────────────────────────────────────────────────────────────────────


def test_ports_are_those_of_the_settings() -> None:
    assert Ports.of(Settings()) == Ports(9200, 1025, 8080)
    stated = Settings(elasticsearch_url="http://127.0.0.1:9201", smtp_port=26, public_url="https://news.example/air")
    assert Ports.of(stated) == Ports(9201, 26, 8080)


def test_a_server_of_the_users_own_is_not_started_here() -> None:
    assert is_embedded_elasticsearch(Settings())
    assert not is_embedded_elasticsearch(Settings(elasticsearch_url="https://127.0.0.1:9200"))
    assert not is_embedded_elasticsearch(Settings(elasticsearch_url="http://es.example:9200"))
    assert not is_embedded_elasticsearch(Settings(elasticsearch_api_key=SecretStr("x")))
    assert is_embedded_mail(Settings())
    assert not is_embedded_mail(Settings(smtp_host="smtp.example"))
    assert not is_embedded_mail(Settings(smtp_security="starttls"))


def test_the_state_file_comes_back_as_it_was(tmp_path: Path) -> None:
    me = psutil.Process()
    state = State(me.pid, me.create_time(), True, "2026-01-01", "/l", (Part("mail", "smtp://x:1", 2, "/l/mail.log"),))
    state.write(tmp_path / "stack.json")
    assert State.read(tmp_path / "stack.json") == state
    assert state.process() == me


def test_a_process_id_that_was_given_anew_is_not_the_stack() -> None:
    assert State(os.getpid(), psutil.Process().create_time() - 60, True, "", "").process() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"parts": null}'])
def test_a_spoilt_state_file_means_stopped(tmp_path: Path, content: str) -> None:
    state_file(tmp_path).write_text(content)
    assert status(tmp_path).state == "stopped"


def test_nothing_to_stop(tmp_path: Path) -> None:
    assert status(tmp_path).ok is False
    assert down(tmp_path) is False


def test_a_taken_port_names_the_option_before_anything_starts(settings: Settings) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = Ports(elasticsearch=0, smtp=server.getsockname()[1], airflow=0)
        with pytest.raises(StackError, match=r"The mail catcher can't listen on .* another port \(--smtp-port\)"):
            Stack(settings, ports=taken).start()
    assert not (settings.data_dir / "elasticsearch").exists()
    assert status(settings.data_dir).state == "stopped"


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="set NEWSWATCH_DATA_DIR to another"):
        Stack(Settings(data_dir=tmp_path / "file" / "data")).start()


def test_a_stack_without_airflow_says_so(settings: Settings) -> None:
    with pytest.raises(StackError, match="without Airflow"):
        _ = Stack(settings, airflow=False).airflow


# ── started ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tells_where_it_is_and_how_it_does(settings: Settings) -> None:
    with mail_only(settings) as stack:
        send(stack.smtp_port, "one")
        assert [mail.subject for mail in stack.mails()] == ["one"]
        told = status(settings.data_dir)
        assert (told.state, told.ok, told.pid) == ("running", True, os.getpid())
        (mail,) = told.parts
        assert (mail.name, mail.state, mail.address) == ("mail", "listening", f"smtp://127.0.0.1:{stack.smtp_port}")
        assert Path(mail.log).parent == settings.data_dir / "logs"
    assert status(settings.data_dir).state == "stopped"
    assert not list(of_stack(settings.data_dir))


def test_mails_stay_from_run_to_run(settings: Settings) -> None:
    for subject in ("one", "two"):
        with mail_only(settings) as stack:
            send(stack.smtp_port, subject)
    assert [mail.subject for mail in stack.mails()] == ["one", "two"]


def open_to_others(folder: Path) -> list[str]:
    """What in the folder, and whether itself, others of the machine may do anything with."""
    found = [folder, *folder.rglob("*")]
    return [str(path) for path in found if path.lstat().st_mode & 0o077 and not path.is_symlink()]


def test_other_users_of_the_machine_are_shut_out(settings: Settings) -> None:
    """Also of what an earlier version left open, and whatever the umask is."""
    before = os.umask(0)
    try:
        old = settings.data_dir / "mails" / "20260101T000000.000000Z-0.eml"
        for path in (old, settings.data_dir / "airflow" / "airflow.db", settings.data_dir / "secret-key"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("Subject: old\n\n")
        (settings.data_dir / "elasticsearch").mkdir()
        signing_keys(Settings(data_dir=settings.data_dir / "other"))
        assert len(open_to_others(settings.data_dir)) == 7
        with mail_only(settings) as stack:
            send(stack.smtp_port, "new")
            assert len(stack.mails()) == 2
            assert open_to_others(settings.data_dir) == []
    finally:
        os.umask(before)


def test_a_data_folder_that_stays_open_is_told(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o1777)
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    with Stack(settings, elasticsearch=False, airflow=False, ports=ANY, console=console):
        pass
    assert f"Other users of this machine may read {settings.data_dir}" in shown.getvalue()


def test_two_stacks_do_not_share_a_folder(settings: Settings) -> None:
    with mail_only(settings), pytest.raises(StackError, match=rf"is already running in .* \(process {os.getpid()}\)"):
        mail_only(settings).start()
    with mail_only(settings):
        pass


def watching(stack: Stack, over: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=stack.watch, args=(over,), daemon=True)
    thread.start()
    return thread


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_part_that_ends_by_itself_is_started_again_where_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.supervise.PAUSES_S", (0.0, 0.0, 0.0))
    over = threading.Event()
    with mail_only(settings) as stack:
        port, pid = stack.smtp_port, stack.parts()[0].pid
        thread = watching(stack, over)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: [trouble.runs for trouble in troubles(settings.data_dir)] == [True])
        wait_until(lambda: status(settings.data_dir).ok)
        assert stack.smtp_port == port
        send(port, "again")
        (trouble,) = troubles(settings.data_dir)
        assert (trouble.part, trouble.title, trouble.why) == ("mail", "The mail catcher", "status -9")
        over.set()
        thread.join(10)
    assert troubles(settings.data_dir) == ()


def test_a_part_that_ends_too_often_is_named_with_its_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.supervise.PAUSES_S", ())
    with mail_only(settings) as stack:
        os.kill(stack.parts()[0].pid, signal.SIGKILL)
        with pytest.raises(StackError, match=r"The mail catcher has .* too often \(status -9\), .*ends with:"):
            stack.watch()


@slow
def test_the_watchman_is_the_last_to_leave_and_tells_why(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail catcher still takes its mail; at an end that was asked for there is none."""
    own = settings.model_copy(update={"operator": "op@example.org", "elasticsearch_url": "http://127.0.0.1:9"})
    for error in (None, StackError("The database has ended by itself too often (status 1), so the rest is stopped")):
        stack = Stack(own, elasticsearch=False, airflow=False, watchman=True, ports=ANY)
        with contextlib.suppress(StackError), stack:
            wait_until((settings.data_dir / "watch.lock").exists)
            assert [part.name for part in status(settings.data_dir).parts] == ["mail", "watchman"]
            time.sleep(3)
            if error:
                raise error
        assert not list(of_stack(settings.data_dir))
    subjects = [mail.subject for mail in stack.mails()]
    assert len(subjects) == 1
    assert subjects[0].startswith("Critical: newswatch has ended by itself: The database has ended by itself too often")


def test_watching_ends_when_told(settings: Settings) -> None:
    over = threading.Event()
    with mail_only(settings) as stack:
        threading.Timer(0.1, over.set).start()
        stack.watch(over)


@slow
def test_a_killed_stack_leaves_nothing_behind(settings: Settings, in_another_process: subprocess.Popen[str]) -> None:
    port = int(json.loads(state_file(settings.data_dir).read_text())["parts"][0]["address"].rsplit(":", 1)[1])
    in_another_process.kill()
    in_another_process.wait()
    assert status(settings.data_dir).state == "stopped"
    with mail_only(settings, Ports(0, port, 0)) as stack:
        assert stack.smtp_port == port


def test_orphans_that_notice_nothing_are_ended(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.stack.GRACE_S", 0.1)
    monkeypatch.setattr("embedded.processes.END_TIMEOUT_S", 0.2)
    orphan = Child.start("orphan", FOREVER, settings.data_dir / "log", settings.data_dir / "elasticsearch")
    stranger = subprocess.Popen(FOREVER, env={k: v for k, v in os.environ.items() if k != MARK})
    try:
        with mail_only(settings):
            assert orphan.poll() is not None
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        orphan.stop()


@slow
def test_down_stops_a_stack_of_another_process(settings: Settings, in_another_process: subprocess.Popen[str]) -> None:
    assert down(settings.data_dir) is True
    assert in_another_process.wait() == 0
    assert not list(of_stack(settings.data_dir))
    assert down(settings.data_dir) is False


@slow
def test_with_elasticsearch(settings: Settings) -> None:
    with Stack(settings, airflow=False, ports=ANY, heap_mb=256, fast=True) as stack:
        assert requests.get(stack.elasticsearch_url, timeout=10).json()["cluster_name"] == "newswatch"
        assert stack.settings.elasticsearch_url == stack.elasticsearch_url
        told = status(settings.data_dir)
        assert {part.name: part.state for part in told.parts} == {"elasticsearch": "green", "mail": "listening"}
        assert told.ok
        assert sorted(path.name for path in stack.log_dir.iterdir()) == ["elasticsearch.log", "mail.log"]
        assert [path for path in open_to_others(settings.data_dir) if "/elasticsearch/" not in path] == []
        node = psutil.Process(told.parts[0].pid)
    assert not node.is_running()


@slow
def test_the_command_runs_it_detached_and_ends_it(settings: Settings) -> None:
    def newswatch(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from cli.main import run; run()", *arguments]
        environment = {**os.environ, "NEWSWATCH_DATA_DIR": str(settings.data_dir)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    assert newswatch("status").returncode == 1
    port = free_port()
    up = newswatch("up", "--detach", "--no-elasticsearch", "--no-airflow", "--smtp-port", str(port))
    assert up.returncode == 0, up.stderr
    try:
        told = json.loads(newswatch("status", "--json").stdout)
        assert (told["state"], told["parts"][0]["address"]) == ("running", f"smtp://127.0.0.1:{port}")
        send(port, "to be listed")
        assert json.loads(newswatch("mails", "--json").stdout)["subject"] == "to be listed"
        second = newswatch("up", "--no-elasticsearch", "--no-airflow")
        assert second.returncode == 5
        assert "A stack is already running in" in second.stderr
    finally:
        assert newswatch("down").stdout.strip() == "Stopped."
    time.sleep(0.1)
    assert status(settings.data_dir).state == "stopped"
