"""What newswatch is told when Elasticsearch lets it do nothing: the reason, and which setting is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from jobs.context import open_context
from newswatch.errors import StoreError
from newswatch.settings import Settings
from observe.condition import Severity
from observe.conditions import conditions
from observe.reading import read_pulse
from store.elastic.access import no_access
from store.elastic.client import connect
from store.elastic.nodes import UnansweredError, UnreachableError
from store.names import Names
from tests.factories import NOW


@contextmanager
def in_its_place(status: int, body: bytes, kind: str) -> Iterator[str]:
    """A server that gives one answer to every request; its address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 (the names that it calls)

        def log_message(self, *_: Any) -> None:
            """Nothing is written to the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def security(reason: str) -> bytes:
    return json.dumps({"error": {"type": "security_exception", "reason": reason, "root_cause": []}}).encode()


JSON, HTML = "application/json", "text/html"
ANSWERS = {
    "a wrong password": (
        (401, security("unable to authenticate user [newswatch]"), JSON),
        "refuses the log-in: unable to authenticate",
        "NEWSWATCH_ELASTICSEARCH_PASSWORD",
    ),
    "a role that lacks an index": (
        (403, security("action [x] is unauthorized for user [newswatch]"), JSON),
        "does not allow it: action [x]",
        "docker/elasticsearch-users.sh",
    ),
    "another server": ((200, b'{"hello": 1}', JSON), "is not Elasticsearch", "NEWSWATCH_ELASTICSEARCH_URL"),
    "an address with a path": (
        (400, b'{"error": "no handler found for uri [/es/_msearch] and method [POST]", "status": 400}', JSON),
        "does not know the request: no handler found for uri [/es/_msearch]",
        "If NEWSWATCH_ELASTICSEARCH_URL has a path",
    ),
    "a log-in page": ((302, b"", HTML), "answers with status 302", "NEWSWATCH_ELASTICSEARCH_URL"),
    "a proxy before a dead one": ((502, b"<html>", HTML), "answers with status 502", "runs behind it"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_the_setting_that_is_wrong_is_named(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.elastic.client.RETRIES", 0)
    answer, sentence, next_step = ANSWERS[what]
    with in_its_place(*answer) as url:
        settings = Settings(elasticsearch_url=url)
        with pytest.raises(StoreError) as raised:
            open_context(settings)
        assert sentence in str(raised.value)
        assert next_step in str(raised.value)
        assert "newswatch up" not in str(raised.value), "it is not that none was started"

        with connect(settings) as es:
            pulse = read_pulse(es, Names(), settings, NOW)
        (told,) = conditions(pulse, settings)
        assert (told.id, told.severity) == ("elasticsearch", Severity.CRITICAL)
        assert sentence in told.sentence
        assert next_step in told.next_step


def test_a_wrong_scheme_or_authority_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.elastic.client.RETRIES", 0)
    with in_its_place(200, b"", HTML) as url:
        settings = Settings(elasticsearch_url=url.replace("http:", "https:"))
        with pytest.raises(StoreError, match=r"says https:// .*NEWSWATCH_ELASTICSEARCH_CA_CERTS"):
            open_context(settings)


@pytest.mark.parametrize("error", [UnreachableError, UnansweredError])
def test_a_host_or_an_index_that_is_called_so_is_no_fault_of_tls(error: type[Exception]) -> None:
    assert no_access(error("https://ssl-certificate.example:9200 can't be reached: connection refused")) is None
    assert no_access(UnansweredError("https://es:9200 has given no answer to POST /ssl-feeds within 5 s")) is None
    said = no_access(UnreachableError("https://es:9200 can't be reached: [ssl: wrong_version_number]"))
    assert said is not None


def test_a_certificate_for_an_address_without_tls_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    settings = Settings(elasticsearch_url="http://es:9200", elasticsearch_ca_certs=tmp_path / "ca.pem")
    with pytest.raises(StoreError, match=r"NEWSWATCH_ELASTICSEARCH_CA_CERTS .* https://"):
        connect(settings)
