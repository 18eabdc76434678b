"""Sentences: where each begins and ends in a folded text, and which of them an article says for the first time.

The sentence is the unit in which an article says something. The rules hold for all scripts, as folding has made one
full stop of those of Chinese, Japanese, Urdu and Hindi. A headline or a paragraph ends with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_END = re.compile(r"\n+|[.!?]+[\"')\]]*(?: +|\n+|(?=[\u2e80-\ud7ff]))")
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:\d{1,2}|[^\W\d_]|[^\W\d_aeiouyаеиоуыэюяіїєα-ω\u0590-\ud7ff]{2,4})\Z")
"""What a full stop may follow within a sentence: an initial (J.), an ordinal (36.), a word without vowels (Dr.)."""
CUT = 15
"""A sentence that was cut off is known for the beginning of another from so many letters on."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each sentence of the folded `text`, with the marks and blanks behind it; without a gap."""
    begin = 0
    for found in _END.finditer(text):
        if found[0][0] == "." and _ABBREVIATED.search(text, max(0, begin - 1, found.start() - 6), found.start()):
            continue
        yield begin, found.end()
        begin = found.end()
    if begin < len(text):
        yield begin, len(text)


def said_before(fields: Sequence[Sequence[str]]) -> list[list[bool]]:
    """For each sentence of each field (title, summary, text, folded): does the article say it elsewhere as well?

    A summary is often the text's beginning, cut off anywhere, and the text may begin with its title. A field that is
    the beginning of another is said by that one. A sentence that is another's beginning, because its field was cut off
    in its midst, is said by that other.
    """
    letters = [["".join(filter(str.isalnum, sentence)) for sentence in field] for field in fields]
    _, summary, text = ("".join(field) for field in letters)
    whole = (False, text.startswith(summary), summary.startswith(text) and summary != text)
    seen: set[str] = set()
    repeated = [
        [True] * len(field) if begins else [_known(sentence, seen) for sentence in field]
        for field, begins in zip(letters, whole, strict=True)
    ]
    for number, field in enumerate(letters):
        if number and field and len(field[-1]) >= CUT and not repeated[number][-1]:
            others = (s for n, other in enumerate(letters) if n and n != number for s in other)
            repeated[number][-1] = any(s != field[-1] and s.startswith(field[-1]) for s in others)
    return repeated


def _known(sentence: str, seen: set[str]) -> bool:
    if sentence in seen or not sentence:
        return True
    seen.add(sentence)
    return False
