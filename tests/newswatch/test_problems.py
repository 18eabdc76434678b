"""One bad thing costs only itself: what an item breaks is a value, what is broken for all is raised."""

from __future__ import annotations

from functools import partial

import pytest
from elastic_transport import ApiError, ApiResponseMeta, ConnectionError, HttpHeaders, NodeConfig

from newswatch.errors import ConfigError, StoreError
from newswatch.problems import ADVICE, KINDS, REASON_CHARS, Bulkhead, is_trouble, reason_of


def answered(status: int) -> ApiError:
    node = NodeConfig("http", "127.0.0.1", 9200)
    return ApiError("no", ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, node), {})


def test_an_item_that_breaks_is_set_aside_and_the_others_go_on() -> None:
    bulkhead = Bulkhead("parse")
    read = [bulkhead.attempt("entry", text, partial(int, text), feed_id="f") for text in ("1", "two", "3")]
    assert read == [1, None, 3]
    (problem,) = bulkhead.problems
    assert (problem.kind, problem.subject, problem.stage, problem.feed_id) == ("entry", "two", "parse", "f")
    assert "invalid literal" in problem.reason
    assert "\n" not in problem.reason
    assert bulkhead.has("entry", "two", feed_id="f")
    assert not bulkhead.has("entry", "1", feed_id="f")


@pytest.mark.parametrize(
    "error", [StoreError("away"), ConfigError("f", 1, "wrong"), ConnectionError("no"), answered(429)]
)
def test_what_is_broken_for_all_is_raised(error: Exception) -> None:
    def work() -> None:
        raise error

    bulkhead = Bulkhead("match")
    with pytest.raises(type(error)):
        bulkhead.attempt("search", "s", work)
    assert bulkhead.problems == ()


@pytest.mark.parametrize(("status", "trouble"), [(400, False), (413, False), (401, True), (404, True), (503, True)])
def test_elasticsearch_blames_the_request_or_itself(status: int, trouble: bool) -> None:
    assert is_trouble(answered(status)) is trouble


def test_a_fault_can_be_put_before_any_item() -> None:
    def fault(kind: str, subject: str) -> None:
        if (kind, subject) == ("feed", "b"):
            raise RuntimeError("injected")

    done: list[str] = []
    bulkhead = Bulkhead("plan", fault=fault)
    for name in "abc":
        bulkhead.attempt("feed", name, partial(done.append, name))
    assert done == ["a", "c"]
    assert [problem.subject for problem in bulkhead.problems] == ["b"]


def test_the_same_thing_is_one_problem_and_a_reason_is_one_bounded_line() -> None:
    bulkhead = Bulkhead("match")
    for reason in ("first\nline", "x" * 5_000):
        bulkhead.attempt("search", "s", partial(int, reason))
    (problem,) = bulkhead.problems
    assert len(problem.reason) <= REASON_CHARS
    assert reason_of(ValueError("a\nb")) == "ValueError: a b"


def test_every_kind_of_problem_says_what_to_do() -> None:
    assert set(ADVICE) == set(KINDS)
