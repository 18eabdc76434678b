"""Elasticsearch's marked fragments as text with the places that were marked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.highlight import (
    MARK_END,
    MARK_START,
    fragments,
    highlighting,
    joined,
    unmarked,
    with_acronyms,
    with_words,
)
from store.indices.mapping import UNSTEMMED
from transforms.fold import INVISIBLE

S, E = MARK_START, MARK_END


@pytest.mark.parametrize(
    ("fragment", "text", "marked"),
    [
        ("no mark", "no mark", []),
        (f"{S}NATO{E} joins", "NATO joins", ["NATO"]),
        (f"the {S}eastern{E} {S}flank{E}", "the eastern flank", ["eastern", "flank"]),
        (f"{S}air{E}{S}craft{E}", "aircraft", ["aircraft"]),
        # Invisible characters at a term's edges belong to it for Elasticsearch, and for no reader.
        (f"\u2067{S}נאט״ו\u2069\u200f{E} ו", "\u2067נאט״ו\u2069\u200f ו", ["נאט״ו"]),
        (f"a {S}\u00adsoft\u00adly{E}", "a \u00adsoft\u00adly", ["soft\u00adly"]),
        (f"an 🛩 {S}AWACS{E}", "an 🛩 AWACS", ["AWACS"]),
        # A publisher's own use of the characters: no marks rather than wrong ones.
        (f"{S}never ended", "never ended", []),
        (f"ended {E} only", "ended  only", []),
        (f"{S}in {S}side{E}{E}", "in side", []),
    ],
)
def test_marks(fragment: str, text: str, marked: list[str]) -> None:
    plain, spans = unmarked(fragment)
    assert plain == text
    assert [plain[start:end] for start, end in spans] == marked


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters=S + E + INVISIBLE)), st.booleans())))
def test_offsets_are_of_the_text_without_marks(parts: list[tuple[str, bool]]) -> None:
    plain, spans = unmarked("".join(f"{S}{text}{E}" if marked else text for text, marked in parts))
    assert plain == "".join(text for text, _ in parts)
    assert sum(end - start for start, end in spans) == sum(len(text) for text, marked in parts if marked)
    assert all(before[1] < after[0] for before, after in pairwise(spans))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)).map(lambda p: (p[0], p[0] + p[1]))))
def test_joined_spans_cover_the_same_and_dont_touch(marks: list[tuple[int, int]]) -> None:
    spans = joined(marks)
    covered = {n for start, end in spans for n in range(start, end)}
    assert covered == {n for start, end in marks for n in range(start, end)}
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_passages_begin_at_sentences_and_show_most_words() -> None:
    text = f"Ministers met. {S}NATO{E} said no. " + "It rained. " * 30 + f"{S}NATO{E} and {S}ISIS{E} were discussed."
    assert fragments(text) == (
        f"{S}NATO{E} said no. " + ("It rained. " * 18).strip(),
        f"{S}NATO{E} and {S}ISIS{E} were discussed.",
    )
    assert fragments("no mark") == ()


def test_a_long_sentence_begins_at_the_part_that_has_the_mark() -> None:
    text = "word " * 100 + "; then the " + f"{S}AWACS{E} flew " + "word " * 100
    (passage,) = fragments(text)
    assert passage.startswith(f"then the {S}AWACS{E} flew word")
    assert len(passage) < 350


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters=S + E + INVISIBLE)), st.booleans())))
def test_passages_are_pieces_of_the_text(parts: list[tuple[str, bool]]) -> None:
    whole = "".join(f"{S}{text}{E}" if marked else text for text, marked in parts)
    plain, spans = unmarked(whole)
    passages = [unmarked(passage) for passage in fragments(whole)]
    assert all(text in plain for text, _ in passages)
    assert bool(passages) == bool(spans)


def test_acronyms_are_marked_by_their_capitals() -> None:
    texts = {"title": "IS is gone", "text": "This is IS."}
    assert with_acronyms({"title": (f"IS is {S}gone{E}",)}, texts, ["IS"]) == {
        "title": (f"{S}IS{E} is {S}gone{E}",),
        "text": (f"This is {S}IS{E}.",),
    }
    assert with_acronyms({}, texts, []) == {}


def test_a_text_is_not_analysed_twice_by_one_analyzer() -> None:
    assert highlighting("english")["fields"]["text"]["matched_fields"] == ["text", "stemmed.english"]
    assert highlighting(UNSTEMMED)["fields"]["text"]["matched_fields"] == ["text"]
    assert highlighting("english", by_stems=True)["fields"]["text"]["matched_fields"] == ["stemmed.english"]
    assert highlighting(UNSTEMMED, by_stems=True)["fields"]["text"]["matched_fields"] == ["text"]


def test_words_are_marked_whole_and_beside_what_is_marked() -> None:
    marks = {"title": (f"Un {S}ataque{E} del Estado",)}
    texts = {"title": "Un ataque del Estado", "summary": "Estadounidense", "text": "ESTADO_libre, éstado."}
    found = with_words(marks, texts, ["estado"])
    assert found["title"] == (f"Un {S}ataque{E} del {S}Estado{E}",)
    assert found["text"] == (f"{S}ESTADO{E}_libre, {S}éstado{E}.",)
    assert "summary" not in found
