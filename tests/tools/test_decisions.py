"""The decision records: numbered, dated, with status and area, and listed."""

from __future__ import annotations

import re

import pytest

from tools.decisions import BEGIN, END, PATH, index, records, with_index

PAGE = f"""# Decisions

{BEGIN}
{END}

## 1. One store
*2026-11-24, changed 2026-11-26 · replaced by 2 · Store*

Why.

## 2. Two stores: "why not?"
*2026-11-27 · in force · Store*

Why not.
"""


def test_the_page_is_in_order_and_its_index_up_to_date() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert with_index(text) == text, "run `make docs`"
    listed = re.findall(r"^- \[(\d+)\. ", text, re.MULTILINE)
    assert sorted(map(int, listed)) == [record.number for record in records(text)]


def test_the_index_lists_what_is_in_force_by_area_and_then_what_was_replaced() -> None:
    assert index(records(PAGE)) == (
        '**Store**\n\n- [2. Two stores: "why not?"](#2-two-stores-why-not)\n\n'
        "**Replaced**\n\n- [1. One store](#1-one-store), replaced by 2"
    )


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ("## 2. Two", "## Two", "no number, date, status or area: 'Two stores"),
        ("*2026-11-27 · in force", "*in force", "no number, date, status or area: '2. Two"),
        ("in force", "perhaps", "no number, date, status or area: '2. Two"),
        ("## 2. Two", "## 3. Two", "record 3 stands where 2 should"),
        ("replaced by 2", "replaced by 7", "record 1 is replaced by 7"),
        ("in force · Store", "in force · Cellar", "record 2 has an unknown area: 'Cellar'"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(was: str, now: str, why: str) -> None:
    assert was in PAGE
    with pytest.raises(ValueError, match=re.escape(why)):
        records(PAGE.replace(was, now))


def test_the_index_can_be_written_twice() -> None:
    assert with_index(with_index(PAGE)) == with_index(PAGE)
