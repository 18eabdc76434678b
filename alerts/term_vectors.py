"""Term vectors: the articles' terms, field by field, as Elasticsearch's own analyzers produce them.

With many saved searches and few articles, looking terms up in memory is cheaper than searching for every clause:
term vectors give the articles' terms, and the analyzers the terms of a query. A clause is answered here only if the
answer is certainly Elasticsearch's own. All others (a range, a field, a wildcard in the middle) are left to a search.
For a phrase only the answer "nowhere" is certain.
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

from alerts.formula import Clause, PlainText, plain_text
from alerts.hits import SOURCE, MatchedArticle, matched_articles
from newswatch.errors import ConfigError
from newswatch.topics import Topics
from store.article_documents import stemmed
from store.indices.mapping import query_analyzer
from store.names import Names

AS_WRITTEN = ("title", "summary", "text")
PAGE = 100
"""Maximum number of articles in one request."""
_SOURCE = [*SOURCE, *AS_WRITTEN, "language", "tags", "entity_details.name", "entity_details.aliases"]
_TEXTS = 4_000
"""Texts analyzed by one request; Elasticsearch returns at most 10,000 tokens at once."""

_NO_ANALYZER = "failed to find"
"""Part of Elasticsearch's error for an analyzer that an index doesn't have."""
_TOKENS = "tokens.token,tokens.start_offset,tokens.position"

Terms = dict[str, int]
"""Term → the places of the articles that have it, as the bits of an integer."""
Tokens = tuple[str, ...] | None
"""A text's tokens, which must all occur. None: some are alternatives, so a search must decide."""


@dataclass(frozen=True, slots=True)
class Read:
    """Some articles: their terms, and the indices that hold them."""

    terms: Mapping[str, Terms]
    indices: frozenset[str]
    articles: Mapping[int, MatchedArticle]
    """Place → article."""


class UnreadableError(Exception):
    """The articles' terms are not available, or their indices' analyzers may differ: the clauses must be searched."""


def read(es: Elasticsearch, names: Names, first: int, last: int, *, origin: int) -> Read:
    """The terms of the articles with ingest numbers in [`first`, `last`); a place is the ingest number minus `origin`.

    Raises:
        ApiError, TransportError, UnreadableError: Elasticsearch doesn't return them.
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
        raise UnreadableError(f"the topics' names: {error}") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise UnreadableError(f"an article's document: {error!r}") from error
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
    articles = {seq - origin: article for seq, article in matched_articles(hits)}
    return Read(terms, indices, articles)


def _vectors_of(hit: Mapping[str, Any], topics: Topics) -> dict[str, Any]:
    """The request for an article's term vectors. It includes the stemmed copy, which is not stored."""
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
        raise UnreadableError("an article is in an index that is not a slice")


def _require_one_analysis(es: Elasticsearch, indices: frozenset[str]) -> None:
    """Raise an UnreadableError if the indices' analyzers may differ.

    Those of older months do before an upgrade, or after a language was added.
    """
    if len(indices) < 2:
        return
    path = "*.mappings._meta.newswatch_version,*.mappings.properties.stemmed.properties.*.analyzer"
    meta = es.indices.get_mapping(index=sorted(indices), filter_path=path).body
    if len({json.dumps(meta.get(index), sort_keys=True) for index in indices}) > 1:
        raise UnreadableError("the articles are in indices of several versions")


@dataclass(frozen=True, slots=True)
class _Fields:
    """Fields with the same analyzer."""

    analyzed_by: str
    """One of the fields, which identifies the analyzer."""
    each: tuple[Terms, ...]
    together: Terms
    """The terms of all fields."""
    ordered: list[str]
    """The terms of `together`, sorted."""


class TermVectors:
    """The terms of a batch's articles."""

    def __init__(
        self, es: Elasticsearch, reading: Sequence[Future[Read]], analyzers: Iterable[str], executor: Executor
    ) -> None:
        self._es, self._executor, self._reading = es, executor, reading
        self._expected = ["text", *(f"stemmed.{analyzer}" for analyzer in sorted(analyzers))]

    @cached_property
    def _index(self) -> str:
        return next((index for part in self._reading for index in part.result().indices), "")

    @cached_property
    def articles(self) -> Mapping[int, MatchedArticle]:
        """Place → article."""
        return {place: article for part in self._reading for place, article in part.result().articles.items()}

    @cached_property
    def _fields(self) -> Sequence[_Fields]:
        _require_one_analysis(self._es, frozenset(index for part in self._reading for index in part.result().indices))
        parts = [part.result().terms for part in self._reading]
        terms = {
            name: _together(part.get(name, {}) for part in parts) for name in sorted({n for p in parts for n in p})
        }
        written = tuple(terms.pop(name) for name in AS_WRITTEN if name in terms)
        groups = [("text", written), *((name, (of_field,)) for name, of_field in terms.items())]
        merged = [(name, each, _together(each)) for name, each in groups if each]
        return [_Fields(name, each, together, sorted(together)) for name, each, together in merged]

    def where(self, clauses: Iterable[Clause]) -> Iterator[tuple[Clause, int]]:
        """(clause, its places) for each clause that the terms can answer.

        Raises:
            ApiError, TransportError, UnreadableError: Elasticsearch doesn't return the articles' or the queries' terms.
        """
        plain = {clause: text for clause in clauses if (text := plain_text(clause))}
        texts = sorted({text.text for text in plain.values()})
        # Analyze the texts while the articles' terms are still being read; only the fields' names are needed.
        begun = {name: self._begin(name, texts) for name in self._expected}
        analyzed: list[tuple[_Fields, Mapping[str, Tokens]]] = []
        for fields in self._fields:
            answers = begun.get(fields.analyzed_by) or self._begin(fields.analyzed_by, texts)
            analyzed.append((fields, self._tokens(texts, answers)))
        for clause, text in plain.items():
            places = _places(text, analyzed)
            if places is not None:
                yield clause, places

    # ── the terms of queries ─────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, field: str, texts: Sequence[str]) -> list[Future[list[Tokens]]]:
        """Start to analyze the texts with the field's analyzer."""
        chunks = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
        return [self._executor.submit(self._ask, field, chunk) for chunk in chunks]

    def _tokens(self, texts: Sequence[str], answers: Iterable[Future[list[Tokens]]]) -> dict[str, Tokens]:
        """Text → its tokens."""
        return dict(zip(texts, chain.from_iterable(answer.result() for answer in answers), strict=True))

    def _ask(self, field: str, texts: Sequence[str]) -> list[Tokens]:
        try:
            tokens = self._es.indices.analyze(
                index=self._index, analyzer=query_analyzer(field), text=list(texts), filter_path=_TOKENS
            ).get("tokens", ())
        except BadRequestError as error:  # too many tokens, perhaps even of a single text
            if _NO_ANALYZER in str(error):
                raise UnreadableError("the articles are in an index of an older version") from error
            if len(texts) == 1:
                return [None]
            half = len(texts) // 2
            return self._ask(field, texts[:half]) + self._ask(field, texts[half:])
        return divided(texts, tokens)


def _together(parts: Iterable[Terms]) -> Terms:
    """Term → the places that have it in any of the parts."""
    largest, *others = sorted(parts, key=len, reverse=True)
    if not others:
        return largest
    whole = dict(largest)
    for terms in others:
        for term, places in terms.items():
            whole[term] = whole.get(term, 0) | places
    return whole


def _places(text: PlainText, analyzed: Sequence[tuple[_Fields, Mapping[str, Tokens]]]) -> int | None:
    """The places of a plain text, given its tokens in each of the fields; None: a search must decide. Pure."""
    places, has_tokens = 0, False
    for fields, by_text in analyzed:
        tokens = by_text[text.text]
        if tokens is None or (text.kind == "prefix" and len(tokens) > 1):
            return None
        if not tokens:
            continue
        has_tokens = True
        if text.kind == "prefix":
            places |= _with_prefix(fields, tokens[0])
        elif len(tokens) == 1:
            places |= fields.together.get(tokens[0], 0)
        else:
            for terms in fields.each:
                places |= reduce(and_, [terms.get(token, 0) for token in tokens])
    if not has_tokens or (text.kind == "phrase" and places):
        return None
    return places


def _with_prefix(fields: _Fields, prefix: str) -> int:
    """The places of all terms with a prefix."""
    places, ordered = 0, fields.ordered
    for n in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[n].startswith(prefix):
            break
        places |= fields.together[ordered[n]]
    return places


def divided(texts: Sequence[str], tokens: Sequence[Mapping[str, Any]]) -> list[Tokens]:
    """The tokens of each text, from those of several texts that were analyzed together. Pure.

    Elasticsearch counts offsets in UTF-16, with one character between two texts. Two tokens at one position are
    alternatives.
    """
    starts, offset = [], 0
    for text in texts:
        starts.append(offset)
        offset += (len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2) + 1
    if [token["start_offset"] for token in tokens] == starts:
        return [(token["token"],) for token in tokens]  # the common case: one token each
    by_text: list[list[str]] = [[] for _ in texts]
    alternatives = set()
    last = -1
    for token in tokens:
        number = bisect_right(starts, token["start_offset"]) - 1
        by_text[number].append(token["token"])
        if token["position"] == last:
            alternatives.add(number)
        last = token["position"]
    return [None if n in alternatives else tuple(of_text) for n, of_text in enumerate(by_text)]
