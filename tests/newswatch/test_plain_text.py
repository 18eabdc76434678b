"""Plain text: white space, characters that nobody sees, one form for each letter."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.plain_text import one_line, tidy


@pytest.mark.parametrize(
    ("given_", "cleaned"),
    [
        ("  two \t blanks\u00a0here ", "two blanks here"),
        ("one\r\ntwo\rthree \n\n\n four", "one\ntwo\nthree\nfour"),
        ("e\u0301te\u0301", "été"),
        ("a\x00b\x1b[31m\ufeffc", "ab[31mc"),
        ("\u202eevil\u202c", "evil"),
        ("می\u200cشود", "می\u200cشود"),
        ("a\x85b\u200bc\u00add\ud800", "a bcd"),
        ("", ""),
    ],
)
def test_golden(given_: str, cleaned: str) -> None:
    assert tidy(given_) == cleaned


def test_a_title_is_one_line() -> None:
    assert one_line(" NATO\n summit ") == "NATO summit"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert unicodedata.is_normalized("NFC", once)
