"""Versions: the edits between two states of an article, and the correction notice that the outlet added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Literal

from newswatch.article import Edit
from newswatch.languages import Language, gathered
from transforms.fold import fold

_MOST_WORDS = 2_000
"""Maximum words in changed paragraphs. More are not compared, because the time grows with the square of the number."""
_MOST_EDITS = 40
_REWRITTEN = 0.5
"""Share of changed words from which a text counts as rewritten."""
NOTICE = 500
"""Characters at either end of the text in which a correction is searched for, besides the title."""


class NoticeKind(StrEnum):
    """What an outlet says about its own article."""

    CORRECTION = "correction"
    CLARIFICATION = "clarification"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True)
class _Sign:
    """A way in which a notice is worded, for texts in `_one_case`."""

    stem: str
    """Stands in every text that the pattern matches. To look for it takes a tenth of the time."""
    pattern: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        return self.stem in text and self.pattern.search(text) is not None


@cache
def _notices() -> tuple[tuple[NoticeKind, tuple[_Sign, ...]], ...]:
    return (
        (NoticeKind.RETRACTION, _signs(lambda language: language.notices.retraction)),
        (NoticeKind.CORRECTION, _signs(lambda language: language.notices.correction)),
        (NoticeKind.CLARIFICATION, _signs(lambda language: language.notices.clarification)),
    )


@cache
def _retraction_of_others() -> tuple[_Sign, ...]:
    return _signs(lambda language: language.notices.of_others)


def _signs(part: Callable[[Language], Iterable[str]]) -> tuple[_Sign, ...]:
    patterns = [_LETTER.sub(lambda letter: _one_case(letter[0]), pattern) for pattern in gathered(part)]
    return tuple(_Sign(stem_of(pattern), re.compile(pattern, re.MULTILINE)) for pattern in patterns)


_LETTER = re.compile(r"(?<!\\)\w")
_OFTEN = r"\{[^}]*\}"
_TIMES = rf"(?:(?:[?*+]|{_OFTEN})[?+]?)?"
"""How often, and whether as seldom (`+?`) or as often (`++`) as may be."""
_CLASS = re.compile(rf"\[\^?\]?(?:\\.|[^\]\\])*\]{_TIMES}")
_ESCAPE = re.compile(rf"\\.{_TIMES}")
_GROUP = re.compile(rf"\([^()]*\){_TIMES}")
_ONE = re.compile(rf".(?:[?*]|{_OFTEN})[?+]?|\+[?+]?|[.^$]")


def stem_of(pattern: str) -> str:
    """The longest text that stands in all that a regular expression matches; empty if it is not plain which. Pure."""
    left = _ESCAPE.sub("\n", _CLASS.sub("\n", pattern))
    while _GROUP.search(left):
        left = _GROUP.sub("\n", left)
    return "" if "|" in left else max(_ONE.sub("\n", left).split("\n"), key=len)


def _one_case(text: str) -> str:
    """The text in small letters; what `re.IGNORECASE` takes for the same letter and `str.lower` does not, alike."""
    return text.lower().replace("ı", "i").replace("ς", "σ").replace("ſ", "s").replace("\u0307", "")


_WORD = re.compile(r"\s*(?:\w+(?:[^\w\s]+\w+)*|[^\w\s])")
"""A word including inner punctuation (5,000, l'OTAN), or a single sign, with the blanks before it."""
DiffKind = Literal["same", "added", "removed"]


def notice(title: str, text: str) -> NoticeKind | None:
    """The gravest notice in the article (retraction, correction, clarification); None if there is none."""
    places = tuple(map(_one_case, (title, text[:NOTICE], text[-NOTICE:])))
    for kind, signs in _notices():
        for place in places:
            if not any(sign.is_in(place) for sign in signs):
                continue
            if kind is not NoticeKind.RETRACTION or not any(sign.is_in(place) for sign in _retraction_of_others()):
                return kind
    return None


def readable_edits(before: str, after: str) -> tuple[Edit, ...]:
    """The edits between two texts; none if they differ too much for a reader to follow.

    Paragraphs are compared first, which is quick and leaves few words to compare.
    """
    old, new = before.split("\n"), after.split("\n")
    parts = [op for op in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    pairs = [("\n".join(old[a:b]), "\n".join(new[c:d])) for _, a, b, c, d in parts]
    if sum(len(one.split()) + len(other.split()) for one, other in pairs) > _MOST_WORDS:
        return ()
    edits = tuple(edit for one, other in pairs for edit in _edits(one, other))
    return edits if len(edits) <= _MOST_EDITS and _share(edits, before, after) < _REWRITTEN else ()


def _edits(before: str, after: str) -> Iterator[Edit]:
    for is_same, old, new in _aligned(before, after, lambda word: fold(word).text):
        if not is_same:
            yield Edit("text", old.strip(), new.strip())


def _share(edits: tuple[Edit, ...], old: str, new: str) -> float:
    """Removed and added words divided by all words of both texts, in [0, 1]."""
    moved = sum(len(e.before.split()) + len(e.after.split()) for e in edits)
    words = len(old.split()) + len(new.split())
    return moved / words if words else 0.0


def word_diff(before: str, after: str) -> tuple[tuple[DiffKind, str], ...]:
    """Both texts merged word by word into unchanged, removed and added pieces."""
    pieces: list[tuple[DiffKind, str]] = []
    for is_same, old, new in _aligned(before, after, str):
        if is_same:
            pieces.append(("same", new))
            continue
        blanks = new[: len(new) - len(new.lstrip())] if old[:1].isspace() else ""
        pieces += [("same", blanks), ("removed", old.lstrip() if blanks else old), ("added", new[len(blanks) :])]
    runs = groupby(((kind, text) for kind, text in pieces if text), key=itemgetter(0))
    return tuple((kind, "".join(text for _, text in run)) for kind, run in runs)


def _aligned(before: str, after: str, alike: Callable[[str], str]) -> Iterator[tuple[bool, str, str]]:
    """Aligned pieces of the two texts: whether their words are equal under `alike`, the old piece, the new piece."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    keys = [[alike(word.strip()) for word in words] for words in (old, new)]
    for kind, a, b, c, d in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        yield kind == "equal", "".join(old[a:b]), "".join(new[c:d])
