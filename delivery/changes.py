"""What changed in an article since it was mailed, each change with some words around it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    """The changes of the article in versions later than `mailed`; without that time, in its last version.

    Words that are part of `note`, the outlet's own announcement, are left out, because the mail quotes it.
    """
    later = [version for version in article.versions[1:] if mailed is None or version.seen_at > mailed]
    later = later if mailed else later[-1:]
    if not later:
        return Changes()
    before = article.versions[article.versions.index(later[0]) - 1]
    edits = [edit for version in later for edit in version.edits if not _is_told(edit, note)]
    found = [*_title(before, article), *(_change(edit, article) for edit in edits)]
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
        diff = [(kind, text) for kind, text in word_diff(old, new)]
        yield Change(
            "title",
            tuple(Piece(text, kind == "removed") for kind, text in diff if kind != "added"),
            tuple(Piece(text, kind == "added") for kind, text in diff if kind != "removed"),
        )


def _change(edit: Edit, article: Article) -> Change:
    head, tail = _around(edit.after, article.text)

    def side(words: str) -> tuple[Piece, ...]:
        pieces = (Piece(head, marked=False), Piece(_flat(words), marked=True), Piece(tail, marked=False))
        return tuple(piece for piece in pieces if piece.text) if words else ()

    return Change("text", side(edit.before), side(edit.after))


def _around(words: str, text: str) -> tuple[str, str]:
    """The words before and after `words` in their paragraph; none if they occur there never, or more than once."""
    if not words or text.count(words) != 1:
        return "", ""
    start = text.index(words)
    end = start + len(words)
    before = text[:start].rpartition("\n")[2]
    after = text[end:].partition("\n")[0]
    if len(before) > _CONTEXT:
        before = f"… {before[-_CONTEXT:].partition(' ')[2] or before[-_CONTEXT:]}"
    if len(after) > _CONTEXT:
        after = f"{after[:_CONTEXT].rpartition(' ')[0] or after[:_CONTEXT]} …"
    return _flat(before), _flat(after)


def _flat(text: str) -> str:
    return visible(text.replace("\n", " "))
