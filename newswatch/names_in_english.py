"""The English names of countries and languages (CLDR, by babel). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from babel import Locale


@lru_cache(1_000)
def country(code: str | None) -> str:
    """The name of the country with this ISO 3166 code; an unknown code itself; empty for None."""
    return str(_english().territories.get(code or "", code or ""))


@lru_cache(1_000)
def language(code: str | None) -> str:
    """The name of the language with this ISO 639 code; an unknown code itself; empty for None."""
    return str(_english().languages.get(code or "", code or ""))


@cache
def countries() -> Mapping[str, str]:
    """Lower-case name → ISO 3166 code, without continents."""
    return {str(name).casefold(): code for code, name in _english().territories.items() if len(code) == 2}


@cache
def languages() -> Mapping[str, str]:
    """Lower-case name → ISO 639 code."""
    return {str(name).casefold(): code for code, name in _english().languages.items() if len(code) <= 3}


@cache
def _english() -> Locale:
    return Locale("en")
