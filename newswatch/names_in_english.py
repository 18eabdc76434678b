"""The English names of countries and languages (CLDR, by babel). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from babel import Locale


@lru_cache(1_000)
def country(code: str | None) -> str:
    """The name of the country of an ISO 3166 code; the code itself if it is none, nothing for nothing."""
    return str(_english().territories.get(code or "", code or ""))


@lru_cache(1_000)
def language(code: str | None) -> str:
    """The name of the language of an ISO 639 code; the code itself if it is none, nothing for nothing."""
    return str(_english().languages.get(code or "", code or ""))


@cache
def countries() -> Mapping[str, str]:
    """Name in small letters → ISO 3166 code, without continents."""
    return {str(name).casefold(): code for code, name in _english().territories.items() if len(code) == 2}


@cache
def languages() -> Mapping[str, str]:
    """Name in small letters → ISO 639 code."""
    return {str(name).casefold(): code for code, name in _english().languages.items() if len(code) <= 3}


@cache
def _english() -> Locale:
    return Locale("en")
