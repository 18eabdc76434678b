"""Where sentences begin and end, in all scripts, and which an article says twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.highlight import MARK_END, MARK_START, fragments, unmarked
from transforms.fold import fold
from transforms.novelty import new_sentences
from transforms.sentences import _END, places, said_before, spans, unwrapped


def cut(text: str) -> list[str]:
    folded = fold(text).text
    return [folded[a:b].strip() for a, b in spans(folded)]


PLAIN_END = re.compile(r"""\n+
    | (?<![.!?])[.!?]+["')\]]*(?:[ ]+|\n+|(?=[\u2e80-\ud7ff]))
    | (?<=[\u2e80-\u9fff])[.!?]+["')\]]*""", re.VERBOSE)  # fmt: skip
"""Where a sentence may end, as it is easiest to read."""


@given(st.text(alphabet="aB 1\n.!?\"')]会가"))
def test_the_pattern_that_scans_fast_ends_sentences_where_the_plain_one_does(text: str) -> None:
    assert [end.span() for end in _END.finditer(text)] == [end.span() for end in PLAIN_END.finditer(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It rained. It snowed! Did it? Yes", ["it rained.", "it snowed!", "did it?", "yes"]),
        ("Mr. Smith and J. Doe met Dr. Who. They spoke.", ["mr. smith and j. doe met dr. who.", "they spoke."]),
        ("Am 7. Juli begann der 36. Gipfel. Er endete.", ["am 7. juli begann der 36. gipfel.", "er endete."]),
        ("It began in 2014. It ended.", ["it began in 2014.", "it ended."]),
        ("It costs 3.5 percent of U.S. output", ["it costs 3.5 percent of u.s. output"]),
        ('"It rained." He left.', ['"it rained."', "he left."]),
        ("会议结束。各国代表离开！谁知道？", ["会议结束.", "各国代表离开!", "谁知道?"]),
        ("会議は終わった。代表は帰った。", ["会議は終わった.", "代表は帰った."]),
        ("代表は帰った。NATOは残った。3月に終わる。", ["代表は帰った.", "natoは残った.", "3月に終わる."]),
        ("هل انتهى؟ نعم انتهى.", ["هل انتهي?", "نعم انتهي."]),
        ("بارش ہوئی۔ برف پڑی۔", ["بارش هويي.", "برف پڑي."]),
        ("A headline\nA paragraph without a stop\n\nAnother", ["a headline", "a paragraph without a stop", "another"]),
    ],
)
def test_sentences_of_all_scripts(text: str, found: list[str]) -> None:
    assert [s for s in cut(text) if s] == [fold(f).text for f in found]


@given(st.text(alphabet="aB .!?\n。۔'\"1", max_size=60))
def test_nothing_is_left_out(text: str) -> None:
    folded = fold(text).text
    at = 0
    for begin, end in spans(folded):
        assert begin == at < end
        at = end
    assert at == len(folded)


@pytest.mark.parametrize("row", ["." * 100_000, '?"' * 50_000, "." * 50_000 + '"' * 50_000])
def test_a_row_of_marks_is_read_once(row: str) -> None:
    assert list(spans(f"{row}a. b")) == [(0, len(row) + 4)]  # after a single letter it goes on


DAY, SNOW, TOWN = "it rained all day.", "it snowed.", "it rained all over town."
SAID_TWICE = {
    "the summary begins the text": ([["a title"], [DAY], [DAY, SNOW]], [[False], [True], [False, False]]),
    "the title begins the text": ([[DAY[:-1]], [], [DAY, SNOW]], [[False], [], [True, False]]),
    "a cut summary": ([[""], [DAY, "it"], [DAY, SNOW]], [[True], [True, True], [False, False]]),
    "a cut text": ([[""], [DAY], [DAY[:-3]]], [[True], [False], [True]]),
    "a cut sentence": ([[""], [SNOW, TOWN[:-4]], [DAY, TOWN]], [[True], [False, True], [False, False]]),
    "too little to tell": ([[""], [SNOW, "it"], [DAY, TOWN]], [[True], [False, False], [False, False]]),
    "within a field": ([[""], [], [DAY, SNOW, DAY]], [[True], [], [False, False, True]]),
}


@pytest.mark.parametrize(("fields", "repeated"), SAID_TWICE.values(), ids=SAID_TWICE)
def test_what_is_said_twice_is_known(fields: list[list[str]], repeated: list[list[bool]]) -> None:
    assert said_before(fields) == repeated


WRAPPED = (
    "The ambassadors met in emergency\n"
    "session today to discuss a dispute over the oil field, said\n"
    "diplomats. They left with no word to those who waited outside\n"
    "the hall.\n"
    "    The second paragraph is indented and begins a new line of\n"
    "thought.\n\n"
    "The third follows an empty line."
)


def test_breaks_that_a_width_made_are_blanks() -> None:
    assert unwrapped(WRAPPED).split("\n") == [
        "The ambassadors met in emergency session today to discuss a dispute over the oil field, said diplomats. "
        "They left with no word to those who waited outside the hall.",
        "    The second paragraph is indented and begins a new line of thought.",
        "",
        "The third follows an empty line.",
    ]


def test_a_sentence_that_a_width_broke_is_one_where_it_is_marked_and_where_it_is_new() -> None:
    first = "The ambassadors met in emergency session today to discuss a dispute over the oil field, said diplomats."
    assert next(WRAPPED[slice(*place)].replace("\n", " ").strip() for place in places(unwrapped(WRAPPED))) == first
    assert new_sentences(WRAPPED, [], "en")[0].text == first
    marked = WRAPPED.replace("dispute", f"{MARK_START}dispute{MARK_END}")
    assert unmarked(fragments(marked)[0])[0].startswith("The ambassadors met in emergency session today")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n\n",
        "A headline\n" * 5,
        "Ministers of twelve countries met in the port of Hamburg\n"
        "Council votes on a new bridge over the Elbe near Meissen\n"
        "Farmers ask for rain as fields of wheat dry out too soon\n"
        "Trains between both capitals stand still until Wednesday\n"
        "Painter of ships dies at the age of ninety in her studio\n",
        "The first of some short lines that end where they like\nand a list\nof things\nthat somebody wrote\nby hand",
        "会议结束后北约决定增兵并向成员国通报情况各国代表对此表示支持同时要求尽快落实承诺并提高国防开支以应对\n" * 4,
        ("A paragraph is one long line, as pages have it, and nothing breaks it before its end. " * 2 + "\n") * 4,
    ],
)
def test_other_lines_are_left_as_they_are(text: str) -> None:
    assert unwrapped(text) == text


@given(st.text(alphabet="ab .\n", max_size=400))
def test_unwrapping_moves_no_character(text: str) -> None:
    unwrapped_text = unwrapped(text)
    assert [c for c, was in zip(unwrapped_text, text, strict=True) if c != was and (c, was) != (" ", "\n")] == []
