"""The embedded node asks for no password, so it must not obey what a browser sends for a web page."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import cast
from urllib.parse import urlsplit

import pytest
from elasticsearch import Elasticsearch

pytestmark = pytest.mark.slow

Fields = tuple[tuple[str, str], ...]


@pytest.fixture
def index(es: Elasticsearch, index_prefix: str) -> str:
    """An index that a page would close."""
    es.indices.create(index=f"{index_prefix}a", settings={"number_of_replicas": 0})
    return f"{index_prefix}a"


def ask(
    url: str, fields: Iterable[tuple[str, str]], *, line: str = "GET / HTTP/1.1", body: bytes = b""
) -> tuple[int, str]:
    """Status and whole answer to a request with exactly these header fields, and Content-Length."""
    port = urlsplit(url).port or 0
    head = [line, *(f"{name}: {value.format(port=port)}" for name, value in fields), f"Content-Length: {len(body)}"]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode("utf-8", errors="replace")
    return int(answer.split(" ", 2)[1]), answer


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:{port}", "127.0.0.1", "localhost:{port}", "LocalHost", "[::1]:{port}", "[::1]", "localhost:19200"],
)
def test_programs_of_this_machine_are_served(elasticsearch_url: str, host: str) -> None:
    assert ask(elasticsearch_url, [("Host", host)])[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("Host", ""),),
        (("Host", "rebound.example:{port}"),),
        (("Host", "rebound.example"),),
        (("Host", "127.0.0.1.rebound.example:{port}"),),
        (("Host", "localhost.rebound.example"),),
        (("Host", "rebound.example#127.0.0.1"),),
        (("Host", "127.0.0.1:{port}@rebound.example"),),
        (("Host", "user@127.0.0.1:{port}"),),
        (("Host", "127.0.0.1, rebound.example"),),
        (("Host", "127.0.0.1:{port}:1"),),
        (("Host", "127.0.0.1:x"),),
        (("Host", "0.0.0.0:{port}"),),
        (("Host", "127.1:{port}"),),
        (("Host", "2130706433:{port}"),),
        (("Host", "localhost."),),
        (("Host", "[::ffff:127.0.0.1]"),),
        (("Host", "::1"),),
        (("Host", "127.0.0.1"), ("Host", "rebound.example")),
        (("Host", "127.0.0.1"), ("Host", "127.0.0.1")),
    ],
)
def test_no_other_host_is(elasticsearch_url: str, fields: Fields) -> None:
    status, answer = ask(elasticsearch_url, fields)
    assert status == 403
    assert "Host field" in answer or "this node answers to 127.0.0.1, localhost and [::1] only." in answer


def test_without_a_host_as_in_http_1_0_neither(elasticsearch_url: str) -> None:
    assert ask(elasticsearch_url, (), line="GET / HTTP/1.0")[0] == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost", "http://127.0.0.1:{port}", "file://", "moz-extension://x"],
)
def test_no_web_page_is_obeyed(es: Elasticsearch, elasticsearch_url: str, index: str, origin: str) -> None:
    fields = (("Host", "127.0.0.1:{port}"), ("Origin", origin))
    status, answer = ask(elasticsearch_url, fields, line=f"POST /{index}/_close HTTP/1.1")
    assert status == 403
    assert "this node obeys no web page." in answer
    (row,) = cast("list[dict[str, str]]", es.cat.indices(index=index, format="json").body)
    assert row["status"] == "open"


def test_nor_one_whose_name_was_made_to_lead_here(es: Elasticsearch, elasticsearch_url: str, index: str) -> None:
    fields = (("Host", "rebound.example:{port}"), ("Origin", "http://rebound.example:{port}"))
    assert ask(elasticsearch_url, fields, line=f"DELETE /{index} HTTP/1.1")[0] == 403
    assert es.indices.exists(index=index)


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_nor_its_forms(es: Elasticsearch, elasticsearch_url: str, index: str, media: str) -> None:
    fields = (("Host", "localhost:{port}"), ("Origin", "https://evil.example"), ("Content-Type", media))
    assert ask(elasticsearch_url, fields, line=f"POST /{index}/_doc HTTP/1.1", body=b'{"x": 1}')[0] == 403
    es.indices.refresh(index=index)
    assert es.count(index=index)["count"] == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "new-in-2030"])
def test_nor_its_pictures_and_links(elasticsearch_url: str, site: str) -> None:
    """What a browser gets for an `<img>` or a link carries no Origin."""
    assert ask(elasticsearch_url, [("Host", "localhost"), ("Sec-Fetch-Site", site)])[0] == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_who_types_the_address_into_a_browser_sees_it(elasticsearch_url: str, site: str) -> None:
    assert ask(elasticsearch_url, [("Host", "localhost:{port}"), ("Sec-Fetch-Site", site)])[0] == 200


def test_a_preflight_gets_no_leave(elasticsearch_url: str) -> None:
    fields = (
        ("Host", "127.0.0.1:{port}"),
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "DELETE"),
    )
    status, answer = ask(elasticsearch_url, fields, line="OPTIONS /_all HTTP/1.1")
    assert status == 403
    assert "access-control-allow" not in answer.lower()


def test_a_large_body_of_a_page_is_not_read(es: Elasticsearch, elasticsearch_url: str, index: str) -> None:
    """Elasticsearch hands bulk bodies on while they arrive; the refusal comes before the body has."""
    port = urlsplit(elasticsearch_url).port
    lines = b'{"create": {}}\n{"x": "' + b"y" * 1000 + b'"}\n'
    head = (
        f"POST /{index}/_bulk HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: null\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Length: 50000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + lines)
        assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")
    es.indices.refresh(index=index)
    assert es.count(index=index)["count"] == 0


def test_a_connection_that_was_refused_serves_on(elasticsearch_url: str) -> None:
    port = urlsplit(elasticsearch_url).port
    refused = "GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n"
    served = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall((refused + served).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.count("HTTP/1.1 403 ") == 1
    assert "You Know, for Search" in answer
