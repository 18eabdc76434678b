"""Which countries a short text names, in any of the languages of the world's news. Pure.

Two reports that name no country in common are on two events, however alike they sound. So a country counts by its
name, its people, its large cities and the short names of headlines ("US", "VS", "ABD"). The names are in
`data/place_names.json`, made by `benchmarks/place_names.py`; a place that is not there says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final
from unicodedata import normalize

from newswatch.scripts import KANA_AND_HAN
from transforms.fold import fold

NAMES: Final = Path(__file__).with_name("data") / "place_names.json"
NO_COUNTRY: Final = "none"
"""Names that only look like one: Latin America, the US Open."""
AS_WRITTEN: Final = 3
"""Names of so few letters are abbreviations, and count as they are written: US, not us."""
_STEM: Final = 5
"""Letters from which a name may have an ending, as in Москве and Londonin; one less in other scripts than the Latin."""
_WRITTEN_ENDINGS: Final = (
    "a e i o u y n s an as ei el em en er es ie ii in ja ju oj om os se sk ul us "
    "а е и і ї о у ю я ы ам ах ей ем ий ии ию ов ої ой ом ою єю ію α ασ η ησ ο ον ου ων ε ι ی یه یا ین ون ه י ית ים"
)
_ENDINGS: Final = frozenset(_WRITTEN_ENDINGS.split())
"""What may follow a stem, folded, in the cases, peoples and adjectives of many languages: -ic, -ty and -ce make other
words (Atlantic, Liberty, service)."""
_MOST_WORDS: Final = 4

_TOKEN = re.compile(rf"[{KANA_AND_HAN}]+|[^\W_{KANA_AND_HAN}]+")
_IDEOGRAPH = re.compile(f"[{KANA_AND_HAN}]")
_KATAKANA = frozenset(map(chr, range(0x30A1, 0x30FB))) | {"ー"}
_VOWELS = frozenset("aeiouyаеиоуыюяіїαειουωηاهة")
_PREFIX = re.compile(r"^(?:[وفبكل]?ال|لل|[وفبل](?=\w{4})|[ובלמהשכ]{1,2}(?=\w{3}))")
"""Articles, prepositions and conjunctions that Arabic and Hebrew write as one with the word."""

Words = tuple[str, ...]


@dataclass(slots=True)
class _Names:
    """The names of all countries, folded; each stands for one country, or for none."""

    words: dict[Words, str] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    """The part of a name that stands before its ending."""
    beginnings: dict[str, str] = field(default_factory=dict)
    abbreviations: dict[str, str] = field(default_factory=dict)
    """As they are written."""
    ideographs: dict[str, str] = field(default_factory=dict)
    longest: int = 0
    """Characters of the longest name in ideographs."""
    first: frozenset[str] = frozenset()
    """The first words of names that have several."""


@cache
def _names() -> _Names:
    return _read(json.loads(NAMES.read_text(encoding="utf-8")))


def _read(by_country: Mapping[str, Sequence[str]]) -> _Names:
    names = _Names()
    for country, written in by_country.items():
        for name in written:
            _add(names, name, country)
    names.longest = max(map(len, names.ideographs), default=0)
    names.first = frozenset(words[0] for words in names.words if len(words) > 1)
    return names


def _add(names: _Names, name: str, country: str) -> None:
    words = tuple(_TOKEN.findall(fold(name.rstrip("*")).text))
    if _IDEOGRAPH.search(name):
        names.ideographs["".join(words)] = country
    elif name.endswith("*") and len(words) == 1:
        names.beginnings[words[0]] = country
    elif len(words) == 1 and len(name) <= AS_WRITTEN and not is_caseless(name):
        names.abbreviations[name] = country
    else:
        names.words[words] = country
        if len(words) == 1 and (stem := _stem(words[0])):
            names.stems.setdefault(stem, country)


def _stem(word: str) -> str:
    stem = word[:-1] if word[-1] in _VOWELS else word
    return stem if len(stem) >= (_STEM if stem.isascii() else _STEM - 1) else ""


def places_of(text: str) -> list[str]:
    """The countries that `text` names, as codes of ISO 3166, each once and in the order in which they are named."""
    return [place for place in dict.fromkeys(_named(_TOKEN.findall(normalize("NFC", text)))) if place != NO_COUNTRY]


def _named(tokens: Sequence[str]) -> Iterator[str]:
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if _IDEOGRAPH.match(token):
            yield from _in_ideographs(token)
            place += 1
            continue
        found, taken = _several(tokens, place) if _folded(token) in _names().first else ("", 0)
        yield from filter(None, (found or _single(token),))
        place += taken or 1


def _several(tokens: Sequence[str], place: int) -> tuple[str, int]:
    """The country of the longest name of several words at `place`, and their number."""
    if not _may_be_name(tokens[place]):
        return "", 0
    folded = tuple(map(_folded, tokens[place : place + _MOST_WORDS]))
    for number in range(len(folded), 1, -1):
        if found := _names().words.get(folded[:number]):
            return found, number
    return "", 0


@lru_cache(maxsize=50_000)
def _single(token: str) -> str:
    """The country of one word; empty if it names none."""
    folded = _folded(token)
    return _abbreviation(token) or _word(token, folded) or _word(token, _PREFIX.sub("", folded))


def _abbreviation(token: str) -> str:
    return _names().abbreviations.get(token, "")


def _word(token: str, folded: str) -> str:
    names = _names()
    if _may_be_name(token) and (exact := names.words.get((folded,), "")):
        return exact
    begun = (names.beginnings.get(folded[:length], "") for length in range(len(folded), 1, -1))
    found = next(filter(None, begun), "")
    return found or (_with_ending(folded) if _may_be_name(token) else "")


def _with_ending(folded: str) -> str:
    stems = _names().stems
    if folded in stems and is_caseless(folded):  # الإسباني
        return stems[folded]
    ended = (stems.get(folded[:-length], "") for length in (1, 2) if folded[-length:] in _ENDINGS)
    return next(filter(None, ended), "")


def _in_ideographs(token: str) -> Iterator[str]:
    names, folded, place = _names(), _folded(token), 0
    while place < len(folded):
        for length in range(min(names.longest, len(folded) - place), 0, -1):
            name = folded[place : place + length]
            if (found := names.ideographs.get(name)) and not _is_within(folded, place, place + length):
                yield found
                place += length
                break
        else:
            place += 1


def _is_within(text: str, start: int, end: int) -> bool:
    """Whether a name in katakana is a part of another word: イラン in アイランド."""
    edges = (text[max(0, start - 1) : start + 1], text[end - 1 : end + 1])
    return any(len(edge) == 2 and all(map(_KATAKANA.__contains__, edge)) for edge in edges)


@lru_cache(maxsize=50_000)
def _folded(token: str) -> str:
    return fold(token).text


def _may_be_name(token: str) -> bool:
    """Whether the word has a capital, or its script has none."""
    return token[0].isupper() or is_caseless(token)


def is_caseless(token: str) -> bool:
    """Whether the script of its first letter has no capitals."""
    return token[0] == token[0].upper() == token[0].lower()
