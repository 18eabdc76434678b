"""What the addresses of later pages say of the first one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from search.first_page import KEPT, MAX_CHARS, MOST_ADDED, MOST_RAISED, FirstPage, first_page_of
from tests.factories import NOW

ROWS = tuple(f"{n:032x}" for n in range(MOST_RAISED + 1))


@pytest.mark.parametrize("raised", [(), ROWS[:1], ROWS[:MOST_RAISED]])
def test_what_is_written_is_read(raised: tuple[str, ...]) -> None:
    first = FirstPage(NOW, raised, MOST_ADDED)
    assert first_page_of(first.written(), NOW) == first
    assert len(first.written()) <= MAX_CHARS
    assert first.moved == len(raised) + MOST_ADDED


def test_nonsense_and_what_is_too_old_are_no_first_page() -> None:
    good = FirstPage(NOW, ROWS[:1], 1).written()
    assert first_page_of(good, NOW + KEPT) is not None
    moment, _, rest = good.partition(".")
    wrong = (
        *(
            "",
            ".",
            "0",
            "x.1",
            f"{moment}",
            f"{moment}.-1",
            f"{moment}.11",
            f"{moment}.1.",
            f"{moment}.1..a",
            f"{good} ",
        ),
        *(f"{good}\n", f"{good}.a/b", f"{good}.{'a' * 65}", f"f{moment}f.{rest}", f"{'f' * 12}.{rest}", f"٣.{rest}"),
        FirstPage(NOW, ROWS, 0).written(),
    )
    assert [first_page_of(one, NOW) for one in wrong] == [None] * len(wrong)
    assert first_page_of(good, NOW + KEPT + timedelta(seconds=1)) is None
    assert first_page_of(good, NOW - timedelta(hours=1)) is None, "of a future"
    assert first_page_of(f"{good}.{ROWS[0]}", NOW) == first_page_of(good, NOW), "each row counts once"
