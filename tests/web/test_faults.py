"""Every fault has a readable page: a status, a sentence, the next step; no stack trace and no secret."""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import NoReturn

import pytest
from elastic_transport import ApiError, ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elastic_transport import ConnectionError as Unreachable
from fastapi import FastAPI
from fastapi.testclient import TestClient

from alerts.definitions import UsageError
from newswatch.errors import ConfigError, NewswatchError, QueryError, StoreError
from search.asking import SlowSearchError
from tests.web.conftest import Visitor
from web.app import create_app

NODE = NodeConfig("http", "127.0.0.1", 9200)


def answered(status: int, told: str) -> ApiError:
    """What the client makes of an answer of Elasticsearch."""
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NODE)
    return ApiError(told, meta, {"error": {"type": told}})


def caused(error: Exception, cause: Exception) -> Exception:
    """The error as `raise … from` leaves it."""
    error.__cause__ = cause
    return error


FAULTS: dict[str, tuple[Exception, int, str]] = {
    "a query": (QueryError("The query can't be parsed at column 1"), 400, "column 1"),
    "a value": (UsageError("throttle: too long"), 400, "throttle"),
    "nothing there": (NewswatchError("There is no saved search 'x'"), 404, "no saved search"),
    "a slow search": (SlowSearchError("The search took more than 10 seconds"), 504, "10 seconds"),
    "a file": (ConfigError("feeds.yaml", 3, "is wrong"), 500, "feeds.yaml:3"),
    "the store": (StoreError("Elasticsearch at http://elastic:s3cret@es:9200 is away"), 503, "http://es:9200 is away"),
    "an answer of 400": (answered(400, "parsing_exception"), 400, "parsing_exception"),
    "an answer of 403": (answered(403, "cluster_block_exception"), 503, "cluster_block_exception"),
    "an answer of 404": (answered(404, "index_not_found_exception"), 400, "index_not_found"),
    "an answer of 429": (answered(429, "circuit_breaking_exception"), 503, "too much to do"),
    "an answer of 500": (answered(500, "search_phase_execution_exception"), 503, "status 500"),
    "no answer in time": (ConnectionTimeout("Connection timed out"), 504, "in time"),
    "nobody there": (Unreachable("http://elastic:s3cret@es:9200 refused"), 503, "be reached"),
    "nobody there, in our words": (caused(StoreError("es:9200 refused"), Unreachable("gone")), 503, "be reached"),
    "a bug": (ZeroDivisionError("s3cret"), 500, "by a fault of newswatch"),
    "a bug of another kind": (RecursionError("s3cret"), 500, "by a fault of newswatch"),
}


_met: list[Exception] = []


@cache
def _app() -> FastAPI:
    def context() -> NoReturn:
        raise _met[-1]

    return create_app(context, Visitor().access())


def visited(error: Exception) -> TestClient:
    """A page that meets the error wherever it goes."""
    _met[:] = [error]
    return TestClient(_app(), follow_redirects=False)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("path", ["/", "/searches", "/article/x", "/export.csv?q=nato", "/deliveries", "/feeds"])
def test_every_fault_has_a_page(name: str, path: str, caplog: pytest.LogCaptureFixture) -> None:
    error, status, told = FAULTS[name]
    with caplog.at_level(logging.ERROR):
        answer = visited(error).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-content-type-options"] == "nosniff", "like every page"
    assert "`" not in answer.text, "commands are code"
    assert told in answer.text
    assert "Traceback" not in answer.text
    assert "s3cret" not in answer.text
    assert f"Status {status}" in answer.text
    if status >= 500:
        (record,) = [record for record in caplog.records if record.name == "web.faults"]
        assert record.exc_info, "the traceback is in the log"
        assert str(record.args[-1]) in answer.text, "under the number that the page names"  # type: ignore[index]


@pytest.mark.parametrize("name", FAULTS)
def test_who_asks_for_json_gets_json(name: str) -> None:
    error, status, told = FAULTS[name]
    answer = visited(error).get("/searches", headers={"accept": "application/json"})
    assert answer.status_code == status
    found = json.loads(answer.text)
    assert told in found["text"]
    assert found["status"] == status
    assert found["step"]
    assert "s3cret" not in answer.text


def test_a_program_is_not_told_which_file_of_the_configuration_is_wrong() -> None:
    def context() -> NoReturn:
        raise ConfigError("/etc/newswatch/taxonomy.yaml", 3, "is wrong")

    client = TestClient(create_app(context, Visitor().access()), raise_server_exceptions=False)
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer nwk_{'a' * 16}_{'b' * 43}"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "taxonomy.yaml" not in answer.text
    assert "configuration can't be used" in answer.json()["detail"]
