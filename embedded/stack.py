"""Elasticsearch, mail catcher, Airflow, fast lane and watchman: started and stopped together, never left behind.

`with Stack(settings) as stack:` starts them, waits until each can be used, and stops them at the end. All their files
are in `settings.data_dir`:

    elasticsearch/  mails/  airflow/    the data of each part
    logs/                               the log of each part
    stack.json                          what runs, for `status` and `down`
    stack-troubles.json                 what has ended by itself lately, for the watchman
    watch.json  watch.lock              the watchman's memory
    stack.lock                          held by the process that runs the stack, as long as it lives
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

import psutil
import requests
from rich.console import Console
from rich.markup import escape

from embedded import artefacts
from embedded.airflow import Airflow, await_healthy, start_airflow
from embedded.airflow_api import AirflowApi
from embedded.elasticsearch import Node, start_elasticsearch
from embedded.fast_lane import TITLE as FAST_LANE
from embedded.fast_lane import start_fast_lane
from embedded.mail import CaughtMail, list_mails, start_mail_catcher
from embedded.processes import LOOPBACK, Child, end_all, free_port, of_stack, require_free, tail
from embedded.stack_files import Part, PartName, State, close_to_others, mail_folder, state_file
from embedded.supervise import Supervisor, airflow_troubles, stack_troubles
from embedded.watchman import TITLE, start_watchman
from newswatch import private
from newswatch.errors import StackError
from newswatch.settings import Settings
from newswatch.some_of import some_of

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
GRACE_S = 5.0
"""Seconds for the children of a killed stack to notice that it is gone."""

_IN_PEACE: tuple[PartName, ...] = ("watchman", "fast-lane", "airflow", "mail", "elasticsearch")
"""The order in which parts are stopped: the watchman first, so that it takes none of it for a fault."""
_LAST_WORDS: tuple[PartName, ...] = ("fast-lane", "airflow", "elasticsearch", "watchman", "mail")
"""The same if the end was not asked for: the watchman tells it, and the mail catcher still takes mails."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each part on 127.0.0.1; 0 takes any free port."""

    elasticsearch: int = 9200
    smtp: int = 1025
    airflow: int = 8080

    @classmethod
    def of(cls, settings: Settings) -> Ports:
        """The ports in the settings' addresses."""
        usual = cls()
        return cls(
            elasticsearch=urlsplit(settings.elasticsearch_urls[0]).port or usual.elasticsearch,
            smtp=settings.smtp_port,
            airflow=urlsplit(settings.public_url).port or usual.airflow,
        )


class Stack:
    """The parts that run on this machine.

    An argument decides whether a part runs. Without it, a part is left out if the settings name the user's own server:
    an Elasticsearch or a mail server that is elsewhere or requires credentials.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        elasticsearch: bool | None = None,
        mail: bool | None = None,
        airflow: bool = True,
        watchman: bool = False,
        fast_lane: bool = False,
        ports: Ports | None = None,
        heap_mb: int = 512,
        fast: bool = False,
        console: Console | None = None,
    ) -> None:
        self.settings = settings
        """As given; after the start, with the addresses of the running parts."""
        self.ports = ports or Ports.of(settings)
        self._with_elasticsearch = is_embedded_elasticsearch(settings) if elasticsearch is None else elasticsearch
        self._with_mail = is_embedded_mail(settings) if mail is None else mail
        self._with_airflow = airflow
        self._with_watchman, self._with_fast_lane = watchman, fast_lane
        self._heap_mb = heap_mb
        self._fast = fast
        self._console = console or Console(stderr=True, quiet=True)
        self._lock: IO[str] | None = None
        self._state: State | None = None
        self._node: Node | None = None
        self._mail: Child | None = None
        self._airflow: Airflow | None = None
        self._fast_lane: Child | None = None
        self._watchman: Child | None = None

    @property
    def data_dir(self) -> Path:
        """The folder of all files."""
        return self.settings.data_dir

    @property
    def log_dir(self) -> Path:
        """The folder of all logs."""
        return self.data_dir / "logs"

    @property
    def elasticsearch_url(self) -> str:
        """The embedded node's address, or that of the user's own server."""
        return self.settings.elasticsearch_url

    @property
    def smtp_port(self) -> int:
        """The port of the mail catcher, or that of the user's own server."""
        return self.settings.smtp_port

    @property
    def airflow(self) -> AirflowApi:
        """A client of the running Airflow; StackError if the stack runs without."""
        if self._airflow is None:
            raise StackError("This stack runs without Airflow.")
        return self._airflow.api

    def mails(self) -> list[CaughtMail]:
        """The mails caught so far, oldest first, including those of earlier runs."""
        return list_mails(mail_folder(self.data_dir))

    def start(self) -> None:
        """Start every part and wait until it can be used; if one can't, stop those that were started.

        Raises:
            StackError: another process runs this stack, a port is taken, or a part doesn't start.
        """
        self._lock = _claim(self.data_dir)
        try:
            self._end_orphans()
            self._require_ports()
            self._close_to_others()
            self._note(ready=False)
            if self._with_elasticsearch:
                self._start_elasticsearch()
            if self._with_mail:
                self._start_mail()
            if self._with_airflow:
                self._start_airflow()
            if self._with_fast_lane:
                self._start_fast_lane()
            if self._with_watchman:
                self._start_watchman()
            self._note(ready=True)
        except BaseException:
            self.stop()
            raise

    def stop(self, why: str = "") -> None:
        """Stop every part, and release the data folder; harmless if repeated.

        With a reason the end was not asked for: then the watchman tells it, while the mail catcher still takes mails.
        """
        running = self._children()
        order = _LAST_WORDS if why else _IN_PEACE
        for name, child in sorted(running.items(), key=lambda part: order.index(part[0])):
            with self._step(f"Stopping {child.name}", "stopped"):
                if name == "watchman":
                    child.say(f"ended: {' '.join(why.split())}" if why else "stop")
                child.stop()
        self._airflow = self._mail = self._node = self._fast_lane = self._watchman = None
        if self._lock:
            end_all(list(of_stack(self.data_dir)))
            for file in (state_file, stack_troubles, airflow_troubles):
                file(self.data_dir).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def watch(self, over: threading.Event | None = None) -> None:
        """Return once `over` is set. A part that ends by itself is started again, with growing pauses.

        Raises:
            StackError: a part has ended too often; the message names it and shows the end of its log.
        """
        over = over or threading.Event()
        supervisor = Supervisor(stack_troubles(self.data_dir))
        while not over.wait(0.5):
            for name, child in self._children().items():
                if child.poll() is not None and not supervisor.is_waiting(name):
                    self._ended(supervisor, name, child)
            for name in self._children():
                if name in supervisor.due():
                    self._start_again(supervisor, name)
            supervisor.forgive()

    def _ended(self, supervisor: Supervisor, name: PartName, child: Child) -> None:
        """A part has ended by itself: it is started again, or given up, and with it all but the watchman."""
        why = f"status {child.poll()}"
        if supervisor.ended(name, child.name, why, child.log_file):
            self._console.print(f"[yellow]![/] {escape(child.name)} has ended by itself ({why}); it is started again")
        elif name == "fast-lane":
            self._fast_lane, self._with_fast_lane = None, False
            self._console.print("[red]![/] The fast lane has ended too often: its feeds are polled once a minute")
        elif name != "watchman":
            raise StackError(
                f"{child.name} has ended by itself too often ({why}), so the rest is stopped; "
                f"{child.log_file} ends with:\n{tail(child.log_file)}"
            )
        else:
            self._watchman, self._with_watchman = None, False
            self._console.print(f"[red]![/] {TITLE} has ended too often: nobody is told any more what goes wrong")

    def _start_again(self, supervisor: Supervisor, name: PartName) -> None:
        start = {
            "elasticsearch": self._start_elasticsearch,
            "mail": self._start_mail,
            "airflow": lambda: self._start_airflow(wait=False),
            "fast-lane": self._start_fast_lane,
            "watchman": self._start_watchman,
        }[name]
        supervisor.started(name)
        try:
            self._child(name).stop()
            if name == "airflow":
                end_all(list(self._components()))
            start()
        except StackError as error:
            self._console.print(f"[red]![/] {escape(str(error))}", soft_wrap=True)
            self._ended(supervisor, name, self._child(name))
        self._note(ready=True)

    def parts(self) -> list[Part]:
        """The running parts and their addresses."""
        parts: list[Part] = []
        if self._node:
            parts.append(Part("elasticsearch", self._node.url, self._node.pid, str(self._node.child.log_file)))
        if self._mail:
            parts.append(Part("mail", f"smtp://{LOOPBACK}:{self.smtp_port}", self._mail.pid, str(self._mail.log_file)))
        if self._airflow:
            child = self._airflow.child
            parts.append(Part("airflow", self._airflow.api.url, child.pid, str(child.log_file)))
        if self._fast_lane:
            parts.append(Part("fast-lane", "", self._fast_lane.pid, str(self._fast_lane.log_file)))
        if self._watchman:
            parts.append(Part("watchman", "", self._watchman.pid, str(self._watchman.log_file)))
        return parts

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        is_asked = error is None or isinstance(error, SystemExit | KeyboardInterrupt)
        self.stop("" if is_asked else str(error).partition("\n")[0])

    def _children(self) -> dict[PartName, Child]:
        found: dict[PartName, Child | None] = {
            "elasticsearch": self._node.child if self._node else None,
            "mail": self._mail,
            "airflow": self._airflow.child if self._airflow else None,
            "fast-lane": self._fast_lane,
            "watchman": self._watchman,
        }
        return {name: child for name, child in found.items() if child}

    def _components(self) -> Iterator[psutil.Process]:
        """Airflow's components, which outlive its process if that is killed, and keep its port."""
        home = str(self.data_dir.resolve() / "airflow")
        for process in of_stack(self.data_dir):
            with contextlib.suppress(psutil.Error):
                if process.environ().get("AIRFLOW_HOME") == home:
                    yield process

    def _child(self, name: PartName) -> Child:
        return self._children()[name]

    def _require_ports(self) -> None:
        """Check every port before anything starts, so that a taken port does not cost half a minute."""
        wanted = (
            (self._with_elasticsearch, self.ports.elasticsearch, "Elasticsearch", "--elasticsearch-port"),
            (self._with_mail, self.ports.smtp, "The mail catcher", "--smtp-port"),
            (self._with_airflow, self.ports.airflow, "Airflow", "--airflow-port"),
        )
        for runs, port, what, option in wanted:
            if runs and port:
                require_free(port, what, option)

    def _end_orphans(self) -> None:
        """End the processes of a killed stack; most notice within moments and end by themselves."""
        _, orphans = psutil.wait_procs(list(of_stack(self.data_dir)), timeout=GRACE_S)
        if orphans:
            names = ", ".join(sorted({orphan.name() for orphan in orphans if orphan.is_running()}))
            with self._step(f"Ending what an earlier stack left running ({names})", "ended"):
                end_all(orphans)

    def _close_to_others(self) -> None:
        """Make the data folder private to its owner, including files that an earlier version left open."""
        open_still = close_to_others(self.data_dir)
        if open_still:
            some = escape(some_of([*map(str, open_still)], 1))
            self._console.print(
                f"[yellow]![/] Other users of this machine may read {some}: "
                "set NEWSWATCH_DATA_DIR to a folder of your own",
                soft_wrap=True,
            )

    def _start_elasticsearch(self) -> None:
        artefacts.class_path()
        private.make_folder(self.data_dir / "elasticsearch")
        private.make_folder(self.data_dir / "backups")
        with self._step("Starting Elasticsearch", "is ready"):
            self._node = start_elasticsearch(
                self.data_dir / "elasticsearch",
                # Started again, it must be where the others look for it.
                port=urlsplit(self._node.url).port or 0 if self._node else self.ports.elasticsearch,
                heap_mb=self._heap_mb,
                log_file=self.log_dir / "elasticsearch.log",
                fast=self._fast,
                backups=self.data_dir / "backups",
            )
        self._update(elasticsearch_url=self._node.url)
        if self.settings.backup_location is None:
            self._keep_backups(self.data_dir / "backups")

    def _keep_backups(self, folder: Path) -> None:
        """Make the folder known to Elasticsearch, so that commands find the backups without a setting."""
        assert self._node
        location = str(folder.absolute())
        address = f"{self._node.url}/_snapshot/{self.settings.index_prefix}newswatch"
        repository = json.dumps({"type": "fs", "settings": {"location": location, "compress": True}})
        response = requests.put(address, repository, headers={"Content-Type": "application/json"}, timeout=60)
        if not response.ok:
            raise StackError(f"Elasticsearch can't keep backups in {location}: {response.text[:300]}")
        self._update(backup_location=location)

    def _start_mail(self) -> None:
        port = self.smtp_port if self._mail else self.ports.smtp or free_port()
        with self._step("Starting the mail catcher", "is ready"):
            self._mail = start_mail_catcher(
                mail_folder(self.data_dir), port=port, log_file=self.log_dir / "mail.log", data_dir=self.data_dir
            )
        self._update(smtp_host=LOOPBACK, smtp_port=port, smtp_security="none")

    def _start_airflow(self, *, wait: bool = True) -> None:
        was = self._airflow and urlsplit(self._airflow.api.url).port
        port = was or self.ports.airflow or free_port()
        # A stated public address may be a proxy's, so it is kept.
        if "public_url" not in self.settings.model_fields_set:
            self._update(public_url=f"http://{LOOPBACK}:{port}")
        with self._step("Starting Airflow", "is ready" if wait else "is started"):
            self._airflow = start_airflow(self.settings, port=port, log_dir=self.log_dir)
            self._note(ready=False)
            if wait:
                await_healthy(self._airflow)

    def _start_fast_lane(self) -> None:
        with self._step(f"Starting {FAST_LANE[0].lower()}{FAST_LANE[1:]}", "is started"):
            self._fast_lane = start_fast_lane(self.settings, self.log_dir / "fast-lane.log")
        self._note(ready=False)

    def _start_watchman(self) -> None:
        airflow_url = self._airflow.api.url if self._airflow else None
        with self._step(f"Starting {TITLE[0].lower()}{TITLE[1:]}", "is ready"):
            self._watchman = start_watchman(self.settings, airflow_url, self.log_dir / "watchman.log")
        self._note(ready=False)

    def _update(self, **changed: object) -> None:
        self.settings = self.settings.model_copy(update=changed)
        self._note(ready=False)

    def _note(self, *, ready: bool) -> None:
        process = psutil.Process()
        started = self._state.started_at if self._state else datetime.now(UTC).isoformat(timespec="seconds")
        self._state = State(
            pid=process.pid,
            created=process.create_time(),
            ready=ready,
            started_at=started,
            log_dir=str(self.log_dir),
            parts=tuple(self.parts()),
        )
        self._state.write(state_file(self.data_dir))

    @contextlib.contextmanager
    def _step(self, doing: str, done: str) -> Iterator[None]:
        begun = time.monotonic()
        if not self._console.is_terminal:  # where no sign can move, a line says what is being waited for
            self._console.print(f"{doing} …")
        with self._console.status(f"{doing} …"):
            yield
        what = doing.split(" ", 1)[1]
        self._console.print(f"[green]✓[/] {what[0].upper()}{what[1:]} {done} ({time.monotonic() - begun:.1f} s)")


def is_embedded_elasticsearch(settings: Settings) -> bool:
    """Whether the settings mean the embedded node: one address, plain HTTP on this machine, without credentials."""
    url = urlsplit(settings.elasticsearch_urls[0])
    credentials = settings.elasticsearch_api_key or settings.elasticsearch_username
    is_single = len(settings.elasticsearch_urls) == 1
    return is_single and url.scheme == "http" and url.hostname in LOCAL_HOSTS and not credentials


def is_embedded_mail(settings: Settings) -> bool:
    """Whether the settings mean the mail catcher: plain SMTP on this machine, without credentials."""
    return settings.smtp_host in LOCAL_HOSTS and settings.smtp_security == "none" and not settings.smtp_username


def _claim(data_dir: Path) -> IO[str]:
    """The data folder's lock, which ends with this process, however it ends."""
    try:
        lock = private.lock(data_dir / "stack.lock")
    except OSError as error:
        raise StackError(
            f"The data folder {data_dir} can't be written ({error.strerror}); set NEWSWATCH_DATA_DIR to another."
        ) from error
    if lock is None:
        state = State.read(state_file(data_dir))
        by = f" (process {state.pid})" if state else ""
        raise StackError(
            f"A stack is already running in {data_dir}{by}: see `newswatch status`, end it with `newswatch down`, "
            "or set NEWSWATCH_DATA_DIR to another folder."
        )
    return lock
