"""Plain text in lines of at most 76 columns, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import width

from delivery.wrapping import COLUMNS, wrapped

JAPANESE = "外相会合が水曜日、首都で開かれ、東側の「防衛計画」に合意した。ニュース" * 4
ARABIC = "اجتمع الوزراء في العاصمة يوم الأربعاء واتفقوا على خطة جديدة للدفاع المشترك " * 3


@given(st.text(max_size=400), st.sampled_from(("", "  | ", "  ")))
def test_no_line_is_too_long_and_nothing_is_lost(text: str, indent: str) -> None:
    lines = wrapped(text, indent).split("\n")
    assert all(line.startswith(indent) for line in lines if line)
    # A grapheme may be wider than a whole line, as a letter with a hundred tab stops is not.
    assert all(width(line) <= COLUMNS for line in lines)
    bare = "".join(line.removeprefix(indent) for line in lines)
    assert "".join(bare.split()) == "".join(text.split())


def test_japanese_breaks_between_characters_but_not_before_a_full_stop() -> None:
    lines = wrapped(JAPANESE, columns=20).split("\n")
    assert len(lines) > 10
    assert all(16 <= width(line) <= 20 for line in lines[:-1]), "no line is left half empty"
    assert not [line for line in lines if line[0] in "、。」ーュッ" or line[-1] in "「"]


def test_arabic_and_korean_break_at_blanks() -> None:
    for text in (ARABIC, "국방장관들이 수도에서 만나 공동 방어 계획에 합의했다고 밝혔다 " * 3):
        assert " ".join(wrapped(text).split("\n")).split() == text.split()
        assert all(width(line) > 55 for line in wrapped(text).split("\n")[:-1])


@pytest.mark.parametrize("word", ["x" * 200, "ก" * 200, "e\u0301" * 200])
def test_a_word_longer_than_a_line_is_cut_between_graphemes(word: str) -> None:
    lines = wrapped(word).split("\n")
    assert len(lines) == 3
    assert "".join(lines) == word
    assert not any(line.startswith("\u0301") for line in lines)
