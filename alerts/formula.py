"""Saved searches taken apart into clauses, which many of them share, so that each clause is asked once. Pure.

`(Daesh OR ISIS) AND strike* NOT football` holds where (Daesh or ISIS) and strike* hold and football doesn't. A query is
taken apart only where Lucene's parser certainly means the same as the parts do. Whatever else it says (a range, a
regular expression, an escape, `a AND b OR c`, which Lucene reads unlike most people) stays one clause, and is right
too.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from alerts.query import Query, filters_of
from newswatch.alert import SavedSearch
from search.lucene import as_lucene
from search.query import text_query
from store.mapping import ARTICLE, fields_of

Clause = str
"""Words in Lucene's syntax; or, after `_JSON`, any other clause of Elasticsearch's as JSON."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where all of `parts` hold and none of `without`; with neither, everywhere."""

    parts: tuple[Formula, ...] = ()
    without: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one of `parts` holds."""

    parts: tuple[Formula, ...]


Formula = Clause | AllOf | AnyOf

_JSON = "\0"
EVERYWHERE: Clause = _JSON + json.dumps({"match_all": {}})
"""The clause that holds of every article."""


def formula(search: SavedSearch) -> Formula:
    """What a saved search asks for (see `alerts.query.to_query`), taken apart."""
    parts: list[Formula] = [_JSON + json.dumps(part, sort_keys=True) for part in filters_of(search)]
    if search.query.strip() not in ("", "*"):
        parts.append(words_formula(as_lucene(search.query)))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def query_of(clause: Clause, analyzers: frozenset[str]) -> Query:
    """The clause as Elasticsearch is asked it, without the stemmed fields that no article at hand has.

    An article has one stemmed field, its language's; a word is looked for in thirty. So the answer is the same.
    """
    if clause.startswith(_JSON):
        return dict(json.loads(clause[len(_JSON) :]))
    return text_query(clause, fields_of(analyzers))


_COSTLY = re.compile(r"[~/\[{<>]|(?:^|[\s(:])[+!-]?[*?]")


def may_be_slow(clause: Clause) -> bool:
    """Whether the clause may have to look through all words there are; a plain word or phrase can't."""
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
    """Where the formula holds, given where its clauses do: places are the bits of a number.

    Raises:
        KeyError: with a clause of which that isn't known, even if the others decide.
    """
    if isinstance(whole, str):
        return held[whole]
    if isinstance(whole, AnyOf):
        found = 0
        for part in whole.parts:
            found |= held[part] if isinstance(part, str) else where(part, held, everywhere)
        return found
    found = everywhere
    for part in whole.parts:
        found &= held[part] if isinstance(part, str) else where(part, held, everywhere)
    for part in whole.without:
        found &= ~(held[part] if isinstance(part, str) else where(part, held, everywhere))
    return found


class Said(NamedTuple):
    """What a clause of words says."""

    kind: Literal["words", "beginning", "phrase"]
    """Words that must all be there, what a word begins with, or words in a row."""
    text: str


def said(clause: Clause) -> Said | None:
    """What the clause says, if it is nothing but bare words, one bare word with `*` at its end, or a bare phrase."""
    if clause.isalnum() and clause.isascii() and clause not in _OPERATORS:
        return Said("words", clause)  # as most are
    found = _ITEM.fullmatch(clause)
    if found and found["phrase"] and not found["field"] and not found["minus"]:
        return Said("phrase", found["phrase"].split('"')[1])
    if clause.endswith("*") and len(clause) > 1 and _is_word(clause[:-1]):
        return Said("beginning", clause[:-1])
    return Said("words", clause) if all(map(_is_word, clause.split(" "))) else None


def _is_word(piece: str) -> bool:
    found = _ITEM.fullmatch(piece)
    return bool(found and not found["minus"] and _is_bare(found) and piece not in _OPERATORS)


def _is_bare(item: re.Match[str]) -> bool:
    """Whether it is a word without field or wildcard."""
    return bool(item["word"]) and not item["field"] and _WILD.search(item["word"]) is None


# ── Lucene's syntax ──────────────────────────────────────────────────────────────────────────────────────────────────

_ALTERNATIVE = r"(?!(?:AND|OR|NOT)\b)[A-Za-z0-9]+\*?"
_PIECES = re.compile(
    rf"""\({_ALTERNATIVE}(?:[ ]OR[ ]{_ALTERNATIVE})+\)  # most of what long queries say, as one piece
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
_SYNTAX = _OPERATORS | {"(", "-(", ")"}
_PLAIN = re.compile(r"[A-Za-z0-9]")
_TELLING = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd"))
_NEVER_EMPTY = frozenset(ARTICLE) - {"stemmed"}
"""Fields in which any word stands for something: a stop word of `stemmed.*` alone finds nothing, with others all."""
_DEEPEST = 20


class _OneClauseError(Exception):
    """The query is not taken apart."""


class _Item(NamedTuple):
    """Something that a query asks for: a clause, or what stands in parentheses."""

    what: Formula
    negated: bool
    bare: bool
    """A word without field or wildcard: several in a row are looked for as one, within one field."""


def words_formula(query: str) -> Formula:
    """A query in Lucene's syntax, taken apart where that is certain to mean the same."""
    if _OTHER_SPACE.search(query) or query.count('"') % 2:
        return query
    try:
        return _parsed(_PIECES.findall(query))
    except _OneClauseError:
        return query


def _parsed(pieces: Iterable[str]) -> Formula:
    """The formula of a query in pieces: parentheses, operators and clauses."""
    levels: list[tuple[list[_Item], list[str], str, bool]] = []
    items: list[_Item] = []
    joins: list[str] = []
    """The operator before each item."""
    joined, negated = "", False
    for piece in pieces:
        if piece[0] == "(" and len(piece) > 1:
            item = _Item(AnyOf(tuple(piece[1:-1].split(" OR "))), False, False)
        elif piece not in _SYNTAX:
            item = _item(piece)
        elif piece in ("AND", "OR"):
            if joined or negated or not items:
                raise _OneClauseError
            joined = piece
            continue
        elif piece == "NOT":
            if negated:
                raise _OneClauseError
            negated = True
            continue
        elif piece != ")":
            if len(levels) == _DEEPEST or (negated and piece == "-("):
                raise _OneClauseError
            levels.append((items, joins, joined, negated or piece == "-("))
            items, joins, joined, negated = [], [], "", False
            continue
        elif levels and not joined and not negated:
            what = _combined(items, joins)
            items, joins, joined, negated = levels.pop()
            item = _Item(what, False, False)
        else:
            raise _OneClauseError
        if negated:
            if item.negated:
                raise _OneClauseError
            item = _Item(item.what, True, item.bare)
        items.append(item)
        joins.append(joined)
        joined, negated = "", False
    if levels or joined or negated:
        raise _OneClauseError
    return _combined(items, joins)


@lru_cache(maxsize=50_000)
def _item(piece: str) -> _Item:
    """A clause; the same words come again and again."""
    found = _ITEM.fullmatch(piece)
    if found is None:
        raise _OneClauseError
    field, words = found["field"], found["word"] or found["phrase"]
    if field and field.split(".")[0] not in _NEVER_EMPTY:
        raise _OneClauseError
    if not (_PLAIN.search(words) or any(unicodedata.category(character) in _TELLING for character in words)):
        raise _OneClauseError  # says nothing to an analyzer: Lucene passes over it
    return _Item(found["item"], bool(found["minus"]), _is_bare(found))


def _combined(items: Sequence[_Item], joins: Sequence[str]) -> Formula:
    """The items of one level as one formula."""
    if "OR" in joins:
        if "AND" in joins or "" in joins[1:] or any(item.negated for item in items):
            raise _OneClauseError  # what stands beside an OR is made optional, however it was joined before
        return AnyOf(tuple([item.what for item in items]))
    parts: list[Formula] = []
    without: list[Formula] = []
    at = 0
    while at < len(items):
        end = _end_of_row(items, joins, at)
        what = items[at].what if end == at + 1 else " ".join([str(item.what) for item in items[at:end]])
        (without if items[at].negated else parts).append(what)
        at = end
    if not parts:
        raise _OneClauseError  # nothing but exclusions
    return parts[0] if len(parts) == 1 and not without else AllOf(tuple(parts), tuple(without))


def _end_of_row(items: Sequence[_Item], joins: Sequence[str], at: int) -> int:
    """The end of the row of bare words that begins at `at`; Lucene parts rows beside an operator its own way."""
    end = at + 1
    if not items[at].bare:
        return end
    while end < len(items) and items[end].bare and not joins[end] and not items[end].negated:
        end += 1
    if end > at + 1 and (joins[at] or items[at].negated or (end < len(items) and joins[end])):
        raise _OneClauseError
    return end
