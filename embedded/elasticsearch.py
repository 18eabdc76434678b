"""A real Elasticsearch node on this machine, started from published artefacts without installation or Docker.

The node listens only on loopback, keeps its data between runs, and dies with the process that started it. It is the
published server: bulk, search, aggregations, highlighting, templates, aliases and points in time work. The optional
modules are missing (scripts, percolator, reindex and by-query writes, ingest processors, ILM, security).

Instead of passwords it relies on who can reach it: programs on this machine. It refuses requests that a browser sends
for a web page, and requests for any host except 127.0.0.1, localhost and [::1]
(`java/src/newswatch/elasticsearch/Doorkeeper.java`).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from embedded import ahead, artefacts
from embedded.processes import LOOPBACK, Child, of_stack, require_free, tail
from newswatch.errors import StackError

MAIN_CLASS = "org.elasticsearch.node.EmbeddedNode"
START_TIMEOUT_S = 120.0
RECOVERY_TIMEOUT_S = 30

JVM_OPTIONS = (
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    # The node closes itself in its own shutdown hook, and must be able to log while it does.
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
)
FAST_JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:CompileThresholdScaling=0.3", "-XX:+UseSerialGC")
"""Less work for the compiler and the garbage collector, which does not pay in a node that lives for minutes.

As its one compiler is quick, it compiles after a third of the usual calls: what is interpreted takes ten times as long.
"""

INDEX_SETTINGS = "index-settings"
"""File in the node's configuration with the names of `index_settings`."""

FAST_MEMBER_SETTINGS = {
    "cluster.fault_detection.follower_check.timeout": "4s",
    "cluster.fault_detection.follower_check.retry_count": "2",
}
"""In tests, a hanging node of a cluster is taken for dead after 9 s. By default it is asked three times, 10 s each."""

NODE_SETTINGS = {
    "cluster.name": "newswatch",
    "node.name": "embedded",
    "discovery.type": "single-node",
    "network.host": LOOPBACK,
    # A write would re-create a deleted index with a guessed mapping. `set_up` creates ours.
    "action.auto_create_index": "false",
    "transport.port": "0",
    "node.portsfile": "true",
    # The default, a share of the disk, would make the indices on a well-filled laptop read-only.
    "cluster.routing.allocation.disk.watermark.low": "1gb",
    "cluster.routing.allocation.disk.watermark.high": "750mb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
}

ALL_ROLES: Final = ("master", "data")
"""A node's roles in a cluster: it may become its master, and holds shards."""

FAILURES = (
    (
        re.compile(r"LockObtainFailedException"),
        "Another Elasticsearch{owner} is using {data_dir}; stop it (newswatch down) or choose another data folder.",
    ),
    (
        re.compile(r"cannot (?:down|up)grade a node from version \[([^]]+)\]"),
        "{data_dir} was written by Elasticsearch {found}, which {version} can't read; choose another data folder.",
    ),
    (
        re.compile(r"BindHttpException|Address already in use"),
        "Elasticsearch can't listen on its port, because something else does; stop that or choose another port.",
    ),
    (
        re.compile(r"Could not reserve enough space|Invalid maximum heap size|OutOfMemoryError|Too small .*heap"),
        "Elasticsearch can't run with the given heap (see {log}); give it 256 MB or more, but no more than is free.",
    ),
    (
        re.compile(r"AccessDeniedException|No space left on device|Read-only file system"),
        "Elasticsearch can't write {data_dir} (see {log}); make room or choose another data folder.",
    ),
    (  # after the reasons for it
        re.compile(r"failed to obtain node locks"),
        "Elasticsearch can't lock {data_dir} (see {log}); choose a data folder on a disk of this machine.",
    ),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A node's place in a cluster of several on this machine; the first node is started with empty `seeds`."""

    name: str
    seeds: tuple[str, ...] = ()
    """Transport addresses (`Node.transport`) of nodes that are already running."""
    roles: tuple[str, ...] = ALL_ROLES
    """Without "master" it has no vote, so the others continue when it dies."""

    def settings(self) -> dict[str, str]:
        """As Elasticsearch settings. Pure."""
        stated = {
            "node.name": self.name,
            "node.roles": ",".join(self.roles),
            "discovery.type": "multi-node",
            # Without seeds it would search on Elasticsearch's default ports.
            "discovery.seed_hosts": ",".join(self.seeds) or "[]",
        }
        return stated if self.seeds else stated | {"cluster.initial_master_nodes": self.name}


class Node:
    """A running Elasticsearch; leaving the `with` block stops it."""

    def __init__(self, child: Child, url: str, transport: str) -> None:
        self.child = child
        self.url = url
        self.transport = transport
        """`host:port` for other nodes."""

    @property
    def pid(self) -> int:
        """The process id of the Java process."""
        return self.child.pid

    def stop(self) -> None:
        """Close the node and wait for it to end; harmless if repeated."""
        self.child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start_elasticsearch(
    data_dir: Path,
    *,
    port: int = 9200,
    heap_mb: int = 512,
    log_file: Path | None = None,
    fast: bool = False,
    member: Member | None = None,
    backups: Path | None = None,
    index_settings: Collection[str] = (),
) -> Node:
    """A node on 127.0.0.1:`port` (0: any free port) that has answered and recovered the data in `data_dir`.

    Args:
        data_dir: Its own folder; created if missing.
        port: For HTTP.
        heap_mb: Java heap; the process takes about 300 MB more.
        log_file: The node's log is appended here; default: `data_dir`/logs/elasticsearch.log.
        fast: For tests: starts sooner with less processor time, but runs slower in the long run.
        member: Its place in a cluster; by default it is alone and no node can join it.
        backups: The folder in which it may keep snapshots; default: `data_dir`/backups.
        index_settings: Names of analysis settings that it checks one by one, so that an index with many of them is
            created sooner; it takes all others, too.

    Raises:
        StackError: it can't start; the message says why and what to do.
    """
    if port:
        require_free(port, "Elasticsearch")
    class_path = artefacts.class_path()
    ports_file = _prepare(data_dir, index_settings)
    repositories = {"path.repo": str((backups or data_dir / "backups").absolute())}
    joined = member.settings() | (FAST_MEMBER_SETTINGS if fast else {}) if member else {}
    settings = NODE_SETTINGS | repositories | {"http.port": str(port)} | joined
    archive = ahead.archive(class_path, lambda notes: _exercise(class_path, notes))
    command = _command(class_path, data_dir, settings, heap_mb, (*(FAST_JVM_OPTIONS if fast else ()), *archive))
    own_log = log_file or data_dir / "logs" / "elasticsearch.log"
    child = Child.start("Elasticsearch", command, own_log, data_dir, artefacts.ENVIRONMENT)
    try:
        url = _await_answer(child, ports_file, data_dir)
        return Node(child, url, _first_address(ports_file.with_name("transport.ports")))
    except BaseException:
        child.stop()
        raise


def _exercise(class_path: Sequence[Path], notes: Path) -> None:
    """Run a node for a moment, which at its end writes to `notes` what it has loaded.

    Raises:
        StackError: it can't start, or refuses a request.
    """
    with tempfile.TemporaryDirectory(prefix="newswatch-ahead-") as folder:
        data_dir = Path(folder)
        ports_file = _prepare(data_dir)
        # Not for G1, the default: what is noted with the serial collector serves both, and starts a node sooner.
        options = (*FAST_JVM_OPTIONS, *ahead.noting(notes))
        command = _command(class_path, data_dir, NODE_SETTINGS | {"http.port": "0"}, ahead.HEAP_MB, options)
        own_log = data_dir / "logs" / "elasticsearch.log"
        child = Child.start("Elasticsearch", command, own_log, data_dir, artefacts.ENVIRONMENT)
        try:
            ahead.exercise(_await_answer(child, ports_file, data_dir))
        finally:
            child.stop()


def explain(log: str, data_dir: Path, log_file: Path) -> str:
    """One sentence on why a node ended, according to its log, and what to do about it."""
    for pattern, sentence in FAILURES:
        if found := pattern.search(log):
            return sentence.format(
                owner=_owner(data_dir) if "{owner}" in sentence else "",
                data_dir=data_dir,
                found=found[1] if pattern.groups else "",
                version=artefacts.elasticsearch_version(),
                log=log_file,
            )
    return f"Elasticsearch ended while starting; {log_file} ends with:\n{tail(log_file)}"


def _owner(data_dir: Path) -> str:
    nodes = (process for process in of_stack(data_dir) if MAIN_CLASS in process.cmdline())
    return next((f" (process {process.pid})" for process in nodes), "")


def _prepare(data_dir: Path, index_settings: Collection[str] = ()) -> Path:
    """Create the node's folders and configuration; returns the file in which the node will write its port."""
    ports_file = data_dir / "logs" / "http.ports"
    try:
        ports_file.parent.mkdir(parents=True, exist_ok=True)
        ports_file.unlink(missing_ok=True)
        shutil.copytree(artefacts.CONFIG, data_dir / "config", dirs_exist_ok=True)
        (data_dir / "config" / INDEX_SETTINGS).write_text(
            "".join(f"{name}\n" for name in index_settings), encoding="utf-8"
        )
    except OSError as error:
        raise StackError(
            f"{error.filename or data_dir} can't be written ({error.strerror}); choose another data folder."
        ) from error
    return ports_file


def _command(
    class_path: Sequence[Path], data_dir: Path, settings: Mapping[str, str], heap_mb: int, options: Sequence[str]
) -> list[str]:
    return [
        str(artefacts.JAVA),
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        *JVM_OPTIONS,
        *options,
        f"-Djava.io.tmpdir={tempfile.gettempdir()}",
        "-cp",
        os.pathsep.join(map(str, class_path)),
        MAIN_CLASS,
        str(data_dir.resolve()),
        *(f"{key}={value}" for key, value in settings.items()),
    ]


def _await_answer(child: Child, ports_file: Path, data_dir: Path) -> str:
    """The node's address, once its indices are recovered."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while child.poll() is None:
        if time.monotonic() > deadline:
            raise StackError(f"Elasticsearch has not answered within {START_TIMEOUT_S:.0f} s; see {child.log_file}.")
        if ports_file.is_file() and _has_recovered(url := f"http://{_first_address(ports_file)}"):
            return url
        time.sleep(0.05)
    raise StackError(explain(child.log(), data_dir, child.log_file))


def _first_address(ports_file: Path) -> str:
    return ports_file.read_text(encoding="utf-8").split()[0]


def _has_recovered(url: str) -> bool:
    """Whether every index can be read, or recovery has timed out; in that case the user must see to it."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=RECOVERY_TIMEOUT_S + 5)
    try:
        connection.request("GET", f"/_cluster/health?wait_for_status=yellow&timeout={RECOVERY_TIMEOUT_S}s")
        health = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return health.get("status") in ("green", "yellow") or health.get("timed_out") is True
