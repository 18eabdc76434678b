"""Passages of an article in a message: cut around what matched, and recognised when they come again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from wcwidth import width

from delivery.message import Piece, StoryView
from delivery.words import visible
from transforms.sentences import spans

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
    """The stories without sentences that the message has shown before, as copies of a wire report have them."""
    shown = _Shown()
    return tuple(_told_once(story, shown) for story in stories)


def _told_once(story: StoryView, shown: _Shown) -> StoryView:
    said = tuple(one for one in story.said if shown.fresh(one.pieces))
    news = [(one, tuple(filter(None, map(shown.fresh, one.sentences)))) for one in story.news]
    left = tuple(replace(one, sentences=fresh) for one, fresh in news if fresh or one.more or not one.sentences)
    quotes = tuple(replace(quote, pieces=pieces) for quote in story.quotes if (pieces := shown.fresh(quote.pieces)))
    lead = text_of(shown.fresh((Piece(story.about.lead, marked=False),)))
    return replace(story, said=said, news=left, quotes=quotes, about=replace(story.about, lead=lead))


class _Shown:
    """The passages that a message shows."""

    def __init__(self) -> None:
        self._folded: list[str] = []

    def fresh(self, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
        """The passage without sentences that stand in one before; from now on it is shown.

        Short sentences are kept, since they say something else elsewhere.
        """
        text = text_of(pieces)
        if self._has(text):
            return ()
        parts = list(spans(text))
        kept = [part for part in parts if not self._has(text[slice(*part)])]
        self._folded.append(_folded(text))
        if len(kept) == len(parts):
            return tuple(pieces)
        left = tuple(piece for part in kept for piece in _between(pieces, *part))
        return left if any(map(str.isalnum, text_of(left))) else ()

    def _has(self, text: str) -> bool:
        folded = _folded(text)
        return width(folded) >= _SAME and any(folded in earlier for earlier in self._folded)
