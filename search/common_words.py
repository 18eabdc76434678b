"""The words that news of security uses most, and the people it names, in the languages of the taxonomy. Pure.

An article that says a word of a query in another language says it all the same: солдат for "troops", Poutine for
"Putin". The words are in `data/common_words.json`, by what they mean and by language, separated by blanks:

    attack*          any letters may follow
    alto_el_fuego    several words
    "any"            the same in every language

Compare: countries are in `transforms.places`, organisations and persons of our topics in the taxonomy. The lists are
short on purpose: a word that often means something else in its language is left out, as is one whose plain letters are
another word's (`transforms.fold`: "öldü", Turkish for "died", is "oldu", "became").
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from search.spelling import is_dense
from search.words import tokens_of

FILE: Final = Path(__file__).with_name("data") / "common_words.json"
_EVERY: Final = "any"
"""Names that are the same in every language."""
_WITH_COMPOUNDS: Final = frozenset({"da", "de", "fi", "hu", "nl", "no", "sv"})
"""Languages that write several words as one: Drohnenangriff is both."""
_LONG: Final = 5
"""Minimum letters of a word that is looked for inside of others there."""
_KATAKANA: Final = "[ァ-ヺー]"
_SHORT_KATAKANA: Final = re.compile(f"{_KATAKANA}{{1,3}}")
"""Words that are parts of others by chance: テロ (terror) of ステロイド (steroid)."""
_WRITTEN_ON: Final = {"ar": "(?:[وفبکل]?ال|لل|[وفبل])?", "he": "[ובלמהשכ]{0,2}"}
"""What may stand before a word, folded, without a blank: articles, prepositions and conjunctions."""


@lru_cache(maxsize=10_000)
def meanings_of(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    """What the word may mean, if it is one of the common words of a language: of a compound, each part."""
    said = f" {' '.join(tokens_of(word))} "
    return frozenset(
        meaning for language in languages for meaning in _words() if says(said, frozenset({meaning}), language)
    )


def says(text: str, meanings: frozenset[str], language: str | None) -> bool:
    """Whether a text in the language has a word for one of the meanings.

    The text is given as words (`search.words.tokens_of`) with a blank before and behind each.
    """
    pattern = _pattern(meanings, language or _EVERY) if meanings else None
    return pattern is not None and pattern.search(text) is not None


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    """Meaning → language → words."""
    read: Mapping[str, Mapping[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


@lru_cache(maxsize=10_000)
def _pattern(meanings: Collection[str], language: str) -> re.Pattern[str] | None:
    """What finds a word for one of the meanings; None if the language has none."""
    forms = [form for meaning in sorted(meanings) for form in _forms(_words()[meaning], language)]
    return re.compile("|".join(forms)) if forms else None


def _forms(by_language: Mapping[str, str], language: str) -> Iterator[str]:
    for of in dict.fromkeys((_EVERY, language)):
        for word in by_language.get(of, "").split():
            yield _form(word, language, inside=of in _WITH_COMPOUNDS)


def _form(word: str, language: str, *, inside: bool) -> str:
    """The expression for a word; `inside` lets a long one stand within another."""
    parts = [(" ".join(tokens_of(part)), part.endswith("*")) for part in word.split("_")]
    said = " ".join(re.escape(part) + (r"\w*" if is_begun else "") for part, is_begun in parts)
    if is_dense(word):
        return _as_one_word(said) if _SHORT_KATAKANA.fullmatch(word) else said
    is_whole = not parts[-1][1]
    if inside and not is_whole and len(parts) == 1 and len(parts[0][0]) >= _LONG:
        return said
    return f"(?<= ){_WRITTEN_ON.get(language, '')}{said}{'(?= )' if is_whole else ''}"


def _as_one_word(said: str) -> str:
    """The expression for a short word in Katakana, which a run of Katakana must be as a whole."""
    return f"(?<!{_KATAKANA}){said}(?!{_KATAKANA})"
