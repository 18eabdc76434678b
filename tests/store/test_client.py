"""The client on several addresses, some of which refuse, hang or drop what comes, in front of a real Elasticsearch."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from elastic_transport import ConnectionError as NoConnectionError
from elastic_transport import ConnectionTimeout
from elasticsearch import Elasticsearch

from embedded.processes import LOOPBACK
from jobs.context import open_context
from newswatch.errors import StoreError
from newswatch.problems import is_trouble
from newswatch.settings import Settings
from store.elastic import nodes
from store.elastic.client import connect
from store.elastic.nodes import UnansweredError, UnreachableError, unreachable
from tests.store.doors import Door, Mood, dropping, refusing

SOON_S = 45
"""The time-outs of one bad address take seconds, on a busy machine more; a request that nobody answers a minute."""


@pytest.fixture
def door(elasticsearch_url: str) -> Iterator[Callable[[Mood], Door]]:
    """Makes doors to the session's node."""
    made: list[Door] = []

    def make(mood: Mood = "open") -> Door:
        made.append(Door(urlsplit(elasticsearch_url).port or 0, mood))
        return made[-1]

    yield make
    for one in made:
        one.close()


@contextmanager
def client(*urls: str) -> Iterator[Elasticsearch]:
    with connect(Settings(elasticsearch_url=",".join(urls))) as es:
        yield es


# ── which addresses ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stated", "understood"),
    [
        ("http://127.0.0.1:9200", ["http://127.0.0.1:9200"]),
        ("https://a.example:9200,https://b.example:9201", ["https://a.example:9200", "https://b.example:9201"]),
        (
            " https://a.example:9200 , \n https://b.example:9201/es,",
            ["https://a.example:9200", "https://b.example:9201/es"],
        ),
        ("https://a.example,http://b.example", ["https://a.example:443", "http://b.example:80"]),
        (
            "https://a.example,https://a.example:443,https://b.example/",
            ["https://a.example:443", "https://b.example:443"],
        ),
        ("http://[::1]:9200,http://127.0.0.1:9200", ["http://[::1]:9200", "http://127.0.0.1:9200"]),
        ("http://u:p,w@a.example:9200", ["http://a.example:9200"]),
    ],
)
def test_an_address_may_name_several_nodes(stated: str, understood: list[str]) -> None:
    with connect(Settings(elasticsearch_url=stated)) as es:
        assert [node.base_url for node in es.transport.node_pool.all()] == understood


# ── one of several is bad ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def bad(kind: str, door: Callable[[Mood], Door]) -> Iterator[str]:
    with ExitStack() as stack:
        match kind:
            case "refuses":
                yield refusing()
            case "drops":
                yield stack.enter_context(dropping())
            case "hangs":
                yield door("silent").url
            case "has no name":
                yield "http://no-such-host.invalid:9200"
            case "speaks no HTTP":
                server = stack.enter_context(socket.create_server((LOOPBACK, 0)))
                port = server.getsockname()[1]
                stack.callback(server.close)
                _greet(server)
                yield f"http://{LOOPBACK}:{port}"
            case "speaks no TLS":
                yield door("silent").url.replace("http:", "https:")


def _greet(server: socket.socket) -> None:
    """Answer every connection as a mail server does, and end it."""

    def serve() -> None:
        while True:
            try:
                came, _ = server.accept()
            except OSError:
                return
            with came:
                came.sendall(b"220 mail.example ESMTP\r\n")

    threading.Thread(target=serve, daemon=True).start()


KINDS = ("refuses", "drops", "hangs", "has no name", "speaks no HTTP", "speaks no TLS")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_address_costs_little(door: Callable[[Mood], Door], kind: str, first: bool) -> None:
    with bad(kind, door) as wrong:
        right = door("open").url
        with client(*((wrong, right) if first else (right, wrong))) as es:
            begun = time.monotonic()
            for _ in range(20):
                assert es.info()["tagline"]
            assert time.monotonic() - begun < SOON_S


@pytest.mark.slow
def test_a_bad_address_is_asked_once_and_then_left_out(door: Callable[[Mood], Door]) -> None:
    hanging, right = door("silent"), door("open")
    with client(hanging.url, right.url) as es:
        for _ in range(20):
            es.info()
    assert hanging.connections == 1
    assert right.connections >= 1


@pytest.mark.slow
def test_a_node_that_dies_between_two_requests(door: Callable[[Mood], Door]) -> None:
    first, second = door("open"), door("open")
    with client(first.url, second.url) as es:
        assert es.info()
        first.close()
        assert all(es.info() for _ in range(5))


@pytest.mark.slow
def test_a_node_that_hangs_amid_a_request_costs_its_time_out_once(door: Callable[[Mood], Door]) -> None:
    """It answers `HEAD /` at first: whether it hangs shows only when the request is not answered."""
    hanging, right = door("silent after HEAD"), door("open")
    with client(hanging.url, right.url) as es:
        patient = es.options(request_timeout=3)
        begun = time.monotonic()
        assert all(patient.info() for _ in range(10))
        assert time.monotonic() - begun < SOON_S
    assert hanging.connections == 1


@pytest.mark.slow
def test_one_that_was_left_out_is_taken_again_when_the_others_fail(door: Callable[[Mood], Door]) -> None:
    first, second = door("silent"), door("open")
    with client(first.url, second.url) as es:
        assert es.info()
        first.mood = "open"
        second.close()
        assert es.info()


@pytest.mark.slow
def test_two_of_three_may_be_bad(door: Callable[[Mood], Door]) -> None:
    with dropping() as drops, client(drops, refusing(), door("silent").url, door("open").url) as es:
        assert es.info()


# ── all are bad ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_none_can_be_reached_each_is_named_with_its_reason() -> None:
    first, second, third = refusing(), refusing(), "http://no-such-host.invalid:9200"
    with client(first, second, third) as es, pytest.raises(UnreachableError) as failed:
        es.info()
    sentence = str(failed.value)
    assert sentence.startswith(f"none of {first}, {second}, {third} can be reached: {first}: connection refused; ")
    assert f"{second}: connection refused; {third}: " in sentence
    assert "\n" not in sentence
    assert isinstance(failed.value, NoConnectionError)
    assert is_trouble(failed.value)


@pytest.mark.slow
def test_where_none_answers_the_wait_is_bounded(door: Callable[[Mood], Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """At a tenth of the patience: nine seconds instead of 90."""
    monkeypatch.setattr(nodes, "PATIENCE_S", nodes.PATIENCE_S / 10)
    monkeypatch.setattr(nodes, "MOST_PATIENCE_S", nodes.MOST_PATIENCE_S / 10)
    hanging = door("silent").url
    begun = time.monotonic()
    with client(hanging) as es, pytest.raises(UnreachableError, match=f"^{hanging} can't be reached: no answer within"):
        es.info()
    assert time.monotonic() - begun < SOON_S


@pytest.mark.slow
def test_a_request_that_was_sent_and_not_answered_is_told_so(door: Callable[[Mood], Door]) -> None:
    """It may have been carried out, so it is another error, which callers have always told apart."""
    hanging, refuses = door("silent after HEAD").url, refusing()
    with client(hanging, refuses) as es:
        patient = es.options(request_timeout=1, max_retries=1, retry_on_timeout=False)
        with pytest.raises(UnansweredError) as failed:
            patient.info()
    assert f"{hanging}: no answer to GET / within 1 s" in str(failed.value)
    assert isinstance(failed.value, ConnectionTimeout)


def test_a_job_names_them_all_once() -> None:
    first, second = refusing(), refusing()
    with pytest.raises(StoreError) as failed:
        open_context(Settings(elasticsearch_url=f"{first},{second}"))
    assert str(failed.value).startswith(f"Elasticsearch can't be used: none of {first}, {second} can be reached: ")
    assert str(failed.value).count(first) == 2


def test_an_address_that_was_not_tried_is_named_too() -> None:
    assert unreachable(["http://a:1", "http://b:2"], [UnreachableError("refused", address="http://a:1")]) == (
        "none of http://a:1, http://b:2 can be reached: http://a:1: refused; http://b:2: not tried"
    )
