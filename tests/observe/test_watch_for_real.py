"""The watchman as a process, with a real Elasticsearch, a mail catcher that dies and comes back, and a web server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from elasticsearch import Elasticsearch

from embedded.mail import list_mails, start_mail_catcher
from embedded.processes import free_port
from observe.watched import conditions_of
from store.elastic.clock import store_clock
from store.names import Names
from store.pulse import PulseStore
from tests.observe.looking import MAIN, await_looks
from tests.observe.receiver import Receiver, receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOLD_S = 180.0


def until(true: Callable[[], object], what: str, seconds: float = TOLD_S) -> float:
    """Seconds until it was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as there:
        yield there


class House:
    """What the watchman watches, and where it tells."""

    def __init__(self, folder: Path, elasticsearch_url: str, prefix: str, receiver: Receiver) -> None:
        self.folder, self.smtp_port = folder, free_port()
        self.variables = {
            "NEWSWATCH_DATA_DIR": str(folder / "data"),
            "NEWSWATCH_ELASTICSEARCH_URL": elasticsearch_url,
            "NEWSWATCH_INDEX_PREFIX": prefix,
            "NEWSWATCH_SMTP_PORT": str(self.smtp_port),
            "NEWSWATCH_OPERATOR": "operator@example.org",
            "NEWSWATCH_OPERATOR_URL": f"{receiver.url}/secret-path",
            "NEWSWATCH_HEARTBEAT_URL": f"{receiver.url}/beat",
        }

    @contextmanager
    def mail_server(self) -> Iterator[int]:
        log = self.folder / "mail.log"
        catcher = start_mail_catcher(self.mails, port=self.smtp_port, log_file=log, data_dir=self.folder)
        try:
            yield catcher.pid
        finally:
            catcher.stop()

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    def subjects(self) -> list[str]:
        return [mail.subject for mail in list_mails(self.mails)]

    @contextmanager
    def watchman(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-c", MAIN, "watch", "--every", "1"]
        with (self.folder / "watch.log").open("ab") as log:
            process = subprocess.Popen(command, env={**os.environ, **self.variables}, stderr=log, stdout=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def log(self) -> str:
        return (self.folder / "watch.log").read_text()


@pytest.fixture
def house(tmp_path: Path, elasticsearch_url: str, names: Names, receiver: Receiver) -> House:
    return House(tmp_path, elasticsearch_url, names.prefix, receiver)


def test_a_mail_server_dies_and_comes_back(house: House, receiver: Receiver, es: Elasticsearch, names: Names) -> None:
    def watched() -> set[str]:
        es.indices.refresh(index=names.pulse)
        pulse = PulseStore(es, names).read().get("watchman")
        return {condition.id for condition in conditions_of(pulse, store_clock(es)())}

    with house.watchman() as process:
        with house.mail_server():
            until(lambda: PulseStore(es, names).read().get("watchman"), "a first look", 90)
            until(lambda: "/beat" in receiver.paths, "a heartbeat")
        took = until(lambda: ("new", "mail-server") in receiver.changes(), "the web server is told")
        until(lambda: watched() == {"mail-server"}, "pages know")
        assert took < TOLD_S
        process.kill()
        process.wait()

    with house.watchman() as process:
        until(lambda: house.log().count("Watching") == 2, "it runs again")
        await_looks(house.folder / "data", house.folder / "watch.log")
        assert receiver.changes() == [("new", "mail-server")], "a restart repeats nothing"
        with house.mail_server():
            until(lambda: ("over", "mail-server") in receiver.changes(), "the web server is told of the end")
            until(house.subjects, "the mail is told")
            assert house.subjects() == ["All is well again: Mail server"]
            (mail,) = list_mails(house.mails)
            assert "Was wrong while this way could not tell you" in mail.html
            until(lambda: not watched(), "pages know")
            process.send_signal(signal.SIGTERM)
            assert process.wait(TOLD_S) == 0

    with house.mail_server(), house.watchman():
        until(lambda: house.log().count("Watching") == 3, "it runs again")
        await_looks(house.folder / "data", house.folder / "watch.log")
        assert receiver.changes() == [("new", "mail-server"), ("over", "mail-server")]
        assert len(house.subjects()) == 1
    assert "secret-path" not in house.log()
    assert "Traceback" not in house.log()


def test_without_elasticsearch_it_tells_all_the_same(house: House, receiver: Receiver) -> None:
    house.variables["NEWSWATCH_ELASTICSEARCH_URL"] = f"http://127.0.0.1:{free_port()}"
    with house.mail_server(), house.watchman() as process:
        until(lambda: ("new", "elasticsearch") in receiver.changes(), "the web server is told")
        until(house.subjects, "the mail is told")
        print(f"{psutil.Process(process.pid).memory_info().rss / 1e6:.0f} MB")
    assert receiver.changes() == [("new", "elasticsearch")], "and nothing that follows from it"
    (subject,) = house.subjects()
    assert subject.startswith("Critical: Elasticsearch can't be used: http://127.0.0.1:")


def test_two_watchmen_do_not_share_a_folder(house: House) -> None:
    with house.watchman():
        lock = house.folder / "data" / "watch.lock"
        until(lambda: lock.exists() and lock.read_text(), "the first one runs")
        with house.watchman() as second:
            assert second.wait(TOLD_S) == 1
    assert "A watchman runs in" in house.log()
