"""The embedded node: how it starts, stops and fails. What it can do is in test_elasticsearch_features.py."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from elasticsearch import Elasticsearch, NotFoundError

from embedded.artefacts import elasticsearch_version
from embedded.elasticsearch import Node, explain, start_elasticsearch
from embedded.processes import LOOPBACK
from newswatch.errors import StackError

slow = pytest.mark.slow


def start(folder: Path, port: int = 0) -> Node:
    return start_elasticsearch(folder, port=port, heap_mb=256, fast=True)


@slow
def test_answers_like_a_real_one(es: Elasticsearch) -> None:
    info = es.info()
    assert info["version"]["number"] == elasticsearch_version()
    assert info["version"]["build_flavor"] == "default"
    assert info["tagline"] == "You Know, for Search"
    assert es.ping()


@slow
def test_listens_on_loopback_only(elasticsearch_url: str) -> None:
    nodes = (p for p in psutil.process_iter(["cmdline"]) if "EmbeddedNode" in " ".join(p.info["cmdline"] or ()))
    listening = [c.laddr for node in nodes for c in node.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert int(elasticsearch_url.rsplit(":", 1)[1]) in [address.port for address in listening]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {LOOPBACK}


@slow
def test_a_prefix_is_cleaned_up(es: Elasticsearch, index_prefix: str) -> None:
    es.indices.create(index=f"{index_prefix}a")
    es.index(index=f"{index_prefix}a", document={"x": 1}, refresh=True)
    assert es.count(index=f"{index_prefix}*")["count"] == 1


@slow
def test_a_write_makes_no_index(es: Elasticsearch, index_prefix: str) -> None:
    with pytest.raises(NotFoundError):
        es.index(index=f"{index_prefix}guessed", document={"x": 1})


@slow
def test_starts_in_a_folder_of_any_name_whatever_the_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service has no locale, and Java reads its arguments by it."""
    monkeypatch.setenv("LC_ALL", "C")
    with start(tmp_path / "Nachrichten für Åse") as node, Elasticsearch(node.url) as client:
        assert client.ping()
    assert (tmp_path / "Nachrichten für Åse" / "data" / "node.lock").exists()


@slow
def test_keeps_its_data_and_uses_a_folder_for_one_node_only(tmp_path: Path) -> None:
    """One life of a data folder: written, refused to a second node, killed, started again with everything there."""
    first = start(tmp_path)
    with Elasticsearch(first.url) as client:
        client.indices.create(index="kept")
        client.index(index="kept", id="1", document={"x": 1})
    with pytest.raises(StackError) as refused:
        start(tmp_path)
    assert str(refused.value).startswith(f"Another Elasticsearch (process {first.pid}) is using {tmp_path};")
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    assert (tmp_path / "data" / "node.lock").exists()
    with start(tmp_path) as second, Elasticsearch(second.url) as client:
        assert client.get(index="kept", id="1")["_source"] == {"x": 1}
    assert not psutil.pid_exists(second.pid)


@slow
def test_dies_with_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
        import time
        from pathlib import Path
        from embedded.elasticsearch import start_elasticsearch
        print(start_elasticsearch(Path({str(tmp_path)!r}), port=0, heap_mb=256, fast=True).pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    node = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while node.is_running() and node.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_taken_port_costs_no_start(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            StackError, match=rf"^Elasticsearch can't listen on 127.0.0.1:{port}, because process \d+ .*port\.$"
        ):
            start(tmp_path, port)
    assert not list(tmp_path.iterdir())


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=re.escape(f"{tmp_path / 'file' / 'logs'} can't be written (Not a directory)")):
        start(tmp_path / "file")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (
            "java.lang.IllegalStateException: failed to obtain node locks, tried [/d/data]; maybe these locations …\n"
            "Caused by: org.apache.lucene.store.LockObtainFailedException: Lock held by another program: /d/node.lock",
            "Another Elasticsearch is using /d; stop it (newswatch down) or choose another data folder.",
        ),
        (
            "java.lang.IllegalStateException: cannot downgrade a node from version [9.9.1] to version [9.5.3]",
            "/d was written by Elasticsearch 9.9.1, which 9.5.3 can't read; choose another data folder.",
        ),
        (
            "cannot upgrade a node from version [7.17.0] directly to version [9.5.3]",
            "/d was written by Elasticsearch 7.17.0, which 9.5.3 can't read; choose another data folder.",
        ),
        (
            "org.elasticsearch.http.BindHttpException: Failed to bind to 127.0.0.1:9200",
            "Elasticsearch can't listen on its port, because something else does; stop that or choose another port.",
        ),
        (
            "Error occurred during initialization of VM\nCould not reserve enough space for 99999999KB object heap",
            "Elasticsearch can't run with the given heap (see /d/log); give it 256 MB or more, "
            "but no more than is free.",
        ),
        (
            "java.lang.IllegalStateException: failed to obtain node locks, tried [/d/data]; maybe these locations …\n"
            "Caused by: java.io.IOException: Mount point not found",
            "Elasticsearch can't lock /d (see /d/log); choose a data folder on a disk of this machine.",
        ),
        (
            "java.lang.IllegalStateException: failed to obtain node locks, tried [/d/data]; maybe these locations …\n"
            "Caused by: java.nio.file.AccessDeniedException: /d/data/node.lock",
            "Elasticsearch can't write /d (see /d/log); make room or choose another data folder.",
        ),
        (
            "java.io.IOException: No space left on device",
            "Elasticsearch can't write /d (see /d/log); make room or choose another data folder.",
        ),
        (
            "what nobody has seen before",
            "Elasticsearch ended while starting; /d/log ends with:\n(/d/log can't be read: No such file or directory)",
        ),
    ],
)
def test_each_known_failure_has_its_sentence(log: str, sentence: str) -> None:
    assert explain(log, Path("/d"), Path("/d/log")) == sentence
