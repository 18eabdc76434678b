"""What a query may ask for: limits on what costs Elasticsearch much, and the sentence for a query beyond one. Pure.

Measured on the embedded node (2 cores, a heap of 512 MB, 6,000 articles, 31 default fields): 200 words joined by OR and
twelve prefixes take 0.7 s and must stay possible. Ten fuzzy words take 0.5 s, 192 letters of them (`~2`) break the
memory limit of a request (297 MB, status 429); twenty inner wildcards take 1 s; `/[a-z]*a[a-z]{12}/` 1.5 s; twenty
ranges over text 0.7 s; five phrases of 20 words with a slop of 99 take 1.2 s. An archive a hundred times as large
has about ten times as many different words, which wildcards, fuzzy words, ranges and expressions look through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from newswatch.errors import QueryError

MAX_CHARS: Final = 8_000
"""Characters of a query, its short filters included."""
MAX_TERMS: Final = 500
"""Words, those within phrases included. A small Elasticsearch may take fewer at once (`maxClauseCount`) and says so."""
MAX_DEPTH: Final = 20
"""Brackets within brackets."""
MAX_WORD: Final = 1_000
"""Characters of one word."""
MAX_WILDCARDS: Final = 50
"""Words with `*` or `?`."""
MAX_LEADING: Final = 10
"""Words that begin with `*` or `?`: each looks through all words there are."""
MAX_PATTERN: Final = 100
"""Characters of a word with wildcards, or of a regular expression."""
MIN_LITERAL: Final = 2
"""Letters or digits of a word that begins with a wildcard, but for a single `*`: `*a*` matches everything."""
MAX_FUZZY: Final = 10
"""Words with `~`."""
MAX_FUZZY_EDITS: Final = 160
"""Letters of all fuzzy words, each times its edits (`~` and `~2` are two edits): memory grows with it."""
MAX_FUZZY_WORD: Final = 40
"""Characters of a fuzzy word: what it may become is worked out before any article is read, and nothing stops that."""
MAX_REGEXPS: Final = 3
"""Regular expressions."""
MAX_REPEATS: Final = 10
"""In a regular expression: the number in `{n}`."""
MAX_RANGES: Final = 10
"""Ranges, such as `version:[2 TO 5]`."""
MAX_SLOP: Final = 100
"""Places that the words of a phrase may be apart, as in `"nato daesh"~10`."""
MAX_SLOPS: Final = 2_000
"""Of all phrases: words of the phrase times its slop."""
MAX_BOOST: Final = 1_000
"""The number in `nato^2`."""
MAX_FILTERS: Final = 50
"""Short filters, such as `tag:nato`."""
MAX_VALUES: Final = 200
"""Values of all short filters together."""

_QUICK_CHARS: Final = 500
"""A query of plain words and wildcards, up to this length, has fewer than `MAX_TERMS` words."""
_COSTLY = re.compile(rf"[~/\[{{^<>\\]|(?<![\w*?])[*?]|\S{{{MAX_PATTERN}}}")
"""What costs more than a word: the signs for it, a wildcard at the beginning of a word, a word as long as a pattern."""
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
_IDEOGRAPH = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
"""Scripts without spaces, of which each character is a word to an analyzer."""
_OPERATORS = frozenset(("AND", "OR", "NOT", "TO"))
_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")
_NUMERIC = re.compile(r"<\d*-\d*>")


class TooCostlyError(QueryError):
    """A query asks for more than one query may."""


@dataclass(slots=True)
class Cost:
    """What a query asks for, counted."""

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
    """What is wrong with single parts of it, a sentence each."""


def check_cost(query: str) -> None:
    """Refuse a query in Lucene's syntax that asks for more than one query may.

    Raises:
        TooCostlyError: a sentence with what is too much, what the query has of it, and the limit.
    """
    if _plainly_cheap(query):
        return  # as most: there may be a hundred thousand of them
    check_length(query)
    if _SURROGATE.search(query):
        raise TooCostlyError("The query holds half a character, which is none in any encoding: type it anew.")
    _check_counted(query)


def _check_counted(query: str) -> None:
    found = cost(query)
    for name, limit, what, advice in _LIMITS:
        if getattr(found, name) > limit:
            had = getattr(found, name)
            raise TooCostlyError(f"The query has {had:g} {what}; {limit} are the most that one may have: {advice}.")
    if found.faults:
        raise TooCostlyError(found.faults[0])


def _plainly_cheap(query: str) -> bool:
    """Whether a glance shows that the query keeps all limits."""
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
    """Refuse a query that is too long to be looked at.

    Raises:
        TooCostlyError: a sentence with its length and the limit.
    """
    if len(query) > MAX_CHARS:
        told = f"The query has {len(query):,} characters; {MAX_CHARS:,} are the most that one may have"
        raise TooCostlyError(f"{told}: make several searches of it.")


def check_filters(count: int, values: int) -> None:
    """Refuse too many short filters, or too many values of them.

    Raises:
        TooCostlyError: a sentence with the number and the limit.
    """
    if count > MAX_FILTERS:
        told = f"The query has {count} short filters; {MAX_FILTERS} are the most that one may have"
        raise TooCostlyError(f"{told}: put values of one filter behind each other, with commas.")
    if values > MAX_VALUES:
        told = f"The query's short filters have {values} values; {MAX_VALUES} are the most"
        raise TooCostlyError(f"{told}: make several searches of it.")


def cost(query: str) -> Cost:
    """What the query asks for; also of one that can't be parsed, as nothing but its signs is looked at."""
    found, depth, last = Cost(), 0, ("", "")
    for kind, text in _tokens(query):
        if kind == "open":
            depth += 1
            found.depth = max(found.depth, depth)
        elif kind == "close":
            depth -= 1
        elif kind == "fuzzy":
            _add_fuzzy(found, last, text)
        elif kind in _ADDERS:
            _ADDERS[kind](found, text)
        last = (kind, text)
    return found


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    """The query's parts without the space between; a word before a colon is a `field`."""
    tokens = [(str(part.lastgroup), part[0]) for part in _LEX.finditer(query) if not part[0].isspace()]
    following = [kind for kind, _ in tokens[1:]]
    for (kind, text), after in zip(tokens, [*following, ""], strict=False):
        yield ("field" if kind == "word" and after == "colon" else kind), text


def _add_word(found: Cost, text: str) -> None:
    plain = re.sub(r"\\(.)", lambda escaped: escaped[1] if escaped[1].isalnum() else " ", text)
    if text in _OPERATORS:
        return
    found.terms += max(1, words_in(plain)) if plain.strip("+-!&|") else 0
    if len(text) > MAX_WORD:
        found.faults.append(f"The word {shown(text)} has {len(text):,} characters; {MAX_WORD:,} are the most.")
    bare = text.lstrip("+-!")
    if bare == "*" or not re.search(r"(?<!\\)[*?]", bare):
        return
    found.wildcards += 1
    found.leading += bare[0] in "*?"
    literal = sum(2 if _IDEOGRAPH.match(letter) else 1 for letter in bare if letter.isalnum())
    if bare[0] in "*?" and literal < MIN_LITERAL:
        told = f"{shown(bare)} matches nearly every word there is: it must have {MIN_LITERAL} letters or digits"
        found.faults.append(f"{told}, or be a single *.")
    if len(bare) > MAX_PATTERN:
        found.faults.append(f"{shown(bare)} has {len(bare)} characters; with wildcards, {MAX_PATTERN} are the most.")


def _add_phrase(found: Cost, text: str) -> None:
    found.terms += max(1, words_in(text))


def _add_regexp(found: Cost, text: str) -> None:
    found.terms += 1
    found.regexps += 1
    if len(text) > MAX_PATTERN + 2:
        told = f"The regular expression {shown(text)} has {len(text) - 2} characters"
        found.faults.append(f"{told}; {MAX_PATTERN} are the most.")
    repeats = [int(number[:9]) for pair in _REPEAT.findall(text) for number in pair if number]
    if max(repeats, default=0) > MAX_REPEATS:
        told = f"The regular expression {shown(text)} repeats something {max(repeats)} times"
        found.faults.append(f"{told}; {MAX_REPEATS} are the most.")
    if _NUMERIC.search(text):
        found.faults.append(f"The regular expression {shown(text)} has a range of numbers: write a range in brackets.")


def _add_range(found: Cost, _text: str) -> None:
    found.terms += 1
    found.ranges += 1


def _add_boost(found: Cost, text: str) -> None:
    try:
        boost = float(text[1:])
    except ValueError:
        boost = 1.0  # Elasticsearch says what is wrong with it
    if not 0 <= boost <= MAX_BOOST:
        found.faults.append(f"The boost {shown(text)} is beyond what one may be: 0 to {MAX_BOOST:,}.")


_ADDERS: Final = {
    "word": _add_word,
    "phrase": _add_phrase,
    "regexp": _add_regexp,
    "range": _add_range,
    "boost": _add_boost,
}


def _add_fuzzy(found: Cost, of: tuple[str, str], text: str) -> None:
    """A `~`: after a phrase its slop, else the edits that a word may differ by."""
    number = _number(text[1:])
    if of[0] == "phrase":
        if number > MAX_SLOP:
            told = f"The words of {shown(of[1])} may be {shown(text[1:])} places apart"
            found.faults.append(f"{told}; {MAX_SLOP} are the most.")
        found.slops += words_in(of[1]) * int(min(number, MAX_SLOP))
        return
    found.fuzzy += 1
    edits = number if number in (0, 1) else 2
    if len(of[1]) > MAX_FUZZY_WORD:
        told = f"The fuzzy word {shown(of[1])} has {len(of[1])} characters"
        found.faults.append(f"{told}; {MAX_FUZZY_WORD} are the most.")
    found.fuzzy_edits += edits * len(of[1].lstrip("+-!"))


def _number(text: str) -> float:
    """The number after a `~`; none, or what isn't one, is Lucene's own default, 2."""
    try:
        return float(text) if text else 2.0
    except ValueError:
        return 2.0


def words_in(text: str) -> int:
    """How many words an analyzer makes of a text, at most."""
    ideographs = len(_IDEOGRAPH.findall(text))
    return ideographs + len(_RUN.findall(_IDEOGRAPH.sub(" ", text) if ideographs else text))


def shown(text: str, most: int = 40) -> str:
    """A text as an error shows it: in quotes, cut where it is longer than `most` characters."""
    return repr(text if len(text) <= most else text[:most] + "…")
