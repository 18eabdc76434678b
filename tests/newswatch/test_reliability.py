"""Grades of sources, and the credibility of a story that follows from them. Pure."""

from __future__ import annotations

import pytest

from newswatch.reliability import GRADES, Voice, at_least, credibility, meant, voice_key, voices


def heard(written: str) -> tuple[Voice, ...]:
    """ "A B! F" as voices: each a grade, `!` for media of a state."""
    return tuple(Voice(f"owner {n}", one[0], "!" in one) for n, one in enumerate(written.split()))


@pytest.mark.parametrize(
    ("owners", "number"),
    [
        ("B B C", 1),
        ("A A B", 1),
        ("B B F", 2),
        ("B C D", 2),
        ("B B", 2),
        ("B D", 2),
        ("B B B!", 2),
        ("A", 3),
        ("B F F F", 3),
        ("B!", 3),
        ("B! B! B!", 3),
        ("C C C", 3),
        ("C D", 3),
        ("C", 4),
        ("C F", 4),
        ("D D", 4),
        ("D", 5),
        ("E E", 5),
        ("D E", 5),
        ("F F F", 6),
        ("", 6),
    ],
)
def test_the_rule(owners: str, number: int) -> None:
    assert credibility(heard(owners)).number == number


def test_another_voice_never_makes_a_story_less_credible() -> None:
    words = [f"{grade}{state}" for grade in GRADES for state in ("", "!")]
    for first in words:
        for second in words:
            before, after = credibility(heard(first)), credibility(heard(f"{first} {second}"))
            assert after.number <= before.number, (first, second)


def test_owners_are_voices_and_all_media_of_one_state_are_one() -> None:
    reports = [
        (voice_key("Paper", "a.example", "BE", of_state=False), "C", False),
        (voice_key("Paper", "b.example", "BE", of_state=False), "B", False),
        (voice_key(None, "c.example", None, of_state=False), None, False),
        (voice_key("Agency", "d.example", "RU", of_state=True), "D", True),
        (voice_key("Channel", "e.example", "RU", of_state=True), "E", True),
    ]
    found = voices(reports)
    assert [(voice.owner, voice.grade) for voice in found] == [
        ("Paper", "B"),
        ("the state of RU", "D"),
        ("c.example", "F"),
    ]
    told = credibility(found).why
    assert told == "3 independent owners: 1 rated B, 1 rated D (state media), 1 not rated"


def test_the_least_grade_leaves_out_what_nobody_has_judged() -> None:
    assert at_least("C") == ("A", "B", "C")
    assert meant("B") == "B, usually reliable"
    assert meant(None) == "not rated"
