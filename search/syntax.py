"""The query language: Lucene's syntax with short filters beside it. Pure.

    AWACS Daesh tag:nato/burden-sharing level:main lang:fr -source:tass.ru since:7d

A short filter is at the top level of a query and applies to all of it. Several filters are all required; commas within
one mean "any of these". Everything else is passed to Lucene unchanged. What would silently match nothing (a field or a
level that doesn't exist) is rejected, with the place in the query. A name that resembles no field (`09:30`,
`Stoltenberg: NATO joins`) becomes words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from search.field_names import is_field, meant, meant_elsewhere
from search.filter_values import fault_of, spelt
from search.filters import FILTERS, ONCE, PERSONAL
from search.limits import check_cost, check_filters, check_length
from search.lucene import as_lucene, lone_mark, visible
from search.syntax_error import QuerySyntaxError


@dataclass(frozen=True, slots=True)
class Filter:
    """A short filter, and its place in the query."""

    name: str
    values: tuple[str, ...]
    negated: bool
    start: int
    end: int
    joint: tuple[int, int] | None = None
    """The place of the `AND` that joins it to the rest."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed query."""

    query: str
    """As typed, without invisible characters; places refer to it."""
    text: str
    """The part for Lucene, with blanks in place of the filters, so that columns stay those of the query."""
    filters: tuple[Filter, ...] = ()
    words: tuple[str, ...] = ()
    """The words of `text`, if it is nothing but plain words."""

    def of(self, name: str) -> tuple[Filter, ...]:
        """The filters of that name."""
        return tuple(f for f in self.filters if f.name == name)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of all filters of that name, excluded ones too, each once."""
        return tuple({value.casefold(): value for f in self.of(name) for value in f.values}.values())

    @property
    def personal(self) -> tuple[Filter, ...]:
        """The filters whose answer depends on who asks."""
        return tuple(f for f in self.filters if any((f.name, value) in PERSONAL for value in f.values))

    def first(self, name: str) -> str | None:
        """The first value of the first filter of that name."""
        return next((f.values[0] for f in self.of(name)), None)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["word", "operator", "open", "close"]
    start: int
    end: int
    text: str
    depth: int
    prefix: str = ""
    """`-`, `!` or `+` directly before a word."""


_OPERATOR = re.compile(r"(AND|OR|NOT|&&|\|\|)(?=[\s()]|$)|!(?=\s)")
_NAME = re.compile(r'((?:[^\s()"\[\]{}:\\/]|\\.)+):')
_CLOSING = {"[": "]}", "{": "]}"}


def parse(query: str) -> Parsed:
    """The query's filters, and the rest for Lucene.

    Raises:
        QuerySyntaxError: it can't be parsed, or would match nothing by mistake; it names the place.
        TooCostlyError: it exceeds a limit (`search.limits`).
    """
    check_length(query)
    typed = visible(query)
    query = as_lucene(query)
    tokens = _read(query)
    text = list(query)
    filters: list[Filter] = []
    for index, token in enumerate(tokens):
        if token.kind != "word":
            continue
        name = _NAME.match(token.text)
        if name is None:
            continue
        if name[1] in FILTERS:
            filters.append(_filter(query, tokens, index, name[1], text))
        else:
            _check_field(query, token, name[1])
    _check_once(query, filters)
    _check_operators(query, [token for token in tokens if not text[token.start].isspace()])
    check_filters(len(filters), sum(len(filter_.values) for filter_ in filters))
    lucene = "".join(text)
    check_cost(lucene)
    return Parsed(typed, lucene, tuple(filters), _plain_words(tokens, text))


def check_signs(lucene: str) -> None:
    """Check that Lucene reads a result of `as_lucene` as it looks.

    Lucene ignores quotation marks without a partner, starts a regular expression at a slash inside a word, and matches
    a wildcard within a single word only.

    Raises:
        QuerySyntaxError: it does not; the error names the place.
    """
    _read(lucene)


def parts(lucene: str) -> list[str]:
    """The parts of a result of `as_lucene`, each once: words, phrases, ranges, regular expressions.

    Each part includes its field; a group after a field (`title:(a OR b)`) is one part. Operators, other brackets and
    prefixes (`-`, `+`, `!`) are left out.

    Raises:
        QuerySyntaxError: it can't be parsed; the error names the place.
    """
    listed: list[str] = []
    tokens = iter(_read(lucene))
    for token in tokens:
        if token.kind == "word" and token.text:
            end = _end_of_value(tokens, token) if _NAME.fullmatch(token.text) else token.end
            listed.append(lucene[token.start + len(token.prefix) : end])
    return [*dict.fromkeys(listed)]


def bare_words(lucene: str) -> list[tuple[int, int]]:
    """The places of the words in a result of `as_lucene` that stand without field, quotation marks or wildcards.

    Raises:
        QuerySyntaxError: it can't be parsed; the error names the place.
    """
    found: list[tuple[int, int]] = []
    tokens = iter(_read(lucene))
    for token in tokens:
        if token.kind == "word" and _NAME.fullmatch(token.text):
            _end_of_value(tokens, token)
        elif token.kind == "word" and re.fullmatch(r"\w+", token.text):
            found.append((token.end - len(token.text), token.end))
    return found


def _end_of_value(tokens: Iterator[_Token], name: _Token) -> int:
    """The end of the value or group after a field's name; consumes its tokens."""
    value = next(tokens, name)
    if value.kind != "open":
        return value.end
    return next(token.end for token in tokens if token.kind == "close" and token.depth == value.depth)


def _read(query: str) -> list[_Token]:
    mark = lone_mark(query)
    if mark is not None:
        fault = "This quotation mark has no partner: add it, or remove this one."
        raise QuerySyntaxError(query, mark, mark + 1, fault)
    tokens = list(_tokens(query))
    for token in tokens:
        _check_wildcards(query, token)
    return tokens


_SEVERAL = re.compile(
    r"[*?].*\w[-\u2010-\u2015\u2215\u2216\u2236+&]+\w|\w[-\u2010-\u2015\u2215\u2216\u2236+&]+\w.*[*?].*\w"
)


def _check_wildcards(query: str, token: _Token) -> None:
    """Reject `*drone-un*`: the index has two words instead, so it would match nothing. `anti-dron*` matches them."""
    if token.kind == "word" and token.text[:1] not in '"/[{' and ":" not in token.text and _SEVERAL.search(token.text):
        fault = "The index splits this into several words: write them apart, or put the wildcard at the end."
        raise QuerySyntaxError(query, token.start, token.end, fault)


def _tokens(query: str) -> Iterator[_Token]:
    opened: list[int] = []
    place = 0
    while place < len(query):
        if query[place].isspace():
            place += 1
        elif query[place] == "(":
            yield _Token("open", place, place + 1, "(", len(opened))
            opened.append(place)
            place += 1
        elif query[place] == ")":
            if not opened:
                raise QuerySyntaxError(query, place, place + 1, "This bracket closes nothing: remove it, or quote it.")
            opened.pop()
            place += 1
            end = _suffix(query, place)
            yield _Token("close", place - 1, end, query[place - 1 : end], len(opened))
            place = end
        elif operator := _OPERATOR.match(query, place):
            yield _Token("operator", place, operator.end(), operator[0], len(opened))
            place = operator.end()
        else:
            token = _word(query, place, len(opened))
            yield token
            place = token.end
    if opened:
        raise QuerySyntaxError(query, opened[-1], opened[-1] + 1, "This bracket is never closed.")


def _suffix(query: str, place: int) -> int:
    """The end of a boost (`^2`) after a closing bracket."""
    boost = re.compile(r"\^[\d.]+").match(query, place)
    return boost.end() if boost else place


def _word(query: str, start: int, depth: int) -> _Token:
    """The word from `start`, with all its parts: a field's name, a phrase, a range, a regular expression."""
    prefix = query[start] if query[start] in "+-!" and start + 1 < len(query) else ""
    first = start + len(prefix)
    place = first
    while place < len(query) and not query[place].isspace() and query[place] not in "()":
        if query[place] == "\\":
            place += 2
        elif query[place] == '"':
            place = _until(query, place, '"', "This quotation mark is never closed.")
        elif query[place] in _CLOSING and (place == first or query[place - 1] == ":"):
            place = _until(query, place, _CLOSING[query[place]], "This range is never closed.")
        elif query[place] == "/" and not _in_filter(query, first, place):
            place = _regex(query, first, place)
        else:
            place += 1
    return _Token("word", start, min(place, len(query)), query[first:place], depth, prefix)


def _until(query: str, start: int, closing: str, fault: str) -> int:
    place = start + 1
    while place < len(query):
        if query[place] == "\\":
            place += 1
        elif query[place] in closing:
            return place + 1
        place += 1
    raise QuerySyntaxError(query, start, start + 1, fault)


def _in_filter(query: str, first: int, place: int) -> bool:
    name = _NAME.match(query, first)
    return bool(name and name[1] in FILTERS and name.end() <= place)


def _regex(query: str, first: int, place: int) -> int:
    if place != first and query[place - 1] != ":":
        fault = "A slash begins a regular expression in Lucene's syntax: put the word in quotation marks."
        raise QuerySyntaxError(query, place, place + 1, fault)
    return _until(query, place, "/", "This regular expression is never closed: quote a slash that is meant as one.")


def _check_field(query: str, token: _Token, name: str) -> None:
    """Reject an unknown field. `as_lucene` has already turned names that resemble no field into words."""
    if is_field(name):
        return
    plain = name.replace("\\", "")
    near = meant_elsewhere(plain) or meant(plain)
    advice = f"did you mean {near}:?" if near else "to search for the words as they are, leave out the colon."
    start = token.start + len(token.prefix)
    raise QuerySyntaxError(query, start, start + len(name) + 1, f"There is no field {plain!r}: {advice}")


# ── short filters ────────────────────────────────────────────────────────────────────────────────────────────────────


def _filter(query: str, tokens: Sequence[_Token], index: int, name: str, text: list[str]) -> Filter:
    """The filter at `index`; replaces it and its operators in `text` by blanks."""
    token = tokens[index]
    before = tokens[index - 1] if index else None
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    negated = token.prefix in ("-", "!")
    start = token.start
    if before and before.kind == "operator" and before.text in ("NOT", "!"):
        negated, start = not negated, before.start
        before = tokens[index - 2] if index > 1 else None
    _check_place(query, token, name, before, after)
    joint = next((t for t in (before, after) if t and t.kind == "operator" and t.text in ("AND", "&&")), None)
    place = (joint.start, joint.end) if joint and not text[joint.start].isspace() else None
    filter_ = Filter(name, _values(query, token, name), negated, start, token.end, place)
    for first, last in places(filter_):
        text[first:last] = " " * (last - first)
    if fault := fault_of(name, filter_.values, negated=negated):
        raise QuerySyntaxError(query, token.start, token.end, fault)
    return filter_


def places(filter_: Filter) -> list[tuple[int, int]]:
    """The places of the filter in its query: its own, and that of the `AND` that joins it."""
    return [(filter_.start, filter_.end), *([filter_.joint] if filter_.joint else [])]


def _check_place(query: str, token: _Token, name: str, before: _Token | None, after: _Token | None) -> None:
    if token.depth:
        fault = f"{name}: can't be in brackets, because it applies to the whole query; separate values by commas."
        raise QuerySyntaxError(query, token.start, token.end, fault)
    for near in (before, after):
        if near and near.kind == "operator" and near.text in ("OR", "||"):
            fault = f"{name}: can't be joined by OR, because it applies to the whole query; separate values by commas."
            raise QuerySyntaxError(query, near.start, near.end, fault)


_PATTERN = re.compile(r"(?<!\\)\*")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^",\\]|\\.)+)')


def _values(query: str, token: _Token, name: str) -> tuple[str, ...]:
    start = token.start + len(token.prefix) + len(name) + 1
    values, place = [], start
    while place <= token.end:
        value = _VALUE.match(query, place, token.end)
        if value is None:
            fault = f"A value must follow {name}: directly ({FILTERS[name].help})."
            raise QuerySyntaxError(query, token.start, token.end, fault)
        if value[2] and _PATTERN.search(value[2]):
            fault = f"{name}: takes whole values, not patterns; put a star that is meant as one in quotation marks."
            raise QuerySyntaxError(query, token.start, token.end, fault)
        typed = re.sub(r"\\(.)", r"\1", value[1] if value[1] is not None else value[2]).strip()
        values.append(spelt(name, typed))
        place = value.end()
        if place == token.end:
            break
        if query[place] != ",":
            raise QuerySyntaxError(query, place, token.end, "Separate several values by commas.")
        place += 1
    return tuple(values)


def _check_once(query: str, filters: Sequence[Filter]) -> None:
    seen: set[str] = set()
    for filter_ in filters:
        if filter_.name in ONCE and filter_.name in seen:
            raise QuerySyntaxError(query, filter_.start, filter_.end, f"{filter_.name}: is given twice.")
        seen.add(filter_.name)


def _check_operators(query: str, tokens: Sequence[_Token]) -> None:
    """Reject what Elasticsearch would refuse without a reason: operators with nothing to join, names without values."""
    for before, token, after in zip((None, *tokens), tokens, (*tokens[1:], None), strict=False):
        opens, closes = before is None or before.kind == "open", after is None or after.kind == "close"
        fault = ""
        if token.kind == "operator" and closes:
            fault = f"{token.text} needs something behind it; in quotation marks it is a word."
        elif token.kind == "operator" and opens and token.text not in ("NOT", "!"):
            fault = f"{token.text} needs something before it; in quotation marks it is a word."
        elif token.kind == "open" and after is not None and after.kind == "close":
            fault = "There is nothing in these brackets."
        elif closes and query[token.start : token.end] == "!":
            fault = "! needs something behind it; in quotation marks it is a word."
        elif token.kind == "word" and closes and _NAME.fullmatch(token.text):
            fault = f"A value must follow {token.text}"
        if fault:
            raise QuerySyntaxError(query, token.start, token.end, fault)


def _plain_words(tokens: Sequence[_Token], text: Sequence[str]) -> tuple[str, ...]:
    """The words, if the query has only words and filters; empty if operators join words."""
    words: list[str] = []
    for token in tokens:
        name = _NAME.match(token.text)
        if (name and name[1] in FILTERS) or text[token.start].isspace() or not token.text.strip("+-"):
            continue  # a filter, the operator that joins it, a dash between words
        if token.kind != "word" or token.prefix or re.search(r'[\\:"*?~^\[\]{}/]', token.text):
            return ()
        words.append(token.text)
    return tuple(words)
