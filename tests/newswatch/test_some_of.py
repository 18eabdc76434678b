"""Lists in sentences."""

from __future__ import annotations

import pytest

from newswatch.some_of import some_of


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        ([*"abcde"], "a, b and 3 more"),
        (["a"] * 1_234, "a, a and 1,232 more"),
    ],
)
def test_the_first_ones_are_named_and_the_others_counted(parts: list[str], told: str) -> None:
    assert some_of(parts, 2) == told


def test_parts_stand_between_what_is_asked_for() -> None:
    assert some_of(["a by b", "c by d", "e by f"], 2, "; ") == "a by b; c by d and 1 more"
