"""Elasticsearch's marked fragments as passages with offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.highlight import parse_marks, passages
from search.query import MARK_END, MARK_START

S, E = MARK_START, MARK_END


@pytest.mark.parametrize(
    ("fragment", "text", "marked"),
    [
        ("no mark", "no mark", []),
        (f"{S}NATO{E} joins", "NATO joins", ["NATO"]),
        (f"the {S}eastern{E} {S}flank{E}", "the eastern flank", ["eastern", "flank"]),
        (f"{S}air{E}{S}craft{E}", "aircraft", ["aircraft"]),
        (f"an 🛩 {S}AWACS{E}", "an 🛩 AWACS", ["AWACS"]),
        # A publisher's own use of the characters: no marks rather than wrong ones.
        (f"{S}never ended", "never ended", []),
        (f"ended {E} only", "ended  only", []),
        (f"{S}in {S}side{E}{E}", "in side", []),
    ],
)
def test_marks(fragment: str, text: str, marked: list[str]) -> None:
    passage = parse_marks("text", fragment)
    assert passage.text == text
    assert [passage.text[start:end] for start, end in passage.marks] == marked


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters=S + E)), st.booleans())))
def test_offsets_are_of_the_text_without_marks(parts: list[tuple[str, bool]]) -> None:
    passage = parse_marks("text", "".join(f"{S}{text}{E}" if marked else text for text, marked in parts))
    assert passage.text == "".join(text for text, _ in parts)
    assert sum(end - start for start, end in passage.marks) == sum(len(text) for text, marked in parts if marked)
    assert all(before[1] < after[0] for before, after in zip(passage.marks, passage.marks[1:], strict=False))


def test_title_comes_first() -> None:
    found = passages({"text": ["b", "c"], "title": ["a"], "bands": ["x"]})
    assert [(p.field, p.text) for p in found] == [("title", "a"), ("text", "b"), ("text", "c")]
