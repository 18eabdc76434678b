"""Sentences: splits a folded text into sentences and detects those that an article repeats.

The same rules work for all scripts, because folding maps the full stops of Chinese, Japanese, Urdu and Hindi to one. A
headline or a paragraph ends with its line, unless the lines were broken at a fixed width (`unwrapped`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from newswatch.scripts import KANA_AND_HAN
from transforms.fold import folded

_END = re.compile(
    rf"""[\n.!?](?:
      (?<=\n)\n*+
    | (?<=[.!?])(?<![.!?]{{2}})[.!?]*+["')\]]*+(?:[ ]+|\n+|(?=[\u2e80-\ud7ff]))
    | (?<=[\u2e80-\u303f\u3100-\u33ff{KANA_AND_HAN}][.!?])[.!?]*+["')\]]*+
    )""",
    re.VERBOSE,
)
"""After Chinese and Japanese a full stop needs no blank, whatever follows: a sentence may begin with NATO.
A row of marks is read once, from its first on: read from each of them, a hundred thousand would take minutes. The whole
begins with one set of characters, for which Python scans a text in a seventh of the time."""
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:\d{1,2}|[^\W\d_]|[^\W\d_aeiouyаеиоуыэюяіїєα-ω\u0590-\ud7ff]{2,4})\Z")
"""What precedes a full stop inside a sentence: an initial (J.), an ordinal (36.), a word without vowels (Dr.)."""
WRAPPED_WIDTHS = range(40, 101)
"""Lengths of the longest line of a text whose lines a program broke at a fixed width, as agencies and mails did."""
WRAPPED_BREAKS = 3
"""Minimum line breaks that such a width explains, …"""
WRAPPED_SHARE = 0.6
"""… and minimum share of all breaks within paragraphs."""
LOWER_SHARE = 1 / 3
"""Minimum share of these breaks that go on in lower case: a list of headlines of one length does not."""
_WORD_CHARS = 25
"""Maximum letters of a word; more in one piece is a line of Chinese or Japanese."""
CUT = 15
"""Minimum letters of a truncated sentence that is recognised as the beginning of another."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each sentence of the folded `text`, including the marks and blanks after it; without gaps."""
    begin = 0
    for stop in _END.finditer(text):
        if stop[0][0] == "." and _ABBREVIATED.search(text, max(0, begin - 1, stop.start() - 6), stop.start()):
            continue
        yield begin, stop.end()
        begin = stop.end()
    if begin < len(text):
        yield begin, len(text)


def places(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each sentence of a text that is not folded, but `unwrapped`; without gaps."""
    plain = folded(text)
    return (plain.original(*span) for span in spans(plain.text))


def unwrapped(text: str) -> str:
    """`text` with a blank for each line break that only a fixed width made; every character keeps its place.

    A width made a break if the next line's first word would not have fitted before it. Where it made most of a text's
    breaks, it also made those before a line that goes on in lower case. A blank line, and an indented one, begin a
    paragraph.
    """
    if text.count("\n") < WRAPPED_BREAKS:
        return text
    lines = text.split("\n")
    width = max(map(len, lines))
    if width not in WRAPPED_WIDTHS:
        return text
    breaks = [_Break(n, line, after) for n, (line, after) in enumerate(pairwise(lines)) if _goes_on(line, after)]
    full = [b for b in breaks if b.made_by(width)]
    if len(full) < max(WRAPPED_BREAKS, WRAPPED_SHARE * len(breaks)):
        return text
    if sum(b.goes_on_lower for b in full) < LOWER_SHARE * len(full):
        return text
    soft = {b.number for b in full} | {b.number for b in breaks if b.goes_on_lower}
    return "".join(f"{line}{' ' if n in soft else chr(10)}" for n, line in enumerate(lines))[:-1]


class _Break(NamedTuple):
    number: int
    before: str
    after: str

    @property
    def goes_on_lower(self) -> bool:
        return self.after[0].islower()

    def made_by(self, width: int) -> bool:
        """Whether the next line's first word would not have fitted."""
        word = len(self.after.split(None, 1)[0])
        return word <= _WORD_CHARS and len(self.before.rstrip()) + 1 + word > width


def _goes_on(line: str, after: str) -> bool:
    return bool(line.strip()) and bool(after.strip()) and not after[0].isspace()


def said_before(fields: Sequence[Sequence[str]]) -> list[list[bool]]:
    """For each sentence of each folded field (title, summary, text): whether the article repeats it elsewhere.

    A summary is often the beginning of the text, truncated anywhere, and the text may begin with the title. A field
    that is the beginning of another counts as repeated. So does the last sentence of a truncated field, if it is the
    beginning of another sentence.
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
