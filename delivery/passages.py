"""Passages of an article in a message: cut around what matched, and recognised when they come again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from wcwidth import width

from delivery.message import Piece, StoryView
from delivery.words import visible

_BEFORE: Final = 0.3
"""Share of the columns that stand before the first marked words."""
_SAME: Final = 30
"""Minimum columns of a text that counts as repeated because another one contains it."""


def pieces_of(text: str, marks: Iterable[tuple[int, int]]) -> tuple[Piece, ...]:
    """The text on one line in pieces, without invisible characters; the spans in `marks`, in order, are marked."""
    found, position = [], 0
    for start, end in (*marks, (len(text), len(text))):
        found += [Piece(_shown(text[position:start]), marked=False), Piece(_shown(text[start:end]), marked=True)]
        position = end
    return tuple(piece for piece in found if piece.text)


def _shown(text: str) -> str:
    return visible(text.replace("\n", " "))


def text_of(pieces: Sequence[Piece]) -> str:
    """The text of all pieces."""
    return "".join(piece.text for piece in pieces)


def clipped(pieces: Sequence[Piece], columns: int) -> tuple[Piece, ...]:
    """The pieces in about `columns` columns of text, cut around the first marked one; cuts show as "…"."""
    text, start = text_of(pieces), 0
    if width(text) <= columns:
        return tuple(pieces)
    first = _first_mark(pieces)
    if width(text[:first]) > columns * _BEFORE:
        # As much as may stand before the mark; more if what comes after it is short.
        wanted = first - len(_head(text[:first][::-1], int(columns * _BEFORE)))
        start = _word_start(text, min(wanted, len(text) - len(_head(text[::-1], columns))), first)
    end = _word_end(text, start, start + len(_head(text[start:], columns)))
    cut = list(_between(pieces, start, end))
    before = [Piece("… ", marked=False)] if start else []
    after = [Piece(" …", marked=False)] if end < len(text) else []
    return (*before, *cut, *after)


def _first_mark(pieces: Sequence[Piece]) -> int:
    """The offset of the first marked piece; 0 if there is none."""
    position = 0
    for piece in pieces:
        if piece.marked:
            return position
        position += len(piece.text)
    return 0


def _head(text: str, columns: int) -> str:
    """The longest beginning of `text` that fits into `columns`."""
    taken = 0
    for position, character in enumerate(text):
        taken += max(width(character), 0)
        if taken > columns:
            return text[:position]
    return text


def _word_start(text: str, start: int, most: int) -> int:
    """The start of the next word from `start` on, before `most`; `start` itself where there are no blanks."""
    blank = text.find(" ", start, most)
    return blank + 1 if start and blank >= 0 else start


def _word_end(text: str, start: int, end: int) -> int:
    """The end of the last whole word before `end`; `end` itself where there are no blanks nearby."""
    if end == len(text) or text[end] == " ":
        return end
    blank = text.rfind(" ", start, end)
    return blank if end - blank <= _SAME and blank > start else end


def _between(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    position = 0
    for piece in pieces:
        text = piece.text[max(start - position, 0) : max(end - position, 0)]
        if text:
            yield Piece(text, piece.marked)
        position += len(piece.text)


def repeats(text: str, known: str) -> bool:
    """Whether `text` says nothing beyond `known`: equal words, or a long part of them.

    Case, blanks, "…" and a last full stop don't count.
    """
    one, other = _folded(text), _folded(known)
    return one == other or (width(one) >= _SAME and one in other)


def _folded(text: str) -> str:
    return " ".join(text.replace("…", " ").casefold().split()).rstrip(".。 ")


def told_once(stories: Sequence[StoryView]) -> tuple[StoryView, ...]:
    """The stories without passages that an earlier story of the message has shown, as copies of a wire report do."""
    shown: list[str] = []
    kept = []
    for story in stories:
        fresh = tuple(quote for quote in story.quotes if not _repeats(quote.text, shown))
        lead = "" if _repeats(story.about.lead, shown) else story.about.lead
        shown += [*(quote.text for quote in fresh), *([lead] if lead else [])]
        kept.append(replace(story, quotes=fresh, about=replace(story.about, lead=lead)))
    return tuple(kept)


def _repeats(text: str, shown: Sequence[str]) -> bool:
    return any(repeats(text, earlier) for earlier in shown)
