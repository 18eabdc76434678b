"""The process in which Apprise runs, behind a wall that Python itself enforces.

Run as a program it reads orders from standard input, one JSON object a line, and answers each with one. Before the
first order an audit hook (PEP 578) is set, which no code of the process can remove: it refuses every connection to an
address that is not public or allowed, every program, and every write to a file. So it does not matter which of
Apprise's modules has which hole, follows which redirect, or resolves a name twice.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Collection
from typing import Any, Final

from ingest.http.guard import is_literal, is_public

_FORBIDDEN: Final = frozenset(
    {
        "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
        "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
        "os.chown", "shutil.rmtree", "syslog.openlog", "syslog.syslog",
        "socket.bind", "socket.sendto", "socket.sendmsg", "ctypes.dlopen",
    }
)  # fmt: skip
"""Audit events (https://docs.python.org/3/library/audit_events.html) that sending a message has no need of."""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ForbiddenError(OSError):
    """The wall refuses it."""


def wall(allowed: Collection[str]) -> None:
    """Refuse all that is not a connection to a public address or to one of the `host:port` pairs; for good."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            _check_connect(args[1], allowed)
        elif event == "open":
            _check_open(*args)
        elif event in _FORBIDDEN:
            raise ForbiddenError(f"{event} is not allowed here")

    sys.addaudithook(hook)


def _check_connect(address: Any, allowed: Collection[str]) -> None:
    if not isinstance(address, tuple) or len(address) < 2:
        raise ForbiddenError("only addresses of the internet are connected to")
    host, port = str(address[0]), address[1]
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if pair in allowed:
        return
    if not is_literal(host) or not is_public(host):
        raise ForbiddenError("its address is not public")


def _check_open(path: Any, mode: Any, flags: Any) -> None:
    writes = (
        any(c in mode for c in "wax+") if isinstance(mode, str) else bool(isinstance(flags, int) and flags & _WRITES)
    )
    if writes and path != os.devnull:
        raise ForbiddenError("no file is written here")


def main() -> None:
    """Serve orders until standard input ends."""
    allowed = frozenset(json.loads(sys.stdin.readline()))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # what a module prints must not be taken for an answer
    sys.dont_write_bytecode = True
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log addresses
    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY, http_redirects=False, secure_logging=True, app_id="newswatch"
    )
    apprise.Apprise.instantiate("json://localhost", asset=asset)  # loads all its modules, which takes a second
    wall(allowed)
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = _sent(apprise, asset, order)
        except Exception as error:
            answer = {"ok": False, "why": type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _sent(apprise: Any, asset: Any, order: dict[str, Any]) -> dict[str, Any]:
    """Send one message in this thread: whether it was accepted, and the status that the service answered, if any."""
    service = apprise.Apprise.instantiate(order["url"], asset=asset, suppress_exceptions=True)
    if service is None:
        return {"ok": False, "unread": True, "why": "Apprise can't read the address"}
    if order.get("check"):
        return {"ok": True}
    seen = _Seen()
    logger = logging.getLogger("apprise")
    logger.addHandler(seen)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        ok = bool(service.notify(body=order["body"], title=order["title"], notify_type=apprise.NotifyType.INFO))
    finally:
        logger.removeHandler(seen)
        logger.setLevel(logging.CRITICAL)
    return {"ok": ok, "why": "" if ok else seen.why}


class _Seen(logging.Handler):
    """Keeps of Apprise's warnings what they say of the service's answer, and nothing that may hold a key."""

    def __init__(self) -> None:
        super().__init__()
        self.why = "the service refused it or can't be reached"

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"error[ =:]+([1-5]\d\d)\b", record.getMessage()):
            self.why = f"the service answered {found[1]}"


if __name__ == "__main__":
    main()
