"""Markup to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text import from_markup, unescape
from newswatch.plain_text import one_line, tidy


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("a &amp; b &lt;c&gt; &#8217;", "a & b <c> ’"),
        ("<p>One</p><p>two<br>three</p>", "One\ntwo\nthree"),
        ("<b>bold</b>ly go", "boldly go"),
        ("x<script>alert(1)</script>y<style>p{}</style>", "xy"),
        ("<!-- hidden -->seen", "seen"),
        ("5 < 6 and <i>7</i>", "5 < 6 and 7"),
        ("<p>un<b>closed", "unclosed"),
        ("<div>" * 5_000 + "deep", "deep"),
        ("", ""),
    ],
)
def test_from_markup(markup: str, text: str) -> None:
    assert from_markup(markup) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  a \t b \r\n\n\n c ", "a b\nc"),
        ("Bundes\u00adwehr", "Bundeswehr"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("cafe\u0301", "café"),
        ("a\x00b\ud800", "ab"),
        ("non\xa0breaking", "non breaking"),
    ],
)
def test_tidy(raw: str, text: str) -> None:
    assert tidy(raw) == text


def test_unescape_leaves_a_lone_ampersand() -> None:
    assert unescape("AT&T &amp; R&D &eacute;") == "AT&T & R&D é"


@given(st.text())
def test_any_text_is_tidied_once_and_for_all(raw: str) -> None:
    assert tidy(tidy(raw)) == tidy(raw)
    assert "\n" not in one_line(raw)
    from_markup(raw)
    from_markup(f"<p>{raw}")
