"""Elasticsearch's marked fragments as passages."""

from __future__ import annotations

from alerts.highlight import passages
from newswatch.alert import Passage
from search.highlight import MARK_END, MARK_START


def test_title_comes_first_and_marks_become_offsets() -> None:
    found = passages({"text": ["b", f"a {MARK_START}c{MARK_END}"], "title": ["a"], "bands": ["x"]})
    assert found == (Passage("title", "a", ()), Passage("text", "b", ()), Passage("text", "a c", ((2, 3),)))
