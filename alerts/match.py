"""Matches a batch: all saved searches against the new articles only, many in one request.

Saved searches share most of their words, so they are split into clauses (`alerts.formula`), and each distinct clause
is answered once. With many searches and few articles, the articles' term vectors answer most clauses
(`alerts.term_vectors`). Elasticsearch answers the rest (`alerts.clause_search`). Documents are requested afterwards,
for matching articles only. Passages are requested when a mail is written, because most matches belong to a story that
was already mailed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from elasticsearch import (
    ApiError,
    Elasticsearch,
    NotFoundError,
    TransportError,
)

from alerts.bounds import unusable
from alerts.clause_search import SLOW_CHUNK, ClauseSearch, Piece, chunks
from alerts.formula import EVERYWHERE, Clause, Formula, formula, gather, may_be_slow, where
from alerts.hits import SOURCE, MatchedArticle, matched_articles
from alerts.kinds import KINDS
from alerts.query import Query
from alerts.source_check import confirmed
from alerts.term_vectors import PAGE, Read, TermVectors, UnreadableError, read
from newswatch.alert import Match, SavedSearch
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.garbage import collector_paused
from newswatch.problems import Bulkhead, Problem
from store.indices.mapping import ANALYZERS, UNSTEMMED
from store.names import Names

CHUNK = 500
"""Clauses in one request: 250 to 1,000 were equally fast; fewer and more are slower."""
AT_ONCE = 2
"""Concurrent requests."""
PIECE = 2_000
"""Ingest numbers matched together: few enough for the buckets of one request."""
BLOCK = 10_000
"""Saved searches split into clauses together, which bounds the memory however many searches there are."""
REMEMBERED = 100_000
"""Clauses whose places are kept from one block to the next."""
WORDS_PER_ARTICLE = 20
"""Words of all searches, per article, above which term vectors cost less than searching for the clauses."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchReport:
    """The matches of a batch."""

    matches: tuple[Match, ...] = ()
    """In ingest order; those of searches with `min_sources` come last."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


def match_batch(
    es: Elasticsearch,
    names: Names,
    batch: Batch,
    searches: Sequence[SavedSearch],
    *,
    bulkhead: Bulkhead | None = None,
    resting: Mapping[str, str] = MappingProxyType({}),
) -> MatchReport:
    """The matches of `searches` with the articles of `batch`, which may have a million of them.

    A search that can't be run is in `failed` and becomes a problem in `bulkhead`; the others are matched. A `resting`
    one (id → why) is not run and is in `failed` too, so that the batch is matched against it later.

    Raises:
        StoreError: Elasticsearch is unavailable: match the batch again later.
    """
    walls = bulkhead or Bulkhead("match")
    watching = sorted((search for search in searches if KINDS[search.kind].look is None), key=lambda search: search.id)
    failed = {search.id: resting[search.id] for search in watching if search.id in resting}
    watching = runnable([search for search in watching if search.id not in failed], walls, failed)
    if not watching:
        return MatchReport(failed=failed)
    es.options(ignore_status=404).indices.refresh(index=names.articles)
    matches: list[Match] = []
    faultless: set[str] = set(resting)
    with collector_paused(), ThreadPoolExecutor(AT_ONCE, "match") as pool:
        for piece in _pieces(es, names.articles, batch):
            matcher = _Matcher(es, names, piece, pool, walls)
            matches += matcher.matches(watching)
            if matcher.failed:  # don't try it again on each of up to a thousand pieces
                failed |= matcher.failed
                faultless |= matcher.postponed
                watching = [search for search in watching if search.id not in failed]
    waiting = [search for search in watching if search.min_sources > 1]
    if waiting:
        ids = {search.id for search in waiting}
        own = [match for match in matches if match.saved_search_id in ids]
        checked = confirmed(es, names, batch, waiting, own)
        matches = [*(match for match in matches if match.saved_search_id not in ids), *checked.matches]
        failed |= checked.failed
    for search_id, why in failed.items():
        if search_id not in faultless and not walls.has("search", search_id):
            walls.note(Problem("search", search_id, why, "match"))
    return MatchReport(tuple(matches), failed)


def runnable(searches: Iterable[SavedSearch], walls: Bulkhead, failed: dict[str, str]) -> list[SavedSearch]:
    """The searches that can be run. The others are added to `failed` with the reason, and to `walls` as problems."""
    usable = []
    for search in searches:
        if why := unusable(search):
            walls.note(Problem("search", search.id, why, "match"))
            failed[search.id] = why
        else:
            usable.append(search)
    return usable


def _pieces(es: Elasticsearch, index: str, batch: Batch) -> Iterator[Piece]:
    """The batch's articles in pieces of `PIECE` ingest numbers, without empty pieces."""
    of_batch: Query = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    by_language: Query = {
        "languages": {"terms": {"field": "language", "size": 1_000}},
        "none": {"missing": {"field": "language"}},
    }
    numbers = {"field": "seq", "interval": PIECE, "offset": batch.seq_from % PIECE, "min_doc_count": 1}
    aggs = {"pieces": {"histogram": numbers, "aggs": by_language | {"last": {"max": {"field": "seq"}}}}}
    try:
        answer = es.search(index=index, size=0, query=of_batch, aggs=aggs, allow_partial_search_results=False)
    except NotFoundError:
        return  # no article was ever indexed
    except (ApiError, TransportError) as error:
        raise StoreError(f"Elasticsearch can't search now: {error}") from error
    for bucket in answer["aggregations"]["pieces"]["buckets"]:
        names = {ANALYZERS.get(language["key"], UNSTEMMED) for language in bucket["languages"]["buckets"]}
        if bucket["none"]["doc_count"]:
            names.add(UNSTEMMED)
        first = int(bucket["key"])
        yield Piece(first, int(bucket["last"]["value"]) + 1 - first, bucket["doc_count"], frozenset(names))


class _Matcher:
    """Matches saved searches with one piece of a batch, and records the searches that failed.

    Places are integers whose bits are the articles' places.
    """

    def __init__(self, es: Elasticsearch, names: Names, piece: Piece, pool: Executor, walls: Bulkhead) -> None:
        self._es, self._names, self._piece, self._pool, self._walls = es, names, piece, pool, walls
        self._search = ClauseSearch(es, names.articles, piece)
        self._held: dict[Clause, int] = {}
        self._reading: list[Future[Read]] = []
        self._terms: TermVectors | None = None
        self.failed: dict[str, str] = {}
        self.postponed: set[str] = set()
        """The searches in `failed` that were searched with others, and may have no fault."""

    def matches(self, searches: Sequence[SavedSearch]) -> list[Match]:
        """The matches of `searches`, which are ordered by id, in ingest order."""
        matching: dict[int, list[SavedSearch]] = defaultdict(list)
        if sum(search.query.count(" ") + 1 for search in searches) >= WORDS_PER_ARTICLE * self._piece.articles:
            self._begin_reading()
        for start in range(0, len(searches), BLOCK):
            for search, places in self._places(searches[start : start + BLOCK]):
                for place in _bits(places):
                    matching[place].append(search)
        articles = self._articles(sorted(matching))
        # An article is missing if a newer version has moved it to a later batch.
        present = [place for place in sorted(matching) if place in articles]
        return [articles[place].match(search.id) for place in present for search in matching[place]]

    def _places(self, searches: Sequence[SavedSearch]) -> Iterator[tuple[SavedSearch, int]]:
        if len(self._held) > REMEMBERED:
            self._held.clear()
        formulas = list(self._formulas(searches))
        wanted: set[Clause] = set()
        for _, whole in formulas:
            gather(whole, wanted)
        self._answer(wanted - self._held.keys() - self._search.faults.keys())
        everywhere = self._everywhere()
        for search, whole in formulas:
            try:
                places = where(whole, self._held, everywhere)
            except KeyError as unanswered:
                self._fail(search, unanswered.args[0])
                continue
            if places:
                yield search, places

    def _fail(self, search: SavedSearch, clause: Clause) -> None:
        self.failed[search.id] = self._search.faults[clause]
        if clause in self._search.postponed:
            self.postponed.add(search.id)

    def _formulas(self, searches: Iterable[SavedSearch]) -> Iterator[tuple[SavedSearch, Formula]]:
        """Each search with its formula; a search whose formula can't be made fails."""
        for search in searches:
            whole = self._walls.attempt("search", search.id, partial(formula, search))
            if whole is None:
                self.failed[search.id] = self._walls.reason("search", search.id)
            else:
                yield search, whole

    def _answer(self, clauses: set[Clause]) -> None:
        """Find the places of the clauses: by the articles' terms where possible, otherwise by Elasticsearch."""
        known = self._look_up(clauses)
        self._held |= known
        unknown = clauses - known.keys()
        slow = sorted(filter(may_be_slow, unknown))
        plain = sorted(unknown.difference(slow))
        for answer in self._pool.map(self._search.places, [*chunks(plain, CHUNK), *chunks(slow, SLOW_CHUNK)]):
            self._held |= answer

    def _everywhere(self) -> int:
        """The places that have an article."""
        if EVERYWHERE not in self._held:
            self._held |= self._search.places([EVERYWHERE])
        if EVERYWHERE in self._search.faults:
            raise StoreError(f"Elasticsearch can't search now: {self._search.faults[EVERYWHERE]}")
        return self._held[EVERYWHERE]

    def _begin_reading(self) -> None:
        """Start to read the articles' terms while the searches are being split."""
        first, last = self._piece.first, self._piece.first + self._piece.size
        self._reading = [
            self._pool.submit(
                copy_context().run, partial(read, origin=first), self._es, self._names, start, min(start + PAGE, last)
            )
            for start in range(first, last, PAGE)
        ]

    def _look_up(self, clauses: Collection[Clause]) -> dict[Clause, int]:
        """The places of the clauses that the terms can answer. A failure costs only time: the rest is searched."""
        try:
            if self._reading:
                reading, self._reading = self._reading, []
                self._terms = TermVectors(self._es, reading, self._piece.analyzers, self._pool)
            return dict(self._terms.where(clauses)) if self._terms and clauses else {}
        except (ApiError, TransportError, UnreadableError, ValueError) as error:
            log.warning("The articles' terms can't be read, so every clause is searched: %s", error)
            self._terms = None
            return {}

    def _articles(self, places: Sequence[int]) -> Mapping[int, MatchedArticle]:
        """Place → article, for these places."""
        known = self._terms.articles if self._terms else {}
        numbers = [self._piece.first + place for place in places if place not in known]
        if not numbers:
            return known
        answer = self._es.search(
            index=self._names.articles,
            query={"bool": {"filter": [self._piece.range, {"terms": {"seq": numbers}}]}},
            size=len(numbers),
            source_includes=SOURCE,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        read_now = {seq - self._piece.first: article for seq, article in matched_articles(answer["hits"]["hits"])}
        return {**known, **read_now}


def _bits(places: int) -> Iterator[int]:
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest
