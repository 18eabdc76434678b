"""Folding: the form of a text in which terms are looked for, with the way back to the text as it stands.

Case, accents, the variants of dashes, quotes and spaces, full-width letters and the spellings of Arabic letters are
folded one character to one character; marks that only decorate (Arabic vowel signs and tatweel, soft hyphens,
combining accents) are dropped, and then an index leads back.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

_DASHES = "-‐‑‒–—―−﹣－־"
_QUOTES = "’‘ʼʻ`´′＇׳‛"
_SPACES = "\t\r\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200D))) + "\u202f\u205f\u3000"
_QUOTATION = '["“”„‟«»]'
_DROPPED = re.compile(
    "[\u00ad\u0640\u064b-\u0655\u0670\u0300-\u036f\u200d-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
    # Arabic papers put names in quotation marks, in the middle of the phrases that are looked for.
    f"|{_QUOTATION}(?=[\u0621-\u06ff])|(?<=[\u0621-\u06ff]){_QUOTATION}"
)
_ASCII = {**dict.fromkeys([*range(32), 127, ord("-")], " "), ord("`"): "'", ord("\n"): "\n"}
_ASCII_KEPT = "\n" + "".join(c for c in map(chr, range(32, 127)) if c not in "-`" and not c.isupper())


def _pairs(from_: str, to: str) -> dict[int, str]:
    return {ord(f): t for f, t in zip(from_, to, strict=True)}


_OWN: dict[int, str] = {
    **dict.fromkeys(map(ord, _DASHES + _SPACES), " "),
    **dict.fromkeys(map(ord, _QUOTES), "'"),
    **dict.fromkeys(map(ord, "“”„‟«»「」『』"), '"'),
    **_pairs("。．｡！？؟؛،、，：۔।॥", "...!??;,,,:..."),
    **_pairs("أإآٱىيئكةؤھہۀ", "اااایییکهوههه"),
    **_pairs("ıİłŁđĐøØßæœŒÆÐðÞþ", "iillddooseœœeddtt"),
    **_pairs("ґҐёЁѐйЙїЇўЎ", "ггеееййїїўў"),
    **_pairs("ς", "σ"),
}


class _Table(dict[int, str]):
    """Code point → folded character, worked out on first sight."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    own = _OWN.get(ord(character))
    if own is not None:
        return own
    if character in _ASCII_KEPT:
        return character
    bare = unicodedata.normalize("NFKD", character)[0]
    if unicodedata.combining(bare) or not character.isalnum():
        return " "
    plain = bare if bare.isascii() or "\u0370" <= bare <= "\u03ff" else unicodedata.normalize("NFKC", character)
    lower = plain.lower()
    return lower if len(lower) == 1 else character


_TABLE = _Table()
_FOREIGN = re.compile("[^\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text that knows where each of its characters stood."""

    text: str
    dropped: tuple[int, ...] = ()
    """Where, in `text`, characters of the original were left out: a position per character, ascending."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that `start:end` of the folded text came from."""
        if not self.dropped:
            return start, end
        return start + bisect_right(self.dropped, start), end + bisect_left(self.dropped, end)


def fold(text: str) -> Folded:
    """`text` folded."""
    if text.isascii():
        return Folded(text.lower().translate(_ASCII))
    dropped = tuple(found.start() - n for n, found in enumerate(_DROPPED.finditer(text)))
    if dropped:
        text = _DROPPED.sub("", text)
    # Two roads to the same result: run by run is faster in a mostly Latin text, character by character in others.
    if len(text.encode("utf-8", "surrogatepass")) > 1.2 * len(text):
        return Folded(text.translate(_TABLE), dropped)
    return Folded(_FOREIGN.sub(lambda run: run[0].translate(_TABLE), text).lower().translate(_ASCII), dropped)
