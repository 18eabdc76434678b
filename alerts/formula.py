"""Splits saved searches into clauses, which many of them share, so that each clause is searched once. Pure.

`(Daesh OR ISIS) AND strike* NOT football` holds where (Daesh or ISIS) and strike* hold and football doesn't. A query is
split only if Lucene's parser certainly gives it the same meaning. Anything else (a range, a regular expression, an
escape, `a AND b OR c`, which Lucene reads unlike most people) stays one clause, which is also correct.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from alerts.query import Query, filters_of
from newswatch.alert import SavedSearch
from search.asked import text_query
from search.lucene import as_lucene
from store.indices.mapping import ARTICLE, fields_of

Clause = str
"""Words in Lucene's syntax; or, after `_JSON`, another Elasticsearch clause as JSON."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where all of `parts` and none of `without` hold; everywhere if both are empty."""

    parts: tuple[Formula, ...] = ()
    without: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where any of `parts` holds."""

    parts: tuple[Formula, ...]


Formula = Clause | AllOf | AnyOf

_JSON = "\0"
EVERYWHERE: Clause = _JSON + json.dumps({"match_all": {}})
"""The clause that every article matches."""


def formula(search: SavedSearch) -> Formula:
    """The formula of a saved search; it matches the same articles as `alerts.query.to_query`."""
    parts: list[Formula] = [_JSON + json.dumps(part, sort_keys=True) for part in filters_of(search)]
    if search.query.strip() not in ("", "*"):
        parts.append(words_formula(as_lucene(search.query)))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def query_of(clause: Clause, analyzers: frozenset[str]) -> Query:
    """The Elasticsearch query of a clause, on the stemmed fields of these analyzers only.

    Each article fills exactly one of the thirty stemmed fields, so dropping the empty ones cannot change the result.
    """
    if clause.startswith(_JSON):
        return dict(json.loads(clause[len(_JSON) :]))
    return text_query(clause, fields_of(analyzers))


_COSTLY = re.compile(r"[~/\[{<>]|(?:^|[\s(:])[+!-]?[*?]")


def may_be_slow(clause: Clause) -> bool:
    """Whether the clause may scan all terms of the index; a plain word or phrase can't."""
    return not clause.startswith(_JSON) and _COSTLY.search(clause) is not None


def gather(whole: Formula, into: set[Clause]) -> None:
    """Add the clauses of a formula to `into`."""
    if isinstance(whole, str):
        into.add(whole)
        return
    parts = whole.parts if isinstance(whole, AnyOf) else (*whole.parts, *whole.without)
    into.update([part for part in parts if isinstance(part, str)])
    for part in parts:
        if not isinstance(part, str):
            gather(part, into)


def where(whole: Formula, held: Mapping[Clause, int], everywhere: int) -> int:
    """The places where the formula holds, given the places of its clauses; places are the bits of an integer.

    Raises:
        KeyError: `held` lacks a clause (the error's argument), even if the other clauses decide.
    """
    if isinstance(whole, str):
        return held[whole]
    if isinstance(whole, AnyOf):
        places = 0
        for part in whole.parts:
            places |= held[part] if isinstance(part, str) else where(part, held, everywhere)
        return places
    places = everywhere
    for part in whole.parts:
        places &= held[part] if isinstance(part, str) else where(part, held, everywhere)
    for part in whole.without:
        places &= ~(held[part] if isinstance(part, str) else where(part, held, everywhere))
    return places


class PlainText(NamedTuple):
    """A clause of plain text: no field, no other syntax."""

    kind: Literal["words", "prefix", "phrase"]
    """Words that must all occur, the beginning of a word, or consecutive words."""
    text: str


def plain_text(clause: Clause) -> PlainText | None:
    """The clause as plain text, if it is only bare words, one bare word with a final `*`, or a bare phrase."""
    if clause.isalnum() and clause.isascii() and clause not in _OPERATORS:
        return PlainText("words", clause)  # the common case
    item = _ITEM.fullmatch(clause)
    if item and item["phrase"] and not item["field"] and not item["minus"]:
        return PlainText("phrase", item["phrase"].split('"')[1])
    if clause.endswith("*") and len(clause) > 1 and _is_word(clause[:-1]):
        return PlainText("prefix", clause[:-1])
    return PlainText("words", clause) if all(map(_is_word, clause.split(" "))) else None


def _is_word(piece: str) -> bool:
    item = _ITEM.fullmatch(piece)
    return bool(item and not item["minus"] and _is_bare(item) and piece not in _OPERATORS)


def _is_bare(item: re.Match[str]) -> bool:
    """Whether the item is a word without field or wildcard."""
    return bool(item["word"]) and not item["field"] and _WILD.search(item["word"]) is None


# ── Lucene's syntax ──────────────────────────────────────────────────────────────────────────────────────────────────

_ALTERNATIVE = r"(?!(?:AND|OR|NOT)\b)[A-Za-z0-9]+\*?"
_PIECES = re.compile(
    rf"""\({_ALTERNATIVE}(?:[ ]OR[ ]{_ALTERNATIVE})+\)  # most of a long query, as one piece
    |-?\(|\)|[^ \t\r\n()"]*"[^"]*"[^ \t\r\n()"]*|[^ \t\r\n()"]+""",
    re.VERBOSE,
)
_OTHER_SPACE = re.compile(r"[^\S \t\r\n]")
_CHARACTER = r"""[^\s+!():^\[\]"{}~\\/&|<>=]"""
_ITEM = re.compile(
    rf"""(?P<minus>-?)(?P<item>(?:(?P<field>[A-Za-z_][A-Za-z_.]*):)?
    (?:(?P<phrase>"[^"\\]*"(?:~[0-9]{{1,4}})?)|(?P<word>(?!-){_CHARACTER}+)))""",
    re.VERBOSE,
)
_WILD = re.compile(r"[*?]")
_OPERATORS = frozenset(("AND", "OR", "NOT"))
_OPENING = frozenset(("(", "-("))
_PLAIN = re.compile(r"[A-Za-z0-9]")
_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd"))
"""Unicode categories of which analyzers make terms."""
_NEVER_EMPTY = frozenset(ARTICLE) - {"stemmed"}
"""Fields whose analyzer never drops a word. Under `stemmed.*` a stop word alone matches nothing but beside others
matches everything, so such clauses are not split."""
_DEEPEST = 20


class _OneClauseError(Exception):
    """The query can't be split: it stays one clause."""


class _Item(NamedTuple):
    """An item of a query: a clause, or a group in parentheses."""

    what: Formula
    negated: bool
    bare: bool
    """A word without field or wildcard. Consecutive ones form one clause, because one field must match them all."""


def words_formula(query: str) -> Formula:
    """The formula of a query in Lucene's syntax; the query itself if a formula may differ in meaning."""
    if _OTHER_SPACE.search(query) or query.count('"') % 2:
        return query
    try:
        return _parsed(_PIECES.findall(query))
    except _OneClauseError:
        return query


@dataclass(slots=True)
class _Level:
    """The items between two parentheses, while they are read."""

    items: list[_Item] = field(default_factory=list)
    joins: list[str] = field(default_factory=list)
    """The operator before each item; empty without one."""
    join: str = ""
    """AND or OR, if read since the last item."""
    negated: bool = False
    """Whether NOT was read since the last item."""

    def operator(self, name: str) -> None:
        misplaced = self.negated if name == "NOT" else self.join or self.negated or not self.items
        if misplaced:
            raise _OneClauseError
        if name == "NOT":
            self.negated = True
        else:
            self.join = name

    def open(self, parenthesis: str) -> _Level:
        if self.negated and parenthesis == "-(":
            raise _OneClauseError
        self.negated = self.negated or parenthesis == "-("
        return _Level()

    def add(self, item: _Item) -> None:
        if self.negated:
            if item.negated:
                raise _OneClauseError
            item = _Item(item.what, True, item.bare)
        self.items.append(item)
        self.joins.append(self.join)
        self.join, self.negated = "", False

    def close(self) -> Formula:
        if self.join or self.negated:
            raise _OneClauseError
        return _combined(self.items, self.joins)


def _parsed(pieces: Iterable[str]) -> Formula:
    """The formula of a query in pieces: parentheses, operators and clauses."""
    levels = [_Level()]
    for piece in pieces:
        if piece in _OPERATORS:
            levels[-1].operator(piece)
        elif piece in _OPENING:
            if len(levels) > _DEEPEST:
                raise _OneClauseError
            levels.append(levels[-1].open(piece))
        elif piece == ")":
            if len(levels) == 1:
                raise _OneClauseError
            group = levels.pop().close()
            levels[-1].add(_Item(group, False, False))
        elif piece[0] == "(":
            levels[-1].add(_Item(AnyOf(tuple(piece[1:-1].split(" OR "))), False, False))
        else:
            levels[-1].add(_item(piece))
    if len(levels) > 1:
        raise _OneClauseError
    return levels[0].close()


@lru_cache(maxsize=50_000)
def _item(piece: str) -> _Item:
    """The item of a clause; cached, because searches share their words."""
    parts = _ITEM.fullmatch(piece)
    if parts is None:
        raise _OneClauseError
    name, words = parts["field"], parts["word"] or parts["phrase"]
    if name and name.split(".")[0] not in _NEVER_EMPTY:
        raise _OneClauseError
    if not (_PLAIN.search(words) or any(unicodedata.category(character) in _LETTERS for character in words)):
        raise _OneClauseError  # no analyzer makes a term of it, so Lucene skips it
    return _Item(parts["item"], bool(parts["minus"]), _is_bare(parts))


def _combined(items: Sequence[_Item], joins: Sequence[str]) -> Formula:
    """The items of one level as one formula."""
    if "OR" in joins:
        if "AND" in joins or "" in joins[1:] or any(item.negated for item in items):
            raise _OneClauseError  # Lucene makes every neighbour of an OR optional, even one joined by AND
        return AnyOf(tuple([item.what for item in items]))
    parts: list[Formula] = []
    without: list[Formula] = []
    start = 0
    while start < len(items):
        end = _end_of_row(items, joins, start)
        what = items[start].what
        if end > start + 1:
            what = " ".join([str(item.what) for item in items[start:end]])
        (without if items[start].negated else parts).append(what)
        start = end
    if not parts:
        raise _OneClauseError  # nothing but exclusions
    return parts[0] if len(parts) == 1 and not without else AllOf(tuple(parts), tuple(without))


def _end_of_row(items: Sequence[_Item], joins: Sequence[str], start: int) -> int:
    """The end of the bare words that begin at `start`. Beside an operator Lucene joins them differently: no split."""
    end = start + 1
    if not items[start].bare:
        return end
    while end < len(items) and items[end].bare and not joins[end] and not items[end].negated:
        end += 1
    if end > start + 1 and (joins[start] or items[start].negated or (end < len(items) and joins[end])):
        raise _OneClauseError
    return end
