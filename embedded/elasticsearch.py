"""A real Elasticsearch node on this machine: started from published artefacts, no installation and no Docker.

The node listens on loopback only, keeps its data between runs, and dies with the process that started it. It is the
server as published: bulk, search, aggregations, highlighting, templates, aliases and points in time are there; the
optional modules are not (scripts, percolator, reindex and by-query writes, ingest processors, ILM, security).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil

from embedded import artefacts
from embedded.processes import LOOPBACK, require_free, tail
from newswatch.errors import StackError

MAIN_CLASS = "org.elasticsearch.node.EmbeddedNode"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

JVM_OPTIONS = (
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    # The node closes itself in its own shutdown hook, and wants to log while it does.
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
)
FAST_JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Less work for the compiler and the collector: a node that lives for minutes never earns it back."""

NODE_SETTINGS = {
    "cluster.name": "newswatch",
    "node.name": "embedded",
    "discovery.type": "single-node",
    "network.host": LOOPBACK,
    "transport.port": "0",
    "node.portsfile": "true",
    # A share of the disk, the default, would make a well-filled laptop's indices read-only.
    "cluster.routing.allocation.disk.watermark.low": "1gb",
    "cluster.routing.allocation.disk.watermark.high": "750mb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
}

FAILURES = (
    (
        re.compile(r"failed to obtain node locks"),
        "Another Elasticsearch{owner} is using {data_dir}; stop it (newswatch down) or choose another data folder.",
    ),
    (
        re.compile(r"cannot (?:down|up)grade a node from version \[([^]]+)\]"),
        "{data_dir} was written by Elasticsearch {found}, which {version} can't read; choose another data folder.",
    ),
    (
        re.compile(r"BindHttpException|Address already in use"),
        "Elasticsearch can't listen on its port, something else does already; stop that or choose another port.",
    ),
    (
        re.compile(r"Could not reserve enough space|Invalid maximum heap size|OutOfMemoryError|Too small .*heap"),
        "Elasticsearch can't run with the given heap (see {log}); give it 256 MB or more, and no more than is free.",
    ),
    (
        re.compile(r"AccessDeniedException|No space left on device|Read-only file system"),
        "Elasticsearch can't write {data_dir} (see {log}); make room or choose another data folder.",
    ),
)


class Node:
    """A running Elasticsearch; leaving the `with` block stops it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
        self._process = process
        self.url = url
        self.log_file = log_file

    @property
    def pid(self) -> int:
        """The process id of the Java process."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Closes the node and waits for it to end; again, harmless."""
        stop(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start_elasticsearch(
    data_dir: Path, *, port: int = 9200, heap_mb: int = 512, log_file: Path | None = None, fast: bool = False
) -> Node:
    """A node on 127.0.0.1:`port` (0: any free one) that has answered and recovered what `data_dir` holds.

    Args:
        data_dir: Its own folder; made if missing.
        port: For HTTP.
        heap_mb: Java heap; the process takes about 300 MB more.
        log_file: What the node logs is added here; by default `data_dir`/logs/elasticsearch.log.
        fast: For tests: starts sooner with less processor time, runs slower in the long run.

    Raises:
        StackError: it can't start; says why and what to do.
    """
    if port:
        require_free(port, "Elasticsearch")
    classes = artefacts.class_path()
    log_file = log_file or data_dir / "logs" / "elasticsearch.log"
    ports_file = _prepare(data_dir, log_file)
    command = _command(classes, data_dir, port, heap_mb, fast)
    with log_file.open("ab") as log:
        log_start = log.tell()
        # Its own session: Ctrl-C in the terminal is ours to handle. Its standard input: when we die, it ends.
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        url = _await_answer(process, ports_file)
    except TimeoutError as error:
        stop(process)
        raise StackError(f"Elasticsearch has not answered within {START_TIMEOUT_S:.0f} s; see {log_file}.") from error
    except BaseException:
        stop(process)
        raise
    if url is None:
        with log_file.open("rb") as log:
            log.seek(log_start)
            raise StackError(explain(log.read().decode(errors="replace"), data_dir, log_file))
    return Node(process, url, log_file)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a node's process: politely, then firmly, then for good."""
    if process.stdin:
        process.stdin.close()
    for harder in (process.terminate, process.kill):
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            harder()
    process.wait()


def explain(log: str, data_dir: Path, log_file: Path) -> str:
    """One sentence on why a node ended, from what it logged, and what to do about it."""
    for pattern, sentence in FAILURES:
        if found := pattern.search(log):
            return sentence.format(
                owner=_owner(data_dir),
                data_dir=data_dir,
                found=found[1] if found.re.groups else "",
                version=artefacts.elasticsearch_version(),
                log=log_file,
            )
    return f"Elasticsearch ended while starting; {log_file} ends with:\n{tail(log_file)}"


def _owner(data_dir: Path) -> str:
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or []
        if MAIN_CLASS in arguments and str(data_dir.resolve()) in arguments:
            return f" (process {process.pid})"
    return ""


def _prepare(data_dir: Path, log_file: Path) -> Path:
    """The node's folders, with its configuration; returns where it will write the port it listens on."""
    ports_file = data_dir / "logs" / "http.ports"
    try:
        ports_file.parent.mkdir(parents=True, exist_ok=True)
        ports_file.unlink(missing_ok=True)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(artefacts.CONFIG, data_dir / "config", dirs_exist_ok=True)
    except OSError as error:
        raise StackError(
            f"{error.filename or data_dir} can't be written ({error.strerror}); choose another data folder."
        ) from error
    return ports_file


def _command(classes: list[Path], data_dir: Path, port: int, heap_mb: int, fast: bool) -> list[str]:
    settings = NODE_SETTINGS | {"http.port": str(port)}
    return [
        str(artefacts.JAVA),
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        *JVM_OPTIONS,
        *(FAST_JVM_OPTIONS if fast else ()),
        f"-Djava.io.tmpdir={tempfile.gettempdir()}",
        "-cp",
        os.pathsep.join(map(str, classes)),
        MAIN_CLASS,
        str(data_dir.resolve()),
        *(f"{key}={value}" for key, value in settings.items()),
    ]


def _await_answer(process: subprocess.Popen[bytes], ports_file: Path) -> str | None:
    """The node's address once its indices are recovered, or None if it has ended."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError
        if ports_file.is_file() and _has_recovered(url := f"http://{_first_address(ports_file)}"):
            return url
        time.sleep(0.05)
    return None


def _first_address(ports_file: Path) -> str:
    return ports_file.read_text(encoding="utf-8").split()[0]


def _has_recovered(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=35)
    try:
        connection.request("GET", "/_cluster/health?wait_for_no_initializing_shards=true&timeout=30s")
        health = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return health.get("timed_out") is False
