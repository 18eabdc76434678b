"""The query language: Lucene's syntax with short filters beside it. Pure.

    AWACS Daesh tag:nato/burden-sharing level:main lang:fr -source:tass.ru since:7d

A short filter stands at the top level of a query and holds for all of it; several are all required, and commas within
one mean "any of these". Everything else is Lucene's and is passed on as it is. What would match nothing in silence (a
field that doesn't exist, a level that isn't one) is refused, with the place in the query. What is like
no field (`09:30`, `Stoltenberg: NATO joins`) is words.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from newswatch.errors import QueryError
from search.field_names import is_field, meant
from search.filters import FILTERS, ONCE, TIMES, fields_of
from search.limits import check_cost, check_filters, check_length
from search.lucene import as_lucene, lone_mark, visible

Clause = dict[str, Any]


class QuerySyntaxError(QueryError):
    """A query that can't be understood: `start:end` is the place in it."""

    def __init__(self, query: str, start: int, end: int, message: str) -> None:
        self.query, self.start, self.end, self.reason = query, start, end, message
        super().__init__(f"{message}\n{pointed_at(query, start, end)}")


_SHOWN_CHARS = 120
"""Of the line that a place is in; of a longer one, what is around the place."""


def pointed_at(query: str, start: int, end: int) -> str:
    """The line of the query that the place is in, and a second line that points at it."""
    line_start = query.rfind("\n", 0, start) + 1
    line, at = query[line_start:].split("\n")[0], start - line_start
    width = max(1, min(end - start, len(line) - at))
    if len(line) > _SHOWN_CHARS:
        first = max(0, at - _SHOWN_CHARS // 2)
        cut = "…" if first else ""
        line, at = cut + line[first : first + _SHOWN_CHARS] + "…", at - first + len(cut)
        width = max(1, min(width, len(line) - at))
    return f"  {line}\n  {' ' * at}{'^' * width}"


@dataclass(frozen=True, slots=True)
class Filter:
    """A short filter, and where it stands in the query."""

    name: str
    values: tuple[str, ...]
    negated: bool
    start: int
    end: int
    joint: tuple[int, int] | None = None
    """The `AND` that joins it to the rest."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query, taken apart."""

    query: str
    """As typed, without what nobody sees: the places in it."""
    text: str
    """What is left for Lucene, blanks where the filters stood: a column in it is a column of the query."""
    filters: tuple[Filter, ...] = ()
    words: tuple[str, ...] = ()
    """The words of `text`, if it is nothing but plain words."""

    def of(self, name: str) -> tuple[Filter, ...]:
        """The filters of that name."""
        return tuple(f for f in self.filters if f.name == name)

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
    """The query's filters and what is left for Lucene.

    Raises:
        QuerySyntaxError: it can't be understood, or would match nothing by mistake; it knows the place.
        TooCostlyError: it asks for more than one query may (`search.limits`).
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
    check_filters(len(filters), sum(len(found.values) for found in filters))
    lucene = "".join(text)
    check_cost(lucene)
    return Parsed(typed, lucene, tuple(filters), _plain_words(tokens, text))


def check_signs(lucene: str) -> None:
    """Refuse a query, read by `as_lucene`, that Lucene reads otherwise than it looks or not at all.

    Quotation marks without a partner are passed over, a slash amid a word begins a regular expression, and a wildcard
    is looked for within one word.

    Raises:
        QuerySyntaxError: with the place.
    """
    _read(lucene)


def parts(lucene: str) -> list[str]:
    """What a query, read by `as_lucene`, asks for part by part, each once: words, phrases, ranges, expressions.

    Each has its field; a group behind a field (`title:(a OR b)`) is one part with it. Operators, other brackets and the
    signs before a part are left out.

    Raises:
        QuerySyntaxError: it can't be taken apart; with the place.
    """
    found: list[str] = []
    tokens = iter(_read(lucene))
    for token in tokens:
        if token.kind == "word" and token.text:
            end = _end_of_value(tokens, token) if _NAME.fullmatch(token.text) else token.end
            found.append(lucene[token.start + len(token.prefix) : end])
    return [*dict.fromkeys(found)]


def _end_of_value(tokens: Iterator[_Token], name: _Token) -> int:
    """The end of what stands behind a field's name and a blank, or of the group behind it; takes their tokens."""
    value = next(tokens, name)
    if value.kind != "open":
        return value.end
    return next(token.end for token in tokens if token.kind == "close" and token.depth == value.depth)


def _read(query: str) -> list[_Token]:
    at = lone_mark(query)
    if at is not None:
        fault = "This quotation mark has no partner: add it, or remove this one."
        raise QuerySyntaxError(query, at, at + 1, fault)
    tokens = list(_tokens(query))
    for token in tokens:
        _check_wildcards(query, token)
    return tokens


_SEVERAL = re.compile(
    r"[*?].*\w[-\u2010-\u2015\u2215\u2216\u2236+&]+\w|\w[-\u2010-\u2015\u2215\u2216\u2236+&]+\w.*[*?].*\w"
)


def _check_wildcards(query: str, token: _Token) -> None:
    """Refuse `*drone-un*`: the index has no such word but two, so it would find nothing. `anti-dron*` finds them."""
    if token.kind == "word" and token.text[:1] not in '"/[{' and ":" not in token.text and _SEVERAL.search(token.text):
        fault = "These are several words to the index: where a wildcard stands before the end, write them apart."
        raise QuerySyntaxError(query, token.start, token.end, fault)


def _tokens(query: str) -> Iterator[_Token]:
    opened: list[int] = []
    at = 0
    while at < len(query):
        if query[at].isspace():
            at += 1
        elif query[at] == "(":
            yield _Token("open", at, at + 1, "(", len(opened))
            opened.append(at)
            at += 1
        elif query[at] == ")":
            if not opened:
                raise QuerySyntaxError(query, at, at + 1, "This bracket closes nothing: remove it, or quote it.")
            opened.pop()
            at += 1
            end = _suffix(query, at)
            yield _Token("close", at - 1, end, query[at - 1 : end], len(opened))
            at = end
        elif operator := _OPERATOR.match(query, at):
            yield _Token("operator", at, operator.end(), operator[0], len(opened))
            at = operator.end()
        else:
            token = _word(query, at, len(opened))
            yield token
            at = token.end
    if opened:
        raise QuerySyntaxError(query, opened[-1], opened[-1] + 1, "This bracket is never closed.")


def _suffix(query: str, at: int) -> int:
    """The end of a boost (`^2`) after a closing bracket."""
    found = re.compile(r"\^[\d.]+").match(query, at)
    return found.end() if found else at


def _word(query: str, start: int, depth: int) -> _Token:
    """A word with everything that belongs to it: a field's name, a phrase, a range, a regular expression."""
    prefix = query[start] if query[start] in "+-!" and start + 1 < len(query) else ""
    first = start + len(prefix)
    at = first
    while at < len(query) and not query[at].isspace() and query[at] not in "()":
        if query[at] == "\\":
            at += 2
        elif query[at] == '"':
            at = _until(query, at, '"', "This quotation mark is never closed.")
        elif query[at] in _CLOSING and (at == first or query[at - 1] == ":"):
            at = _until(query, at, _CLOSING[query[at]], "This range is never closed.")
        elif query[at] == "/" and not _in_filter(query, first, at):
            at = _regex(query, first, at)
        else:
            at += 1
    return _Token("word", start, min(at, len(query)), query[first:at], depth, prefix)


def _until(query: str, start: int, closing: str, fault: str) -> int:
    at = start + 1
    while at < len(query):
        if query[at] == "\\":
            at += 1
        elif query[at] in closing:
            return at + 1
        at += 1
    raise QuerySyntaxError(query, start, start + 1, fault)


def _in_filter(query: str, first: int, at: int) -> bool:
    name = _NAME.match(query, first)
    return bool(name and name[1] in FILTERS and name.end() <= at)


def _regex(query: str, first: int, at: int) -> int:
    if at != first and query[at - 1] != ":":
        fault = "A slash begins a regular expression in Lucene's syntax: put the word in quotation marks."
        raise QuerySyntaxError(query, at, at + 1, fault)
    return _until(query, at, "/", "This regular expression is never closed: quote a slash that is meant as one.")


def _check_field(query: str, token: _Token, name: str) -> None:
    """Refuse a name that no field has. One that nobody can have meant for a field would be words by now."""
    if is_field(name):
        return
    plain = name.replace("\\", "")
    near = meant(plain)
    told = f"did you mean {near}:?" if near else "to search for the words as they are, leave out the colon."
    start = token.start + len(token.prefix)
    raise QuerySyntaxError(query, start, start + len(name) + 1, f"There is no field {plain!r}: {told}")


# ── short filters ────────────────────────────────────────────────────────────────────────────────────────────────────


def _filter(query: str, tokens: Sequence[_Token], index: int, name: str, text: list[str]) -> Filter:
    """The filter at `index`; it and the operators that join it are blanked out of `text`."""
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
    found = Filter(name, _values(query, token, name), negated, start, token.end, place)
    for first, last in _places(found):
        text[first:last] = " " * (last - first)
    _check_values(query, token, found)
    return found


def _places(found: Filter) -> list[tuple[int, int]]:
    return [(found.start, found.end), *([found.joint] if found.joint else [])]


def _check_place(query: str, token: _Token, name: str, before: _Token | None, after: _Token | None) -> None:
    if token.depth:
        fault = f"{name}: can't stand in brackets, as it holds for the whole query; several values go with commas."
        raise QuerySyntaxError(query, token.start, token.end, fault)
    for near in (before, after):
        if near and near.kind == "operator" and near.text in ("OR", "||"):
            fault = f"{name}: can't be joined by OR, as it holds for the whole query; several values go with commas."
            raise QuerySyntaxError(query, near.start, near.end, fault)


_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^",\\]|\\.)+)')


def _values(query: str, token: _Token, name: str) -> tuple[str, ...]:
    start = token.start + len(token.prefix) + len(name) + 1
    values, at = [], start
    while at <= token.end:
        found = _VALUE.match(query, at, token.end)
        if found is None:
            fault = f"A value must follow {name}: directly ({FILTERS[name].help})."
            raise QuerySyntaxError(query, token.start, token.end, fault)
        values.append(re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2]).strip())
        at = found.end()
        if at == token.end:
            break
        if query[at] != ",":
            raise QuerySyntaxError(query, at, token.end, "Several values are divided by commas.")
        at += 1
    return tuple(values)


def _check_values(query: str, token: _Token, found: Filter) -> None:
    allowed = FILTERS[found.name].choices
    for value in found.values:
        if allowed and value not in allowed:
            fault = f"{found.name}: is {' or '.join(allowed)}, not {value!r}."
            raise QuerySyntaxError(query, token.start, token.end, fault)
        if found.name in TIMES and not _TIME.fullmatch(value):
            fault = f"{found.name}: takes a time like 7d, 24h, 2w, today, 2026-03-01 or 2026-03, not {value!r}."
            raise QuerySyntaxError(query, token.start, token.end, fault)
        if found.name in TIMES:
            _check_date(query, token, value)
    if found.name in ONCE and (found.negated or len(found.values) > 1):
        fault = f"{found.name}: takes one value and can't be negated."
        raise QuerySyntaxError(query, token.start, token.end, fault)


def _check_date(query: str, token: _Token, value: str) -> None:
    try:
        span(value, datetime(2000, 1, 1, tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise QuerySyntaxError(query, token.start, token.end, f"{value!r} is no date: {error}.") from error


def _check_once(query: str, filters: Sequence[Filter]) -> None:
    seen: set[str] = set()
    for found in filters:
        if found.name in ONCE and found.name in seen:
            raise QuerySyntaxError(query, found.start, found.end, f"{found.name}: is given twice.")
        seen.add(found.name)


def _plain_words(tokens: Sequence[_Token], text: Sequence[str]) -> tuple[str, ...]:
    """The words, if there is nothing but words and filters; an operator that joins words means what it says."""
    words: list[str] = []
    for token in tokens:
        name = _NAME.match(token.text)
        if (name and name[1] in FILTERS) or text[token.start].isspace():
            continue
        if token.kind != "word" or token.prefix or re.search(r'[\\:"*?~^\[\]{}/]', token.text):
            return ()
        words.append(token.text)
    return tuple(words)


# ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TIME = re.compile(
    r"(?P<count>\d{1,5})(?P<unit>[hdwy])|today|yesterday"
    r"|(?P<year>\d{4})(-(?P<month>\d\d?)(-(?P<day>\d\d?)(T(?P<hour>\d\d):(?P<minute>\d\d)Z?)?)?)?"
)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


def span(value: str, now: datetime) -> tuple[datetime, datetime]:
    """First moment of what `value` means, and the first moment after it: one and the same for "7d". In UTC.

    Raises:
        ValueError, OverflowError: there is no such date.
    """
    found = _TIME.fullmatch(value)
    if found is None:
        raise ValueError("no time")
    if found["count"]:
        moment = now - int(found["count"]) * _UNITS[found["unit"]]
        return moment, moment
    if not found["year"]:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight - timedelta(days=value == "yesterday")
        return start, start + timedelta(days=1)
    return _calendar_span(found)


def _calendar_span(found: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    start = datetime(year, month, day, int(found["hour"] or 0), int(found["minute"] or 0), tzinfo=UTC)
    if found["hour"]:
        return start, start + timedelta(minutes=1)
    if found["day"]:
        return start, start + timedelta(days=1)
    if found["month"]:
        return start, start + timedelta(days=monthrange(year, month)[1])
    return start, start.replace(year=year + 1)


# ── what Elasticsearch is asked ──────────────────────────────────────────────────────────────────────────────────────


def clauses(parsed: Parsed, now: datetime) -> tuple[list[Clause], list[Clause]]:
    """The short filters as Elasticsearch clauses: those that must hold, those that must not."""
    level = parsed.first("level")
    must: list[Clause] = []
    must_not: list[Clause] = []
    for found in parsed.filters:
        if found.name != "level":
            (must_not if found.negated else must).append(_clause(found, level, now))
    if level and not any(not f.negated for f in parsed.of("tag")):
        must.append({"exists": {"field": "tags_main" if level == "main" else "tags"}})
    return must, must_not


def _clause(found: Filter, level: str | None, now: datetime) -> Clause:
    values = list(found.values)
    match found.name:
        case "tag":
            # What must not be there must not be there at any level.
            main = level == "main" and not found.negated
            return {"terms": {"tags_main" if main else "tags": [value.lower() for value in values]}}
        case "since":
            return {"range": {"time": {"gte": span(values[0], now)[0].isoformat()}}}
        case "until":
            start, end = span(values[0], now)
            return {"range": {"time": {"lt" if end > start else "lte": end.isoformat()}}}
        case "source":
            return _any([clause for value in values for clause in _source(value)])
        case "entity":
            return _any([{"terms": {"entities": values}}, {"terms": {"entity_ids": [_as_id(v) for v in values]}}])
    states = [state for value in values if (state := FILTERS[found.name].choices.get(value))]
    if states:
        return _any([dict(state.clause) for state in states])
    return {"terms": {fields_of(found.name): [FILTERS[found.name].case(value) for value in values]}}


def _any(clauses_: list[Clause]) -> Clause:
    return clauses_[0] if len(clauses_) == 1 else {"bool": {"should": clauses_, "minimum_should_match": 1}}


def _source(value: str) -> list[Clause]:
    below = "*." + re.sub(r"([*?\\])", r"\\\1", value.lower())
    return [
        {"term": {"source.domain": value.lower()}},
        {"wildcard": {"source.domain": {"value": below}}},
        {"term": {"source.name": value}},
    ]


def _as_id(name: str) -> str:
    return re.sub(r"\s+", "-", name.strip().lower())


# ── editing a query ──────────────────────────────────────────────────────────────────────────────────────────────────


def written(name: str, value: str) -> str:
    """A filter as it is typed."""
    bare = re.fullmatch(r"[\w./@+-]+", value) is not None
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f"{name}:{value}" if bare else f'{name}:"{escaped}"'


def with_filter(query: str, name: str, value: str) -> str:
    """The query with a filter added; one that can stand only once takes the place of the one there."""
    if name in ONCE:
        query = without(query, name)
    return f"{query.strip()} {written(name, value)}".strip()


def without(query: str, name: str, value: str | None = None) -> str:
    """The query without the filters of that name (and only that value, if one is given)."""
    parsed = parse(query)
    query = parsed.query
    gone = [found for found in parsed.of(name) if value is None or found.values == (value,)]
    for start, end in sorted((place for found in gone for place in _places(found)), reverse=True):
        query = query[:start].rstrip() + " " + query[end:].lstrip()
    return query.strip()
