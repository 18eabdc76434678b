"""The names of months and days of the week in the languages of the world's news, from CLDR by `babel`.

The languages' files (`newswatch.languages`) list the locales to read, and the names that CLDR lacks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final

from newswatch.languages import known_as, languages

# fmt: off
_ENGLISH: Final = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)
_ENGLISH_DAYS: Final = (
    ("monday", "mon"), ("tuesday", "tue", "tues"), ("wednesday", "wed"), ("thursday", "thu", "thur", "thurs"),
    ("friday", "fri"), ("saturday", "sat"), ("sunday", "sun"),
)
# fmt: on
ENGLISH_MONTHS: Final = {name: number for number, names in enumerate(_ENGLISH, 1) for name in names}
ENGLISH_WEEKDAYS: Final = {name: number for number, names in enumerate(_ENGLISH_DAYS) for name in names}
SHORTENED: Final = 3
"""Minimum letters of an abbreviated month, if no other month begins with them."""

Names = dict[str, dict[int, set[str]]]
"""A name in its plain form → the numbers it can mean → the languages in which it does."""


def plain(name: str) -> str:
    """`name` for comparison: without case, dots, the accents of Latin, Greek and Cyrillic letters, and Arabic hamza.

    The two Turkish letters i become one, because capitals don't distinguish them: KASIM is kasım.
    """
    apart = unicodedata.normalize("NFD", name.casefold().replace("ı", "i"))
    return unicodedata.normalize("NFC", "".join(c for c in apart if not _is_accent(c))).strip(" .॰")


def _is_accent(char: str) -> bool:
    return "\u0300" <= char <= "\u036f" or "\u064b" <= char <= "\u0655"


def months(name: str, language: str | None) -> frozenset[int]:
    """The months (1 to 12) that `name` may mean: those of `language` if it has that name."""
    key = plain(name)
    if key in ENGLISH_MONTHS:
        return frozenset((ENGLISH_MONTHS[key],))
    meanings = _meanings(_months().get(key, {}), language)
    return meanings or _begun(key)


def weekdays(name: str, language: str | None) -> frozenset[int]:
    """The days (0 for Monday) that `name` may mean: those of `language` if it has that name."""
    key = plain(name)
    if key in ENGLISH_WEEKDAYS:
        return frozenset((ENGLISH_WEEKDAYS[key],))
    return _meanings(_weekdays().get(key, {}), language)


def _meanings(numbers: Mapping[int, set[str]], language: str | None) -> frozenset[int]:
    code = known_as(language or "")
    spoken = frozenset(number for number, spoken_in in numbers.items() if code in spoken_in)
    return spoken or frozenset(numbers)


def _begun(key: str) -> frozenset[int]:
    if len(key) < SHORTENED:
        return frozenset()
    return frozenset(number for name, numbers in _months().items() if name.startswith(key) for number in numbers)


@cache
def _months() -> Names:
    names = _of_locales("months", ("wide", "abbreviated"))
    for code, language in languages().items():
        for name, number in language.dates.months.items():
            names.setdefault(plain(name), {}).setdefault(number, set()).add(code)
    return names


@cache
def _weekdays() -> Names:
    return _of_locales("days", ("wide", "abbreviated", "short", "narrow"))


def locales() -> dict[str, str]:
    """CLDR's locales whose names are known → the code of their language."""
    return {
        locale: code
        for code, language in languages().items()
        for locale in ((code,) if language.dates.locales is None else language.dates.locales)
    }


def _of_locales(kind: str, widths: tuple[str, ...]) -> Names:
    """The names in all locales. Takes a second, once, when the first name that is not English is met."""
    from babel import Locale

    names: Names = {}
    for locale, code in locales().items():
        tables = getattr(Locale.parse(locale), kind)
        for context in ("format", "stand-alone"):
            for width in widths:
                for number, name in tables[context].get(width, {}).items():
                    _add(names, plain(name), number, code)
    return names


def _add(names: Names, key: str, number: int, code: str) -> None:
    one_letter = len(key) < 2 and key.isascii()
    if key and not one_letter and not any(char.isdigit() for char in key):
        names.setdefault(key, {}).setdefault(number, set()).add(code)
