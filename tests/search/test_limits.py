"""What a query asks for is counted as Lucene reads it, and what asks for too much is refused."""

from __future__ import annotations

import random
import time

import pytest

from delivery.channels.registry import parse_address
from newswatch import config
from search.limits import MAX_CHARS, TooCostlyError, _check_counted, _plainly_cheap, check_cost, cost
from search.syntax import parse


@pytest.mark.parametrize(
    ("query", "counted"),
    [
        ("nato AND (summit OR Brussels) NOT tennis", {"terms": 4, "depth": 1}),
        ("well-known o'clock", {"terms": 4}),
        ("北约 峰会", {"terms": 4}),
        ('"eastern flank" "a b"~5', {"terms": 4, "slops": 10}),
        ('"say ~2 and *x* /y/ [a TO b]"', {"fuzzy": 0, "wildcards": 0, "regexps": 0, "ranges": 0}),
        ("a\\~2 b\\*c \\(\\(", {"fuzzy": 0, "wildcards": 0, "depth": 0}),
        ("stoltenberg~ natoo~1 daesh~2", {"fuzzy": 3, "fuzzy_edits": 22 + 5 + 10}),
        ("terror* *ation title:?ato +*ism *", {"wildcards": 4, "leading": 3}),
        ("stemmed.\\*:nato", {"wildcards": 0, "terms": 1}),
        ("/nat[o0]/ title:/x+/", {"regexps": 2}),
        ("version:[2 TO 5} published:>=2026-01-01 lag_s:<5", {"ranges": 3}),
        ("((a) (b (c)))", {"depth": 3, "terms": 3}),
        ("nato^2 (a b)^0.5", {"terms": 3}),
        ("", {"terms": 0}),
        (")))(((", {"depth": 0}),
    ],
)
def test_is_counted(query: str, counted: dict[str, float]) -> None:
    found = cost(query)
    assert {name: getattr(found, name) for name in counted} == counted


@pytest.mark.parametrize(
    "sign", ["(", ")", "[", "{", '"', "/", "\\", "~", "^", "*", "?", ":", "a ", "-", "é", "北", "&|"]
)
def test_nonsense_of_any_length_is_looked_at_in_no_time(sign: str) -> None:
    query, told, started = sign * (MAX_CHARS // len(sign)), "", time.thread_time()
    try:
        check_cost(query)
    except TooCostlyError as refused:
        told = str(refused)
    assert len(told) < 300
    assert time.thread_time() - started < 1


def test_what_passes_at_a_glance_keeps_every_limit() -> None:
    pieces = ["a", "b ", "*", "?", "(", ")", " ", '"', ":", "-", "+", "!", "OR ", "word", "x" * 30, "x" * 90, "_", "'"]
    rnd, passed = random.Random(1), 0
    for _ in range(20_000):
        query = "".join(rnd.choices(pieces, k=rnd.randint(1, 60)))
        if _plainly_cheap(query):
            passed += 1
            _check_counted(query)
    assert passed > 200


def test_what_ships_and_what_is_shown_as_an_example_is_within_the_limits() -> None:
    from alerts.definitions import load_alerts
    from newswatch.settings import default_config_dir

    for search in load_alerts(default_config_dir() / "alerts.yaml", parse_address):
        check_cost(search.query)
    assert config.MAX_BYTES > 1_000_000


def test_short_filters_are_not_taken_for_expressions() -> None:
    assert parse("tag:nato/summits,nato/spending source:a/b -tag:c/d lang:fr nato").text.strip() == "nato"
