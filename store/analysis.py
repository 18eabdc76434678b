"""How texts and queries become terms: the analysis settings of every index.

Every analyzer first folds as the tagger does, by the tables of `transforms.fold`: what one of search, alerts and tags
finds, the others find. Elasticsearch's own language analyzers can't be given a character filter, so each is written out
here as its documentation writes it ("Reimplementing and extending the language analyzers"), with the folding in front
and ASCII folding behind the stemmer: a stemmer needs the accents, and `Diyarbakir` has to meet `Diyarbakır`.

Texts are indexed by an analyzer of their own (`…_parts`) with more terms in one place. It keeps what stands before and
after an apostrophe: `İstanbul'da` is found by `İstanbul`, `l'OTAN` by `OTAN`. It also stems words as they are without
their accents, since a stemmer makes something else of them: `muk` of `Muğla`, `mugu` of `Mugla`. A word of a query
stays one term: `Xi'an` does not find `Xi`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from transforms.fold import APOSTROPHES, ARABIC, HEBREW, IGNORED, QUOTATION_MARKS, SPACELESS, ZERO_WIDTH, fold

Json = dict[str, Any]

_CHAR_FILTERS: Final = ["marks"]


def _rule(from_: str, to: str) -> str:
    return f"{from_}=>{to}"


def _of(characters: str) -> list[str]:
    """The characters of a class of regular expressions that are assigned."""
    wanted = re.compile(f"[{characters}]")
    return [c for c in map(chr, range(0x10000)) if wanted.match(c) and unicodedata.category(c) != "Cn"]


def _parting() -> list[str]:
    """`transforms.fold.PARTING` as rules of the same filter: each further one, and a regular expression more so, costs
    indexing a tenth.
    """
    space, joiner = ZERO_WIDTH
    return [_rule(c + joiner, c + COLON) for c in _of(ARABIC)] + [_rule(c + space, c + COLON) for c in _of(SPACELESS)]


def _amid_hebrew() -> list[str]:
    """`transforms.fold.AMID_HEBREW` as rules; a mark at the end of a word is none of it, and dropped with it."""
    marks = [*"'’׳\"“”„״", *(2 * mark for mark in "'’׳")]
    return [_rule(letter + mark, letter) for letter in _of(HEBREW) for mark in marks]


def _marks() -> list[str]:
    """Characters that say the same, or nothing."""
    # Letters of their own, which a combining sign makes of others; in decomposed texts they stand so.
    letters = ((f"{c}{mark}", whole) for c, mark, whole in (*_CYRILLIC, *_TURKISH))
    return [
        *(_rule(c, "") for c in (*IGNORED, *ZERO_WIDTH)),
        *(_rule(c, "'") for c in APOSTROPHES),
        *(_rule(c, '"') for c in QUOTATION_MARKS),
        # Amid a word a colon is a letter to the tokenizer: "НАТО:саммит", "EU:n".
        *(_rule(c, COLON) for c in ":\ufe55\uff1a"),
        *(_rule(pair, whole) for pair, whole in letters),
    ]


COLON: Final = "\u2236"
"""A sign that looks like a colon (the ratio sign) and is no part of a word."""
_CYRILLIC: Final = (
    *(("и", "\u0306", "й"), ("И", "\u0306", "Й"), ("і", "\u0308", "ї"), ("І", "\u0308", "Ї")),
    *(("у", "\u0306", "ў"), ("У", "\u0306", "Ў")),
)
_TURKISH: Final = (("I", "\u0307", "İ"),)


def _letters() -> list[str]:
    """Letters that are spelt in several ways, of the scripts that `lowercase` and `asciifolding` leave as they are."""
    scripts = (range(0x370, 0x530), range(0x600, 0x700), range(0x1F00, 0x2000))
    letters = (chr(code) for script in scripts for code in script if chr(code).isalpha())
    folded = ((letter, fold(letter).text) for letter in letters)
    return [_rule(letter, to) for letter, to in folded if to and to != letter.lower()]


# ── languages ────────────────────────────────────────────────────────────────────────────────────────────────────────

_ELISIONS: Final = {
    "catalan": "d l m n s t",
    "french": "l m t qu n s j d c jusqu quoiqu lorsqu puisqu",
    "italian": "c l all dall dell nell sull coll pell gl agl dagl degl negl sugl un m t s v d",
}
_STEMMERS: Final = {
    "french": "light_french",
    "german": "light_german",
    "italian": "light_italian",
    "portuguese": "light_portuguese",
    "spanish": "light_spanish",
}
"""Those whose name is not that of the language."""
_CJK_STOPS: Final = (
    "a and are as at be but by for if in into is it no not of on or s such t that the their then there these they this "
    "to was will with www"
)
_FIRST: Final = {"english": "english_possessive", "turkish": "apostrophe", "cjk": "cjk_width"}
_LOWERCASE: Final = {"greek": "greek_lowercase", "turkish": "turkish_lowercase"}
_BEFORE_STOPS: Final = {
    "arabic": ["decimal_digit"],
    "cjk": ["cjk_bigram"],
    "hindi": ["decimal_digit", "indic_normalization", "hindi_normalization"],
    "persian": ["decimal_digit", "arabic_normalization", "persian_normalization"],
}
_AFTER_STOPS: Final = {
    "arabic": ["arabic_normalization"],
    "german": ["german_normalization"],
}
_UNSTEMMED: Final = ("cjk",)
_OTHER_SCRIPTS: Final = frozenset(("arabic", "bulgarian", "cjk", "greek", "hindi", "persian", "russian"))
"""Languages whose words have no apostrophes, nor accents that a stemmer sees: texts go through the analyzer of queries.
Elasticsearch checks each setting against all others, so the time to make an index grows with their square."""


def _filters(language: str, parts: Sequence[str], unaccented: Sequence[str], once: Sequence[str]) -> list[str]:
    """The token filters of a language; what only texts go through is given."""
    first = [f"{language}_elision"] if language in _ELISIONS else [_FIRST[language]] if language in _FIRST else []
    lowercase, stops = _LOWERCASE.get(language, "lowercase"), f"{language}_stop"
    before, after = _BEFORE_STOPS.get(language, []), _AFTER_STOPS.get(language, [])
    stemmer = [] if language in _UNSTEMMED else [*unaccented, f"{language}_stemmer"]
    return [*first, lowercase, *parts, *before, stops, *after, *stemmer, "asciifolding", *once]


_PARTS: Final = "^(?:([^']{2,}+)|[^'])'(?:([^']{2,}+)$)?"
"""Two letters or more before and behind an apostrophe; possessive, as each word of each text is held against it."""


def _token_filters(languages: list[str]) -> Json:
    stops = {f"{name}_stop": {"type": "stop", "stopwords": f"_{name}_"} for name in languages if name != "cjk"}
    stemmers = {
        f"{name}_stemmer": {"type": "stemmer", "language": _STEMMERS.get(name, name)}
        for name in languages
        if name not in _UNSTEMMED
    }
    elisions = {
        f"{name}_elision": {"type": "elision", "articles": articles.split(), "articles_case": True}
        for name, articles in _ELISIONS.items()
        if name in languages
    }
    return {
        "parts": {"type": "pattern_capture", "preserve_original": True, "patterns": [_PARTS]},
        "unaccented": {"type": "asciifolding", "preserve_original": True},
        "cjk_stop": {"type": "stop", "stopwords": _CJK_STOPS.split()},
        "english_possessive": {"type": "stemmer", "language": "possessive_english"},
        "greek_lowercase": {"type": "lowercase", "language": "greek"},
        "turkish_lowercase": {"type": "lowercase", "language": "turkish"},
        **stops,
        **stemmers,
        **elisions,
    }


def _analyzer(char_filters: list[str], filters: list[str]) -> Json:
    return {"tokenizer": "standard", "char_filter": char_filters, "filter": filters}


def searching(name: str) -> str:
    """The analyzer that queries go through: of a language's stemmed field, or "folded"."""
    return name if name == "folded" else f"{name}_folded"


def indexing(name: str) -> str:
    """The analyzer that texts go through."""
    return searching(name) if name in _OTHER_SCRIPTS else f"{name}_parts"


def analysis(languages: list[str]) -> Json:
    """The `analysis` settings, with analyzers for these languages (by Elasticsearch's names) and "folded"."""
    written = [*_CHAR_FILTERS, "letters"]
    analyzers = {
        searching("folded"): _analyzer(written, ["lowercase", "asciifolding"]),
        indexing("folded"): _analyzer(written, ["lowercase", "parts", "asciifolding"]),
    }
    for language in languages:
        only_texts = (("parts",), ("unaccented",), ("remove_duplicates",))
        analyzers[indexing(language)] = _analyzer(_CHAR_FILTERS, _filters(language, *only_texts))
        analyzers[searching(language)] = _analyzer(_CHAR_FILTERS, _filters(language, (), (), ()))
    return {
        "char_filter": {
            "marks": {"type": "mapping", "mappings": [*_marks(), *_parting(), *_amid_hebrew()]},
            "letters": {"type": "mapping", "mappings": _letters()},
        },
        "filter": _token_filters(languages),
        "analyzer": analyzers,
    }
