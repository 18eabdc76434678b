"""Extracts the names of authors from what feeds put in author elements: addresses, by-lines, markup."""

from __future__ import annotations

import re
from typing import Final

from ingest import text

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
_BY: Final = re.compile(
    r"^(?i:by|(?:written|reporting) by|von|par|por|door|av|af|przez|autor(?:a|e|es|in)?|author|автор|текст|text|oleh"
    r"|írta|بقلم|نوشته|작성자|文|撰文)\b(?:\s*[:：/]\s*|\s+)(?=[^\W\d_a-zа-яё])"
)
_BETWEEN: Final = re.compile(r"\s*[;|·•、，،؛\n]\s*|\s*,\s*")
_AND: Final = re.compile(
    r"\s+(?:&|and|und|et|y|e|en|og|och|i|a|és|ja|și|și|ir|un|dhe|dan|và|ve|и|й|і|та|και|و|اور|और)\s+"
)
# fmt: off
_OF_NAMES: Final = frozenset(
    {
        "abu", "af", "al", "av", "bin", "bint", "d", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
        "du", "e", "el", "ibn", "la", "las", "le", "los", "ten", "ter", "van", "von", "y", "zu", "zum", "zur",
    }
)
# fmt: on
"""Lower-case words within people's names; any other, as in `Ministry of Defence`, means that it is not a person."""
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,8}")
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
    line = text.one_line(text.from_markup(markup)).strip(" ,;|·\"'").removeprefix("mailto:")
    by = _BY.match(line)
    line = line[by.end() :] if by else line
    return () if _NOBODY.fullmatch(line) else _apart(line)


def _apart(line: str) -> tuple[str, ...]:
    """Several people, if each part looks like a name; `Roe, Jane` is one person."""
    parts = [part for part in _BETWEEN.split(line) if part]
    people = [name for part in parts for name in _AND.split(part)]
    for names in (people, parts):
        if len(names) > 1 and all(map(_is_name, names)):
            return tuple(names)
    return (line,) if line else ()


def _is_name(part: str) -> bool:
    words = part.split()
    if len(words) == 1:
        return _UNSPACED.fullmatch(part) is not None
    small = (word for word in words if word.isalpha() and word.islower())
    return len(words) <= MAX_WORDS and all(word in _OF_NAMES for word in small)
