"""Folding: normalises a text for term search and maps positions back to the original.

Case, accents, variants of dashes, quotes and spaces, full-width letters and the spellings of Arabic letters are folded
character by character. Marks that carry no meaning (Arabic vowel signs and tatweel, soft hyphens, combining accents)
are dropped; an index of the dropped characters maps positions back.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache

from newswatch.scripts import SOUTH_EAST_ASIAN

_DASHES = "-‐‑‒–—―−﹣－־"
APOSTROPHES = "’‘ʼʻ`´′＇׳‛ʹ՚΄᾽᾿\uff40"
"""Apostrophes and the characters used in their place: U+02BC in Ukrainian, the geresh in Hebrew, koronis and tonos in
Greek, U+055A in Armenian."""
QUOTATION_MARKS = "“”„‟«»＂״〝〞〟❝❞「」『』"
_SPACES = "\t\r\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
ZERO_WIDTH = _ZWSP, _ZWNJ = "\u200b", "\u200c"
"""The zero-width space and non-joiner: see `PARTING`."""
IGNORED = (
    # Format characters (direction marks, soft hyphens, joiners, the byte order mark) change how a word is rendered, not
    # the word. Above U+FFFF only musical notes and tags have any.
    "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c) == "Cf" and c not in (_ZWSP, _ZWNJ))
    + "".join(map(chr, range(0xFE00, 0xFE10)))  # variation selectors
    + "".join(map(chr, range(0x0300, 0x0370)))  # combining accents: the same letters are written with and without them
    + "\u0640\u0670"
    + "".join(map(chr, range(0x064B, 0x0656)))
    # Hebrew vowel points and cantillation; the dash and the full stop among them (05BE, 05C0, 05C3, 05C6) are none.
    + "".join(c for c in map(chr, range(0x0591, 0x05C8)) if unicodedata.category(c) == "Mn")
    # Armenian stress, exclamation, question and abbreviation marks stand above a letter inside the word.
    + "\u055b\u055c\u055e\u055f"
)
"""Characters that are dropped everywhere."""
INVISIBLE = "".join(c for c in (*IGNORED, *ZERO_WIDTH) if not c.isprintable())
"""The characters of `IGNORED` and `ZERO_WIDTH` that no reader sees."""
ARABIC = "\u0620-\u064a\u066e-\u06d5"
PARTING = f"{_ZWNJ}(?<=[{ARABIC}]{_ZWNJ})(?=[{ARABIC}])|{_ZWSP}(?<=[{SOUTH_EAST_ASIAN}]{_ZWSP})(?=[{SOUTH_EAST_ASIAN}])"
"""Invisible characters that separate words, as a regular expression for both Python and Java. The zero-width non-joiner
separates words in Persian, Urdu and Kurdish (می‌خواهد is also written with a space); in Hindi it only changes how
letters are drawn. The zero-width space separates words in Thai, Lao, Burmese and Khmer; elsewhere it only allows a
line break inside a word."""
HEBREW = "\u05d0-\u05ea"
_MARK = f"[\"'{re.escape(APOSTROPHES + QUOTATION_MARKS)}]"
AMID_HEBREW = f"{_MARK}(?:(?<=[{HEBREW}]{_MARK})(?={_MARK}?[{HEBREW}])|(?<=[{HEBREW}]{_MARK}{_MARK})(?=[{HEBREW}]))"
"""Geresh and gershayim inside a Hebrew word, in all their spellings (נאט״ו, נאט"ו, נאט''ו), as a regular expression for
both Python and Java. They mark an acronym or a foreign sound and are often omitted."""
_QUOTATION = '["“”„‟«»]'
_DROPPED = re.compile(
    f"[{re.escape(IGNORED)}]|{_ZWSP}(?!(?<=[{SOUTH_EAST_ASIAN}]{_ZWSP})[{SOUTH_EAST_ASIAN}])"
    f"|{_ZWNJ}(?!(?<=[{ARABIC}]{_ZWNJ})[{ARABIC}])|{AMID_HEBREW}"
    # Arabic papers put names in quotation marks, inside the phrases that terms consist of.
    f"|{_QUOTATION}(?=[\u0621-\u06ff])|(?<=[\u0621-\u06ff]){_QUOTATION}"
)
_MAY_DROP = re.compile(f"[{re.escape(IGNORED)}{_ZWSP}{_ZWNJ}{HEBREW}\u0621-\u06ff]")
"""A text without these loses nothing by `_DROPPED`; they are looked for ten times as fast."""
_ASCII = {**dict.fromkeys([*range(32), 127, ord("-")], " "), ord("`"): "'", ord("\n"): "\n"}
_ASCII_KEPT = "\n" + "".join(c for c in map(chr, range(32, 127)) if c not in "-`" and not c.isupper())


def _pairs(from_: str, to: str) -> dict[int, str]:
    return {ord(f): t for f, t in zip(from_, to, strict=True)}


_OWN: dict[int, str] = {
    **dict.fromkeys(map(ord, _DASHES + _SPACES + _ZWSP + _ZWNJ), " "),
    **dict.fromkeys(map(ord, APOSTROPHES), "'"),
    **dict.fromkeys(map(ord, QUOTATION_MARKS), '"'),
    **_pairs("。．｡！？؟؛،、，：۔।॥", "...!??;,,,:..."),
    **_pairs("أإآٱىيئكةؤھہۀ", "اااایییکهوههه"),
    **_pairs("ıİłŁđĐøØßæœŒÆÐðÞþ", "iillddooseœœeddtt"),
    **_pairs("ґҐёЁѐйЙїЇўЎ", "ггеееййїїўў"),
    **_pairs("ς", "σ"),
}


class _Table(dict[int, str]):
    """Code point → folded character, computed on first use."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    own = _OWN.get(ord(character))
    if own is not None:
        return own
    if character in _ASCII_KEPT:
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
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
    """A folded text that maps its positions back to the original."""

    text: str
    dropped: tuple[int, ...] = ()
    """Positions in `text` where a character of the original was dropped: one for each, ascending."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that became `start:end` of the folded text."""
        if not self.dropped:
            return start, end
        return start + bisect_right(self.dropped, start), end + bisect_left(self.dropped, end)


@lru_cache(maxsize=64)  # the texts of a page or two
def folded(text: str) -> Folded:
    """`fold`, kept for a text that several ask for one after the other."""
    return fold(text)


def fold(text: str) -> Folded:
    """The folded form of `text`."""
    if text.isascii():
        return Folded(text.lower().translate(_ASCII))
    dropped: tuple[int, ...] = ()
    if _MAY_DROP.search(text):
        dropped = tuple(match.start() - n for n, match in enumerate(_DROPPED.finditer(text)))
        text = _DROPPED.sub("", text) if dropped else text
    # Both branches give the same result: run by run is faster for mostly Latin text, character by character for others.
    if len(text.encode("utf-8", "surrogatepass")) > 1.2 * len(text):
        return Folded(text.translate(_TABLE), dropped)
    return Folded(_FOREIGN.sub(lambda run: run[0].translate(_TABLE), text).lower().translate(_ASCII), dropped)
