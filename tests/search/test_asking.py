"""A user's question has a time, is asked once, and whose fault a failure is, the simplest of all searches tells."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from elastic_transport import ApiError, ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elasticsearch import Elasticsearch

import search.asking
from newswatch.errors import QueryError, StoreError
from search.asking import HeavySearchError, SlowSearchError, answering, ask, ask_all, impatient, verdict
from search.missing import IncompleteError
from search.query import find
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.factories import NOW

pytestmark = pytest.mark.slow


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """Where a server listens that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server


@pytest.fixture
def mute(port: socket.socket) -> Elasticsearch:
    """A client of that server."""
    return Elasticsearch(
        f"http://127.0.0.1:{port.getsockname()[1]}", request_timeout=60, max_retries=5, retry_on_timeout=True
    )


def refusal(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "127.0.0.1", 9200))
    return ApiError("circuit_breaking_exception", meta, {})


def test_while_elasticsearch_is_well_the_query_is_to_blame(es: Elasticsearch, names: Names) -> None:
    Press(es, names).publish(a_story(1))
    assert isinstance(verdict(es, names.articles, "nato", ConnectionTimeout("late")), SlowSearchError)
    assert isinstance(verdict(es, names.articles, "nato", refusal(429)), HeavySearchError)
    with pytest.raises(QueryError, match="can't be parsed"):
        ask(es, names.articles, "(nato", query={"query_string": {"query": "(nato"}})


def test_a_query_that_needs_too_much_memory_is_told(es: Elasticsearch, names: Names) -> None:
    languages = ("en", "fr", "de", "es", "it", "ru", "nl", "pt", "sv", "tr", "pl", "ar")  # each fills a field
    Press(es, names).publish(*(a_story(10 * n + 1, language=language) for n, language in enumerate(languages)))
    es.indices.refresh(index=names.articles)
    words = " OR ".join(f"{chr(97 + n)}{'lkmertzuio' * 3}~2" for n in range(25))
    asked = {"query_string": {"query": words, "fields": ["title", "text", "stemmed.*"]}}
    with pytest.raises(HeavySearchError, match="needs more resources than Elasticsearch has"):
        ask(es, names.articles, words, query=asked)
    assert find(es, names, "glacier", now=NOW).total == len(languages)


@pytest.mark.parametrize("whole", [False, True])
def test_a_query_is_not_to_blame_where_no_slice_is_up(es: Elasticsearch, names: Names, whole: bool) -> None:
    """Elasticsearch may be well again when it is asked how it is, so its answer to the query counts."""
    not_up = {"index.routing.allocation.enable": "none"}
    es.indices.create(
        index=names.slice_of_month("2026.03"), aliases={names.articles: {}}, settings=not_up, wait_for_active_shards=0
    )
    with pytest.raises(IncompleteError, match=r"could not be searched .*no copy is in reach"):
        ask(es, names.articles, "nato", allow_partial_search_results=not whole)
    with pytest.raises(IncompleteError, match=r"could not be searched .*no copy is in reach"):
        ask_all(es, names.articles, "nato", [(names.articles, {search.asking.WHOLE: whole})])


def test_one_that_never_answers_is_given_up(
    mute: Elasticsearch, port: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.asking, "PROBE_S", 0.3)
    with pytest.raises(StoreError, match="can't search now"), answering(mute, "articles", "nato"):
        impatient(mute, 0.3).search(index="articles")
    assert _connections(port) == 2, "asked once, and once how it is"


def _connections(port: socket.socket) -> int:
    """How often somebody has connected."""
    port.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            port.accept()[0].close()
            count += 1
    return count


def test_a_search_that_was_cut_short_is_no_answer(es: Elasticsearch, names: Names) -> None:
    Press(es, names).publish(a_story(1))
    late = {"responses": [{"timed_out": True, "status": 200, "took": 1, "hits": {"hits": []}}]}
    assert search.asking._complete(late["responses"][0])["status"] == 504
