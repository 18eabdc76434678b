"""Wraps plain text by the columns that it takes on a screen, in any script. Pure.

`textwrap` counts characters and breaks at blanks. A line of Japanese has neither one column per character nor a blank.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from wcwidth import iter_graphemes, width

COLUMNS: Final = 76
"""RFC 3676 section 4.2 asks for 78 at most, and a quoting reply puts "> " before the line."""
_STAYS_BEHIND: Final = frozenset(("Pe", "Pf", "Po", "Lm", "Mn", "Mc", "Me"))
"""Categories of signs that never begin a line: closing brackets and quotes, full stops, iteration marks."""
_STAYS_BEFORE: Final = frozenset(("Ps", "Pi"))
"""Categories of signs that never end a line: opening brackets and quotes."""


def wrapped(text: str, indent: str = "", columns: int = COLUMNS) -> str:
    """The text, white space folded, in lines of at most `columns` columns, each after `indent`.

    Lines break at blanks, and between the characters of Chinese and Japanese except where the rules of those languages
    forbid it (the common core of UAX 14 and JIS X 4051). A word that is longer than a line is cut between graphemes.
    """
    return "\n".join(indent + line for line in _lines(text, columns - width(indent)))


def _lines(text: str, columns: int) -> Iterator[str]:
    line, used = "", 0
    for unit in _units(text, columns):
        taken = width(unit.rstrip(" "))
        if line and used + taken > columns:
            yield line.rstrip(" ")
            line, used = "", 0
        line, used = line + unit, used + width(unit)
    if line:
        yield line.rstrip(" ")


def _units(text: str, columns: int) -> Iterator[str]:
    """Pieces between which a line may break; the blank after a word belongs to its last piece."""
    for word in text.split():
        pieces = [word] if word.isascii() and len(word) <= columns else list(_pieces(word, columns))
        yield from pieces[:-1]
        yield f"{pieces[-1]} "


def _pieces(word: str, columns: int) -> Iterator[str]:
    piece = ""
    for grapheme in iter_graphemes(word):
        if piece and (_may_part(piece[-1], grapheme[0]) or width(piece + grapheme) > columns):
            yield piece
            piece = ""
        piece += grapheme
    yield piece


def _may_part(before: str, after: str) -> bool:
    return (_is_ideographic(before) or _is_ideographic(after)) and not (_ends_no_line(before) or _begins_no_line(after))


@lru_cache(4_096)
def _is_ideographic(character: str) -> bool:
    """Whether it is written without blanks between words. Hangul is as wide, but has blanks."""
    return width(character) == 2 and not unicodedata.name(character, "").startswith("HANGUL")


@lru_cache(4_096)
def _begins_no_line(character: str) -> bool:
    return unicodedata.category(character) in _STAYS_BEHIND or " LETTER SMALL " in unicodedata.name(character, "")


@lru_cache(4_096)
def _ends_no_line(character: str) -> bool:
    return unicodedata.category(character) in _STAYS_BEFORE
