"""The table of faults: how each is made, what must be told of it, and by which ways.

A fault is made by entering its block and mended by leaving it, however the block is left.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psutil

from benchmarks.outages.installation import OPERATOR, Installation
from benchmarks.outages.receivers import MailMode, PaperMode
from embedded.airflow import USER, password
from embedded.airflow_api import AirflowApi
from embedded.elasticsearch import MAIN_CLASS

MAIL, CHAT, HEARTBEAT = "mail", "chat", "heartbeat"
CATCH_S: Final = 180.0
"""Seconds to wait for a task that runs once a minute."""
KILL_EVERY_S: Final = 0.5

Made = Callable[[Installation], AbstractContextManager[None]]
Find = Callable[[Installation], list[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the installation."""

    name: str
    what: str
    """In the table."""
    made: Made
    ids: frozenset[str]
    """The conditions of which at least one must be told."""
    ways: frozenset[str] = frozenset((MAIL, CHAT))
    """By which it must be told while it lasts. The other ways hear of it when they work again."""
    heals: bool = False
    """The stack mends it by itself, so that it may be over before it is told."""
    hold_s: float = 45.0
    """Seconds that it goes on after it was told, to see that it is told once."""
    page: bool = True
    """Whether the web server can answer meanwhile."""


# ── publishers and mail servers ──────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _papers(installation: Installation, mode: PaperMode) -> Iterator[None]:
    papers = installation.outside.papers
    papers.change(mode)
    try:
        yield
    finally:
        papers.change("open")


@contextmanager
def _mail(installation: Installation, mode: MailMode) -> Iterator[None]:
    server = installation.outside.mail
    server.change(mode)
    try:
        yield
    finally:
        server.change("taking")


@contextmanager
def _certificate(installation: Installation, lasts: timedelta) -> Iterator[None]:
    server, authority = installation.outside.mail, installation.outside.authority
    was, server.certificate = server.certificate, authority.issue(lasts)
    try:
        yield
    finally:
        server.certificate = was


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _component(part: str) -> Find:
    """The processes of an Airflow component; some show its name in another form."""
    forms = (f"-m airflow {part}", f"airflow {part.replace('-', '_')}")
    return lambda installation: installation.processes(lambda line: any(form in line for form in forms))


def _task(dag: str) -> Find:
    """The process of a running task of the DAG, without those that watch over it."""
    return lambda installation: installation.task_processes(dag)


def _elasticsearch(installation: Installation) -> list[psutil.Process]:
    return installation.processes(lambda line: MAIN_CLASS in line)


def _airflow(installation: Installation) -> list[psutil.Process]:
    return installation.processes(lambda line: "-m embedded.airflow" in line)


def _watchman(installation: Installation) -> list[psutil.Process]:
    return installation.processes(lambda line: "observe.watch" in line)


@contextmanager
def _stopped(installation: Installation, find: Find) -> Iterator[None]:
    """SIGSTOP: the process is there and does nothing."""
    found = _caught(installation, find)
    for process in found:
        with suppress(psutil.Error):
            process.suspend()
    try:
        yield
    finally:
        for process in found:
            with suppress(psutil.Error):
                process.resume()


@contextmanager
def _killed(installation: Installation, find: Find) -> Iterator[None]:
    """SIGKILL, once."""
    _kill(_caught(installation, find))
    yield


@contextmanager
def _dying(installation: Installation, find: Find) -> Iterator[None]:
    """SIGKILL, whenever it is started again."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(KILL_EVERY_S):
            _kill(find(installation))

    _kill(_caught(installation, find))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _caught(installation: Installation, find: Find) -> list[psutil.Process]:
    """The processes, once there are any.

    Raises:
        SystemExit: there are none within `CATCH_S`.
    """
    deadline = time.monotonic() + CATCH_S
    while time.monotonic() < deadline:
        if found := find(installation):
            return found
        time.sleep(0.05)
    raise SystemExit("The process that is to be broken does not run.")


# ── Elasticsearch ────────────────────────────────────────────────────────────────────────────────────────────────────

_WATERMARKS = "cluster.routing.allocation.disk.watermark"


@contextmanager
def _full_disk(installation: Installation) -> Iterator[None]:
    """The disk is beyond the flood stage, as that is set higher than what is free."""
    beyond = {f"{_WATERMARKS}.{stage}": "900tb" for stage in ("low", "high", "flood_stage")}
    often = {"cluster.info.update.interval": "10s"}
    installation.ask("PUT", "_cluster/settings", {"persistent": beyond | often})
    try:
        yield
    finally:
        usual = dict.fromkeys(beyond | often, None)
        installation.ask("PUT", "_cluster/settings", {"persistent": usual})


@contextmanager
def _broken_search(installation: Installation) -> Iterator[None]:
    """A saved search whose query can't be run, as an older version or another program may have stored it."""
    source = installation.ask("GET", "saved-searches/_doc/nato")["_source"]
    changed = {"id": "broken", "name": "Broken", "query": "title:[a TO"}
    document = source | changed | {"definition": source["definition"] | changed}
    installation.ask("PUT", "saved-searches/_doc/broken?refresh=true", document)
    try:
        yield
    finally:
        installation.ask("DELETE", "saved-searches/_doc/broken?refresh=true")


# ── files and variables ──────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _edited(installation: Installation, name: str, edit: Callable[[str], str]) -> Iterator[None]:
    """A configuration file after a mistake in an editor."""
    path = installation.config / name
    was = path.read_text(encoding="utf-8")
    path.write_text(edit(was), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(was, encoding="utf-8")


def _unclosed(text: str) -> str:
    """No YAML any more."""
    return text + '\n  - "this quote has no end\n'


def _misspelt(key: str) -> Callable[[str], str]:
    """One key with two letters exchanged."""
    wrong = key[0] + key[2] + key[1] + key[3:]
    return lambda text: text.replace(f"{key}:", f"{wrong}:", 1)


@contextmanager
def _mistyped_variable(installation: Installation) -> Iterator[None]:
    """A worker on another machine runs with a variable that nobody reads."""
    code = "from dags.tasks import task_context; from jobs.plan import plan; plan(task_context())"
    over = threading.Event()

    def work() -> None:
        while True:
            installation.python(code, NEWSWATCH_SMTP_PROT="25", NEWSWATCH_MAIL_FORM=OPERATOR)
            if over.wait(30):
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _paused(installation: Installation, dag: str) -> Iterator[None]:
    """Somebody has paused the DAG in Airflow."""
    api = AirflowApi(installation.web, USER, password(installation.data))
    api.pause(dag)
    try:
        yield
    finally:
        api.unpause(dag)


@contextmanager
def _stack_killed(installation: Installation) -> Iterator[None]:
    """`newswatch up` itself is killed, and with it everything that it started."""
    state = json.loads((installation.data / "stack.json").read_text(encoding="utf-8"))
    psutil.Process(state["pid"]).kill()
    try:
        yield
    finally:
        installation.start()


def _of(make: Callable[..., AbstractContextManager[None]], *arguments: object) -> Made:
    return lambda installation: make(installation, *arguments)


def _file(name: str) -> frozenset[str]:
    return frozenset((f"configuration:{name}",))


def _ids(*ids: str) -> frozenset[str]:
    return frozenset(ids)


_CHAT = frozenset((CHAT,))
_CERTIFICATE = _ids("certificate:localhost")

FAULTS: Final[tuple[Fault, ...]] = (
    Fault("network-refused", "network gone: all hosts refuse", _of(_papers, "refusing"), _ids("network")),
    Fault("network-silent", "network gone: no host answers", _of(_papers, "silent"), _ids("network")),
    Fault("mail-dead", "mail server dead", _of(_mail, "dead"), _ids("mail-server"), _CHAT),
    Fault("mail-tarpit", "mail server a tarpit, one octet a second", _of(_mail, "tarpit"), _ids("mail-server"), _CHAT),
    Fault("mail-silent", "mail server accepts and says nothing", _of(_mail, "silent"), _ids("mail-server"), _CHAT),
    Fault("mail-refusing", "mail server greets with 554", _of(_mail, "refusing"), _ids("mail-server"), _CHAT),
    Fault("mail-no-sender", "mail server refuses every sender", _of(_mail, "no-sender"), _ids("mail-server"), _CHAT),
    Fault(
        "mail-no-answer",
        "mail server never answers to a recipient",
        _of(_mail, "no-answer"),
        _ids("mail-server", "mails-waiting"),
        _CHAT,
    ),
    Fault(
        "elasticsearch-stopped",
        "Elasticsearch stopped (SIGSTOP)",
        _of(_stopped, _elasticsearch),
        _ids("elasticsearch"),
    ),
    Fault(
        "elasticsearch-killed",
        "Elasticsearch killed once (SIGKILL)",
        _of(_killed, _elasticsearch),
        _ids("elasticsearch"),
        heals=True,
    ),
    Fault(
        "elasticsearch-dying",
        "Elasticsearch killed whenever it starts",
        _of(_dying, _elasticsearch),
        _ids("elasticsearch"),
        hold_s=0,
    ),
    Fault(
        "scheduler-killed",
        "scheduler killed once (SIGKILL)",
        _of(_killed, _component("scheduler")),
        _ids("scheduler"),
        heals=True,
    ),
    Fault(
        "scheduler-stopped",
        "scheduler stopped (SIGSTOP)",
        _of(_stopped, _component("scheduler")),
        _ids("scheduler", "polling"),
    ),
    Fault(
        "dag-processor-killed",
        "DAG processor killed once (SIGKILL)",
        _of(_killed, _component("dag-processor")),
        _ids("dag-processor"),
        heals=True,
    ),
    Fault(
        "dag-processor-stopped",
        "DAG processor stopped (SIGSTOP)",
        _of(_stopped, _component("dag-processor")),
        _ids("dag-processor"),
    ),
    Fault(
        "api-server-killed",
        "Airflow's web server killed once (SIGKILL)",
        _of(_killed, _component("api-server")),
        _ids("airflow"),
        heals=True,
    ),
    Fault(
        "airflow-killed",
        "the process that runs Airflow's components killed (SIGKILL)",
        _of(_killed, _airflow),
        _ids("airflow"),
        heals=True,
    ),
    Fault(
        "matching-stopped",
        "matching stuck (SIGSTOP of its task)",
        _of(_stopped, _task("match_alerts")),
        _ids("matching"),
    ),
    Fault(
        "sending-stopped",
        "sending mails stuck (SIGSTOP of its task)",
        _of(_stopped, _task("deliver_mails")),
        _ids("mails-waiting"),
    ),
    Fault("polling-paused", "the DAG poll_feeds paused", _of(_paused, "poll_feeds"), _ids("polling")),
    Fault("disk-full", "disk at flood stage", _full_disk, _ids("disk")),
    Fault("feeds-unreadable", "feeds.yaml is no YAML", _of(_edited, "feeds.yaml", _unclosed), _file("feeds.yaml")),
    Fault(
        "feeds-misspelt", "feeds.yaml: a wrong key", _of(_edited, "feeds.yaml", _misspelt("title")), _file("feeds.yaml")
    ),
    Fault("alerts-unreadable", "alerts.yaml is no YAML", _of(_edited, "alerts.yaml", _unclosed), _file("alerts.yaml")),
    Fault(
        "alerts-misspelt",
        "alerts.yaml: a wrong key",
        _of(_edited, "alerts.yaml", _misspelt("query")),
        _file("alerts.yaml"),
    ),
    Fault(
        "taxonomy-unreadable",
        "taxonomy.yaml is no YAML",
        _of(_edited, "taxonomy.yaml", _unclosed),
        _file("taxonomy.yaml"),
    ),
    Fault(
        "taxonomy-misspelt",
        "taxonomy.yaml: a wrong key",
        _of(_edited, "taxonomy.yaml", _misspelt("topics")),
        _file("taxonomy.yaml"),
    ),
    Fault(
        "certificate-5-days",
        "the mail server's certificate ends in 5 days",
        _of(_certificate, timedelta(days=5)),
        _CERTIFICATE,
    ),
    Fault(
        "certificate-ended",
        "the mail server's certificate has ended",
        _of(_certificate, timedelta(hours=-1)),
        _CERTIFICATE | {"mail-server"},
        _CHAT,
    ),
    Fault("search-broken", "a saved search always fails", _broken_search, _ids("search:broken")),
    Fault("variable-mistyped", "a worker with a mistyped variable", _mistyped_variable, _file("settings")),
    Fault(
        "watchman-stopped",
        "the watchman stopped (SIGSTOP)",
        _of(_stopped, _watchman),
        _ids("watchman"),
        frozenset((HEARTBEAT,)),
    ),
    Fault(
        "watchman-killed",
        "the watchman killed once (SIGKILL)",
        _of(_killed, _watchman),
        _ids("watchman"),
        heals=True,
    ),
    Fault("stack-killed", "`newswatch up` killed (SIGKILL)", _stack_killed, _ids("stack"), page=False),
)
