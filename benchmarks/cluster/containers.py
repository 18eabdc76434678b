"""A service as a process in namespaces of its own, which is started again when it ends, as Docker does it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from embedded.processes import MARK, make_room, tail
from newswatch import private

RESTART_S: Final = 0.5
"""Seconds until a container that has ended is started again; doubled each time up to a minute, as by Docker."""
LONGEST_S: Final = 60.0
GOOD_S: Final = 10.0
"""Seconds after which a container counts as running well."""


class Container:
    """A process with its own host name and process ids. SIGKILL takes all of it, at once and without a word."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], home: Path, *, user: str = ""
    ) -> None:
        self.name = name
        self.log_file = home / "logs" / f"{name}.log"
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        self._command = [
            *("unshare", "--uts", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
            *("sh", "-c", 'hostname "$0" && exec "$@"', name, *as_user, *command),
        ]
        self._environment = {**environment, "HOSTNAME": name, MARK: str(home.resolve())}
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = threading.Event()
        self._watch = threading.Thread(target=self._restart, name=f"restarts {name}", daemon=True)
        self._over = False
        self.starts = 0

    def start(self) -> None:
        """Start it, and from now on again whenever it ends."""
        self._begin()
        self._wanted.set()
        if not self._watch.is_alive():
            self._watch.start()

    def kill(self, *, stay_away: bool = False) -> None:
        """SIGKILL; it is started again at once, or with `stay_away` by the next `start`."""
        if stay_away:
            self._wanted.clear()
        self._kill()

    def stop(self) -> None:
        """Kill it for good."""
        self._over = True
        self._wanted.clear()
        self._kill()

    def run_once(self, timeout_s: float) -> None:
        """Run it to its end.

        Raises:
            SystemExit: it fails.
        """
        self._begin()
        assert self._process
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = -1
            self._kill()
        if code:
            raise SystemExit(f"{self.name} has ended with {code}:\n{tail(self.log_file)}")

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def _begin(self) -> None:
        make_room(self.log_file)
        with private.open_file(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                start_new_session=True,
            )
        self.starts += 1

    def _kill(self) -> None:
        if self._process is not None:
            # The first process of the name space, with which all others die. `--kill-child` does not reach one that has
            # changed its user.
            with suppress(psutil.Error):
                for first in psutil.Process(self._process.pid).children():
                    first.kill()
            self._process.kill()
            self._process.wait()

    def _restart(self) -> None:
        pause_s, began = RESTART_S, time.monotonic()
        while not self._over:
            time.sleep(0.2)
            if not self._wanted.is_set() or self.is_running:
                continue
            pause_s = RESTART_S if time.monotonic() - began > GOOD_S else min(LONGEST_S, 2 * pause_s)
            time.sleep(pause_s)
            if self._wanted.is_set() and not self.is_running:
                began = time.monotonic()
                self._begin()
