"""A saved search's query, taken apart to be explained."""

from __future__ import annotations

import pytest

from alerts.explain import words


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
