"""Child processes of the embedded stack: ports, log files, and ending what was started."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil

from newswatch.errors import StackError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def require_free(port: int, what: str) -> None:
    """Raises StackError, with who holds it where that can be seen, unless `what` can listen on 127.0.0.1:`port`."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except PermissionError as error:
        raise StackError(f"{what} may not listen on port {port}; choose one above 1023.") from error
    except OSError as error:
        raise StackError(
            f"{what} can't listen on {LOOPBACK}:{port}: {_holder(port)} does already; stop that or choose another port."
        ) from error


def _holder(port: int) -> str:
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if tuple(c.laddr)[1:2] == (port,)), None)
        return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except psutil.Error:
        return "another process"


def tail(log: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log file, or what is to be said instead."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"({log} can't be read: {error.strerror})"
    return "\n".join(text.splitlines()[-lines:])
