"""What a text says that was not said before: paraphrases are known, another number is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluate.labels import half
from newswatch.config import plain
from newswatch.languages import languages
from transforms.novelty import new_sentences, numbers

KNOWN = (
    "A train left the rails near Avonlea on Friday evening.\nThree people were killed and 17 were taken to hospitals, "
    "the fire brigade said. The line to the coast stays closed until Monday."
)


NEGATIONS: list[dict[str, Any]] = plain((Path(__file__).parent / "data" / "negations.yaml").read_text(encoding="utf-8"))


def new(text: str, *known: str, language: str = "en") -> list[str]:
    return [sentence.text for sentence in new_sentences(text, known or (KNOWN,), language)]


def test_a_repeated_or_paraphrased_sentence_is_known() -> None:
    for said in (
        "Three people were killed and 17 were taken to hospitals, the fire brigade said.",
        "Near Avonlea a train left the rails on Friday evening.",
        "The fire brigade said that three people were killed and 17 taken to hospital.",
        "3 people were killed and seventeen were taken to hospitals, the fire brigade said.",
        "A train left the rails near Avonlea on Friday evening, three people were killed and 17 taken to hospitals.",
        "It is so.",
    ):
        assert new(said) == [], said


def test_a_short_sentence_may_be_the_news() -> None:
    assert new("He resigned.") == ["He resigned."]


def test_what_is_new_stands_alone_and_once() -> None:
    text = f"{KNOWN} The driver is questioned by the police today. The driver is questioned today by the police."
    assert new(text) == ["The driver is questioned by the police today."]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("17", "18"),
        ("17", "1,700"),
        ("17", "1.7"),
        ("Three", "Five"),
        ("Three", "One"),
        ("Three people were killed and 17 were", "Seventeen people were killed and 3 were"),
        ("Three people were killed and 17", "Three people were killed and dozens"),
    ],
)
def test_another_number_is_new(was: str, now: str) -> None:
    (sentence,) = new(KNOWN.replace(was, now))
    assert now.split()[0] in sentence


@pytest.mark.parametrize(
    ("language", "known", "changed"),
    [
        ("de", "Bei dem Anschlag in Lyon starben gestern zwei Menschen.", "zwei→ein"),
        ("ru", "При взрыве на складе в порту пострадали двенадцать рабочих.", "двенадцать→пятнадцать"),
        ("ar", "أعلنت الوزارة مقتل خمسة أشخاص في انفجار بالميناء يوم الجمعة.", "خمسة→سبعة"),
        ("zh", "港口仓库爆炸造成三十人受伤，道路已经封闭。", "三十→四十"),
        ("ja", "港の倉庫で爆発があり、12人がけがをした。", "12→13"),
        ("fa", "در انفجار بندر ۱۲ نفر زخمی شدند.", "۱۲→۱۳"),
    ],
)
def test_numbers_of_many_languages(language: str, known: str, changed: str) -> None:
    was, now = changed.split("→")
    assert new(known, known, language=language) == []
    assert new(known.replace(was, now), known, language=language) == [known.replace(was, now)]


def test_where_number_words_are_not_known_only_the_same_words_are() -> None:
    known = "Watu watatu walikufa katika ajali ya treni karibu na mji wa pwani siku ya Ijumaa."
    assert new(known, known, language="sw") == []
    assert new(known.replace("watatu", "watano"), known, language="sw") != []


def test_another_language_is_new() -> None:
    text = "Ein Zug entgleiste am Freitag bei Avonlea."
    assert new(text, language="de") == [text]


def test_new_numbers_are_marked() -> None:
    (sentence,) = new_sentences("Eighteen of the 17 wounded, or 5,000 euros.", (KNOWN,), "en")
    assert [sentence.text[slice(*mark)] for mark in sentence.marks] == ["Eighteen", "5,000"]


def test_a_number_that_is_known_of_something_else_is_marked() -> None:
    known = "Two rifles were found. Three men were held in the town."
    (sentence,) = new_sentences("Three rifles were found, and three men were held.", (known,), "en")
    assert sentence.marks == ((0, 5),)


def test_one_form_for_each_number() -> None:
    text = "5,000 or 5.000 or 5 000 or five; 1.5; 14.469,07; 007; ٤٠"
    assert [n.value for n in numbers(text, "en")] == ["5000", "5000", "5000", "5", "1.5", "14469.07", "7", "40"]


@pytest.mark.parametrize("which", ["build", "test"])
def test_another_stance_is_new_in_many_languages(which: str) -> None:
    cases = [(g["language"], g["known"], s) for g in NEGATIONS for s in g["changed"] if half(s) == which]
    assert len(cases) > 30
    assert [s for language, known, s in cases if not new(s, known, language=language)] == []
    assert [known for language, known, s in cases if not new(known, s, language=language)] == [], "nor when it is lost"


def test_the_same_stance_is_known() -> None:
    cases = [(g["language"], g["known"], s) for g in NEGATIONS for s in g.get("same", ())]
    assert [s for language, known, s in cases if new(s, known, language=language)] == []


def test_a_stance_concerns_what_stands_near_it() -> None:
    known = (
        "The minister, whom the deputies of three parties had not invited to their long session in the town hall of "
        "Avonlea before the holidays, "
        "published the report on the airbase and the convoy on Friday evening."
    )
    assert new("The minister published the report on the airbase and the convoy on Friday evening.", known) == []
    assert new("The deputies of three parties had invited the minister to their session in the town hall.", known) != []


def test_where_no_stances_are_known_each_short_word_counts() -> None:
    known = "Waziri wa ulinzi amejiuzulu siku ya Ijumaa baada ya ripoti."
    assert new(f"{known[:-1]} si.", known, language="sw") != []


def test_a_language_with_numbers_has_stances() -> None:
    assert [code for code, one in languages().items() if one.numbers and not one.stances.negated] == []
