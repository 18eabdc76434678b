"""JSON as servers send it: behind a guard, followed by a comment, with slips that a strict reader refuses whole."""

from __future__ import annotations

import json
import re
from typing import Any, Final

MAX_DIGITS: Final = 1_000
"""Maximum digits of a whole number; Python reads at most 4,300, and would reject the whole document."""
_GUARD: Final = re.compile(r"^\s*(?:\)\]\}',?|while\(1\);|for\(;;\);|[\w$.]{1,60}\()\s*(?=[\[{])")
"""What some servers put before JSON so that it can't be run as a script, and the call of JSONP."""
_STRING_OR_COMMA: Final = re.compile(r'("(?:[^"\\]++|\\.)*+(?:"|\Z))|,(?=\s*[}\]])', re.DOTALL)


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _no_number(_name: str) -> None:
    """`NaN` and `Infinity`, which JSON does not have, are nothing."""


_STRICT: Final = json.JSONDecoder(parse_int=_whole, parse_constant=_no_number)
_LENIENT: Final = json.JSONDecoder(parse_int=_whole, parse_constant=_no_number, strict=False)


def loaded(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The JSON in `body`, and what was wrong with it. Broken characters are U+FFFD.

    Raw line breaks in strings, commas before a closing bracket and text after the end are mended.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    written = body.decode(json.detect_encoding(body), "replace")
    begun = _GUARD.sub("", written, count=1).lstrip()
    try:
        return (_STRICT.raw_decode(begun)[0] if begun != written.lstrip() else _STRICT.decode(begun)), ()
    except ValueError as error:
        try:
            data, _ = _LENIENT.raw_decode(_STRING_OR_COMMA.sub(lambda found: found[1] or "", begun))
        except ValueError:
            raise error from None
        return data, (f"the document is ill-formed JSON ({error}): read all the same",)
