"""The PDF of a briefing: every story with its sentences, set by Typst, which shapes Arabic and breaks Chinese lines.

Letters that no font of this machine has are replaced and counted, since a PDF would show empty boxes in their place.
Typst's own fonts have Latin, Greek, Cyrillic and Hebrew letters; other scripts need fonts of the system.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from delivery.message import Attachment, Message, Piece, StoryList, StoryView
from delivery.words import when

# Typst and fontTools are imported where they are used: they take a tenth of the time in which a task starts, and most
# tasks make no PDF.
if TYPE_CHECKING:
    import typst

_OWN: Final = re.compile(
    "[\u0000-\u024f\u0370-\u03e1\u0400-\u04ff\u05d0-\u05ea\u1e00-\u1fff\u2000-\u206f\u20ac\u2190-\u2193]"
)
"""What Typst's own fonts have."""
MOST_BYTES: Final = 5_000_000
"""Maximum size of a PDF. Above it, it goes without the tags for screen readers, which are half of it, or not at all."""
_UNDRAWN: Final = "□"
"""In place of a letter that no font has; Typst's own fonts have it."""
_MOST_UNDRAWN: Final = 0.2
"""Share of letters without a font from which a text is replaced as a whole."""
_LANGUAGE: Final = re.compile("[a-z]{2,3}")
_UNWANTED: Final = re.compile(r"[\x00-\x1f\x7f]")


def briefing_pdf(message: Message, has_glyph: Callable[[str], bool] | None = None) -> Attachment:
    """The PDF of the message's stories; `has_glyph` says whether a font has a character, by default those here.

    Raises:
        RuntimeError: Typst can't set it, or it is larger than `MOST_BYTES`.
    """
    body = message.body
    assert isinstance(body, StoryList)
    drawn = _Drawn(has_glyph or _has_glyph)
    data = _data(message, body, drawn) | {"undrawn": drawn.told()}
    content = _typeset(json.dumps(data, ensure_ascii=False), message)
    return Attachment(f"briefing-{message.at.astimezone(message.zone):%Y-%m-%d}.pdf", "application/pdf", content)


def _typeset(data: str, message: Message) -> bytes:
    import typst

    template = files("delivery").joinpath("templates/briefing.typ").read_bytes()
    for with_tags in (True, False):
        # A compiler made from bytes loses them after its first use.
        made = typst.Compiler(template, font_paths=_fonts()).compile(
            format="pdf",
            sys_inputs={"data": data},
            timestamp=int(message.at.timestamp()),
            pdf_tags=with_tags,
        )
        if isinstance(made, bytes) and len(made) <= MOST_BYTES:
            return made
    raise RuntimeError(f"the PDF has more than {MOST_BYTES:,} bytes, which mail servers may refuse")


def _data(message: Message, body: StoryList, drawn: _Drawn) -> dict[str, Any]:
    watch = body.watch
    watched = (f"Since {watch.since}: {watch.summary}", *watch.lines) if watch else ()
    return {
        "heading": body.heading,
        "sender": drawn.text(message.sender),
        "when": when(message.at, message.zone),
        "searches": [drawn.text(search.name) for search in body.watched_by.values()],
        "changed": [drawn.text(line) for line in body.changed],
        "stories": [_story(story, drawn) for story in body.stories],
        "watched": [drawn.text(line) for line in watched],
    }


def _facts(story: StoryView) -> tuple[str, ...]:
    about = story.about
    return about.outlet, about.place, about.reliability, story.sources, story.credibility


def _story(story: StoryView, drawn: _Drawn) -> dict[str, Any]:
    return {
        "headline": drawn.text(story.headline),
        "label": story.label,
        "facts": drawn.text(" · ".join(filter(None, _facts(story)))),
        "url": story.about.url or "",
        **_language(story.about.language, story.about.direction),
        "said": [
            {
                "pieces": [{"text": piece.text, "marked": piece.marked} for piece in drawn.pieces(said.pieces)],
                "source": drawn.text(f"{said.outlet}, {said.at}"),
                "url": said.url or "",
                **_language(said.language, said.direction),
            }
            for said in story.said
        ],
        "quotes": [drawn.text(quote.text) for quote in story.quotes] if not story.said else [],
    }


def _language(code: str, direction: str) -> dict[str, str]:
    return {"lang": code if _LANGUAGE.fullmatch(code) else "en", "dir": "rtl" if direction == "rtl" else "ltr"}


@dataclass(slots=True)
class _Drawn:
    """Replaces what no font has, and counts it."""

    has_glyph: Callable[[str], bool]
    letters: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """Script → texts that were replaced as a whole."""

    def text(self, text: str) -> str:
        """The text as fonts can draw it."""
        plain = _UNWANTED.sub(" ", text)
        missing = [c for c in plain if not self._is_drawn(c)]
        if not missing:
            return plain
        if len(missing) > _MOST_UNDRAWN * len(plain):
            script = _script(missing)
            self.texts[script] += 1
            return f"[in {script} script: no font here can show it; see the mail, or the article]"
        self.letters += len(missing)
        return "".join(c if self._is_drawn(c) else _UNDRAWN for c in plain)

    def pieces(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces as fonts can draw them; one piece if the text is replaced."""
        whole = "".join(piece.text for piece in pieces)
        if sum(not self._is_drawn(c) for c in whole) > _MOST_UNDRAWN * len(whole):
            return [Piece(self.text(whole), marked=False)]
        return [Piece(self.text(piece.text), piece.marked) for piece in pieces]

    def told(self) -> list[str]:
        """A sentence on each thing that was replaced; none if nothing was."""
        told = [
            f"{count} {'text' if count == 1 else 'texts'} in {script} script could not be shown, for want of a font on "
            "the server. The mail has them."
            for script, count in sorted(self.texts.items())
        ]
        if self.letters:
            one = self.letters == 1
            told.append(f"{self.letters} {'character' if one else 'characters'} without a font here: {_UNDRAWN}.")
        return told

    def _is_drawn(self, character: str) -> bool:
        return bool(_OWN.match(character)) or not character.isprintable() or self.has_glyph(character)


def _script(characters: Iterable[str]) -> str:
    """The script of most of the characters, by its name in Unicode: "Arabic"; "CJK" for Chinese."""
    names = Counter(unicodedata.name(c, "unknown").split()[0] for c in characters)
    name = names.most_common(1)[0][0]
    return name if name == "CJK" else name.title()


# ── fonts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _fonts() -> typst.Fonts:
    """Those of the system and Typst's own, looked for once in a process."""
    import typst

    return typst.Fonts()


@cache
def _has_glyph(character: str) -> bool:
    return any(ord(character) in _letters(path, index) for path, index in _files())


@cache
def _files() -> tuple[tuple[str, int], ...]:
    """The font files of the system, each once: regular faces first, since they have most letters."""
    fonts = sorted(_fonts().fonts(), key=lambda font: (font.style != "normal", abs(font.weight - 400)))
    return tuple(dict.fromkeys((font.path, font.index) for font in fonts if font.path))


@cache
def _letters(path: str, index: int) -> frozenset[int]:
    """The characters that a font has; none if it can't be read."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError, ValueError):
        return frozenset()
