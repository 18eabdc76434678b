"""The names of months and days of the week in the languages of the world's news, from CLDR by `babel`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final

LOCALES: Final = (
    "af", "am", "ar", "ar_DZ", "ar_LB", "ar_MA", "az", "be", "bg", "bn", "bs", "ca", "cs", "da", "de", "de_AT", "el",
    "en", "es", "et", "fa", "fi", "fil", "fr", "gl", "gu", "ha", "he", "hi", "hr", "hu", "hy", "id", "ig", "is", "it",
    "ja", "ka", "kk", "km", "kn", "ko", "ky", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "my", "nb", "ne", "nl",
    "nn", "pa", "pl", "ps", "pt", "ro", "ru", "si", "sk", "sl", "so", "sq", "sr", "sr_Latn", "sv", "sw", "ta", "te",
    "th", "tr", "uk", "ur", "vi", "yo", "zh",
)  # fmt: skip
"""Locales whose names are known. Algeria, Lebanon and Morocco represent the three Arabic ways of naming months."""

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
_MORE: Final = {("mrz", "de"): 3, ("maerz", "de"): 3, ("setiembre", "es"): 9, ("mrt", "nl"): 3, ("мая", "ru"): 5}
"""Common spellings of months that CLDR lacks."""
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
    spoken = frozenset(number for number, languages in numbers.items() if language in languages)
    return spoken or frozenset(numbers)


def _begun(key: str) -> frozenset[int]:
    if len(key) < SHORTENED:
        return frozenset()
    return frozenset(number for name, numbers in _months().items() if name.startswith(key) for number in numbers)


@cache
def _months() -> Names:
    names = _of_locales("months", ("wide", "abbreviated"))
    for (name, language), number in _MORE.items():
        names.setdefault(plain(name), {}).setdefault(number, set()).add(language)
    return names


@cache
def _weekdays() -> Names:
    return _of_locales("days", ("wide", "abbreviated", "short", "narrow"))


def _of_locales(kind: str, widths: tuple[str, ...]) -> Names:
    """The names in all locales. Takes a second, once, when the first name that is not English is met."""
    from babel import Locale

    names: Names = {}
    for code in LOCALES:
        tables = getattr(Locale.parse(code), kind)
        for context in ("format", "stand-alone"):
            for width in widths:
                for number, name in tables[context].get(width, {}).items():
                    _add(names, plain(name), number, code.partition("_")[0])
    return names


def _add(names: Names, key: str, number: int, language: str) -> None:
    one_letter = len(key) < 2 and key.isascii()
    if key and not one_letter and not any(char.isdigit() for char in key):
        names.setdefault(key, {}).setdefault(number, set()).add(language)
