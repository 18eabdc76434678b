"""Fetching what the embedded node is made of, from a repository on loopback that holds the real files."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from embedded import artefacts
from embedded.processes import LOOPBACK, free_port
from newswatch.errors import StackError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing."""


def serve(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer((LOOPBACK, 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def repository() -> Iterator[str]:
    """The address of a Maven repository: the user's own cache of the artefacts, filled if need be."""
    artefacts.class_path()
    yield from serve(user_cache_path("newswatch") / "elasticsearch" / "maven")


def test_the_lock_pins_every_file_and_names_no_repository() -> None:
    lock = artefacts.LOCK_FILE.read_text(encoding="utf-8")
    assert "://" not in lock
    jars = artefacts.locked_jars(Path("repository"))
    assert len(jars) > 40
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert [jar.path.name for jar in jars if jar.is_compiler] == ["ecj-3.40.0.jar"]


def test_the_lock_is_that_of_the_wanted_version() -> None:
    wanted = artefacts.LOCK_FILE.with_name("jgo.toml").read_text(encoding="utf-8")
    assert f"org.elasticsearch:elasticsearch:{artefacts.elasticsearch_version()}" in wanted


def test_a_changed_source_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = artefacts.fingerprint()
    assert artefacts.fingerprint() == before
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "A.java").write_text("class A {}")
    monkeypatch.setattr(artefacts, "JAVA_DIR", tmp_path)
    monkeypatch.setattr(artefacts, "SOURCES", tmp_path / "src")
    monkeypatch.setattr(artefacts, "LOCK_FILE", tmp_path / "src" / "A.java")
    assert artefacts.fingerprint() != before


def test_without_a_network_the_first_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", f"http://{LOOPBACK}:{free_port()}")
    with pytest.raises(StackError) as failed:
        artefacts.class_path(tmp_path)
    assert "a part of Elasticsearch, can't be downloaded (no connection); connect to the network" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for jar in artefacts.locked_jars(tmp_path / "forged"):
        jar.path.parent.mkdir(parents=True)
        jar.path.write_bytes(b"something else")
    for address in serve(tmp_path / "forged"):
        monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", address)
        with pytest.raises(StackError, match="is not the file that is locked"):
            artefacts.class_path(tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.class"))


@pytest.mark.slow
def test_concurrent_first_starts_share_the_work(tmp_path: Path, repository: str) -> None:
    code = (
        "import sys; from pathlib import Path; from embedded import artefacts; "
        f"artefacts.MAVEN_CENTRAL_URL = {repository!r}; "
        "print(*artefacts.class_path(Path(sys.argv[1])), sep='\\n')"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    first, second = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    told = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert told[0] == told[1]
    classes, *jars = map(Path, told[0].split())
    assert (classes / "org/elasticsearch/node/EmbeddedNode.class").is_file()
    assert all(jar.is_file() for jar in jars)


@pytest.mark.slow
def test_a_half_downloaded_file_is_fetched_again(
    tmp_path: Path, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", repository)
    jar = artefacts.locked_jars(tmp_path / "maven")[0]
    jar.path.parent.mkdir(parents=True)
    jar.path.write_bytes(b"PK half")
    artefacts.class_path(tmp_path)
    assert jar.is_intact()


@pytest.mark.slow
def test_what_is_cached_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    artefacts.class_path()
    monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", f"http://{LOOPBACK}:{free_port()}")
    assert artefacts.class_path()[0].is_dir()
