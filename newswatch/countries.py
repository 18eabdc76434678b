"""Countries by their codes in ISO 3166. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OTHERWISE: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}
"""Codes that the European Union uses → those of ISO 3166, which articles carry and searches ask for."""


def iso_country(code: Any) -> Any:
    """The code of the country in ISO 3166, for one that is otherwise usual; anything else unchanged."""
    return _OTHERWISE.get(code, code) if isinstance(code, str) else code
