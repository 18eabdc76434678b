"""How plain words find and rank articles. Pure.

An article matches if it has all words (`search.asked`), and ranks by this score. Each word counts once, by the field
that says it best: literally in the title or the text, or by its stem. Each `stemmed` field has statistics of its own,
in which a word of another language is rare and would weigh the most; so such a field weighs as much as its language is
likely for the query. News says what it is about first, so an article gains by the share of the words that its head
has, however rare they are. A topic's name weighs as much as the share of the query that it makes up: `терроризм` is
the topic, `summit` in a longer query is a hint. The numbers were chosen on one half of the judged queries in
tests/search/judged and checked on the other (`python -m benchmarks.ranking`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from newswatch.topics import Topics
from search.highlight import analyzer_of
from search.spelling import is_dense, other_spellings
from search.words import (
    Sense,
    Wording,
    beginning,
    is_compound,
    is_small_acronym,
    pairs,
    pieces,
    tokens_of,
)
from store.indices.mapping import UNSTEMMED

Json = dict[str, Any]

LITERAL: Final = {"title": 1.5, "summary": 1.0, "text": 1.0}
_STEMMED: Final = 1.5
_OTHER_LANGUAGE: Final = 0.5
"""Minimum weight of a language: cross-language matches, by names and topics, come after those in the query's own."""
_PIECES: Final = 0.5
"""Weight of a part of a compound: `NATO` and `Beitritt` of `NATO-Beitritt`."""
_DESIGNATED: Final = 2.0
"""For a word of letters and digits."""
_DESIGNATION: Final = re.compile(r"(?=.*\d)(?=.*[^\W\d_])")
_TIE: Final = 0.3
"""Weight of the other fields that have a word too."""
_TITLE_PHRASE: Final = 2.0
_SLOP: Final = 6
"""Positions that the words of a title may be apart to be the query's phrase."""
_PAIR: Final = 2.0
"""For two neighbouring characters of a dense word in the title, whose field knows single characters only."""
_DENSE_PHRASE: Final = 0.2
_OF_PAIRS: Final = f"stemmed.{analyzer_of('zh')}"
"""The field whose terms are pairs of characters."""
_BEGINNING: Final = {"title": 1.0, "text": 0.5}
_HEAD: Final = 10.0
"""For an article whose head, which is title, summary and lead, has all words; a share of it for each word."""
_LEAD: Final = 60
"""Words of the text that are its lead: two or three sentences."""
_HEAD_WORDS: Final = 100
"""Maximum words and pairs of characters that are looked for in the head. A longer query is a text that somebody pasted,
and a small Elasticsearch takes only so many clauses."""
_PASTED: Final = 30
"""Words of a question, at most, of which a compound (`F-16`) has several. Of real queries, the longest that was judged
has eight."""
_NAMED: Final = 6.0
"""For a word that means an entity, which the article names."""
_TOPIC: Final = 16.0
_HINT: Final = 0.3
"""Share of `_TOPIC` for a topic that is named among many other words."""
_MENTION: Final = 0.5
"""Weight of a tag that is not the main subject."""


def scores(wording: Wording, fields: Sequence[str], topics: Topics) -> list[Json]:
    """The `should` clauses whose sum is an article's score; `fields` are those that the articles have."""
    names = [field.partition("^")[0] for field in fields]
    weights = {name: _weight(name, wording) for name in names}
    if is_pasted(wording):
        return [together(wording, [f"{name}^{weight:.3g}" for name, weight in weights.items()])]
    clauses = [_word(_literal(word, wording), _weighed(word, weights)) for word in _scored(wording)]
    clauses += [clause for word in wording.words for clause in (*_dense(word), *_beginning(word))]
    clauses += _heads([_literal(word, wording) for word in wording.words])
    parts = {name: _PIECES * weight for name, weight in weights.items()}
    clauses += [_word(piece, parts) for word in wording.words for piece in pieces(word)]
    clauses += [_constant(means(sense), _NAMED) for sense in wording.senses.values()]
    if len(wording.words) > 1:
        clauses.append(_phrase("title", wording.text, _TITLE_PHRASE, _SLOP))
    return [*clauses, *_topics(wording, topics)]


def _scored(wording: Wording) -> list[str]:
    """The words that score by themselves. Beside others, an acronym that means an entity does so by the entity alone:
    in "IS Mosul", the words "Islamic State" would outweigh Mosul."""
    named = {word for word in wording.senses if is_small_acronym(word)}
    return [word for word in wording.words if word not in named] or [*wording.words]


def _weighed(word: str, weights: dict[str, float]) -> dict[str, float]:
    """The weights for the word: `F-16` and `S-400` mean the same in every language, and are what is asked for."""
    if not _DESIGNATION.search(word):
        return weights
    return {name: _DESIGNATED * weight for name, weight in weights.items()}


def _literal(word: str, wording: Wording) -> str:
    """The word, or the entity's name for one that the index has as a function word: "Islamic State" for IS."""
    sense = wording.senses.get(word)
    return sense.name if sense and is_small_acronym(word) else word


def any_word(wording: Wording, fields: Sequence[str]) -> Json:
    """The clause for articles with at least one of the words, in any form."""
    names = [field.partition("^")[0] for field in fields]
    if is_pasted(wording):
        return together(wording, names)
    words = [word for word in wording.words if not is_small_acronym(word)] or wording.words
    clauses = [clause for word in words for clause in loosely(word, names)] + [*map(means, wording.senses.values())]
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def is_pasted(wording: Wording) -> bool:
    """Whether the query is a text that somebody pasted: looking for each word in every form would take seconds."""
    return sum(map(_words_in, wording.words)) > _PASTED


def _words_in(word: str) -> int:
    """How many words it is; of a script without spaces, two characters are about one."""
    return -(-len(word) // 2) if is_dense(word) else max(1, len(tokens_of(word)))


def together(wording: Wording, fields: Sequence[str]) -> Json:
    """The clause for articles with any of the words, as the index has them."""
    return {"multi_match": {"query": wording.text, "fields": [*fields]}}


def means(sense: Sense) -> Json:
    """The clause for articles that name the entity."""
    return {"terms": {"entity_ids": list(sense.entities)}}


def loosely(word: str, fields: Sequence[str]) -> list[Json]:
    """The clauses for the word in any form: as it is, by the parts of a compound, by how its forms begin."""
    clauses = [_match(one, field) for one, field in _spelt(word, fields)]
    clauses += [{"match": {field: piece}} for piece in pieces(word) for field in fields]
    return clauses + [clause["constant_score"]["filter"] for clause in _beginning(word)]


def _weight(field: str, wording: Wording) -> float:
    """The weight of a word in a field."""
    if not field.startswith("stemmed."):
        return LITERAL.get(field, 1.0)
    analyzer = field.removeprefix("stemmed.")
    share = max((share for code, share in wording.languages.items() if analyzer_of(code) == analyzer), default=0.0)
    if analyzer == UNSTEMMED:  # also of languages that were not recognised
        share = max(share, _OTHER_LANGUAGE)
    return _STEMMED * max(share, _OTHER_LANGUAGE)


def _word(word: str, weights: dict[str, float]) -> Json:
    return {
        "dis_max": {
            "queries": [_match(one, name, weights[name]) for one, name in _spelt(word, [*weights])],
            "tie_breaker": _TIE,
        }
    }


def _spelt(word: str, fields: Sequence[str]) -> list[tuple[str, str]]:
    """The word in each field, and its other spellings in those that are not stemmed."""
    spelt = [(word, field) for field in fields]
    return spelt + [(other, field) for other in other_spellings(word) for field in fields if field in LITERAL]


def _match(word: str, field: str, weight: float = 1.0) -> Json:
    """The word in a field: a compound as a phrase, a dense one as a phrase where single characters are indexed."""
    if is_compound(word) or (is_dense(word) and field != _OF_PAIRS):
        return _phrase(field, word, weight)
    return {"match": {field: {"query": word, "boost": weight}}}


def _phrase(field: str, text: str, weight: float, slop: int = 0) -> Json:
    return {"match_phrase": {field: {"query": text, "boost": weight, "slop": slop}}}


def _dense(word: str) -> Iterator[Json]:
    if is_dense(word):
        yield _phrase("text", word, _DENSE_PHRASE)
        yield _phrase("title", word, _TITLE_PHRASE)
        for pair in pairs(word):
            yield _constant({"match_phrase": {"title": pair}}, _PAIR)


def _beginning(word: str) -> Iterator[Json]:
    if start := beginning(word):
        for field, weight in _BEGINNING.items():
            yield _constant({"prefix": {field: start}}, weight)


def _heads(words: Sequence[str]) -> list[Json]:
    if sum(1 + len(pairs(word)) for word in words) > _HEAD_WORDS:
        return []
    return [_constant(_in_head(word), _HEAD / len(words)) for word in words]


def _in_head(word: str) -> Json:
    """The clause for articles that have the word in the title, the summary or the lead."""
    said = [_match(one, field) for one, field in _spelt(word, ("title", "summary"))]
    if is_dense(word):
        said += [{"match_phrase": {"title": pair}} for pair in pairs(word)]
    elif tokens := tokens_of(word):
        near = [{"span_term": {"text": token}} for token in tokens]
        lead = {"span_near": {"clauses": near, "slop": 0, "in_order": True}} if len(near) > 1 else near[0]
        said.append({"span_first": {"match": lead, "end": _LEAD}})
    if start := beginning(word):
        said.append({"prefix": {"title": start}})
    return {"bool": {"should": said, "minimum_should_match": 1}}


def _constant(clause: Json, weight: float) -> Json:
    return {"constant_score": {"filter": clause, "boost": weight}}


# ── topics ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _topics(wording: Wording, topics: Topics) -> Iterator[Json]:
    text = " ".join(tokens_of(wording.text))
    named = {words: tags for words, tags in _names(topics.called).items() if _says(text, words)}
    said = {token for words in named for token in words.split()}
    share = min(1.0, len(said) / max(1, len(text.split())))
    best: dict[str, int] = {}
    for words, tags in named.items():
        for tag in tags:
            best[tag] = max(best.get(tag, 0), len(words.split()))
    for tag, length in best.items():
        weight = _TOPIC * (_HINT + (1 - _HINT) * share**2) * length**0.5
        yield _constant({"term": {"tags_main": tag}}, weight)
        yield _constant({"term": {"tags": tag}}, _MENTION * weight)


def _says(text: str, words: str) -> bool:
    return f" {words} " in f" {text} " or (is_dense(words) and words in text)


@lru_cache(maxsize=4)
def _names(called: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    """Folded name → the topics and sub-topics that people call so."""
    named: dict[str, list[str]] = {}
    for word, tag in called:
        named.setdefault(" ".join(tokens_of(word)), []).append(tag)
    return {words: tuple(tags) for words, tags in named.items()}
