"""Real faults, one at a time, before a watchman that is a process of its own: each is told once, and its end once."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from alerts.saved import SavedSearches
from benchmarks.outages.faults import CHAT, MAIL
from benchmarks.outages.messages import Told, told
from benchmarks.outages.receivers import MailMode, Outside, open_outside
from embedded.processes import free_port
from newswatch.alert import SavedSearch
from newswatch.problems import Problem
from newswatch.pulse import JobPulse
from newswatch.settings import Settings, default_config_dir
from store.indices.setup import set_up
from store.names import Names
from store.pulse import PulseStore
from store.quarantine import Quarantine
from tests.observe.looking import MAIN, await_looks
from tests.pristine import remove

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOLD_S = 180.0
"""Seconds for what takes a few looks, on a machine that does much else."""
START_S = 180.0
OPERATOR = "operator@desk.example"
FILES = ("feeds.yaml", "alerts.yaml", "taxonomy.yaml")


@dataclass(frozen=True)
class Scene:
    """What the watchman watches and where it tells."""

    outside: Outside
    es: Elasticsearch
    names: Names
    config: Path
    log: Path

    def told(self, since: datetime, known: str) -> list[Told]:
        """What was told by chat and mail."""
        items = told(self.outside, since, datetime.now(UTC), [known])
        return [item for item in items if item.way in (CHAT, MAIL)]

    def until_told(self, since: datetime, condition: str, changes: set[str], ways: set[str]) -> None:
        """Wait until each way has told such a change of the condition."""

        def lacking() -> set[str]:
            items = self.told(since, condition)
            return ways - {item.way for item in items if item.id == condition and item.change in changes}

        deadline = time.monotonic() + TOLD_S
        while missing := lacking():
            assert time.monotonic() < deadline, (missing, changes, self.log.read_text()[-2_000:])
            time.sleep(0.1)


Made = Callable[[Scene], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def scene(es: Elasticsearch, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, names = tmp_path_factory.mktemp("outages"), Names(f"t{secrets.token_hex(4)}-")
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix))
    config = folder / "config"
    config.mkdir()
    for name in FILES:
        (config / name).write_bytes((default_config_dir() / name).read_bytes())
    with open_outside(folder / "outside") as outside:
        scene = Scene(outside, es, names, config, folder / "watch.log")
        with watchman(scene, elasticsearch_url, folder):
            deadline = time.monotonic() + START_S
            while not outside.hooks.beats:
                assert time.monotonic() < deadline, scene.log.read_text()
                time.sleep(0.1)
            yield scene
        assert "Traceback" not in scene.log.read_text()
    remove(es, names.prefix)


@contextmanager
def watchman(scene: Scene, elasticsearch_url: str, folder: Path) -> Iterator[None]:
    outside = scene.outside
    variables: Mapping[str, str] = {
        "NEWSWATCH_DATA_DIR": str(folder / "data"),
        "NEWSWATCH_CONFIG_DIR": str(scene.config),
        "NEWSWATCH_ELASTICSEARCH_URL": elasticsearch_url,
        "NEWSWATCH_INDEX_PREFIX": scene.names.prefix,
        "NEWSWATCH_PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
        "NEWSWATCH_SMTP_HOST": "localhost",
        "NEWSWATCH_SMTP_PORT": str(outside.mail.port),
        "NEWSWATCH_SMTP_SECURITY": "starttls",
        "NEWSWATCH_SMTP_TIMEOUT_S": "3",
        "NEWSWATCH_MAIL_FROM": "newswatch@desk.example",
        "NEWSWATCH_OPERATOR": OPERATOR,
        "NEWSWATCH_OPERATOR_URL": outside.hooks.chat,
        "NEWSWATCH_HEARTBEAT_URL": outside.hooks.heartbeat,
        "SSL_CERT_FILE": str(outside.authority.file),
    }
    command = [sys.executable, "-c", MAIN, "watch", "--every", "0.3"]
    with scene.log.open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


# ── the faults ───────────────────────────────────────────────────────────────────────────────────────────────────────


def mail(mode: MailMode) -> Made:
    @contextmanager
    def made(scene: Scene) -> Iterator[None]:
        scene.outside.mail.change(mode)
        try:
            yield
        finally:
            scene.outside.mail.change("taking")

    return made


@contextmanager
def certificate_ends_in_5_days(scene: Scene) -> Iterator[None]:
    server = scene.outside.mail
    was, server.certificate = server.certificate, scene.outside.authority.issue(timedelta(days=5))
    try:
        yield
    finally:
        server.certificate = was


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    """What Elasticsearch does at flood stage. It would lift the block at its next look at the disk, so it must not."""
    index, block = [scene.names.pulse, scene.names.feeds], "index.blocks.read_only_allow_delete"
    scene.es.cluster.put_settings(persistent={"cluster.info.update.interval": "1h"})
    scene.es.indices.put_settings(index=index, settings={block: True})
    try:
        yield
    finally:
        scene.es.indices.put_settings(index=index, settings={block: None})
        scene.es.cluster.put_settings(persistent={"cluster.info.update.interval": None})


@contextmanager
def every_file_is_broken(scene: Scene) -> Iterator[None]:
    """All at once: each change has all of them read again, by a process that needs seconds."""
    was = {scene.config / name: (scene.config / name).read_text(encoding="utf-8") for name in FILES}
    for path, text in was.items():
        path.write_text(f"{text}\n  - 'no end\n", encoding="utf-8")
    try:
        yield
    finally:
        for path, text in was.items():
            path.write_text(text, encoding="utf-8")


@contextmanager
def matching_is_stopped(scene: Scene) -> Iterator[None]:
    """A run that began and gives no sign of life, as after SIGSTOP."""
    now, pulse = datetime.now(UTC), PulseStore(scene.es, scene.names)
    stuck = JobPulse("match", started_at=now - timedelta(minutes=5), beat_at=now - timedelta(minutes=4))
    pulse.change("match", lambda _: stuck)
    scene.es.indices.refresh(index=scene.names.pulse)
    try:
        yield
    finally:
        then = datetime.now(UTC)
        pulse.change("match", lambda _: JobPulse("match", started_at=now, beat_at=then, ended_at=then))
        scene.es.indices.refresh(index=scene.names.pulse)


@contextmanager
def a_search_always_fails(scene: Scene) -> Iterator[None]:
    now = datetime.now(UTC)
    searches, quarantine = SavedSearches(scene.es, scene.names), Quarantine(scene.es, scene.names)
    searches.seed([SavedSearch("wide", "Wide", "NATO", ("reader@desk.example",))], now=now - timedelta(hours=1))
    problem = Problem("search", "wide", "it takes too long", "match")
    quarantine.note([problem], now=now - timedelta(minutes=5))
    scene.es.indices.refresh(index=f"{scene.names.prefix}*")
    try:
        yield
    finally:
        quarantine.dismiss(problem.id)
        scene.es.indices.refresh(index=f"{scene.names.prefix}*")


FAULTS: Mapping[str, tuple[Made, Sequence[str], set[str]]] = {
    "mail server a tarpit": (mail("tarpit"), ["mail-server"], {CHAT}),
    "mail server refuses every sender": (mail("no-sender"), ["mail-server"], {CHAT}),
    "certificate ends": (certificate_ends_in_5_days, ["certificate:localhost"], {CHAT, MAIL}),
    "indices read-only": (read_only, ["disk"], {CHAT, MAIL}),
    "files broken": (every_file_is_broken, [f"configuration:{name}" for name in FILES], {CHAT, MAIL}),
    "matching stopped": (matching_is_stopped, ["matching"], {CHAT, MAIL}),
    "search fails": (a_search_always_fails, ["search:wide"], {CHAT, MAIL}),
}
"""What breaks → how, the conditions that are told, and by which ways while it lasts. All ways hear of its end."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_once_and_so_is_its_end(scene: Scene, fault: str) -> None:
    made, conditions, ways = FAULTS[fault]
    since = datetime.now(UTC)
    with made(scene):
        for condition in conditions:
            scene.until_told(since, condition, {"new"}, ways)
    for condition in conditions:
        scene.until_told(since, condition, {"over", "passed"}, {CHAT, MAIL})
    await_looks(scene.log.parent / "data", scene.log)
    for condition in conditions:
        items = scene.told(since, condition)
        assert {item.id for item in items} == set(conditions), "and nothing else"
        told = [(item.way, item.change) for item in items if item.id == condition]
        assert sorted(change for way, change in told if way == CHAT) == ["new", "over"], f"{condition}: each once"
        # A mail that was begun while its server failed may arrive when it is well again.
        by_mail = sorted(change for way, change in told if way == MAIL)
        assert by_mail == ["new", "over"] or (MAIL not in ways and by_mail == ["passed"]), f"{condition}: each once"
