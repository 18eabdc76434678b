"""Limits on what is expensive in a query, and the message for a query beyond one. Pure.

Measured on the embedded node (2 cores, a heap of 512 MB, 6,000 articles, 31 default fields): 200 words joined by OR and
twelve prefixes take 0.7 s and must stay possible. Ten fuzzy words take 0.5 s, 192 letters of them (`~2`) exceed the
memory limit of a request (297 MB, status 429); twenty inner wildcards take 1 s; `/[a-z]*a[a-z]{12}/` 1.5 s; twenty
ranges over text 0.7 s; five phrases of 20 words with a slop of 99 take 1.2 s. An archive a hundred times as large
has about ten times as many different words, which wildcards, fuzzy words, ranges and regular expressions scan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from newswatch.errors import QueryError
from newswatch.scripts import EAST_ASIAN

MAX_CHARS: Final = 8_000
"""Characters of a query, its short filters included."""
MAX_TERMS: Final = 500
"""Words, those within phrases included. A small Elasticsearch may accept fewer (`maxClauseCount`) and says so."""
MAX_DEPTH: Final = 20
"""Brackets within brackets."""
MAX_WORD: Final = 1_000
"""Characters of one word."""
MAX_WILDCARDS: Final = 50
"""Words with `*` or `?`."""
MAX_LEADING: Final = 10
"""Words that begin with `*` or `?`: each scans all words of the index."""
MAX_PATTERN: Final = 100
"""Characters of a word with wildcards, or of a regular expression."""
MIN_LITERAL: Final = 2
"""Minimum letters or digits of a word that begins with a wildcard, except a single `*`: `*a*` matches everything."""
MAX_FUZZY: Final = 10
"""Words with `~`."""
MAX_FUZZY_EDITS: Final = 160
"""Letters of all fuzzy words, each times its edits (`~` and `~2` are two edits): memory grows with it."""
MAX_FUZZY_WORD: Final = 40
"""Characters of a fuzzy word: Elasticsearch computes its variants before the search, and no time limit applies."""
MAX_REGEXPS: Final = 3
"""Regular expressions."""
MAX_REPEATS: Final = 10
"""The number in `{n}` of a regular expression."""
MAX_RANGES: Final = 10
"""Ranges, such as `version:[2 TO 5]`."""
MAX_SLOP: Final = 100
"""Positions that the words of a phrase may be apart, as in `"nato daesh"~10`."""
MAX_SLOPS: Final = 2_000
"""Words of a phrase times its slop, summed over all phrases."""
MAX_BOOST: Final = 1_000
"""The number in `nato^2`."""
MAX_FILTERS: Final = 50
"""Short filters, such as `tag:nato`."""
MAX_VALUES: Final = 200
"""Values of all short filters together."""

_QUICK_CHARS: Final = 500
"""A query of plain words and wildcards, up to this length, has fewer than `MAX_TERMS` words."""
_COSTLY = re.compile(rf"[~/\[{{^<>\\]|(?<![\w*?])[*?]|\S{{{MAX_PATTERN}}}")
"""Anything more expensive than a word: special characters, a leading wildcard, a very long word."""
_LEX = re.compile(
    r"""(?P<phrase>"(?:[^"\\]|\\.)*")
    |(?P<regexp>/(?:[^/\\]|\\.)*/)
    |(?P<range>[\[{][^\[\]{}]*[\]}]?|(?<=:)[<>]=?)
    |(?P<open>\()|(?P<close>\))
    |(?P<fuzzy>~[\d.]*)
    |(?P<boost>\^[\d.eE+-]*)
    |(?P<word>(?:[^\s()"\[\]{}~^/:<>\\]|\\.)+)
    |(?P<colon>:)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_RUN = re.compile(r"\w+")
_IDEOGRAPH = re.compile(f"[{EAST_ASIAN}\u2e80-\u303f\u3100-\u33ff]")
"""Where analyzers take each character for a word; with radicals, punctuation and signs of these scripts."""
_OPERATORS = frozenset(("AND", "OR", "NOT", "TO"))
_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")
_NUMERIC = re.compile(r"<\d*-\d*>")


class TooCostlyError(QueryError):
    """A query exceeds a limit."""


@dataclass(slots=True)
class Cost:
    """The counts of a query's expensive parts."""

    terms: int = 0
    depth: int = 0
    wildcards: int = 0
    leading: int = 0
    fuzzy: int = 0
    fuzzy_edits: float = 0
    regexps: int = 0
    ranges: int = 0
    slops: int = 0
    faults: list[str] = field(default_factory=list)
    """Faults of single parts, a sentence each."""


def check_cost(query: str) -> None:
    """Check a query in Lucene's syntax against all limits.

    Raises:
        TooCostlyError: it exceeds one; the message names the query's number and the limit.
    """
    if _plainly_cheap(query):
        return  # the common case, with up to 100,000 saved searches
    check_length(query)
    if _SURROGATE.search(query):
        raise TooCostlyError("The query contains half a character (a lone surrogate): type it again.")
    _check_counted(query)


def _check_counted(query: str) -> None:
    counted = cost(query)
    for name, limit, what, advice in _LIMITS:
        if getattr(counted, name) > limit:
            had = getattr(counted, name)
            raise TooCostlyError(f"The query has {had:g} {what}; {limit} are the most that one may have: {advice}.")
    if counted.faults:
        raise TooCostlyError(counted.faults[0])


def _plainly_cheap(query: str) -> bool:
    """Whether a quick check proves that the query is within all limits."""
    return (
        len(query) <= _QUICK_CHARS
        and query.isascii()
        and _COSTLY.search(query) is None
        and query.count("(") <= MAX_DEPTH
        and query.count("*") + query.count("?") <= MAX_WILDCARDS
    )


_LIMITS: Final = (
    ("depth", MAX_DEPTH, "brackets within brackets", "write it flatter"),
    ("terms", MAX_TERMS, "words", "make several searches of it"),
    ("fuzzy", MAX_FUZZY, "fuzzy words (`~`)", "write the spellings out, joined by OR"),
    ("fuzzy_edits", MAX_FUZZY_EDITS, "letters in fuzzy words, times their edits", "write the spellings out instead"),
    ("regexps", MAX_REGEXPS, "regular expressions", "write words or `word*` instead"),
    ("leading", MAX_LEADING, "words that begin with a wildcard", "begin them with letters"),
    ("wildcards", MAX_WILDCARDS, "words with wildcards", "write the words out, or make several searches of it"),
    ("ranges", MAX_RANGES, "ranges", "make several searches of it"),
    ("slops", MAX_SLOPS, "words in loose phrases, times their slop", "lower the numbers after `~`"),
)


def check_length(query: str) -> None:
    """Check the length of a query, before anything else reads it.

    Raises:
        TooCostlyError: it is too long; the message names its length and the limit.
    """
    if len(query) > MAX_CHARS:
        fault = f"The query has {len(query):,} characters; {MAX_CHARS:,} are the most that one may have"
        raise TooCostlyError(f"{fault}: make several searches of it.")


def check_filters(count: int, values: int) -> None:
    """Check the number of short filters and of their values.

    Raises:
        TooCostlyError: it is too large; the message names the number and the limit.
    """
    if count > MAX_FILTERS:
        fault = f"The query has {count} short filters; {MAX_FILTERS} are the most that one may have"
        raise TooCostlyError(f"{fault}: put several values into one filter, separated by commas.")
    if values > MAX_VALUES:
        fault = f"The query's short filters have {values} values; {MAX_VALUES} are the most"
        raise TooCostlyError(f"{fault}: make several searches of it.")


def cost(query: str) -> Cost:
    """The cost of a query, even of one that can't be parsed, because only its characters count."""
    counted, depth, last = Cost(), 0, ("", "")
    for kind, text in _tokens(query):
        if kind == "open":
            depth += 1
            counted.depth = max(counted.depth, depth)
        elif kind == "close":
            depth -= 1
        elif kind == "fuzzy":
            _add_fuzzy(counted, last, text)
        elif kind in _ADDERS:
            _ADDERS[kind](counted, text)
        last = (kind, text)
    return counted


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of the query's parts, without spaces; a word before a colon is a `field`."""
    tokens = [(str(part.lastgroup), part[0]) for part in _LEX.finditer(query) if not part[0].isspace()]
    following = [kind for kind, _ in tokens[1:]]
    for (kind, text), after in zip(tokens, [*following, ""], strict=False):
        yield ("field" if kind == "word" and after == "colon" else kind), text


def _add_word(counted: Cost, text: str) -> None:
    plain = re.sub(r"\\(.)", lambda escaped: escaped[1] if escaped[1].isalnum() else " ", text)
    if text in _OPERATORS:
        return
    counted.terms += max(1, words_in(plain)) if plain.strip("+-!&|") else 0
    if len(text) > MAX_WORD:
        counted.faults.append(f"The word {shown(text)} has {len(text):,} characters; {MAX_WORD:,} are the most.")
    bare = text.lstrip("+-!")
    if bare == "*" or not re.search(r"(?<!\\)[*?]", bare):
        return
    counted.wildcards += 1
    counted.leading += bare[0] in "*?"
    literal = sum(2 if _IDEOGRAPH.match(letter) else 1 for letter in bare if letter.isalnum())
    if bare[0] in "*?" and literal < MIN_LITERAL:
        fault = f"{shown(bare)} matches nearly every word there is: it must have {MIN_LITERAL} letters or digits"
        counted.faults.append(f"{fault}, or be a single *.")
    if len(bare) > MAX_PATTERN:
        counted.faults.append(f"{shown(bare)} has {len(bare)} characters; with wildcards, {MAX_PATTERN} are the most.")


def _add_phrase(counted: Cost, text: str) -> None:
    counted.terms += max(1, words_in(text))


def _add_regexp(counted: Cost, text: str) -> None:
    counted.terms += 1
    counted.regexps += 1
    if len(text) > MAX_PATTERN + 2:
        fault = f"The regular expression {shown(text)} has {len(text) - 2} characters"
        counted.faults.append(f"{fault}; {MAX_PATTERN} are the most.")
    repeats = [int(number[:9]) for pair in _REPEAT.findall(text) for number in pair if number]
    if max(repeats, default=0) > MAX_REPEATS:
        fault = f"The regular expression {shown(text)} repeats something {max(repeats)} times"
        counted.faults.append(f"{fault}; {MAX_REPEATS} are the most.")
    if _NUMERIC.search(text):
        counted.faults.append(
            f"The regular expression {shown(text)} has a range of numbers: write a range in brackets."
        )


def _add_range(counted: Cost, _text: str) -> None:
    counted.terms += 1
    counted.ranges += 1


def _add_boost(counted: Cost, text: str) -> None:
    try:
        boost = float(text[1:])
    except ValueError:
        boost = 1.0  # Elasticsearch's own error says what is wrong
    if not 0 <= boost <= MAX_BOOST:
        counted.faults.append(f"The boost {shown(text)} is beyond what one may be: 0 to {MAX_BOOST:,}.")


_ADDERS: Final = {
    "word": _add_word,
    "phrase": _add_phrase,
    "regexp": _add_regexp,
    "range": _add_range,
    "boost": _add_boost,
}


def _add_fuzzy(counted: Cost, of: tuple[str, str], text: str) -> None:
    """A `~`: the slop after a phrase, otherwise the edits of a fuzzy word."""
    number = _number(text[1:])
    if of[0] == "phrase":
        if number > MAX_SLOP:
            fault = f"The words of {shown(of[1])} may be {shown(text[1:])} places apart"
            counted.faults.append(f"{fault}; {MAX_SLOP} are the most.")
        counted.slops += words_in(of[1]) * int(min(number, MAX_SLOP))
        return
    counted.fuzzy += 1
    edits = number if number in (0, 1) else 2
    if len(of[1]) > MAX_FUZZY_WORD:
        fault = f"The fuzzy word {shown(of[1])} has {len(of[1])} characters"
        counted.faults.append(f"{fault}; {MAX_FUZZY_WORD} are the most.")
    counted.fuzzy_edits += edits * len(of[1].lstrip("+-!"))


def _number(text: str) -> float:
    """The number after a `~`; Lucene's default, 2, if there is none or it is invalid."""
    try:
        return float(text) if text else 2.0
    except ValueError:
        return 2.0


def words_in(text: str) -> int:
    """The maximum number of words that an analyzer makes of a text."""
    ideographs = len(_IDEOGRAPH.findall(text))
    return ideographs + len(_RUN.findall(_IDEOGRAPH.sub(" ", text) if ideographs else text))


def shown(text: str, most: int = 40) -> str:
    """A text for an error message: quoted, and cut to `most` characters."""
    return repr(text if len(text) <= most else text[:most] + "…")
