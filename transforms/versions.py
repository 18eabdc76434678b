"""Versions: what changed between two states of an article, and whether the outlet says it corrected itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Literal

from newswatch.article import Edit
from transforms.fold import fold

_MOST_WORDS = 2_000
"""Where more stand in changed paragraphs they are not compared: that takes time with the square of their number."""
_MOST_EDITS = 40
_REWRITTEN = 0.5
"""From this share of changed words on, a text is another one."""
NOTICE = 500
"""A correction is announced in the title, or in so many characters at either end of the text."""


class Notice(StrEnum):
    """What an outlet says about its own article."""

    CORRECTION = "correction"
    CLARIFICATION = "clarification"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between two versions of an article."""

    fields: tuple[str, ...]
    """Which of title, summary and text differ, white space aside."""
    edits: tuple[Edit, ...]
    """In the order of the fields and of the words in them."""
    notice: Notice | None
    """What the newer version announces and the older one did not."""
    share: float
    """Of the words of both texts together, how many were taken out or put in; in [0, 1]."""


_NOTICES: tuple[tuple[Notice, tuple[str, ...]], ...] = (
    (
        Notice.RETRACTION,
        (
            r"retract(?:ion|ed|s)", r"(?:story|article|report)\s+(?:has been |is |was )?withdrawn", r"kill notice",
            r"rétractation", r"article retiré", r"zurückgezogen(?:er|e)?\s+(?:artikel|bericht|meldung)",
            r"(?:artikel|bericht|meldung)[^.]{0,40}zurückgezogen", r"retractación", r"artículo retirado",
            r"ritrattazione",
            r"articolo ritirato", r"artigo retirado", r"ingetrokken", r"wycofan(?:y|o) artykuł", r"опровержение",
            r"спростування", r"سحب (?:الخبر|المقال|التقرير)", r"geri çekil(?:di|en haber)", r"撤稿", r"撤回",
        ),
    ),
    (
        Notice.CORRECTION,
        (
            r"correct(?:ion|s|ed)\s*[:;(\[—–-]", r"[(\[]\s*correct(?:s|ed|ion)\b", r"^correct(?:ion|ed)\b",
            r"this (?:article|story|report|post|piece|version)[^.]{0,60}(?:has been|was) (?:corrected|amended)",
            r"an? (?:earlier|previous|original) version of this", r"has been corrected", r"was corrected on",
            r"korrektur\b\s*[:;—–-]?", r"in einer früheren (?:version|fassung)", r"berichtigung\b", r"wurde korrigiert",
            r"rectificatif", r"correction\s*:", r"une version (?:précédente|antérieure) de", r"corrección\s*[:;—–-]",
            r"fe de erratas", r"una versión anterior de", r"rettifica\s*[:;—–-]", r"errata corrige",
            r"una versione precedente", r"correção\s*[:;—–-]", r"uma versão anterior", r"correctie\s*[:;—–-]",
            r"in een eerdere versie", r"sprostowanie", r"w poprzedniej wersji", r"rectificare\s*[:;—–-]",
            r"erată\s*[:;—–-]",
            r"διόρθωση\s*[:;—–-]", r"rättelse\s*[:;—–-]?", r"исправлен(?:о|ие)\s*[:;—–-]", r"уточнен(?:ие|о)\s*[:;—–-]",
            r"виправлен(?:о|ня)\s*[:;—–-]", r"düzeltme\s*[:;—–-]", r"تصحيح\s*[:؛—–-]", r"اصلاحیه", r"更正", r"訂正",
        ),
    ),
    (
        Notice.CLARIFICATION,
        (
            r"clarif(?:ication|ies|ied)\s*[:;(\[—–-]", r"^clarification\b", r"(?:updated|amended) to clarify",
            r"klarstellung",
            r"précision\s*:", r"mise au point\s*:", r"aclaración\s*[:;—–-]", r"precisazione\s*[:;—–-]",
            r"esclarecimento\s*[:;—–-]", r"verduidelijking\s*[:;—–-]", r"wyjaśnienie\s*[:;—–-]", r"precizare\s*[:;—–-]",
            r"διευκρίνιση\s*[:;—–-]", r"förtydligande\s*[:;—–-]", r"разъяснение\s*[:;—–-]", r"уточнення\s*[:;—–-]",
            r"açıklama\s*[:;—–-]", r"توضيح\s*[:؛—–-]", r"توضیح\s*[:؛—–-]", r"澄清\s*[::]",
        ),
    ),
)  # fmt: skip
_PATTERNS = tuple((kind, re.compile("|".join(listed), re.IGNORECASE | re.MULTILINE)) for kind, listed in _NOTICES)
_RETRACTION_OF_OTHERS = re.compile(r"(?:demand|ask|call|sue|want|refus|reject)\w*[^.]{0,40}retract", re.IGNORECASE)
_WORD = re.compile(r"\S+")


def notice(title: str, text: str) -> Notice | None:
    """What the outlet announces about the article: a retraction before a correction before a clarification."""
    places = (title, text[:NOTICE], text[-NOTICE:])
    for kind, pattern in _PATTERNS:
        for place in places:
            if pattern.search(place) and not (kind is Notice.RETRACTION and _RETRACTION_OF_OTHERS.search(place)):
                return kind
    return None


def changes(
    before: tuple[str, str, str],
    after: tuple[str, str, str],
) -> Changes:
    """The difference between two versions, each given as (title, summary, text)."""
    names: tuple[Literal["title", "summary", "text"], ...] = ("title", "summary", "text")
    pairs = list(zip(names, before, after, strict=True))
    changed = [(name, old, new) for name, old, new in pairs if old.split() != new.split()]
    edits = tuple(edit for name, old, new in changed for edit in _edits(name, old, new))
    told = notice(after[0], after[2])
    return Changes(
        fields=tuple(name for name, _, _ in changed),
        edits=edits,
        notice=told if told != notice(before[0], before[2]) else None,
        share=_share(edits, before[2], after[2]),
    )


def told_edits(before: str, after: str) -> tuple[Edit, ...]:
    """The edits between two texts that a reader can follow; none where so much differs that it is another text.

    Paragraphs are compared first: that is quick, and leaves little to compare word by word.
    """
    old, new = before.split("\n"), after.split("\n")
    parts = [op for op in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    pairs = [("\n".join(old[a:b]), "\n".join(new[c:d])) for _, a, b, c, d in parts]
    if sum(len(one.split()) + len(other.split()) for one, other in pairs) > _MOST_WORDS:
        return ()
    edits = tuple(edit for one, other in pairs for edit in _edits("text", one, other))
    return edits if len(edits) <= _MOST_EDITS and _share(edits, before, after) < _REWRITTEN else ()


def _edits(field: Literal["title", "summary", "text"], old: str, new: str) -> Iterator[Edit]:
    a, b = _words(old), _words(new)
    matcher = SequenceMatcher(None, [fold(w).text for w, _, _ in a], [fold(w).text for w, _, _ in b], autojunk=False)
    for kind, a1, a2, b1, b2 in matcher.get_opcodes():
        if kind != "equal":
            yield Edit(field, _span(old, a, a1, a2), _span(new, b, b1, b2))


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]


def _span(text: str, words: list[tuple[str, int, int]], first: int, last: int) -> str:
    return text[words[first][1] : words[last - 1][2]] if last > first else ""


def _share(edits: tuple[Edit, ...], old: str, new: str) -> float:
    moved = sum(len(e.before.split()) + len(e.after.split()) for e in edits if e.field == "text")
    words = len(old.split()) + len(new.split())
    return moved / words if words else 0.0
