"""Child processes of the embedded stack: ports, log files, and making sure that none is left behind.

A child lives as long as its standard input is open, and we hold the other end. So a child ends when it is stopped, and
also when the process that started it dies in any way, because `kill -9` closes pipes too. Each child leads its own
process group: Ctrl-C in the terminal reaches only us, and what a child started can be ended with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from newswatch import private
from newswatch.errors import StackError

LOOPBACK = "127.0.0.1"
MARK = "NEWSWATCH_STACK"
"""Environment variable of every child, with its data folder. It distinguishes our orphans from other processes."""
STOP_TIMEOUT_S = 30.0
"""Seconds for a child to end cleanly; Airflow waits for its tasks in that time."""
END_TIMEOUT_S = 10.0
"""Seconds for processes of an earlier stack to end."""
LOG_BYTES = 10_000_000
"""A log that is larger at a start is renamed."""


class Child:
    """A running child process; messages use its `name`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log_file: Path, log_start: int) -> None:
        self.name = name
        self.log_file = log_file
        self._log_start = log_start
        self._process = process

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        data_dir: Path,
        env: Mapping[str, str] | None = None,
    ) -> Child:
        """Start `command` with `env` added to the environment; its output is appended to `log_file`.

        The files it writes, including its log, are private to their owner.

        Raises:
            StackError: the log can't be written or the command can't be run.
        """
        environment = {**os.environ, **(env or {}), MARK: str(data_dir.resolve())}
        try:
            make_room(log_file)
            with private.open_file(log_file, "ab") as log:
                log_start = log.tell()
                process = subprocess.Popen(  # noqa: S603
                    list(map(str, command)),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                    umask=private.UMASK,
                )
        except OSError as error:
            raise StackError(f"{name} can't be started: {error}.") from error
        return cls(name, process, log_file, log_start)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group's."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """Its output so far."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", errors="replace")

    def say(self, line: str) -> None:
        """Write a line to its standard input; nothing happens if it has ended."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def stop(self) -> None:
        """End it and its group: by closing its input, then SIGTERM, then SIGKILL. Harmless if it has ended."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        for harder in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(STOP_TIMEOUT_S)
                break
            except subprocess.TimeoutExpired:
                harder()
        self._process.wait()
        end_group(self.pid)


def make_room(log_file: Path) -> None:
    """Create a log file's folder, and rename a large log to `….1`, replacing an earlier one."""
    private.make_folder(log_file.parent)
    if log_file.exists() and log_file.stat().st_size > LOG_BYTES:
        log_file.replace(log_file.with_name(f"{log_file.name}.1"))


def end_group(group: int) -> None:
    """Kill what is left of a process group whose leader has ended."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def end_of_life() -> threading.Event:
    """For a child: set when its standard input ends or a signal asks it to end. Call it in the main thread."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())

    def read_to_the_end() -> None:
        while os.read(0, 1024):
            pass
        over.set()

    threading.Thread(target=read_to_the_end, daemon=True).start()
    return over


def of_stack(data_dir: Path) -> Iterator[psutil.Process]:
    """Every process that was started for `data_dir` or a folder in it, except this one."""
    folder = data_dir.resolve()
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark and process.pid != os.getpid() and Path(mark).is_relative_to(folder):
                yield process
        except psutil.Error:
            # It belongs to another user, or has ended in the meantime.
            continue


def end_all(processes: Sequence[psutil.Process]) -> None:
    """Ask `processes` to end, and kill those that have not ended after a while."""
    for process in processes:
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(processes, timeout=END_TIMEOUT_S)
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, timeout=END_TIMEOUT_S)


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return


def free_port() -> int:
    """A port of 127.0.0.1 that is free at the moment."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def require_free(port: int, what: str, option: str = "") -> None:
    """Raise StackError unless `what` can listen on 127.0.0.1:`port`; the message names the present listener if it can.

    `option` is the option that sets the port, for the message.
    """
    other = f"another port ({option})" if option else "another port"
    try:
        socket.create_server((LOOPBACK, port)).close()
    except PermissionError as error:
        raise StackError(f"{what} may not listen on port {port}; choose {other}, above 1023.") from error
    except OSError as error:
        raise StackError(
            f"{what} can't listen on {LOOPBACK}:{port}, because {_holder(port)} does; stop that or choose {other}."
        ) from error


def await_port(port: int, child: Child, timeout_s: float = 30) -> None:
    """Return once `child` accepts connections on 127.0.0.1:`port`.

    Raises:
        StackError: it has ended, or does not accept them within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while child.poll() is None and time.monotonic() < deadline:
        if is_listening(port):
            return
        time.sleep(0.05)
    raise StackError(
        f"{child.name} does not answer on port {port}; {child.log_file} ends with:\n{tail(child.log_file)}"
    )


def is_listening(port: int) -> bool:
    """Whether 127.0.0.1:`port` accepts connections."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _holder(port: int) -> str:
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if tuple(c.laddr)[1:2] == (port,)), None)
        return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except psutil.Error:
        return "another process"


def tail(log: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log file, or why it can't be read."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"({log} can't be read: {error.strerror})"
    return "\n".join(text.splitlines()[-lines:])
