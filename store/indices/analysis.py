"""How texts and queries become terms: the analysis settings of every index.

Every analyzer first folds characters as the tagger does, by the tables of `transforms.fold`, so that search, alerts and
tags agree on what matches. Elasticsearch's own language analyzers accept no character filter. Each is therefore written
out here as its documentation does ("Reimplementing and extending the language analyzers"), with the folding in front
and ASCII folding behind the stemmer: stemmers need the accents, and `Diyarbakir` must match `Diyarbakır`.

Texts have an analyzer of their own (`…_parts`), which emits several terms at one position. It adds the parts before and
after an apostrophe, so that `İstanbul` matches `İstanbul'da` and `OTAN` matches `l'OTAN`; and those between full stops
and underscores, as the tokenizer takes `Brussels.The` and `#stop_war` for one word. It also stems each word
without its accents, because the stem differs: `muk` from `Muğla`, `mugu` from `Mugla`. A word of a query stays one
term, so that `Xi'an` does not match `Xi`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from newswatch.languages import Analyzer, analyzer_of, languages
from newswatch.scripts import SOUTH_EAST_ASIAN
from transforms.fold import APOSTROPHES, ARABIC, HEBREW, IGNORED, QUOTATION_MARKS, ZERO_WIDTH, fold

Json = dict[str, Any]

_CHAR_FILTERS: Final = ["marks"]


def _rule(from_: str, to: str) -> str:
    return f"{from_}=>{to}"


def _of(characters: str) -> list[str]:
    """The assigned characters of a regular expression's character class."""
    every = "".join(map(chr, range(0x10000)))
    return [c for c in re.findall(f"[{characters}]", every) if unicodedata.category(c) != "Cn"]


@cache
def _parting() -> tuple[str, ...]:
    """`transforms.fold.PARTING` as rules of the same filter.

    A second character filter would cost indexing a tenth of its speed, a regular expression even more.
    """
    space, joiner = ZERO_WIDTH
    after = [*((c, joiner) for c in _of(ARABIC)), *((c, space) for c in _of(SOUTH_EAST_ASIAN))]
    return tuple(_rule(c + mark, c + COLON) for c, mark in after)


@cache
def _amid_hebrew() -> tuple[str, ...]:
    """`transforms.fold.AMID_HEBREW` as rules. They also drop a mark at a word's end, which does not belong to it."""
    marks = [*"'’׳\"“”„״", *(2 * mark for mark in "'’׳")]
    return tuple(_rule(letter + mark, letter) for letter in _of(HEBREW) for mark in marks)


@cache
def _marks() -> tuple[str, ...]:
    """Rules for characters that mean the same as others, or nothing."""
    # Letters in their own right. Decomposed texts write them as another letter with a combining sign.
    letters = ((f"{c}{mark}", whole) for c, mark, whole in (*_CYRILLIC, *_TURKISH))
    return (
        *(_rule(c, "") for c in (*IGNORED, *ZERO_WIDTH)),
        *(_rule(c, "'") for c in APOSTROPHES),
        *(_rule(c, '"') for c in QUOTATION_MARKS),
        # The tokenizer takes a colon inside a word for a letter: "НАТО:саммит", "EU:n".
        *(_rule(c, COLON) for c in ":\ufe55\uff1a"),
        *(_rule(pair, whole) for pair, whole in letters),
        *(_rule(digit, fold(digit).text) for digit in _DIGITS),
        *_joined(),
        _rule("\u202f", COLON),  # the tokenizer takes this blank for a letter, too
    )


@cache
def _joined() -> tuple[str, ...]:
    """Rules for Arabic letters as texts taken from PDF have them, each in the form that it has in its word."""
    forms = [*map(chr, range(0xFB50, 0xFBB2)), *map(chr, range(0xFBD3, 0xFC00)), *map(chr, range(0xFE80, 0xFEFD))]
    return tuple(_rule(form, plain) for form in forms if (plain := unicodedata.normalize("NFKC", form)) != form)


COLON: Final = "\u2236"
"""The ratio sign: it looks like a colon, and the tokenizer splits words at it."""
_DIGITS: Final = "".join(chr(first + n) for first in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50) for n in range(10))
"""Of Arabic, Persian, Hindi, Bengali and Thai."""
_CYRILLIC: Final = (
    *(("и", "\u0306", "й"), ("И", "\u0306", "Й"), ("і", "\u0308", "ї"), ("І", "\u0308", "Ї")),
    *(("у", "\u0306", "ў"), ("У", "\u0306", "Ў")),
)
_TURKISH: Final = (("I", "\u0307", "İ"),)


@cache
def _letters() -> tuple[str, ...]:
    """Rules for letters with several spellings, in the scripts that `lowercase` and `asciifolding` don't change."""
    scripts = (range(0x370, 0x530), range(0x600, 0x700), range(0x1F00, 0x2000))
    letters = (chr(code) for script in scripts for code in script if chr(code).isalpha())
    folded = ((letter, fold(letter).text) for letter in letters)
    return tuple(_rule(letter, to) for letter, to in folded if to and to != letter.lower())


# ── languages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _described() -> Mapping[str, Analyzer]:
    """Name → the analyzer that the language's file describes; sorted by name."""
    analyzers = {analyzer.name: analyzer for code in languages() if (analyzer := analyzer_of(code))}
    return dict(sorted(analyzers.items()))


def _filters(its: Analyzer, parts: Sequence[str], unaccented: Sequence[str], once: Sequence[str]) -> list[str]:
    """The token filters of a language. `parts`, `unaccented` and `once` are the filters for texts only."""
    named = {"elision": its.elision, "possessive": its.possessive}
    first = [*(f"{its.name}_{kind}" for kind, given in named.items() if given), *its.first]
    lowercase = f"{its.name}_lowercase" if its.lowercase else "lowercase"
    stemmer = [*unaccented, f"{its.name}_stemmer"] if its.stemmed_by else []
    stops = [*its.before_stop_words, f"{its.name}_stop", *its.after_stop_words]
    return [*first, lowercase, *parts, *stops, *stemmer, "asciifolding", *once]


_PARTS: Final = "^(?:([^']{2,}+)|[^'])'(?:([^']{2,}+)$)?"
"""At least two letters before or after an apostrophe. Possessive quantifiers, because every word of every text is
matched against it."""

_BETWEEN: Final = "^(\\p{L}[^._]++)(?=[._])|[._](\\p{L}[^._]++)"
"""What begins with a letter before, between and behind full stops and underscores, of at least two characters."""


def _token_filters() -> Json:
    filters: Json = {
        "parts": {"type": "pattern_capture", "preserve_original": True, "patterns": [_PARTS, _BETWEEN]},
        "unaccented": {"type": "asciifolding", "preserve_original": True},
    }
    for name, its in _described().items():
        stop_words = f"_{name}_" if its.stop_words is None else [*its.stop_words]
        filters[f"{name}_stop"] = {"type": "stop", "stopwords": stop_words}
        if its.stemmed_by:
            filters[f"{name}_stemmer"] = {"type": "stemmer", "language": its.stemmed_by}
        if its.elision:
            filters[f"{name}_elision"] = {"type": "elision", "articles": [*its.elision], "articles_case": True}
        if its.possessive:
            filters[f"{name}_possessive"] = {"type": "stemmer", "language": its.possessive}
        if its.lowercase:
            filters[f"{name}_lowercase"] = {"type": "lowercase", "language": its.lowercase}
    return filters


def _analyzer(char_filters: list[str], filters: list[str]) -> Json:
    return {"tokenizer": "standard", "char_filter": char_filters, "filter": filters}


def searching(name: str) -> str:
    """The analyzer for queries on a language's stemmed field, or on "folded"."""
    return name if name == "folded" else f"{name}_folded"


def indexing(name: str) -> str:
    """The analyzer for texts."""
    its = _described().get(name)
    return f"{name}_parts" if its is None or its.accents else searching(name)


def analysis() -> Json:
    """The `analysis` settings, with analyzers for every language that has one (by Elasticsearch's names) and "folded".

    Elasticsearch checks each setting against all others, so the time to make an index grows with their square:
    languages without apostrophes, and without accents that a stemmer sees, have one analyzer for texts and queries.
    Send it as `in_few_values` writes it.
    """
    written = [*_CHAR_FILTERS, "letters"]
    analyzers = {
        searching("folded"): _analyzer(written, ["lowercase", "asciifolding"]),
        indexing("folded"): _analyzer(written, ["lowercase", "parts", "asciifolding"]),
    }
    for name, its in _described().items():
        only_texts = (("parts",), ("unaccented",), ("remove_duplicates",))
        analyzers[indexing(name)] = _analyzer(_CHAR_FILTERS, _filters(its, *only_texts))
        analyzers[searching(name)] = _analyzer(_CHAR_FILTERS, _filters(its, (), (), ()))
    return {
        "char_filter": {
            "marks": {"type": "mapping", "mappings": [*_marks(), *_parting(), *_amid_hebrew()]},
            "letters": {"type": "mapping", "mappings": [*_letters()]},
        },
        "filter": _token_filters(),
        "analyzer": analyzers,
    }


def analysis_settings() -> list[str]:
    """The names of the settings that `analysis` sets in an index."""
    return [
        f"index.analysis.{kind}.{name}.{setting}"
        for kind, components in analysis().items()
        for name, component in components.items()
        for setting in component
    ]


def in_few_values(analysis: Json) -> Json:
    """`analysis` with each list written as one string with commas, which Elasticsearch splits itself. Pure.

    For each of its 277 settings Elasticsearch copies all of them, and interns each element of each list. As strings the
    1,600 elements, most of them rules of the character filters, cost nothing, and an index is created in half the time.
    """
    return {key: _value(value) for key, value in analysis.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return in_few_values(value)
    is_list = isinstance(value, list) and not any("," in element for element in value)
    return ",".join(value) if is_list and value else value
