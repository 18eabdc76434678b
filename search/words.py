"""The words of a query that say what is looked for, and the languages it may be written in. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from newswatch.languages import languages
from newswatch.scripts import KANA_AND_HAN
from transforms.fold import fold
from transforms.language import likelihoods

MOST_WORDS: Final = 100
"""Words of a query that are looked for. What analysts typed for the judged queries has eight at most, a pasted headline
some twenty, a paragraph sixty; 300 to 500 took seconds, most of them to mark so many words in twenty articles."""
_ELISION: Final = re.compile(r"(?<![\w'’])(?:[cdjlmnst]|qu)['’](?=\w)", re.IGNORECASE)
"""At a word's beginning: not the `n'` of `rock'n'roll`."""
_TOKEN: Final = re.compile(r"\w+")
_DENSE: Final = re.compile(f"[{KANA_AND_HAN}]{{2,}}")
"""Two or more characters of a script without spaces (Chinese, Japanese), where a "word" is a whole expression."""
_DESIGNATION: Final = re.compile(r"([^\W\d_]{1,5})([-\u2010-\u2013\u2212]?)(\d{1,4}(?:[^\W\d_]\d?){0,2})")
"""Letters and a number, joined by a hyphen or not: MH17, Т-72Б3, COVID-19."""
_DOTTED: Final = re.compile(r"[^\W\d_]{2,}(?:\.[^\W\d_]{2,})+")
"""Words with full stops and without blanks between them, which the index has as one: St.Petersburg; not U.S."""
_LIKELY: Final = 0.5
"""From this share of the best guess's likelihood, a language's function words are dropped."""
_PIECE: Final = 3
"""Minimum letters of a compound's part that is worth looking for: `Koalition`, not the `F` of `F-16`."""
_STEM: Final = 0.6
"""Share of a long word that its inflections and compounds begin with: `ракет` of `ракетный`."""
_LONG: Final = 6
"""Minimum letters of a word that is also looked for by its beginning."""
_SHORT_STEM: Final = 4


@dataclass(frozen=True, slots=True)
class Sense:
    """The entity that a word means: see `search.senses`."""

    entities: tuple[str, ...]
    """Ids; any of them."""
    name: str
    """Of the first one."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A query of plain words."""

    words: tuple[str, ...]
    """Each once, without function words unless there are no others."""
    typed: str
    """All words, from which the language is guessed."""
    senses: Mapping[str, Sense] = field(default_factory=dict)
    """Word → the entity that it means."""
    left_out: int = 0
    """Number of the words that are not looked for, because they stand behind the first `MOST_WORDS`."""

    @property
    def shortened(self) -> str:
        """What a reader is told of the words that are not looked for: a sentence, or nothing."""
        if not self.left_out:
            return ""
        others = f"{self.left_out:,} others are" if self.left_out > 1 else "one other is"
        return f"Only the first {MOST_WORDS} words are looked for, {others} not: search for the part that matters."

    @property
    def languages(self) -> Mapping[str, float]:
        """Language → its likelihood, relative to the likeliest one, which has 1; empty for a text without letters."""
        return _languages_of(self.typed)

    @property
    def language(self) -> str | None:
        """The likeliest one; None for a text without letters."""
        return max(self.languages, key=self.languages.__getitem__, default=None)

    @property
    def text(self) -> str:
        """The words, separated by blanks."""
        return " ".join(self.words)


def wording(words: Sequence[str], senses: Mapping[str, Sense] = MappingProxyType({})) -> Wording:
    """What a query of these words asks for, and in which languages; `senses` are the words that mean entities."""
    typed = " ".join(words)
    small = _function_words_of(typed) if any(word.lower() in _every_function_word() for word in words) else frozenset()
    shouted = len(words) > 2 and all(word == word.upper() for word in words)
    bare = [_ELISION.sub("", word) for word in words]
    bare = [word for word in bare if _is_said(word)] or bare
    content = [word for word in bare if (is_acronym(word) and not shouted) or word.lower() not in small]
    first: dict[str, str] = {}
    for word in content or bare:
        first.setdefault(word if is_small_acronym(word) else word.casefold(), word)
    wanted = tuple(first.values())[:MOST_WORDS]
    meant = {word: sense for word, sense in senses.items() if word in wanted}
    return Wording(wanted, typed, meant, len(first) - len(wanted))


def _is_said(word: str) -> bool:
    """Whether the word has a letter or a digit: a sign (🚀, —) is none beside others."""
    return any(sign.isalnum() for sign in unicodedata.normalize("NFKC", word))


def is_acronym(word: str) -> bool:
    """Whether the word is in capitals: `IS` is a group, "is" a verb."""
    return len(word) > 1 and word.isupper()


def is_small_acronym(word: str) -> bool:
    """Whether the word is in capitals, and a function word of some language without them: `IS`, `EI`."""
    return is_acronym(word) and word.lower() in _every_function_word()


def is_dense(word: str) -> bool:
    """Whether the word is written in a script without spaces."""
    return _DENSE.search(word) is not None


def is_compound(word: str) -> bool:
    """Whether the index has several words for it: `F-16`, `al-Qaeda`."""
    return not is_dense(word) and len(_TOKEN.findall(word)) > 1


def otherwise(word: str) -> str | None:
    """How else a designation is written: `F16` for `F-16`, `MH 17` for `MH17`, which the index has as two words; and
    what lacks its blanks: `St Petersburg` for `St.Petersburg`, as the index has `St. Petersburg`."""
    if _DOTTED.fullmatch(word):
        return word.replace(".", " ")
    parts = _DESIGNATION.fullmatch(word)
    if parts is None or is_dense(word):
        return None
    return parts[1] + parts[3] if parts[2] else f"{parts[1]} {parts[3]}"


def pieces(word: str) -> list[str]:
    """The parts of a compound that mean something alone; none for a simple word."""
    return [part for part in word.split("-") if len(part) >= _PIECE] if "-" in word else []


def pairs(word: str) -> list[str]:
    """Each two neighbouring characters of a dense word."""
    return [run[n : n + 2] for run in _DENSE.findall(word) for n in range(len(run) - 1)]


@lru_cache(maxsize=50_000)  # asked for each word of the names in each article
def beginning(word: str) -> str | None:
    """How inflections and compounds of a long word begin, folded; None for a word that is short or not a single one.

    It stands in for a stemmer where a language has none, and reaches compounds, which stemmers don't.
    """
    tokens = tokens_of(word)
    if is_dense(word) or len(tokens) != 1 or len(tokens[0]) < _LONG:
        return None
    return tokens[0][: max(_SHORT_STEM, math.ceil(_STEM * len(tokens[0])))]


def tokens_of(text: str) -> list[str]:
    """The words of a text as the index has them in the fields that are not stemmed."""
    return _TOKEN.findall(fold(text).text.lower())


def _function_words_of(text: str) -> frozenset[str]:
    """Those of the languages that the text is likely in."""
    likely = [code for code, share in _languages_of(text).items() if share >= _LIKELY]
    return frozenset().union(*map(_function_words, likely))


@lru_cache(maxsize=1_000)
def _languages_of(text: str) -> Mapping[str, float]:
    """Language → likelihood relative to the best, for the likeliest few; empty for a text without letters.

    The first call loads the model, which takes half a second: only ask where the language decides something.
    """
    guesses = likelihoods(text)
    best = max(guesses.values(), default=0.0)
    return MappingProxyType({code: share / best for code, share in guesses.items()} if best else {})


@cache
def _function_words(code: str) -> frozenset[str]:
    known = languages().get(code)
    return frozenset(known.function_words) if known else frozenset()


@cache
def _every_function_word() -> frozenset[str]:
    return frozenset().union(*map(_function_words, languages()))
