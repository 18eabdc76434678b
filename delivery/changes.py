"""What changed in an article since it was mailed, each change with some words around it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from delivery.message import Change, Piece
from delivery.words import one_line, visible
from newswatch.article import Article, Edit, Version
from transforms.versions import word_diff

SHOWN: Final = 6
"""Changes shown in a mail; the others are counted."""
_CONTEXT: Final = 70
"""Maximum characters shown on either side of a change."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed: the changes that are shown, and a sentence on those that can't be."""

    shown: tuple[Change, ...] = ()
    rest: str = ""
    """Empty if all are shown."""


def changes_since(article: Article, mailed: datetime | None, note: str) -> Changes:
    """The changes of the article in versions later than `mailed`; without such versions, in its last one.

    A version may have been read before the mail and stored after it. Words that are part of `note`, the outlet's own
    announcement, are left out, because the mail quotes it.
    """
    edited = article.versions[1:]
    later = [version for version in edited if mailed and version.seen_at > mailed] or edited[-1:]
    if not later:
        return Changes()
    before = article.versions[article.versions.index(later[0]) - 1]
    edits = [edit for version in later for edit in version.edits if not _is_told(edit, note)]
    found = [*_title(before, article), *_in_text(edits, article.text)]
    return Changes(tuple(found[:SHOWN]), " ".join(_rest(later, len(found) - SHOWN)))


def _rest(later: Sequence[Version], more: int) -> Iterator[str]:
    if more > 0:
        yield f"{more} more {'change' if more == 1 else 'changes'} in the text."
    if any("text" in version.changed and not version.edits for version in later):
        yield "Much of the text was rewritten."


def _is_told(edit: Edit, note: str) -> bool:
    added = one_line(edit.after)
    return not edit.before and bool(added) and added in one_line(note)


def _title(before: Version, article: Article) -> Iterator[Change]:
    old, new = one_line(before.title), one_line(article.title)
    if old != new:
        diff = word_diff(old, new)
        yield Change(
            "title",
            tuple(Piece(text, kind == "removed") for kind, text in diff if kind != "added"),
            tuple(Piece(text, kind == "added") for kind, text in diff if kind != "removed"),
        )


def _in_text(edits: Sequence[Edit], text: str) -> Iterator[Change]:
    """The edits, those that stand near each other as one change; those that can't be found in `text` alone."""
    where = ((text.index(e.after), e) for e in edits if e.after and text.count(e.after) == 1)
    placed = sorted(where, key=itemgetter(0))
    group: list[tuple[int, Edit]] = []
    for start, edit in placed:
        if group and not _is_near(_end(group[-1]), start, text):
            yield _placed(group, text)
            group = []
        group.append((start, edit))
    if group:
        yield _placed(group, text)
    found = [edit for _, edit in placed]
    for edit in edits:
        if edit not in found:
            yield Change("text", _marked(edit.before), _marked(edit.after))


def _is_near(end: int, start: int, text: str) -> bool:
    return start - end <= _CONTEXT and "\n" not in text[end:start]


def _end(placed: tuple[int, Edit]) -> int:
    start, edit = placed
    return start + len(edit.after)


def _placed(group: Sequence[tuple[int, Edit]], text: str) -> Change:
    """The edits with the words before, between and after them."""
    start, end = group[0][0], _end(group[-1])
    before, after = [*_plain(_head(text[:start]))], [*_plain(_head(text[:start]))]
    position = start
    for at, edit in group:
        between = _plain(text[position:at])
        before += [*between, *_marked(edit.before)]
        after += [*between, *_marked(edit.after)]
        position = at + len(edit.after)
    tail = _plain(_tail(text[end:]))
    is_new = len(group) == 1 and not group[0][1].before
    return Change("text", () if is_new else (*before, *tail), (*after, *tail))


def _head(text: str) -> str:
    """The last words of the paragraph that `text` ends in."""
    line = text.rpartition("\n")[2]
    if len(line) <= _CONTEXT:
        return line
    return f"… {line[-_CONTEXT:].partition(' ')[2] or line[-_CONTEXT:]}"


def _tail(text: str) -> str:
    """The first words of the paragraph that `text` begins with."""
    line = text.partition("\n")[0]
    if len(line) <= _CONTEXT:
        return line
    return f"{line[:_CONTEXT].rpartition(' ')[0] or line[:_CONTEXT]} …"


def _plain(text: str) -> tuple[Piece, ...]:
    return (Piece(_flat(text), marked=False),) if text else ()


def _marked(text: str) -> tuple[Piece, ...]:
    return (Piece(_flat(text), marked=True),) if text else ()


def _flat(text: str) -> str:
    return visible(text.replace("\n", " "))
