"""A query as people type it, in the signs that Lucene's parser knows. Pure.

What a keyboard, a word processor or another web page puts into a query means to its writer what it looks like:
“typographic” quotes are quotes, invisible marks are nothing, and `09:30` or `НАТО:саммит` names no field. Lucene takes
the first for letters, the second for parts of words and the third for fields that don't exist, all in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from search.field_names import is_field, is_slip
from store.analysis import COLON
from transforms.fold import HEBREW, INVISIBLE, PARTING

_INVISIBLE: Final = re.compile(
    # What is quoted is a phrase, whose analyzers know of such marks, or a filter's value, which may hold them.
    rf"""((?<![{HEBREW}])"(?:[^"\\]|\\.)*")"""
    # Combining accents and vowel signs are letters to whoever reads the query: the analyzers see to them.
    f"|(?!{PARTING})[{re.escape(INVISIBLE)}]",
    re.DOTALL,
)
_CLOSING: Final[Mapping[str, str]] = {
    '"': '"',
    "“": "”“",
    "„": "“”„",
    "‟": "”“",
    "”": "”",
    "«": "»",
    "»": "«»",
    "＂": "＂",
    "〝": "〞〟",
    "❝": "❞",
    "「": "」",
    "『": "』",
    "﹁": "﹂",
    "﹃": "﹄",
    "‹": "›",
    "›": "‹›",
    "‚": "‘’‛",
    "‘": "’‘",
}
"""Opening mark → what closes it, in all the languages that use it: “English”, „German“, ”Swedish”, »Danish«."""
_MISPAIRED: Final = "”“»"
"""What closes a straight mark that no straight one closes, as a word processor may have changed one of both."""
_APOSTROPHES: Final = "‚‘"
"""Marks that are apostrophes as well: without a partner they are no quotation marks."""
_AT_BOUNDARY: Final = "”»›" + _APOSTROPHES
"""Marks that open a phrase at the beginning of a word only, as elsewhere they close one."""
_LONE: Final = re.compile(f'(?!["‘’‚‛])[{"".join(map("".join, _CLOSING.items()))}]')
_BEFORE: Final = re.compile(r"[\s(:+!-]")
_BEHIND: Final = re.compile(r"[\s)~^,.;:!?]")
_HEBREW: Final = re.compile(f"[{HEBREW}]")
_GERESHAYIM: Final = "״"
_IN_HEBREW: Final = '"“”„＂'
_MARKED: Final = re.compile(rf"""[{"".join(sign for sign in _CLOSING if sign != '"')}]|\w"\w""")
_NOTABLE: Final = re.compile(rf"{_MARKED.pattern}|[:{re.escape(INVISIBLE)}]")
_TOKENS: Final = re.compile(
    r""""(?:[^"\\]|\\.)*"|[\[{][^\]}]*[\]}]|[\s()"\[\]{}]+"""
    r"""|(?P<prefix>[+!-]*)(?P<name>(?:[^\s()"\[\]{}:\\/]|\\.)*):(?P<rest>[^\s()"\[\]{}]*)"""
    r"""|[+!-]*/(?:[^/\\]|\\.)*/|(?:[^\s()"\[\]{}\\]|\\.)+|\\""",
    re.DOTALL,
)
"""Phrases, ranges, what stands between, a name with a colon and what follows it directly, expressions, words."""
_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_VALUE: Final = re.compile(r"[^\s)/\\]")
_SEPARATORS: Final = str.maketrans({":": COLON, "/": "\u2215", "\\": "\u2216"})
_URL_SEPARATORS: Final = _SEPARATORS | {ord(sign): COLON for sign in "?&=#*~^!+|<>"}
"""Lucene's signs as others that look alike, mean nothing to it and part words for the analyzers."""


def visible(query: str) -> str:
    """The query without characters that nobody sees, which say how a text is set; what is quoted stays as it is."""
    return query if query.isascii() else _INVISIBLE.sub(r"\1", query)


def as_lucene(query: str) -> str:
    """The query with Lucene's signs for what it says, as long as `visible` makes it, place by place the same.

    Quotation marks in pairs become straight ones, a mark amid a word no quotation mark, and what stands before a colon
    without being a field words of the query. A name spelt or written like a field's stays, for Elasticsearch and
    `search.syntax` to refuse. Doing it again changes nothing.
    """
    if _NOTABLE.search(query) is None:
        return query  # as most: there may be a hundred thousand of them
    query = visible(query)
    return _with_fields(_with_quotes(query) if _MARKED.search(query) else query)


def lone_mark(lucene: str) -> int | None:
    """The place of a quotation mark without a partner, in a query that `as_lucene` has read; None if there is none."""
    if lucene.isascii():
        return None
    outside = (found for found in _TOKENS.finditer(lucene) if found[0][0] not in '"/')
    return next((mark.start() for found in outside if (mark := _LONE.search(lucene, *found.span()))), None)


# ── quotation marks ──────────────────────────────────────────────────────────────────────────────────────────────────


def _with_quotes(query: str) -> str:
    signs = list(query)
    closed: dict[str, bool] = {}
    at = 0
    while at < len(query):
        sign = query[at]
        if sign == "\\":
            at += 2
            continue
        if _amid_hebrew(query, at):
            signs[at] = _GERESHAYIM
        elif sign == '"' and _amid_word(query, at):
            signs[at] = "'"
        elif sign in _CLOSING and _opens(query, at) and closed.get(sign, True):
            end = _end(query, at)
            closed[sign] = end > 0  # else none further on is closed either: not to be looked for again
            if end > 0:
                signs[at : end + 1] = _phrase(query[at : end + 1])
                at = end
        at += 1
    return "".join(signs)


def _opens(query: str, at: int) -> bool:
    return query[at] not in _AT_BOUNDARY or at == 0 or _BEFORE.match(query, at - 1) is not None


def _end(query: str, at: int) -> int:
    """Where the phrase that begins at `at` is closed; -1: nowhere."""
    closing = _CLOSING[query[at]]
    end = next(_closing(query, at, closing), -1)
    if end < 0 and query[at] == '"':
        end = next(_closing(query, at, _MISPAIRED), -1)
    return end


def _closing(query: str, start: int, closing: str) -> Iterator[int]:
    """The marks behind `start` that can close a phrase."""
    at, word_end = start + 1, query[start] in _APOSTROPHES
    while at < len(query):
        if query[at] == "\\":
            at += 1
        elif (
            query[at] in closing
            and not _amid_hebrew(query, at)
            and not (word_end and at + 1 < len(query) and _BEHIND.match(query, at + 1) is None)
        ):
            yield at
        at += 1


def _phrase(quoted: str) -> list[str]:
    """A quoted piece in straight marks; marks within it that Lucene would take for the end are none."""
    inner = [
        _GERESHAYIM if _amid_hebrew(quoted, at) else " " if sign == '"' and quoted[at - 1] != "\\" else sign
        for at, sign in enumerate(quoted)
    ][1:-1]
    return ['"', *inner, '"']


def _amid_hebrew(query: str, at: int) -> bool:
    """Whether the mark at `at` is the gershayim of an acronym, in whatever spelling."""
    return (
        query[at] in _IN_HEBREW
        and 0 < at < len(query) - 1
        and _HEBREW.match(query, at - 1) is not None
        and _HEBREW.match(query, at + 1) is not None
    )


def _amid_word(query: str, at: int) -> bool:
    """Whether the straight mark at `at`, outside a phrase, is part of a word: об"єкт.

    Between two letters it begins a phrase only if the next one ends one.
    """
    if not (0 < at < len(query) - 1 and query[at - 1].isalnum() and query[at + 1].isalnum()):
        return False
    next_ = query.find('"', at + 1)
    return next_ < 0 or query[next_ - 1].isspace() or query[next_ + 1 : next_ + 2].isalnum()


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_fields(query: str) -> str:
    if ":" not in query:
        return query
    pieces: list[str] = []
    at = 0
    while found := _TOKENS.match(query, at):
        name, at = found["name"], found.end()
        value = found.end("name") + 1
        if name is None or _is_compared(query, value) or _is_like_a_field(query, name, value):
            pieces.append(found[0])
        elif is_field(name) or is_slip(name):
            # What may be an expression is a piece of its own.
            at = found.end("rest") if not found["rest"].startswith("/") else found.start("rest")
            pieces.append(query[found.start() : at])
        else:
            said = f"{name}:{found['rest']}"
            pieces.append(found["prefix"] + said.translate(_URL_SEPARATORS if "://" in said else _SEPARATORS))
    return "".join(pieces) + query[at:]


def _is_like_a_field(query: str, name: str, at: int) -> bool:
    """Whether a name is written like a field's: in small letters, tight against a value (`author:smith`)."""
    return _IDENTIFIER.fullmatch(name) is not None and _VALUE.match(query, at) is not None


def _is_compared(query: str, at: int) -> bool:
    """Whether a range or a comparison follows, which only a field can have."""
    return query[at : at + 1] in ("[", "{", "<", ">")
