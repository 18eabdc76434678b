"""What pydantic finds wrong, in the words of people who write configuration files and options. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Context = Mapping[str, Any]

_KINDS: Final[Mapping[str, str]] = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "keys with values",
    "mapping": "keys with values",
    "model": "keys with values",
    "dataclass": "keys with values",
    "date": "a date, such as 2027-01-31",
    "date_from_datetime": "a date, such as 2027-01-31",
    "datetime": "a date, such as 2027-01-31, or a time, such as 2027-01-31T18:00Z",
    "datetime_from_date": "a date, such as 2027-01-31, or a time, such as 2027-01-31T18:00Z",
    "url": "an address, such as https://paper.example/feed",
    "path": "the name of a file or folder",
}
"""The beginning of pydantic's error types → what is expected."""

_WORDED: Final[Mapping[str, Callable[[Context], str]]] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "there is no such key",
    "greater_than_equal": lambda said: f"must be at least {said['ge']:g}",
    "greater_than": lambda said: f"must be more than {said['gt']:g}",
    "less_than_equal": lambda said: f"must be at most {said['le']:g}",
    "less_than": lambda said: f"must be less than {said['lt']:g}",
    "finite_number": lambda _: "must be a finite number",
    "int_from_float": lambda _: "must be a whole number",
    "literal_error": lambda said: f"must be {said['expected']}",
    "enum": lambda said: f"must be {said['expected']}",
    "string_too_short": lambda said: "must not be empty" if said["min_length"] == 1 else _least(said, "characters"),
    "string_too_long": lambda said: f"must have at most {said['max_length']:,} characters",
    "too_short": lambda said: "must not be empty" if said["min_length"] == 1 else _least(said, "items"),
    "too_long": lambda said: f"must have at most {said['max_length']:,} items",
    "string_pattern_mismatch": lambda said: _PATTERNS.get(said["pattern"], f"must match {said['pattern']}"),
    "timezone_aware": lambda _: "must have a time zone, such as 2027-01-31T18:00Z",
    "none_required": lambda _: "must be empty",
    "string_unicode": lambda _: "has half of a character (a surrogate without its other half)",
}
"""Pydantic's error type → our words; see https://docs.pydantic.dev/latest/errors/validation_errors/."""

_PATTERNS: Final[Mapping[str, str]] = {
    r"^[a-z0-9][a-z0-9-]{0,63}$": "must be lower-case letters, digits and hyphens, at most 64 of them",
    r"^[a-z]{2,3}$": "must be a language's code, such as fr",
    r"^[A-Z]{2}$": "must be a country's code in capitals, such as FR",
}
"""Regular expression → what it asks for."""


def worded(details: ErrorDetails) -> str:
    """What is wrong with the value, as the end of a sentence that begins with its name: "must be at least 1"."""
    kind, said = details["type"], details.get("ctx", {})
    if kind in _WORDED:
        return _WORDED[kind](said)
    for ending in ("_type", "_parsing", "_from_datetime_parsing", "_from_date_parsing", "_inexact"):
        if kind.endswith(ending) and kind.removesuffix(ending) in _KINDS:
            return f"must be {_KINDS[kind.removesuffix(ending)]}"
    return details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _least(said: Context, what: str) -> str:
    return f"must have at least {said['min_length']:,} {what}"
