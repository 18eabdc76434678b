"""How else a word is spelt that the index has as it was written: designations, missing blanks, Chinese. Pure."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

import opencc

from newswatch.errors import QueryError
from newswatch.scripts import KANA, KANA_AND_HAN
from newswatch.some_of import some_of
from search.lucene import as_lucene
from search.syntax import parts

_DENSE: Final = re.compile(f"[{KANA_AND_HAN}]{{2,}}")
"""Two or more characters of a script without spaces (Chinese, Japanese), where a "word" is a whole expression."""
_KANA: Final = re.compile(f"[{KANA}]")
_EXPRESSION: Final = 40
"""Maximum characters of an expression in such a script that is looked for in other characters too: a longer one is a
paragraph, and each of its characters counts for each spelling and field."""
_HYPHEN: Final = re.compile(r"[-\u2010-\u2013\u2212]")
"""By which the index parts words, as by a blank."""
_DESIGNATION: Final = re.compile(r"([^\W\d_]{1,5})([-\u2010-\u2013\u2212]?)(\d{1,4}(?:[^\W\d_]\d?){0,2})")
"""Letters and a number, joined by a hyphen or not: MH17, Т-72Б3, COVID-19."""
_DOTTED: Final = re.compile(r"[^\W\d_]{2,}(?:\.[^\W\d_]{2,})+")
"""Words with full stops and without blanks between them, which the index has as one: St.Petersburg; not U.S."""
_WORDS: Final = re.compile(r"[\w .\u2010-\u2013\u2212-]+")
_TRADITIONAL: Final = ("s2tw", "s2hk")
"""What OpenCC calls the ways in which Taiwan and Hong Kong write."""
_NAMED: Final = 10
"""Words whose other spellings a sentence names."""


def is_dense(word: str) -> bool:
    """Whether the word is written in a script without spaces."""
    return _DENSE.search(word) is not None


def dense_runs(word: str) -> list[str]:
    """The parts of the word in a script without spaces, each of two characters or more."""
    return _DENSE.findall(word)


def other_spellings(word: str) -> tuple[str, ...]:
    """How else the word is written.

    A designation: `F16` for `F-16`, `MH 17` for `MH17`, which the index has as two words. What lacks its blanks: `St
    Petersburg` for `St.Petersburg`, as the index has `St. Petersburg`. Chinese: 北約 for 北约.
    """
    if is_dense(word):
        return _in_other_characters(word) if len(word) <= _EXPRESSION else ()
    if _DOTTED.fullmatch(word):
        return (word.replace(".", " "),)
    parts = _DESIGNATION.fullmatch(word)
    if parts is None:
        return ()
    return (parts[1] + parts[3] if parts[2] else f"{parts[1]} {parts[3]}",)


def unsought(query: str) -> str:
    """What whoever writes a saved search is told of the spellings that it does not look for: a sentence, or nothing.

    A search on the page looks for all of them; a saved one for the words as they stand in it, as Kibana does. Of a
    query that can't be parsed nothing is said: it was saved before what it breaks was checked.
    """
    try:
        written = parts(as_lucene(query))
    except QueryError:
        return ""
    words = [part.strip('"') for part in written]
    sought = {_HYPHEN.sub(" ", word) for word in words}
    others = [[other for other in _of_words(word) if other not in sought] for word in words]
    both = [
        f"({' OR '.join([part, *map(_as_phrase, lacking)])})"
        for part, lacking in zip(written, others, strict=True)
        if lacking
    ]
    if not both:
        return ""
    return f"Words are looked for as they are written. To find other spellings too: {some_of(both, _NAMED)}."


def _of_words(part: str) -> tuple[str, ...]:
    """The other spellings of a word or phrase; none of a part with a field, wildcards or other signs."""
    return other_spellings(part) if _WORDS.fullmatch(part) else ()


def _as_phrase(spelling: str) -> str:
    return f'"{spelling}"' if " " in spelling or is_dense(spelling) else spelling


@lru_cache(maxsize=10_000)  # asked for each word of a query by the clauses that find, rank and mark
def _in_other_characters(word: str) -> tuple[str, ...]:
    """The Chinese word in simplified and in traditional characters, each form once.

    A simplified character may stand for several traditional ones. Those beside it decide: 发动 發動, 头发 頭髮.
    """
    if not word.isprintable():  # at NUL, OpenCC would end; a lone surrogate it refuses
        return ()
    if _KANA.search(word.replace("・", "")):  # Japanese, which nobody writes as Chinese (ロシア军); names have the dot
        return ()
    simplified = _converter("t2s").convert(word)
    forms = (simplified, *(_converter(standard).convert(simplified) for standard in _TRADITIONAL))
    return tuple(dict.fromkeys(form for form in forms if form != word))


@cache
def _converter(standard: str) -> opencc.OpenCC:
    """Loaded when first needed: a tenth of a second for all three, and some 30 MB."""
    return opencc.OpenCC(standard)
