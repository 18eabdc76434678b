"""An archive of what Java loads for a node, made once, so that each start takes a third of the time.

Java otherwise reads, checks and links thousands of classes at each start. The archive holds them ready (Java's AOT
cache, JEP 483): a node answers after 1.5 s of processor time instead of 6.6. Making it takes 15 s, at the first start
after an installation or an upgrade, and 120 MB beside the artefacts. Java uses it only with the very files for which it
was made. Where it can't be made, nodes start without it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console

from embedded import artefacts
from newswatch.errors import StackError

log = logging.getLogger(__name__)

HEAP_MB: Final = 256
KEPT: Final = 3
"""Archives in the cache: an old one serves who goes back and forth between two versions."""
MAKING_S: Final = 300
"""Seconds after which Java is thought to hang while it makes the archive."""
AGAIN_S: Final = 86_400
"""Seconds after which it is tried again where it could not be made."""
ANSWER_S: Final = 60
NO_ADAPTERS: Final = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching")
"""Java 25 confuses the archived adapters of some signatures, and warns of each at every start."""

_INDEX: Final = {
    "settings": {"number_of_replicas": 0},
    "mappings": {
        "dynamic": "strict",
        "properties": {
            "words": {"type": "text", "analyzer": "english", "term_vector": "with_positions_offsets"},
            "key": {"type": "keyword"},
            "number": {"type": "long"},
            "moment": {"type": "date"},
            "yes": {"type": "boolean"},
            "meaning": {"type": "dense_vector", "dims": 2, "index": False},
            "object": {"type": "object", "enabled": False},
        },
    },
}
_DOCUMENT: Final = {"words": "Some words", "key": "k", "number": 1, "moment": "2026-03-01", "yes": True}
_SEARCH: Final = {
    "query": {
        "bool": {
            "must": [{"query_string": {"query": 'words:some "some words" some~1 wor*', "fields": ["words"]}}],
            "filter": [
                {"terms": {"key": ["k"]}},
                {"range": {"moment": {"gte": "2026-01-01"}}},
                {"exists": {"field": "yes"}},
            ],
        }
    },
    "sort": [{"moment": "desc"}, {"number": "asc"}],
    "highlight": {"fields": {"words": {}}},
    "aggs": {
        "keys": {"terms": {"field": "key"}, "aggs": {"newest": {"max": {"field": "moment"}}}},
        "days": {"date_histogram": {"field": "moment", "calendar_interval": "day"}},
        "groups": {"filters": {"filters": {"one": {"term": {"yes": True}}}}},
    },
}  # fmt: skip


def archive(class_path: Sequence[Path], note: Callable[[Path], None]) -> tuple[str, ...]:
    """Java's options with which a node of `class_path` starts from its archive, which is made if it is missing.

    No options if it can't be made, which is logged. Where making it failed, it is not tried again for a day, or until
    the file that says why is deleted. `note` runs a node that notes in a file what it has loaded (`noting`).
    """
    try:
        made = class_path[0].parent / f"node-{_key(class_path)}.aot"
        if not _is_settled(made):
            with artefacts.only_one(made.parent):
                if not _is_settled(made):
                    _try_to_make(made, class_path, note)
        if _has_failed(made):
            raise StackError(f"{_failure(made)} says: {_failure(made).read_text(encoding='utf-8', errors='replace')}")
    except (StackError, OSError) as error:
        log.warning("Elasticsearch starts slowly, without its archive of classes: %s", error)
        return ()
    with suppress(OSError):  # a cache that others filled may be read-only
        os.utime(made)
    return (f"-XX:AOTCache={made}", *NO_ADAPTERS)


def noting(notes: Path) -> tuple[str, ...]:
    """Java's options with which a node notes at its end what it has loaded."""
    return ("-XX:AOTMode=record", f"-XX:AOTConfiguration={notes}")


def exercise(url: str) -> None:
    """Have a node do what newswatch asks of it, so that what it takes is in the archive.

    Raises:
        StackError: it refuses a request.
    """
    bulk = "".join(f"{json.dumps(line)}\n" for line in ({"index": {"_id": "1"}}, _DOCUMENT))
    searches = "".join(f"{json.dumps(line)}\n" for line in ({}, _SEARCH))
    template = {"index_patterns": ["others-*"], "template": _INDEX}
    for method, path, body in (
        ("PUT", "/_index_template/others", template),
        ("PUT", "/others-1", {}),
        ("PUT", "/exercise", _INDEX),
        ("POST", "/exercise/_bulk", bulk),
        ("PUT", "/exercise/_doc/2?refresh=true", _DOCUMENT),
        ("POST", "/_aliases", {"actions": [{"add": {"index": "exercise", "alias": "all"}}]}),
        ("POST", "/exercise/_mget", {"ids": ["1", "3"]}),
        ("POST", "/all/_refresh", {}),
        ("POST", "/all/_search", _SEARCH),
        ("POST", "/all/_msearch", searches),
        ("POST", "/all/_pit?keep_alive=1m", {}),
        ("GET", "/exercise,others-1/_stats/docs?level=shards", {}),
        ("PUT", "/exercise/_mapping", {"properties": {"another": {"type": "keyword"}}}),
        ("DELETE", "/exercise/_doc/2", {}),
        ("DELETE", "/exercise,others-1", {}),
        ("DELETE", "/_index_template/others", {}),
    ):  # fmt: skip
        _ask(url, method, path, body)


def _ask(url: str, method: str, path: str, body: Any) -> None:
    text = body if isinstance(body, str) else json.dumps(body) if body else None
    headers = {"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_S)
    try:
        connection.request(method, path, text, headers if text else {})
        answer = connection.getresponse()
        told = answer.read(1_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise StackError(f"The embedded Elasticsearch did not answer {method} {path}: {error}") from error
    finally:
        connection.close()
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        raise StackError(f"The embedded Elasticsearch refused {method} {path}: {told}")


def _key(class_path: Sequence[Path]) -> str:
    """What Java compares before it uses an archive: the files of the class path and its own, their sizes and times."""
    files = [*class_path, artefacts.JAVA.parents[1] / "lib" / "modules"]
    facts = [(str(path), stat.st_size, stat.st_mtime_ns) for path in files for stat in [path.stat()]]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _is_intact(made: Path) -> bool:
    """Whether the archive exists and is as it was made: Java itself would not notice a changed byte."""
    try:
        return made.with_suffix(".sha256").read_text(encoding="utf-8") == artefacts.sha256_of(made)
    except (OSError, UnicodeDecodeError):
        return False


def _failure(made: Path) -> Path:
    return made.with_suffix(".failed")


def _is_settled(made: Path) -> bool:
    return _has_failed(made) or _is_intact(made)


def _has_failed(made: Path) -> bool:
    """Whether making it failed within `AGAIN_S`: a full disk or a busy machine is none for good."""
    try:
        return time.time() - _failure(made).stat().st_mtime < AGAIN_S
    except FileNotFoundError:
        return False


def _try_to_make(made: Path, class_path: Sequence[Path], note: Callable[[Path], None]) -> None:
    Console(stderr=True).print("Preparing quick starts of Elasticsearch, once …")
    try:
        _make(made, class_path, note)
    except (StackError, subprocess.SubprocessError) as error:
        _failure(made).write_text(str(error), encoding="utf-8")
    else:
        _failure(made).unlink(missing_ok=True)
        _drop_old(made.parents[1])


def _make(made: Path, class_path: Sequence[Path], note: Callable[[Path], None]) -> None:
    """Make the archive, which appears complete or not at all. Only the holder of the lock may call it."""
    for left in made.parent.glob("new-*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix="new-") as folder:
        notes, scratch = Path(folder) / "notes", Path(folder) / "archive"
        note(notes)
        command: list[str | Path] = [
            artefacts.JAVA, "-XX:AOTMode=create", f"-XX:AOTConfiguration={notes}", f"-XX:AOTCache={scratch}",
            *NO_ADAPTERS, "-XX:+UseSerialGC", f"-Xmx{HEAP_MB}m", "--enable-native-access=ALL-UNNAMED",
            "-cp", os.pathsep.join(map(str, class_path)),
        ]  # fmt: skip
        environment = {**os.environ, **artefacts.ENVIRONMENT}
        done = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, check=False, timeout=MAKING_S
        )
        if done.returncode or not scratch.is_file():
            raise StackError(f"Java could not make the archive: {(done.stdout + done.stderr).strip()}")
        made.with_suffix(".sha256").write_text(artefacts.sha256_of(scratch), encoding="utf-8")
        scratch.rename(made)


def _drop_old(folder: Path) -> None:
    """Delete all archives but those that were used last; a node that runs keeps its own open."""
    newest = sorted(folder.glob("*/node-*.aot"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest[KEPT:]:
        path.unlink(missing_ok=True)
        path.with_suffix(".sha256").unlink(missing_ok=True)
