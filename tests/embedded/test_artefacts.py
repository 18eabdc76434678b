"""Fetching what the embedded node is made of, from a repository on loopback that holds the real files."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
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
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
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


def test_netty_is_newer_than_its_last_security_fix() -> None:
    """Elasticsearch 9.5.3 itself asks for 4.1.135."""
    netty = [jar.artefact.version for jar in artefacts.locked_jars(Path("r")) if jar.artefact.groupId == "io.netty"]
    assert len(netty) == 8
    assert len(set(netty)) == 1
    assert [int(part) for part in netty[0].removesuffix(".Final").split(".")] >= [4, 1, 138]


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
        with pytest.raises(StackError, match="is not the locked file"):
            artefacts.class_path(tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob(artefacts.CLASSES))


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
    assert "org/elasticsearch/node/EmbeddedNode.class" in zipfile.ZipFile(classes).namelist()
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
    assert artefacts.class_path()[0].is_file()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of its own, filled and whole."""
    artefacts.class_path()
    source, archives = user_cache_path("newswatch") / "elasticsearch", shutil.ignore_patterns("*.aot")
    shutil.copytree(source, tmp_path / "cache", ignore=archives)
    return tmp_path / "cache"


def flip(path: Path) -> None:
    """Change one byte amid the file; its size stays, and its times."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(times.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 100)])
def test_a_cached_file_that_was_changed_is_fetched_again(
    cache: Path, repository: str, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    """Whatever became of it since it was downloaded: every start looks."""
    monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", repository)
    jar = next(jar for jar in artefacts.locked_jars(cache / "maven") if jar.artefact.artifactId == "netty-common")
    damage(jar.path)
    assert not jar.is_intact()
    assert jar.path in artefacts.class_path(cache)
    assert jar.is_intact()


@pytest.mark.slow
def test_a_cached_file_that_was_changed_is_not_used_without_a_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefacts, "MAVEN_CENTRAL_URL", f"http://{LOOPBACK}:{free_port()}")
    flip(artefacts.locked_jars(cache / "maven")[0].path)
    with pytest.raises(StackError, match=r"^elasticsearch 9\.5\.3, .* was damaged in the cache .* \(no connection\);"):
        artefacts.class_path(cache)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: os.truncate(path, 100)])
def test_compiled_classes_that_were_changed_are_compiled_again(cache: Path, damage: Callable[[Path], None]) -> None:
    classes = artefacts.class_path(cache)[0]
    before = classes.read_bytes()
    damage(classes)
    assert artefacts.class_path(cache)[0] == classes
    assert classes.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_what_everybody_could_write_is_closed_and_compiled_again(cache: Path, which: int) -> None:
    classes = artefacts.class_path(cache)[0]
    before, opened = classes.read_bytes(), classes.parents[which]
    classes.write_bytes(b"of somebody else")
    (classes.parent / artefacts.DIGEST).write_text(artefacts.sha256_of(classes), encoding="utf-8")
    assert artefacts.class_path(cache)[0].read_bytes() == b"of somebody else", "only its owner could write it"
    opened.chmod(0o777)
    assert artefacts.class_path(cache)[0].read_bytes() == before
    assert not opened.stat().st_mode & 0o002


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path, repository: str) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from embedded import artefacts; "
        f"artefacts.MAVEN_CENTRAL_URL = {repository!r}; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000)); "
        "artefacts.class_path(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    sentence = done.stderr.strip().splitlines()[-1]
    assert re.search(r"StackError: \S+ \S+, a part of Elasticsearch, can't be written to .*; make room there", sentence)
    assert all(path.stat().st_size < 1_000_000 for path in tmp_path.rglob("*.jar"))
