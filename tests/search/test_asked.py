"""What a query asks for, before any index is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from newswatch.topics import Topics
from search.asked import has_all, most_words, understood, within_budget
from search.limits import TooCostlyError
from search.ranking import any_word, is_pasted, scores
from search.words import wording
from store.indices.mapping import DEFAULT_FIELDS
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


@pytest.mark.parametrize("query", ["nato AND ?", "NOT ?", "( ? )", "nato OR ?", "? nato"])
def test_a_mark_in_the_place_of_a_word_is_refused_as_one(query: str) -> None:
    with pytest.raises(TooCostlyError, match="nearly every word"):
        understood(query, Names())


def test_a_pasted_text_is_looked_for_as_it_is() -> None:
    topics, question = Topics(), wording([f"word{n}" for n in range(30)])
    pasted = replace(question, words=(*question.words, "more"))
    assert len(scores(question, ("title", "text"), topics)) > 30
    assert len(scores(pasted, ("title", "text"), topics)) == 1
    assert [*any_word(pasted, ("title", "text"))] == ["multi_match"]


def test_of_a_script_without_spaces_two_characters_are_a_word() -> None:
    assert not is_pasted(wording(["北" * 40, "约" * 20]))
    assert is_pasted(wording(["北" * 32, "约" * 30]))


def test_most_words_count_in_any_spelling() -> None:
    plain, pasted = wording(["jets", "Poland"]), wording(["F-16", *(f"word{n}" for n in range(30))])
    assert [[*most_words(asked)] for asked in (plain, pasted)] == [["multi_match"]] * 2
    typed, *spelt = most_words(wording(["F-16", "jets", "Poland"]))["bool"]["should"]
    assert [*typed] == ["multi_match"]
    first = {"dis_max": {"queries": [{"match_phrase": {"title": "F-16"}}, {"match_phrase": {"title": "F16"}}]}}
    assert spelt[0]["bool"]["should"][0] == first
    assert spelt[0]["bool"]["minimum_should_match"] == "1<1 2<2 5<40%"


def test_a_long_text_is_looked_for_in_the_fields_of_its_language_alone() -> None:
    short = wording(["which", "ministers", "of", "the", "alliance", "met", "at", "the", "harbour"])
    assert within_budget(short, DEFAULT_FIELDS) == DEFAULT_FIELDS
    german = wording([f"{word}{n}" for n in range(9) for word in ["die", "Minister", "trafen", "sich", "am", "Hafen"]])
    assert within_budget(german, DEFAULT_FIELDS) == ["title^3", "text", "stemmed.german"]
    assert within_budget(german, DEFAULT_FIELDS[:4]) == DEFAULT_FIELDS[:4], "an index of one language"
    unknown = wording(["北大西洋公约组织"] + [f"{n}!" for n in range(99)])
    assert "text" in within_budget(unknown, DEFAULT_FIELDS)


@pytest.mark.parametrize(
    "words",
    [["北约" * 200], ["北约" * 14 + one for one in "一二三四五六七八九十"], [f"北约{n:03}" * 3 for n in range(25)]],
)
def test_what_is_not_too_long_as_it_is_written_is_not_too_long_for_its_other_spellings(words: list[str]) -> None:
    asked = wording(words)
    clause = has_all(asked, DEFAULT_FIELDS)
    assert clause["query_string"]["query"] == " ".join(f'"{word}"' for word in asked.words)


def test_words_are_looked_for_in_their_other_spellings() -> None:
    assert '"北約"' in has_all(wording(["北约", "制裁"]), DEFAULT_FIELDS)["query_string"]["query"]
