"""What of a query is marked in the articles it finds, what stands for the words that are not there, and how much of it
is said first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from newswatch.article import Article, Entity, Tag
from newswatch.topics import Topics
from search.common_words import meanings_of, says
from search.highlight import MARK_END, Marks, analyzer_of, searched_fields, unmarked, with_words
from search.lucene import as_lucene
from search.ranking import is_pasted, loosely, together
from search.spelling import is_dense, other_spellings
from search.syntax import Parsed, parts
from search.words import (
    Wording,
    beginning,
    is_small_acronym,
    pieces,
    tokens_of,
    wording,
)
from store.indices.mapping import UNSTEMMED
from transforms.fold import fold, folded
from transforms.places import AS_WRITTEN, places_of

Json = dict[str, Any]

_PARTS: Final = 100
"""Maximum parts of a query that are marked."""
_LONG_NAME: Final = 5
"""Letters from which on a name is looked for inside of words; shorter ones stand in others: `NATO` in "senator"."""
_LEAD: Final = 400
"""Characters of the text that are its lead: some 60 words, two or three sentences."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A name by which an article matches a word that it does not have."""

    name: str
    """Of an entity or topic: "Islamic State"."""
    word: str
    """Of the query: "Daesh"."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How much of a query an article says first, as news does with what it is about."""

    title: float = 0.0
    """Share of the words that the title says, by themselves or by what stands for them: a name of an entity or topic,
    of the country that they name (Rumänien for România), or a common word for the same (солдат for "troops")."""
    head: float = 0.0
    """The same of title, summary and lead together."""


def clauses(parsed: Parsed, analyzer: str, *, loose: bool = False, by_stems: bool = False) -> list[Json]:
    """A clause for each part of the query, for `highlight.marking`; empty for a query without words.

    With `loose`, words that merely begin alike are marked too, and parts of compounds; `by_stems`, in the stemmed
    copies alone (`are_by_stems`).
    """
    fields = searched_fields(analyzer, by_stems=by_stems)
    if parsed.words:
        asked = wording(parsed.words)
        if is_pasted(asked):
            return [together(asked, fields)]
        words = [word for word in asked.words if not is_small_acronym(word)]
        strict = [_as_written(f'"{word}"' if is_dense(word) else word, fields) for word in words]
        strict += [_as_written(f'"{other}"', fields) for word in words for other in other_spellings(word)]
        return strict + ([clause for word in words for clause in loosely(word, fields)] if loose else [])
    return [_as_written(part, fields) for part in parts(as_lucene(parsed.text))[:_PARTS]]


def are_by_stems(asked: Wording, analyzer: str) -> bool:
    """Whether the stemmed copies alone mark the words of a query, in texts of this analyzer, in half of the time.

    On the judged queries they lack 7 of 7,061 marks: words that the analyzer drops ("estado" in Spanish, as a form of a
    verb), which `with_lacking` adds. It can't do so for a compound, and pairs of Chinese characters lack single ones.
    """
    is_simple = all(len(_tokens(word)) == 1 for word in asked.words)
    return is_simple and analyzer not in (UNSTEMMED, analyzer_of("zh")) and not is_pasted(asked)


def with_lacking(asked: Wording, marks: Mapping[str, tuple[str, ...]], texts: Mapping[str, str]) -> Marks:
    """The marks of full texts, with those of each word that is marked nowhere."""
    marked = {token for whole in marks.values() for text in whole for token in _marked_tokens(text)}
    others = (word for word in asked.words if not (is_small_acronym(word) or is_dense(word)))
    lacking = [word for word in others if not _is_marked(word, marked)]
    tokens = [token for word in lacking for token in _tokens(word)]
    return with_words(marks, texts, tokens) if tokens else dict(marks)


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
    absent = [word for word in _wanted(asked) if not _is_marked(word, marked)]
    if not absent:
        return ()
    text = "\n".join(folded(field).text for field in (article.title, article.summary, article.text))
    absent = [word for word in absent if is_small_acronym(word) or not _is_in(text, word)]
    found = (StandIn(name, word) for word in absent for name in _names_for(word, asked, article, topics, text))
    return tuple(dict.fromkeys(found))


def _wanted(asked: Wording) -> list[str]:
    """The words, of compounds the parts that mean something alone."""
    return [part for word in asked.words for part in (pieces(word) or [word])]


def _marked_tokens(text: str) -> Iterator[str]:
    plain, spans = unmarked(text)
    for start, end in spans:
        yield from tokens_of(plain[start:end])


@lru_cache(maxsize=50_000)
def _folded(name: str) -> str:
    """The folded text of a word or name, kept: the same names stand in most articles."""
    return fold(name).text


def _is_in(text: str, word: str) -> bool:
    """Whether the folded text has the word in one of its spellings."""
    return any(_folded(one) in text for one in _spellings(word))


def _is_marked(word: str, marked: Collection[str]) -> bool:
    """Whether the word is among the marked ones, as they are marked in each of its spellings: 北约 for 北約."""
    return any(_is_said(one, marked) for one in _spellings(word))


@lru_cache(maxsize=10_000)  # asked for each row of a page
def _spellings(word: str) -> tuple[str, ...]:
    return (word, *other_spellings(word))


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
    entities = _entities(word, asked, article)
    entity = next(entities, None)
    if entity:
        yield _telling(word, entity.name, (alias for alias in entity.aliases if _folded(alias) in text))
    tag = next(_tags(word, article, topics), None)
    if tag and not (entity and _is_same(word, topics.path(tag.tag))):
        yield _telling(word, topics.path(tag.tag), (evidence.text for evidence in tag.evidence))


def _entities(word: str, asked: Wording, article: Article) -> Iterator[Entity]:
    """Those of the article that are called by the word."""
    meant = asked.senses[word].entities if word in asked.senses else ()
    return (one for one in article.entities if one.id in meant or _is_called(word, (one.name, *one.aliases)))


def _tags(word: str, article: Article, topics: Topics) -> Iterator[Tag]:
    """Those of the article that are called by the word."""
    return (one for one in article.tags if _is_called(word, topics.words_of(one.tag)))


def _telling(word: str, name: str, said: Iterator[str]) -> str:
    """The name; of one that is the word itself, what the article says instead: НАТО for NATO."""
    return next((other for other in said if not _is_same(word, other)), name) if _is_same(word, name) else name


def _is_same(word: str, other: str) -> bool:
    return _folded(word) == _folded(other)


@lru_cache(maxsize=2_000)  # of a page, most articles have the same few entities and topics, with dozens of names
def _is_called(word: str, names: tuple[str, ...]) -> bool:
    return any(_is_named(word, name) for name in names)


def _is_named(word: str, name: str) -> bool:
    if is_dense(word):
        return _folded(name) in _folded(word) or _folded(word) in _folded(name)
    return _is_said(word, _tokens(name))


# ── what an article says first ───────────────────────────────────────────────────────────────────────────────────────


def opening(asked: Wording, article: Article, topics: Topics, marks: Mapping[str, Sequence[str]]) -> Opening:
    """How much of the words the article says first; `marks` are its marked texts, each in full."""
    words = _wanted(asked)
    if not words or is_pasted(asked):  # of a whole text no article says a telling share, and to look would take seconds
        return Opening()
    heads = {field: [_lead(text) if field == "text" else text for text in parts] for field, parts in marks.items()}
    marked = {field: {token for text in texts for token in _marked_tokens(text)} for field, texts in heads.items()}
    in_title, in_head = marked.get("title", set()), set[str]().union(*marked.values())
    start = f"{article.title}. {article.summary} {article.text[:_LEAD]}"
    title, head = _padded(article.title), _padded(start)
    likely = asked.likely
    places = _places_in(tuple(words), asked.typed)
    of_title = {*places_of(article.title)} if places else set()
    of_head = {*places_of(start)} if places else set()
    first = above = 0
    for word in words:
        if _is_marked(word, in_title):
            first, above = first + 1, above + 1
            continue
        names = [*_names_of(word, asked, article)]
        reasons = [reason for tag in _tags(word, article, topics) for reason in tag.evidence]
        place, meanings = places.get(word), meanings_of(word, likely)
        first += (
            place in of_title
            or says(title, meanings, article.language)
            or any(_says(title, name) for name in names)
            or any(one.field == "title" for one in reasons)
        )
        above += (
            place in of_head
            or says(head, meanings, article.language)
            or _is_marked(word, in_head)
            or any(_says(head, name) for name in names)
            or any(one.field != "text" or one.start < _LEAD for one in reasons)
        )
    return Opening(first / len(words), above / len(words))


@lru_cache(maxsize=100)  # asked for each row of a page
def _places_in(words: tuple[str, ...], typed: str) -> Mapping[str, str]:
    """Word → the country that it names, by its name, people or a city; words that name none are left out.

    What is typed may have no capitals, and may name no country as a whole ("Latin America").
    """
    whole = {*places_of(typed), *places_of(" ".join(map(_with_capital, typed.split())))}
    named = ((word, places_of(word) or places_of(_with_capital(word))) for word in words)
    return {word: found[0] for word, found in named if found and found[0] in whole}


def _with_capital(word: str) -> str:
    """The word as a name; a short one as it is, since "us" and "in" are no abbreviations."""
    return word[:1].upper() + word[1:] if len(word) > AS_WRITTEN else word


def _lead(text: str) -> str:
    """The lead of a marked text, up to its last mark: reading all marks of the text would take longer than all else."""
    return text[: text.rfind(MARK_END, 0, _LEAD) + 1]


def _names_of(word: str, asked: Wording, article: Article) -> Iterator[str]:
    """All names of the article's entities that are called by the word."""
    return (name for entity in _entities(word, asked, article) for name in (entity.name, *entity.aliases))


def _padded(text: str) -> str:
    """The words of the text as `_says` looks for them."""
    return f" {' '.join(tokens_of(text))} "


def _says(said: str, name: str) -> bool:
    """Whether the padded text has the name."""
    wanted = _padded_name(name)
    return bool(wanted) and wanted in said


@lru_cache(maxsize=50_000)
def _padded_name(name: str) -> str:
    """What is in a padded text that has the name: a long one may have something written on to it (`والسويد`, "and
    Sweden"). Empty for one that is a function word in small letters (`IS`).
    """
    tokens = "" if is_small_acronym(name) else " ".join(tokens_of(name))
    is_whole = tokens and not is_dense(name) and len(tokens) < _LONG_NAME
    return f" {tokens} " if is_whole else tokens
