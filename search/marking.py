"""What of a query is marked in the articles it finds, and what stands for the words that are not there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from newswatch.article import Article
from newswatch.topics import Topics
from search.highlight import searched_fields, unmarked
from search.lucene import as_lucene
from search.ranking import is_pasted, loosely, together
from search.syntax import Parsed, parts
from search.words import (
    Wording,
    beginning,
    is_dense,
    is_small_acronym,
    otherwise,
    pieces,
    tokens_of,
    wording,
)
from transforms.fold import fold

Json = dict[str, Any]

_PARTS: Final = 100
"""Maximum parts of a query that are marked."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A name by which an article matches a word that it does not have."""

    name: str
    """Of an entity or topic: "Islamic State"."""
    word: str
    """Of the query: "Daesh"."""


def clauses(parsed: Parsed, analyzer: str, *, loose: bool = False) -> list[Json]:
    """A clause for each part of the query, for `highlight.marking`; empty for a query without words.

    With `loose`, words that merely begin alike are marked too, and parts of compounds.
    """
    fields = searched_fields(analyzer)
    if parsed.words:
        asked = wording(parsed.words)
        if is_pasted(asked):
            return [together(asked, fields)]
        words = [word for word in asked.words if not is_small_acronym(word)]
        strict = [_as_written(f'"{word}"' if is_dense(word) else word, fields) for word in words]
        strict += [_as_written(f'"{other}"', fields) for word in words if (other := otherwise(word))]
        return strict + ([clause for word in words for clause in loosely(word, fields)] if loose else [])
    return [_as_written(part, fields) for part in parts(as_lucene(parsed.text))[:_PARTS]]


def acronyms(parsed: Parsed) -> list[str]:
    """The words that must be marked by their capitals, because the index has them as function words: IS."""
    return [word for word in wording(parsed.words).words if is_small_acronym(word)]


def _as_written(part: str, fields: Sequence[str]) -> Json:
    return {
        "query_string": {
            "query": part,
            "fields": list(fields),
            "default_operator": "AND",
            "analyze_wildcard": True,
            "lenient": True,
        }
    }


# ── stand-ins ────────────────────────────────────────────────────────────────────────────────────────────────────────


def stand_ins(
    asked: Wording, article: Article, topics: Topics, marks: Mapping[str, Sequence[str]]
) -> tuple[StandIn, ...]:
    """The names of entities and topics by which the article matches the words that it does not have.

    `marks` are the article's marked texts: most words are found there, so that few texts have to be searched.
    """
    marked = {token for whole in marks.values() for text in whole for token in _marked_tokens(text)}
    words = [part for word in asked.words for part in (pieces(word) or [word])]
    absent = [word for word in words if not _is_said(word, marked)]
    if not absent:
        return ()
    text = fold(f"{article.title}\n{article.summary}\n{article.text}").text
    absent = [word for word in absent if is_small_acronym(word) or fold(word).text not in text]
    found = (StandIn(name, word) for word in absent for name in _names_for(word, asked, article, topics, text))
    return tuple(dict.fromkeys(found))


def _marked_tokens(text: str) -> Iterator[str]:
    plain, spans = unmarked(text)
    for start, end in spans:
        yield from tokens_of(plain[start:end])


def _is_said(word: str, said: Collection[str]) -> bool:
    wanted = _tokens(word)
    if is_dense(word):
        return any(token in "".join(wanted) or "".join(wanted) in token for token in said)
    return all(any(_is_form(token, one) for token in said) for one in wanted)


@lru_cache(maxsize=50_000)
def _tokens(name: str) -> tuple[str, ...]:
    """`tokens_of`, kept: the same names stand in most articles."""
    return tuple(tokens_of(name))


def _is_form(token: str, word: str) -> bool:
    """Whether both may be forms of one word."""
    start = beginning(word)
    return token == word or (start is not None and token.startswith(start)) or token.endswith(word)


def _names_for(word: str, asked: Wording, article: Article, topics: Topics, text: str) -> Iterator[str]:
    """The first entity and the first topic of the article that is called by the word; `text` is its folded text."""
    meant = asked.senses[word].entities if word in asked.senses else ()
    entities = (one for one in article.entities if one.id in meant or _is_called(word, (one.name, *one.aliases)))
    entity = next(entities, None)
    if entity:
        yield _telling(word, entity.name, (alias for alias in entity.aliases if fold(alias).text in text))
    tags = (one for one in article.tags if _is_called(word, tuple(topics.words([one.tag]))))
    tag = next(tags, None)
    if tag and not (entity and _is_same(word, topics.path(tag.tag))):
        yield _telling(word, topics.path(tag.tag), (evidence.text for evidence in tag.evidence))


def _telling(word: str, name: str, said: Iterator[str]) -> str:
    """The name; of one that is the word itself, what the article says instead: НАТО for NATO."""
    return next((other for other in said if not _is_same(word, other)), name) if _is_same(word, name) else name


def _is_same(word: str, other: str) -> bool:
    return fold(word).text == fold(other).text


@lru_cache(maxsize=2_000)  # of a page, most articles have the same few entities and topics, with dozens of names
def _is_called(word: str, names: tuple[str, ...]) -> bool:
    return any(_is_named(word, name) for name in names)


def _is_named(word: str, name: str) -> bool:
    if is_dense(word):
        return fold(name).text in fold(word).text or fold(word).text in fold(name).text
    return _is_said(word, _tokens(name))
