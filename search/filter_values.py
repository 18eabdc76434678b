"""The values of short filters: how a typed one is written in the index, and what is wrong with one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from babel.core import get_global

from newswatch.countries import iso_country
from newswatch.languages import known_as
from newswatch.languages import languages as every_language
from newswatch.names_in_english import countries, languages
from search.filters import ADDING, FILTERS, ONCE, TIMES, on_scale
from search.time_spans import TYPED_TIME, span

_CODE: Final = 2
"""Letters of a country's code, and of most languages'."""
_LONG_CODE: Final = 3
"""Letters of a language's longer code."""
_ADDRESS: Final = re.compile(
    r"(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[\w-]{2,})(?:[/:?#].*)?", re.IGNORECASE | re.DOTALL
)


def _country(typed: str) -> str:
    if len(typed) != _CODE:
        return countries().get(typed.casefold(), typed)
    code = typed.upper()
    spelt_out = str(iso_country(code))
    return typed if spelt_out == code else spelt_out


def _language(typed: str) -> str:
    """`en` for "English", and for `en-US`: articles have a language, and no country's form of it.

    Of a language that has several codes, the one that articles have: `no` for `nb`, `he` for `iw`, `de` for `ger`.
    """
    code = re.split("[-_]", typed)[0].lower()
    if _CODE <= len(code) <= _LONG_CODE and (known := _known(code)):
        return typed if typed.lower() == known else known
    name = languages().get(typed.casefold())
    return (_known(name) or name) if name else (code if len(code) == _CODE else typed)


def _known(code: str) -> str | None:
    """The code by which newswatch knows the language, by its own files and by what CLDR calls the same."""
    alias = get_global("language_aliases").get(code) or code
    known = (known_as(one) for one in (code, alias.partition("_")[0]))
    return next((one for one in known if one in every_language()), None)


def _outlet(typed: str) -> str:
    """The domain of an address: that of an outlet finds its sub-domains, too."""
    address = _ADDRESS.fullmatch(typed)
    return address[1] if address else typed


_SPELT: Final[Mapping[str, Callable[[str], str]]] = {"country": _country, "lang": _language, "source": _outlet}


def spelt(name: str, typed: str) -> str:
    """The value as articles have it: `GB` for `country:uk`, `fr` for `lang:French`; one that is not known as it is."""
    return _SPELT[name](typed) if name in _SPELT else typed


def fault_of(name: str, values: Sequence[str], *, negated: bool) -> str:
    """What is wrong with a filter, as a sentence; empty: nothing."""
    faults = (_fault_of_value(name, value) for value in values)
    if fault := next(filter(None, faults), ""):
        return fault
    if name in ADDING and negated:
        return f"{name}: adds articles and can't be negated."
    if name in ONCE and (negated or len(values) > 1):
        return f"{name}: takes one value and can't be negated."
    return ""


def _fault_of_value(name: str, value: str) -> str:
    allowed = FILTERS[name].choices
    if allowed and value not in allowed:
        return f"{name}: is {' or '.join(allowed)}, not {value!r}."
    if FILTERS[name].scale:
        try:
            on_scale(name, value)
        except ValueError as error:
            return f"{error}."
    return _fault_of_time(name, value) if name in TIMES else ""


def _fault_of_time(name: str, value: str) -> str:
    if not TYPED_TIME.fullmatch(value):
        return f"{name}: takes a time like 7d, 24h, 2w, today, 2026-03-01 or 2026-03, not {value!r}."
    try:
        span(value, datetime(2000, 1, 1, tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        return f"{value!r} is not a date: {error}."
    return ""
