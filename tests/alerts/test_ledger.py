"""Percentiles by nearest rank."""

from __future__ import annotations

import pytest

from alerts.explain import words
from alerts.ledger import percentile


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [([7.0], 50, 7.0), ([7.0], 99, 7.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0], 51, 2.0)],
)
def test_percentile(values: list[float], percent: int, value: float) -> None:
    assert percentile(values, percent) == value


def test_percentile_of_a_hundred() -> None:
    hundred = [float(n) for n in range(1, 101)]
    assert [percentile(hundred, p) for p in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("nato AND (summit OR +talks) -tennis", ["nato", "summit", "talks", "tennis"]),
        ('title:"foreign fighters"~3 NOT /isi[sl]/', ['title:"foreign fighters"~3', "/isi[sl]/"]),
        ("", []),
    ],
)
def test_words_of_a_query(query: str, parts: list[str]) -> None:
    assert [word.lstrip("-") for word in words(query)] == parts
