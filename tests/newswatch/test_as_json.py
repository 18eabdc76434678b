"""Our types as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.as_json import as_object, json_line


@dataclass(frozen=True, slots=True)
class Part:
    name: str


@dataclass(frozen=True, slots=True)
class Whole:
    at: datetime = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    counts: Counter[str] = field(default_factory=lambda: Counter(nato=2))
    parts: tuple[Part, ...] = (Part("a"),)
    file: Path = Path("x.eml")
    left: frozenset[int] = frozenset((1,))
    none: None = None


WRITTEN = {
    "at": "2026-03-04T05:06:00Z",
    "counts": {"nato": 2},
    "parts": [{"name": "a"}],
    "file": "x.eml",
    "left": [1],
    "none": None,
}


def test_a_dataclass_is_an_object_whatever_it_holds() -> None:
    assert as_object(Whole()) == WRITTEN
    assert json.loads(json_line([Whole()])) == [WRITTEN]


@given(st.text())
def test_any_text_comes_back_on_one_line(text: str) -> None:
    line = json_line(Part(text))
    assert "\n" not in line
    assert json.loads(line.encode()) == {"name": text}


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "✓ İ"])
def test_half_a_surrogate_pair_can_be_written_out(text: str) -> None:
    assert json.loads(json_line({text: text}).encode()) == {text: text}
