"""Common words of security news, and names, in other languages."""

from __future__ import annotations

import json

import pytest

from newswatch.languages import languages
from search.common_words import FILE, meanings_of, says
from search.words import tokens_of, wording


def padded(text: str) -> str:
    return f" {' '.join(tokens_of(text))} "


def is_said(word: str, of: str, text: str, language: str | None) -> bool:
    return says(padded(text), meanings_of(word, (of,)), language)


@pytest.mark.parametrize(
    ("word", "of", "text", "language"),
    [
        ("troops", "en", "Солдаты у границы", "ru"),
        ("Soldaten", "de", "Żołnierze na granicy", "pl"),
        ("ateşkes", "tr", "Alto el fuego en el sur", "es"),
        ("ceasefire", "en", "وقف إطلاق النار", "ar"),
        ("missiles", "en", "إطلاق الصواريخ", "ar"),
        ("Raketen", "de", "תקיפה בטילים", "he"),
        ("Drohnen", "de", "据报道无人机坠毁", "zh"),
        ("drone", "fr", "Nächtlicher Großdrohnenangriff", "de"),
        ("停火", "zh", "A truce is near", "en"),
        ("Kremlin", "en", "Кремль молчит", None),
        ("Netanjahu", "de", "نتنياهو في القدس", "ar"),
        ("Нетаньяху", "ru", "Netanyahu's visit", "en"),
    ],
)
def test_what_means_the_same_is_said_in_every_language(word: str, of: str, text: str, language: str | None) -> None:
    assert is_said(word, of, text, language)


@pytest.mark.parametrize(
    ("word", "of", "text", "language"),
    [
        ("troops", "en", "Солдаты у границы", "bg"),
        ("soldier", "en", "A summit of ministers", "en"),
        ("train", "en", "He tog hatten", "da"),
        ("zirve", "de", "A summit", "en"),
        ("agreement", "en", "According to police", "en"),
        ("police", "en", "De politieke leider", "nl"),
        ("peace", "en", "Det händer på fredag", "sv"),
        ("ferry", "en", "The ferry sails", "en"),
    ],
)
def test_a_word_of_another_meaning_or_language_says_nothing(word: str, of: str, text: str, language: str) -> None:
    assert not is_said(word, of, text, language)


def test_a_compound_means_each_of_its_parts() -> None:
    assert meanings_of("Drohnenangriff", ("de",)) == {"drone", "attack"}
    assert meanings_of("drönarattack", ("sv",)) == {"drone", "attack"}
    assert meanings_of("Natotoppmöte", ("sv",)) == {"summit"}


def test_a_query_may_be_in_each_of_its_likely_languages() -> None:
    assert "de" in wording(("Soldaten", "der", "Bundeswehr", "in", "Litauen")).likely
    assert wording(("2025",)).likely == ()


def test_the_file_is_whole_and_no_function_word_is_in_it() -> None:
    words = json.loads(FILE.read_text(encoding="utf-8"))
    known = languages()
    for meaning, by_language in words.items():
        assert by_language.keys() <= {*known, "any"}, meaning
        assert "any" in by_language or len(by_language) == 26, meaning
        for code, written in by_language.items():
            assert all(tokens_of(part) for word in written.split() for part in word.split("_")), (meaning, code)
            small = known[code].function_words if code != "any" else ()
            told = [word for word in small if says(padded(word), frozenset({meaning}), code)]
            assert told == [], (meaning, code)
