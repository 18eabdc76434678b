"""The words of some articles, field by field, as Elasticsearch's own analyzers make them of the texts.

Many saved searches on few articles are cheaper to answer from the articles' words than by asking Elasticsearch each:
its term vectors say which words an article has, its analyzers what becomes of a query's words, and the rest is looking
them up. It speaks only where that is certain to be Elasticsearch's own answer; whatever else a clause says (a range, a
field, a wildcard in the middle) is left to be asked. Of a phrase it only says where it can't be.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from operator import and_
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from alerts.formula import Clause, Said, said
from alerts.hits import SOURCE, Found, all_found
from newswatch.errors import ConfigError
from newswatch.topics import Topics
from store.documents import stemmed
from store.mapping import query_analyzer
from store.names import Names

AS_WRITTEN = ("title", "summary", "text")
PAGE = 100
"""Articles in one request."""
_SOURCE = [*SOURCE, *AS_WRITTEN, "language", "tags", "entity_details.name", "entity_details.aliases"]
_TEXTS = 4_000
"""Texts analyzed by one request; Elasticsearch refuses to give more than 10,000 tokens at once."""

_NO_ANALYZER = "failed to find"
"""In Elasticsearch's refusal to analyze by an analyzer that an index doesn't have."""
_TOKENS = "tokens.token,tokens.start_offset,tokens.position"

Terms = dict[str, int]
"""Term → the places that have it, as the bits of a number."""
Tokens = tuple[str, ...] | None
"""What an analyzer makes of a text: all must be there. None: they don't simply follow each other."""


@dataclass(frozen=True, slots=True)
class Read:
    """Some articles: their words, and the indices they stand in."""

    terms: Mapping[str, Terms]
    indices: frozenset[str]
    articles: Mapping[int, Found]
    """By their places."""


class UnreadableError(Exception):
    """The articles' words can't be had, or stand in indices whose analyzers may differ: Elasticsearch must be asked."""


def read(es: Elasticsearch, names: Names, first: int, last: int, *, origin: int) -> Read:
    """The words of the articles with ingest numbers from `first` to before `last`; a place is a number less `origin`.

    Raises:
        ApiError, TransportError, UnreadableError: Elasticsearch doesn't give them.
    """
    hits = es.search(
        index=names.articles,
        query={"range": {"seq": {"gte": first, "lt": last}}},
        size=last - first,
        source_includes=_SOURCE,
        track_total_hits=False,
        allow_partial_search_results=False,
    )["hits"]["hits"]
    indices = frozenset(hit["_index"] for hit in hits)
    _require_slices(names, indices)
    try:
        topics = names.topics()
        docs = [_vectors_of(hit, topics) for hit in hits]
    except ConfigError as error:
        raise UnreadableError(f"what the topics are called: {error}") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise UnreadableError(f"an article that says {error!r}") from error
    answers = es.mtermvectors(docs=docs)["docs"] if docs else []
    terms: dict[str, Terms] = defaultdict(lambda: defaultdict(int))
    for hit, answer in zip(hits, answers, strict=True):
        if "error" in answer:
            raise UnreadableError(f"article {hit['_id']}: {answer['error']}")
        place = 1 << (int(hit["_source"]["seq"]) - origin)
        for name, field in answer["term_vectors"].items():
            of_field = terms[name]
            for term in field["terms"]:
                of_field[term] |= place
    articles = {seq - origin: one for seq, one in all_found(hits)}
    return Read(terms, indices, articles)


def _vectors_of(hit: Mapping[str, Any], topics: Topics) -> dict[str, Any]:
    """The question for an article's terms; the stemmed copy is not kept with it, so that it is given along."""
    source = hit["_source"]
    text: dict[str, Any] = {name: source[name] for name in AS_WRITTEN if source.get(name)}
    copies = stemmed(source, topics)
    return {
        "_index": hit["_index"],
        "doc": text | {"stemmed": copies},
        "fields": [*text, *(f"stemmed.{analyzer}" for analyzer in copies)],
        **dict.fromkeys(("positions", "offsets", "payloads", "field_statistics"), False),
    }


def _require_slices(names: Names, indices: Iterable[str]) -> None:
    if any(names.parse_slice(index) is None for index in indices):
        raise UnreadableError("an article stands in an index that is none of ours")


def _require_one_analysis(es: Elasticsearch, indices: frozenset[str]) -> None:
    """Refuse indices that analyze otherwise than the first: until they are upgraded, older months do.

    They are of an older version, or were made before a language was added.
    """
    if len(indices) < 2:
        return
    path = "*.mappings._meta.newswatch_version,*.mappings.properties.stemmed.properties.*.analyzer"
    meta = es.indices.get_mapping(index=sorted(indices), filter_path=path).body
    if len({json.dumps(meta.get(index), sort_keys=True) for index in indices}) > 1:
        raise UnreadableError("the articles stand in indices of several versions")


@dataclass(frozen=True, slots=True)
class _Fields:
    """Fields that one analyzer has made."""

    analyzed_by: str
    """One of them, to ask for the analyzer by."""
    each: tuple[Terms, ...]
    together: Terms
    """Of any of them."""
    ordered: list[str]
    """Those terms, sorted."""


class Vocabulary:
    """The words of a batch's articles, in their fields."""

    def __init__(
        self, es: Elasticsearch, reading: Sequence[Future[Read]], analyzers: Iterable[str], executor: Executor
    ) -> None:
        self._es, self._executor, self._reading = es, executor, reading
        self._expected = ["text", *(f"stemmed.{analyzer}" for analyzer in sorted(analyzers))]

    @cached_property
    def _index(self) -> str:
        return next((index for part in self._reading for index in part.result().indices), "")

    @cached_property
    def articles(self) -> Mapping[int, Found]:
        """The articles, by their places."""
        return {place: article for part in self._reading for place, article in part.result().articles.items()}

    @cached_property
    def _fields(self) -> Sequence[_Fields]:
        _require_one_analysis(self._es, frozenset(index for part in self._reading for index in part.result().indices))
        parts = [part.result().terms for part in self._reading]
        terms = {
            name: _together(part.get(name, {}) for part in parts) for name in sorted({n for p in parts for n in p})
        }
        written = tuple(terms.pop(name) for name in AS_WRITTEN if name in terms)
        groups = [("text", written), *((name, (some,)) for name, some in terms.items())]
        return [_Fields(name, each, together := _together(each), sorted(together)) for name, each in groups if each]

    def where(self, clauses: Iterable[Clause]) -> Iterator[tuple[Clause, int]]:
        """Where each clause holds, of those of which that is known here.

        Raises:
            ApiError, TransportError, UnreadableError: Elasticsearch doesn't tell the words, or what becomes of a
                query's.
        """
        spoken = [(clause, words) for clause in clauses if (words := said(clause))]
        texts = sorted({words.text for _, words in spoken})
        # Before the articles' words are there, of which only the names of the fields are needed.
        begun = {name: self._begin(name, texts) for name in self._expected}
        asked = [
            (fields, self._tokens(texts, begun.get(fields.analyzed_by) or self._begin(fields.analyzed_by, texts)))
            for fields in self._fields
        ]
        for clause, words in spoken:
            places = _places(words, asked)
            if places is not None:
                yield clause, places

    # ── what becomes of a query's words ──────────────────────────────────────────────────────────────────────────────

    def _begin(self, field: str, texts: Sequence[str]) -> list[Future[list[Tokens]]]:
        """Ask what the field's analyzer makes of the texts."""
        chunks = [texts[at : at + _TEXTS] for at in range(0, len(texts), _TEXTS)]
        return [self._executor.submit(self._ask, field, chunk) for chunk in chunks]

    def _tokens(self, texts: Sequence[str], answers: Iterable[Future[list[Tokens]]]) -> dict[str, Tokens]:
        """Text → its tokens."""
        return dict(zip(texts, chain.from_iterable(answer.result() for answer in answers), strict=True))

    def _ask(self, field: str, texts: Sequence[str]) -> list[Tokens]:
        try:
            tokens = self._es.indices.analyze(
                index=self._index, analyzer=query_analyzer(field), text=list(texts), filter_path=_TOKENS
            ).get("tokens", ())
        except BadRequestError as error:  # too many tokens, as it may say of a single text too
            if _NO_ANALYZER in str(error):
                raise UnreadableError("the articles stand in an index of an older version") from error
            if len(texts) == 1:
                return [None]
            half = len(texts) // 2
            return self._ask(field, texts[:half]) + self._ask(field, texts[half:])
        return divided(texts, tokens)


def _together(parts: Iterable[Terms]) -> Terms:
    """Where any of the parts has each term."""
    largest, *others = sorted(parts, key=len, reverse=True)
    if not others:
        return largest
    whole = dict(largest)
    for terms in others:
        for term, places in terms.items():
            whole[term] = whole.get(term, 0) | places
    return whole


def _places(words: Said, asked: Sequence[tuple[_Fields, Mapping[str, Tokens]]]) -> int | None:
    """Where a clause holds, given what its text becomes in each of the fields; None: that must be asked. Pure."""
    places, says_something = 0, False
    for fields, by_text in asked:
        tokens = by_text[words.text]
        if tokens is None or (words.kind == "beginning" and len(tokens) > 1):
            return None
        if not tokens:
            continue
        says_something = True
        if words.kind == "beginning":
            places |= _beginning(fields, tokens[0])
        elif len(tokens) == 1:
            places |= fields.together.get(tokens[0], 0)
        else:
            for terms in fields.each:
                places |= reduce(and_, [terms.get(token, 0) for token in tokens])
    return places if says_something and not (words.kind == "phrase" and places) else None


def _beginning(fields: _Fields, prefix: str) -> int:
    """Where a term begins so."""
    places, ordered = 0, fields.ordered
    for at in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[at].startswith(prefix):
            break
        places |= fields.together[ordered[at]]
    return places


def divided(texts: Sequence[str], tokens: Sequence[Mapping[str, Any]]) -> list[Tokens]:
    """The tokens of several texts that were analyzed as one, each text's own. Pure.

    Elasticsearch counts in UTF-16, one character between two texts. Two tokens in one place are alternatives.
    """
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += (len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2) + 1
    if [token["start_offset"] for token in tokens] == starts:
        return [(token["token"],) for token in tokens]  # as most are: one each
    by_text: list[list[str]] = [[] for _ in texts]
    alternatives = set()
    last = -1
    for token in tokens:
        of = bisect_right(starts, token["start_offset"]) - 1
        by_text[of].append(token["token"])
        if token["position"] == last:
            alternatives.add(of)
        last = token["position"]
    return [None if n in alternatives else tuple(some) for n, some in enumerate(by_text)]
