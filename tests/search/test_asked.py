"""What a query asks for, before any index is asked."""

from __future__ import annotations

import pytest

from search.asked import understood
from store.names import Names


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("who leads al-Qaeda? since:7d", ("who", "leads", "al-Qaeda")),
        ("tag:nato what is NATO?? ", ("what", "is", "NATO")),
        ("НАТО и ЕС?", ("НАТО", "и", "ЕС")),
        ("Qui dirige Al-Qaïda ? lang:fr", ("Qui", "dirige", "Al-Qaïda")),
        ("9/11 attacks", ("9∕11", "attacks")),
    ],
)
def test_a_question_and_a_date_are_plain_words(query: str, words: tuple[str, ...]) -> None:
    assert understood(query, Names()).words == words


@pytest.mark.parametrize("query", ["nat?", "is n?to old?", "a AND b?", "title:x b?", '"a b" c?', '"what ?"'])
def test_what_may_be_a_pattern_stays_one(query: str) -> None:
    assert understood(query, Names()).words == ()
