"""The names of authors in what feeds put in their place: addresses, by-lines, markup."""

from __future__ import annotations

import re
from typing import Final

from ingest import text

MAX_CHARS: Final = 1_000
"""What is longer names nobody."""
MAX_WORDS: Final = 5
"""Of one person's name, with `van der` and the like."""
_ADDRESS: Final = r"[^\s@<>()\[\],;]{1,80}@[^\s@<>()\[\],;]{1,120}"
_NAME_BEHIND: Final = re.compile(rf"(?:mailto:)?{_ADDRESS}\s*\((?P<name>[^()]+)\)\s*$")
_NAME_BEFORE: Final = re.compile(rf"(?P<name>[^<>()]*[^<>()\s])\s*[<(\[]\s*(?:mailto:)?{_ADDRESS}\s*[>)\]]\s*$")
_CDATA: Final = re.compile(r"^\s*<!\[CDATA\[(.*?)\]\]>\s*$", re.DOTALL)
_BY: Final = re.compile(
    r"^(?i:by|von|par|por|door|av|af|przez|autor(?:a|e|es|in)?|author|автор)\b\s*:?\s+(?=[^\W\d_a-zа-яё])"
)
_BETWEEN: Final = re.compile(r"\s*[;|]\s*|\s*,\s+|\s+(?:and|und|et|y|e|en|og|och|i|и|та|ve|&)\s+")


def names_in(written: str) -> tuple[str, ...]:
    """The names in one author element; an address without a name stands for itself."""
    if len(written) > MAX_CHARS:
        return ()
    cdata = _CDATA.match(written)
    plain = text.unescape(cdata[1] if cdata else written)
    named = _NAME_BEHIND.match(plain.strip()) or _NAME_BEFORE.match(plain.strip())
    line = text.one_line(text.from_markup(named["name"] if named else plain)).strip(" ,;|\"'")
    by = _BY.match(line)
    return _apart(line[by.end() :] if by else line)


def _apart(line: str) -> tuple[str, ...]:
    """Several people, where each part has the words of a name; `Roe, Jane` is one."""
    parts = [part for part in _BETWEEN.split(line) if part]
    names = all(2 <= len(part.split()) <= MAX_WORDS for part in parts)
    return tuple(parts) if names and len(parts) > 1 else (line,) if line else ()
