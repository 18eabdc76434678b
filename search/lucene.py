"""Rewrites a query as people type it with the characters that Lucene's parser expects. Pure.

For its author, a query means what it looks like: “typographic” quotes are quotes, invisible marks are nothing, and
`09:30` or `НАТО:саммит` names no field, and `9/11` no regular expression. Lucene silently takes the first for letters,
the second for parts of words and the third for fields that don't exist.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from search.field_names import is_field, is_slip
from store.indices.analysis import COLON
from transforms.fold import HEBREW, INVISIBLE, PARTING

_QUOTED: Final = re.compile(rf"""((?<![{HEBREW}])"(?:[^"\\]|\\.)*")""", re.DOTALL)
"""A phrase, whose analyzers handle all signs, or a filter's value, which may contain them."""
_INVISIBLE: Final = re.compile(
    # Combining accents and vowel signs are parts of letters: the analyzers handle them.
    f"(?!{PARTING})[{re.escape(INVISIBLE)}]"
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
"""Opening mark → its closing marks in all languages: “English”, „German“, ”Swedish”, »Danish«."""
_MISPAIRED: Final = "”“»"
"""Marks that close a straight one without a straight partner, because a word processor may have changed only one."""
_APOSTROPHES: Final = "‚‘"
"""Marks that are also apostrophes: without a partner they are not quotation marks."""
_AT_BOUNDARY: Final = "”»›" + _APOSTROPHES
"""Marks that open a phrase only at the beginning of a word, because elsewhere they close one."""
_LONE: Final = re.compile(f'(?!["‘’‚‛])[{"".join(map("".join, _CLOSING.items()))}]')
_BEFORE: Final = re.compile(r"[\s(:+!-]")
_BEHIND: Final = re.compile(r"[\s)~^,.;:!?]")
_HEBREW: Final = re.compile(f"[{HEBREW}]")
_GERESHAYIM: Final = "״"
_IN_HEBREW: Final = '"“”„＂'
_MARKED: Final = re.compile(rf"""[{"".join(sign for sign in _CLOSING if sign != '"')}]|\w"\w""")
_EMOJI: Final = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2194-\u21aa\u231a-\u23ff\u25aa-\u27bf\u2934-\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff]"
)
"""Signs that the tokenizer takes for words."""
_SIGNS: Final = rf"{_EMOJI}(?:{_EMOJI}|[\ufe0f\u20e3])*"
_AMID: Final = re.compile(
    rf"(?<=[^\W_])(?:_+|!+|\\|[~^]+(?=[^\W\d_]))(?=[^\W_])|{_SIGNS}(?=\w)|(?<=\w){_SIGNS}", re.DOTALL
)
"""What parts words for a reader. For Lucene it excludes what follows (NATO!Russia), makes it fuzzy, or joins it."""
_EXCLAIMED: Final = re.compile(r"(?<=[\w?])!+(?=\?*$)")
"""At a word's end; for Lucene, it would exclude the next word."""
_QUOTING: Final = "".join(sign for sign in _CLOSING if sign != '"')
_DRAWN: Final = "\u2102-\u2149\U0001d400-\U0001d7ff"
"""Letters and digits of mathematics, by which some write in bold: 𝐍𝐀𝐓𝐎."""
_WIDTHS: Final = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
"""Latin letters and digits as wide as ideographs: ＮＡＴＯ."""
_WIDE: Final = "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_DECOMPOSED: Final = "\u0300-\u036f\u1100-\u11ff"
_ASKED: Final = re.compile(r"(?<=\w)\?+(?=[\s)!.,;]|$)")
"""Where a question was opened (¿OTAN?), its mark is no wildcard."""
_NOTABLE: Final = re.compile(
    # Most queries have none of these characters, and this is asked of every saved search.
    rf'[:/?!_~^\\{_QUOTING}{re.escape(INVISIBLE)}{_WIDE}{_DECOMPOSED}{_DRAWN}{_WIDTHS}{_EMOJI[1:-1]}]|\w"\w'
)
_TOKENS: Final = re.compile(
    r""""(?:[^"\\]|\\.)*"|[\[{][^\]}]*[\]}]|[\s()"\[\]{}]+"""
    r"""|(?P<prefix>[+!-]*)(?P<name>(?:[^\s()"\[\]{}:\\/]|\\.)*):(?P<rest>[^\s()"\[\]{}]*)"""
    r"""|[+!-]*/(?:[^/\\]|\\.)*/|(?:[^\s()"\[\]{}\\]|\\.)+|\\""",
    re.DOTALL,
)
"""Phrases, ranges, separators, a name with a colon and its value, regular expressions, words."""
_NO_WORD: Final = frozenset('"/[{')
"""What phrases, regular expressions and ranges begin with."""
_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_VALUE: Final = re.compile(r"[^\s)/\\]")
_SLASH: Final = re.compile(r"(?<=\w)/(?=\w)")
"""In 9/11: for Lucene, it would begin a regular expression."""
_WANTS_MORE: Final = re.compile(r"(?:^(?:AND|OR|NOT|&&|\|\||[+!-])|\()\s*\Z")
"""Behind which a mark by itself is no end of a question."""
_MISREAD: Final = re.compile(rf":|{_SLASH.pattern}|\s\?|[\w\s?]!|{_AMID.pattern}")
_SEPARATORS: Final = str.maketrans({":": COLON, "/": "\u2215", "\\": "\u2216"})
_URL_SEPARATORS: Final = _SEPARATORS | {ord(sign): COLON for sign in "?&=#*~^!+|<>"}
"""Lucene's special characters → similar ones without a meaning for Lucene, at which the analyzers split words."""


def visible(query: str) -> str:
    """The query in Unicode's NFC, as articles are, with plain blanks and letters and without invisible formatting
    characters.

    Of quoted text only letters of mathematics change, which the index does not take for letters; of a filter's quoted
    value, nothing.
    """
    if query.isascii():
        return query
    parts = _QUOTED.split(query)
    parts[::2] = [_INVISIBLE.sub("", unicodedata.normalize("NFC", part).translate(_PLAIN)) for part in parts[::2]]
    is_value = [before.endswith((":", ",")) for before in parts[:-1:2]]
    parts[1::2] = [part if own else part.translate(_LETTERS) for own, part in zip(is_value, parts[1::2], strict=True)]
    return "".join(parts)


def _plain_letters(characters: str) -> dict[int, str]:
    """Code point → the letter or digit that it is otherwise, for those of ranges such as `a-z` that are one."""
    drawn = (chr(code) for a, z in re.findall("(.)-(.)", characters) for code in range(ord(a), ord(z) + 1))
    plain = ((ord(letter), unicodedata.normalize("NFKC", letter)) for letter in drawn)
    return {code: letter for code, letter in plain if len(letter) == 1 and letter.isalnum() and ord(letter) != code}


_LETTERS: Final = _plain_letters(_DRAWN)


_BLANKS: Final = dict.fromkeys(
    map(ord, "\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))), " "
)
"""Of all widths. Lucene takes most for letters, and the tokenizer one (U+202F), which French sets before its marks."""
_PLAIN: Final = {**_BLANKS, **_LETTERS, **_plain_letters(_WIDTHS)}
_READINGS: Final = 4
"""As a rule the second reading changes nothing."""


def as_lucene(query: str) -> str:
    """The query in Lucene's syntax, with the length of `visible`'s result, so that places stay the same.

    Paired quotation marks become straight ones, and a mark inside a word is not a quotation mark. A name before a colon
    that is not a field becomes words of the query. A name that resembles a field stays, so that Elasticsearch or
    `search.syntax` rejects it.
    """
    if _NOTABLE.search(query) is None:
        return query  # the common case, with up to 100,000 saved searches
    read = visible(query)
    # What has become a plain sign may change what its neighbours are: a backslash no longer guards a quotation mark.
    for _ in range(_READINGS):
        before, read = read, _read(read)
        if read == before:
            break
    return read


def _read(query: str) -> str:
    if "¿" in query:
        query = _ASKED.sub(lambda marks: " " * len(marks[0]), query)
    return _with_fields(_with_quotes(query) if _MARKED.search(query) else query)


def lone_mark(lucene: str) -> int | None:
    """The place of a quotation mark without a partner, in a result of `as_lucene`; None if there is none."""
    if lucene.isascii():
        return None
    outside = (token for token in _TOKENS.finditer(lucene) if token[0][0] not in '"/')
    marks = (_LONE.search(lucene, *token.span()) for token in outside)
    return next((mark.start() for mark in marks if mark), None)


# ── quotation marks ──────────────────────────────────────────────────────────────────────────────────────────────────


def _with_quotes(query: str) -> str:
    signs = list(query)
    closed: dict[str, bool] = {}
    place = 0
    while place < len(query):
        sign = query[place]
        if sign == "\\":
            place += 2
            continue
        if _amid_hebrew(query, place):
            signs[place] = _GERESHAYIM
        elif sign == '"' and _amid_word(query, place):
            signs[place] = "'"
        elif sign in _CLOSING and _opens(query, place) and closed.get(sign, True):
            end = _end(query, place)
            closed[sign] = end > 0  # if this one is not closed, no later one is: don't search again
            if end > 0:
                signs[place : end + 1] = _phrase(query[place : end + 1])
                place = end
        place += 1
    return "".join(signs)


def _opens(query: str, place: int) -> bool:
    return query[place] not in _AT_BOUNDARY or place == 0 or _BEFORE.match(query, place - 1) is not None


def _end(query: str, start: int) -> int:
    """The place of the mark that closes the phrase from `start`; -1 if there is none."""
    closing = _CLOSING[query[start]]
    end = next(_closing(query, start, closing), -1)
    if end < 0 and query[start] == '"':
        end = next(_closing(query, start, _MISPAIRED), -1)
    return end


def _closing(query: str, start: int, closing: str) -> Iterator[int]:
    """The places after `start` of marks that can close a phrase."""
    place, word_end = start + 1, query[start] in _APOSTROPHES
    while place < len(query):
        if query[place] == "\\":
            place += 1
        elif (
            query[place] in closing
            and not _amid_hebrew(query, place)
            and not (word_end and place + 1 < len(query) and _BEHIND.match(query, place + 1) is None)
        ):
            yield place
        place += 1


def _phrase(quoted: str) -> list[str]:
    """A quoted piece in straight marks; marks inside that would end it for Lucene are replaced."""
    return ['"', *(_inside(quoted, place) for place in range(1, len(quoted) - 1)), '"']


def _inside(quoted: str, place: int) -> str:
    """The character inside a quoted piece, unless it is a mark that would end the piece."""
    if _amid_hebrew(quoted, place):
        return _GERESHAYIM
    if quoted[place] == '"' and quoted[place - 1] != "\\":
        return " "
    return quoted[place]


def _amid_hebrew(query: str, place: int) -> bool:
    """Whether the mark at `place` is the gershayim of a Hebrew acronym, in any spelling."""
    return (
        query[place] in _IN_HEBREW
        and 0 < place < len(query) - 1
        and _HEBREW.match(query, place - 1) is not None
        and _HEBREW.match(query, place + 1) is not None
    )


def _amid_word(query: str, place: int) -> bool:
    """Whether the straight mark at `place`, outside a phrase, is part of a word: об"єкт.

    Between two letters it opens a phrase only if the next mark closes one.
    """
    if not (0 < place < len(query) - 1 and query[place - 1].isalnum() and query[place + 1].isalnum()):
        return False
    next_ = query.find('"', place + 1)
    return next_ < 0 or query[next_ - 1].isspace() or query[next_ + 1 : next_ + 2].isalnum()


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_fields(query: str) -> str:
    if _MISREAD.search(query) is None:
        return query
    pieces: list[str] = []
    end, before, grouped = 0, "(", 0
    while token := _TOKENS.match(query, end):
        name, end = token["name"], token.end()
        value = token.end("name") + 1
        if _is_mark(query, token) and not _WANTS_MORE.search(before):
            pieces.append(" " * len(token[0]))
        elif name is None and query[token.start() - 1 : token.start()] == '"':
            pieces.append(token[0])  # a filter's next value: owner:"Harrow & Vane",A/B
        elif name is None and token[0].lstrip("+!-")[:1] not in _NO_WORD:
            pieces.append(_SLASH.sub("\u2215", token[0]) if grouped else _apart(token[0]))
        elif name is None or _is_compared(query, value) or _is_like_a_field(query, name, value):
            pieces.append(token[0])
        elif is_field(name) or is_slip(name):
            # A value that may be a regular expression is a token of its own.
            end = token.start("rest") if token["rest"].startswith("/") else token.end("rest")
            pieces.append(query[token.start() : end])
        else:
            words = f"{name}:{token['rest']}"
            pieces.append(token["prefix"] + words.translate(_URL_SEPARATORS if "://" in words else _SEPARATORS))
        grouped = _grouped(grouped, token[0], before)
        before = before if pieces[-1].isspace() else pieces[-1]
    return "".join(pieces) + query[end:]


def _is_mark(query: str, token: re.Match[str]) -> bool:
    """Whether it ends a sentence, as in French (`Qui dirige Al-Qaïda ?`); `!` before a word excludes that."""
    return not token[0].strip("?") or (not token[0].strip("!?") and not query[token.end() :].strip())


def _grouped(depth: int, part: str, before: str) -> int:
    """How many brackets of a field's group are open behind the part: the values of `feeds:(a_b OR c)` are no words."""
    for sign in part if not part.strip('()"[]{} \t\r\n') else "":
        if sign == "(" and (depth or before.endswith(":")):
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
    return depth


def _apart(word: str) -> str:
    """The word with signs at which the analyzers split it, in place of those that part it for a reader."""
    parted = _AMID.sub(lambda signs: COLON * len(signs[0]), _SLASH.sub("\u2215", word))
    return _EXCLAIMED.sub(lambda marks: " " * len(marks[0]), parted)


def _is_like_a_field(query: str, name: str, value: int) -> bool:
    """Whether a name is written like a field's: lower case, directly before a value (`author:smith`)."""
    return _IDENTIFIER.fullmatch(name) is not None and _VALUE.match(query, value) is not None


def _is_compared(query: str, value: int) -> bool:
    """Whether a range or a comparison follows, which only a field can have."""
    return query[value : value + 1] in ("[", "{", "<", ">")
