"""What a query asks of the index: which articles match, and in which order. Every search goes by these clauses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from elasticsearch import Elasticsearch

from search.filter_clauses import Own, clauses
from search.highlight import analyzer_of
from search.limits import MAX_TERMS, check_cost, check_length, cost, words_in
from search.lucene import as_lucene
from search.ranking import LITERAL, is_pasted, means
from search.senses import senses_of, with_entities
from search.spelling import is_dense, other_spellings
from search.syntax import Parsed, parse
from search.words import Wording, wording
from store.indices.mapping import DEFAULT_FIELDS, fields_of
from store.names import Names

Sort = Literal["relevance", "time"]
Json = dict[str, Any]

_QUESTION: Final = re.compile(r"\s*\S+\s[^?]*\w(\?+)\s*", re.DOTALL)
"""Several words and a question mark at the end; a single one (`nat?`) is a pattern."""
_CLAUSES: Final = 1_000
"""Words times fields of one clause. A page has up to five such, and 512 MB of heap take 7,900; a query of eight words
over all 35 fields has 280."""
_MOST: Final = "1<1 2<2 5<40%"
"""How many of so many words are most of them, as Elasticsearch is told it."""
_HALF_LIFE: Final = "30d"
"""Age at which half of the bonus for recency is gone."""
_NEWER: Final = 0.1
"""Bonus for a new article over a very old one, and for an original over a copy, among those that have the words."""
_NEWER_ALONE: Final = 3.0
"""The same where a query has no words, so that only tags tell articles apart."""
_ON_TOPIC: Final = 0.25
"""Bonus, among those that have the words, for an article whose main subject is a topic of the taxonomy."""


def text_query(query: str, fields: Sequence[str] = DEFAULT_FIELDS) -> Json:
    """The clause for a query in Lucene's syntax: every word must occur, in the title, the text, or a stemmed form.

    Saved searches, `newswatch search` and (by an advanced setting) Kibana use the same clause.

    Raises:
        TooCostlyError: the query exceeds a limit (`search.limits`).
    """
    check_length(query)
    query = as_lucene(query)
    check_cost(query)
    if not query.strip() or query.strip() == "*":
        return {"match_all": {}}
    return {
        "query_string": {
            "query": query,
            "fields": list(fields),
            "default_operator": "AND",
            "analyze_wildcard": True,
            "lenient": False,
            "time_zone": "UTC",
        }
    }


def filled_fields(es: Elasticsearch, names: Names, parsed: Parsed) -> list[str]:
    """The default fields that the articles in question have; searching the others would cost more than the rest."""
    languages = [f.values for f in parsed.of("lang") if not f.negated]
    if languages:
        return list(fields_of(frozenset(analyzer_of(language.lower()) for language in languages[0])))
    filled = es.field_caps(index=names.articles, fields="stemmed.*", include_empty_fields=False)["fields"]
    return list(fields_of(frozenset(name.removeprefix("stemmed.") for name in filled)))


def most_words(asked: Wording, fields: Sequence[str] = DEFAULT_FIELDS) -> Json:
    """The clause for articles with at least two of three or more words, or 40 % of many; of two, with any.

    In the fields without stems a word counts in each of its spellings, unless the query is a pasted text.
    """
    most = {"operator": "or", "minimum_should_match": _MOST}
    typed = {"multi_match": {"query": asked.text, "fields": list(fields)} | most}
    if is_pasted(asked) or not any(map(other_spellings, asked.words)):
        return typed
    spelt = ({"bool": {"should": _each(asked.words, field), "minimum_should_match": _MOST}} for field in LITERAL)
    return {"bool": {"should": [typed, *spelt], "minimum_should_match": 1}}


def _each(words: Sequence[str], field: str) -> list[Json]:
    """A clause for each word, in the field, in any spelling."""
    spellings = ((word, *other_spellings(word)) for word in words)
    return [{"dis_max": {"queries": [{"match_phrase": {field: one}} for one in some]}} for some in spellings]


def required(parsed: Parsed, names: Names, fields: Sequence[str] = DEFAULT_FIELDS) -> Json:
    """The clause for what a typed query requires: plain words without function words, all else as it is written.

    A word that means an entity (`search.senses`) asks for articles that name it. Another word in a script without
    spaces must occur as it is written: 伊斯兰国家 ("Islamic countries") is not 伊斯兰国 and 国家 somewhere.
    """
    return has_all(wording_of(parsed, names), fields) if parsed.words else text_query(parsed.text, fields)


def within_budget(asked: Wording, fields: Sequence[str]) -> Sequence[str]:
    """The fields in which all words can be looked for: title, text and their own language's stems for a long text.

    Elasticsearch counts each word once for each field and takes some thousands, on a small heap, in all clauses
    together. Of a text so long the language is certain.
    """
    if words_in(asked.text) * len(fields) <= _CLAUSES:
        return fields
    kept = ("title", "text", f"stemmed.{analyzer_of(asked.language)}")
    return [field for field in fields if field.partition("^")[0] in kept]


def has_all(asked: Wording, fields: Sequence[str]) -> Json:
    """The clause for articles with all of the plain words: see `required`."""
    fields = within_budget(asked, fields)
    words = _spelt(asked)
    clause = text_query(" ".join(words), fields)
    entities = [means(sense) for sense in asked.senses.values()]
    return {"bool": {"must": [clause] if words else [], "filter": entities}} if entities else clause


def _plain(asked: Wording) -> list[str]:
    return [word for word in asked.words if word not in asked.senses]


def _spelt(asked: Wording) -> list[str]:
    """The words in Lucene's syntax, in any spelling, unless these alone would make the query too long: a paragraph of
    Chinese is one word, whose characters are counted once for each spelling and field."""
    words = _plain(asked)
    every = [] if is_pasted(asked) else [_in_any_spelling(word) for word in words]
    return every if every and cost(" ".join(every)).terms <= MAX_TERMS else [_as_typed(word) for word in words]


def _as_typed(word: str) -> str:
    return f'"{word}"' if is_dense(word) else word


def _in_any_spelling(word: str) -> str:
    """The word in Lucene's syntax: (F-16 OR title:"F16" OR …), in the fields without stems, as it has none."""
    others = [f'{field}:"{other}"' for other in other_spellings(word) for field in LITERAL]
    return f"({' OR '.join([_as_typed(word), *others])})" if others else _as_typed(word)


def understood(query: str, names: Names) -> Parsed:
    """The query as it is searched: parsed, and beside operators with entities for the words that mean them.

    Raises:
        QuerySyntaxError, TooCostlyError: those of `parse`.
    """
    parsed = _asked(parse(query))
    if parsed.words or not parsed.text.strip():
        return parsed
    return replace(parsed, text=with_entities(parsed.text, names.taxonomy_in_force()))


def _asked(parsed: Parsed) -> Parsed:
    """A question (`who leads al-Qaeda?`) without its mark, which Lucene would take for a wildcard."""
    question = None if parsed.words else _QUESTION.fullmatch(parsed.text)
    if question is None:
        return parsed
    start, end = question.span(1)
    plain = parse(parsed.query[:start] + " " * (end - start) + parsed.query[end:])
    return plain if plain.words else parsed


def wording_of(parsed: Parsed, names: Names) -> Wording:
    """What the plain words of a query ask for."""
    return wording(parsed.words, senses_of(parsed.words, names.taxonomy_in_force()))


def shortened(query: str, names: Names) -> str:
    """What a reader is told of the words of a query that are not looked for: a sentence, or nothing.

    Raises:
        QuerySyntaxError, TooCostlyError: those of `parse`.
    """
    parsed = understood(query, names)
    return wording_of(parsed, names).shortened if parsed.words else ""


def to_query(parsed: Parsed, now: datetime, text: Json, own: Own | None = None) -> Json:
    """The whole query: the clause for its words (`required`) and its short filters.

    Raises:
        QueryError: a filter depends on who asks, and `own` (`search.personal`) does not have it.
    """
    must, must_not = clauses(parsed, now, own)
    return {"bool": {"must": [text], "filter": must, "must_not": must_not}}


def order(sort: Sort) -> list[Json]:
    """The sort order: best or newest first."""
    return [{"time": "desc"}, {"seq": "desc"}] if sort == "time" else [{"_score": "desc"}, {"time": "desc"}]


def ranked(parsed: Parsed, query: Json, now: datetime) -> Json:
    """The query with scores that decrease with age; a main topic raises them, or without words the tags asked for."""
    if parsed.text.strip():
        return _newer_first(query, now, _NEWER, _ON_TOPIC)
    tags = [value.lower() for filter_ in parsed.of("tag") if not filter_.negated for value in filter_.values]
    if tags:
        factors = [{"field_value_factor": {"field": f"scores.{tag}", "missing": 0}} for tag in tags]
        query = _function_score(query, factors)
    return _newer_first(query, now, _NEWER_ALONE)


def _newer_first(query: Json, now: datetime, bonus: float, on_topic: float = 0.0) -> Json:
    decay = {"exp": {"time": {"origin": now.isoformat(), "offset": "1d", "scale": _HALF_LIFE, "decay": 0.5}}}
    own = {"filter": {"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}}, "weight": bonus / 2}
    topical = [{"filter": {"exists": {"field": "tags_main"}}, "weight": on_topic}] if on_topic else []
    return _function_score(query, [{"weight": 1.0}, decay | {"weight": bonus}, own, *topical])


def _function_score(query: Json, functions: list[Json]) -> Json:
    return {"function_score": {"query": query, "functions": functions, "score_mode": "sum", "boost_mode": "multiply"}}
