"""Extracts the names of authors from what feeds put in author elements: addresses, by-lines, markup."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ingest import text
from newswatch.languages import alternatives, gathered
from newswatch.plain_text import one_line
from newswatch.scripts import EAST_ASIAN

MAX_CHARS: Final = 1_000
"""A longer text is not a name."""
MAX_WORDS: Final = 5
"""Maximum words in one person's name, including `van der` and the like."""
_ADDRESS: Final = r"[^\s@<>()\[\],;]{1,80}@[^\s@<>()\[\],;]{1,120}"
_NAME_BEHIND: Final = re.compile(rf"(?:mailto:)?{_ADDRESS}\s*\({{1,3}}(?P<name>[^()]+)\){{1,3}}")
_EMPTY: Final = re.compile(r"\(\s*\)")
_ADDRESS_BEHIND: Final = re.compile(rf"(?<=\S)\s*[<(\[]\s*(?:mailto:)?{_ADDRESS}\s*[>)\]]")
_ADDRESS_BARE: Final = re.compile(rf"(?:mailto:)?{_ADDRESS}\s+(?P<behind>[^\W\d_][^@]*)|(?P<before>[^@]+)\s{_ADDRESS}")
"""A name beside an address without brackets. Two addresses are two people without names."""
_NOBODY: Final = re.compile(
    r"(?:https?://|www\.)\S*|[\W\d_]*(?:null|none|undefined|n/?a|object object|author|author_?name)?[\W\d_]*",
    re.IGNORECASE,
)
"""Placeholders where no name was given: an address, a number, an empty template field."""
_CDATA: Final = re.compile(r"^\s*<!\[CDATA\[(.*?)\]\]>\s*$", re.DOTALL)


@cache
def _by() -> re.Pattern[str]:
    before = alternatives(lambda language: language.authors.by)
    return re.compile(rf"^(?i:{before})\b(?:\s*[:：/]\s*|\s+)(?=[^\W\d_a-zа-яё])")


_BETWEEN: Final = re.compile(r"\s*[;|·•、，،؛\n]\s*|\s*,\s*")


@cache
def _and() -> re.Pattern[str]:
    words = "|".join(map(re.escape, gathered(lambda language: language.authors.joined_by)))
    return re.compile(rf"\s+(?:&|{words})\s+")


@cache
def _particles() -> frozenset[str]:
    """Lower-case words within people's names; any other, as in `Ministry of Defence`, means that it is not a person."""
    return frozenset(gathered(lambda language: language.authors.particles))


_UNSPACED: Final = re.compile(f"[{EAST_ASIAN}]{{2,8}}")
"""A name in a script without spaces."""


def names_in(written: str) -> tuple[str, ...]:
    """The names in one author element of a feed or a page; a mail address without a name is returned as it is."""
    if len(written) > MAX_CHARS:
        return ()
    cdata = _CDATA.match(written)
    plain = _EMPTY.sub("", text.unescape(cdata[1] if cdata else written)).strip()
    plain = _ADDRESS_BEHIND.sub("", _NAME_BEHIND.sub(r"\g<name>", plain))
    if bare := _ADDRESS_BARE.fullmatch(plain):
        plain = bare["behind"] or bare["before"]
    markup = plain if "<" in plain else plain.replace("\n", " · ")  # in HTML a line break is only a blank
    line = one_line(text.from_markup(markup)).strip(" ,;|·\"'").removeprefix("mailto:")
    by = _by().match(line)
    line = line[by.end() :] if by else line
    return () if _NOBODY.fullmatch(line) else _apart(line)


def _apart(line: str) -> tuple[str, ...]:
    """Several people, if each part looks like a name; `Roe, Jane` is one person."""
    parts = [part for part in _BETWEEN.split(line) if part]
    people = [name for part in parts for name in _and().split(part)]
    for names in (people, parts):
        if len(names) > 1 and all(map(_is_name, names)):
            return tuple(names)
    return (line,) if line else ()


def _is_name(part: str) -> bool:
    words = part.split()
    if len(words) == 1:
        return _UNSPACED.fullmatch(part) is not None
    small = (word for word in words if word.isalpha() and word.islower())
    return len(words) <= MAX_WORDS and all(word in _particles() for word in small)
