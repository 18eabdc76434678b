"""Matches a batch: all saved searches against the new articles only, many in one request.

Saved searches share most of their words, so they are split into clauses (`alerts.formula`), and each distinct clause
is answered once. With many searches and few articles, the articles' term vectors answer most clauses
(`alerts.term_vectors`). Elasticsearch answers the rest: each clause is one filter of a `filters` aggregation, which
contains the batch's range of ingest numbers; a `terms` sub-aggregation on the ingest number lists the articles.
Documents are requested afterwards, for matching articles only. Passages are requested when a mail is written, because
most matches belong to a story that was already mailed. One bad search must not hide the others: a request that fails
is halved to isolate the clause that fails.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from elasticsearch import (
    ApiError,
    BadRequestError,
    ConnectionTimeout,
    Elasticsearch,
    NotFoundError,
    SerializationError,
    TransportError,
)

from alerts.bounds import unusable
from alerts.formula import EVERYWHERE, Clause, Formula, formula, gather, may_be_slow, query_of, where
from alerts.hits import SOURCE, MatchedArticle, matched_articles
from alerts.kinds import KINDS
from alerts.query import Query
from alerts.source_check import confirmed
from alerts.term_vectors import PAGE, Read, TermVectors, UnreadableError, read
from newswatch.alert import Match, SavedSearch
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.problems import Bulkhead, Problem
from newswatch.texts import cut_short
from store.mapping import ANALYZERS, UNSTEMMED
from store.names import Names

CHUNK = 500
"""Clauses in one request: 250 to 1,000 were equally fast; fewer and more are slower."""
SLOW_CHUNK = 20
"""Clauses in one request if one of them may be slow."""
AT_ONCE = 2
"""Concurrent requests."""
PIECE = 2_000
"""Ingest numbers matched together: few enough for the buckets of one request."""
BLOCK = 10_000
"""Saved searches split into clauses together, which bounds the memory however many searches there are."""
REMEMBERED = 100_000
"""Clauses whose places are kept from one block to the next."""
PATIENCE_S = 5.0
"""Time-out of a request. A slower request is halved; a slower single clause makes its saved searches fail."""
LOST_S = 30.0
"""Seconds that failing clauses may cost in one piece of a batch; after that, failing requests are not halved."""
PAUSES_S = (0.5, 2.0, 4.0)
"""Seconds before the retries of a clause that Elasticsearch rejected for lack of memory or time."""
WORDS_PER_ARTICLE = 20
"""Words of all searches, per article, above which term vectors cost less than searching for the clauses."""
_TRIED_AGAIN = (429, 502, 503)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchReport:
    """The matches of a batch."""

    matches: tuple[Match, ...] = ()
    """In ingest order; those of searches with `min_sources` come last."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some of a batch's articles."""

    first: int
    """The first ingest number. An article's place is its ingest number minus this."""
    size: int
    articles: int
    analyzers: frozenset[str]
    """The stemmed fields that these articles have."""

    @property
    def range(self) -> Query:
        return {"range": {"seq": {"gte": self.first, "lt": self.first + self.size}}}


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
    with _garbage_collector_paused(), ThreadPoolExecutor(AT_ONCE, "match") as pool:
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


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """Pause the garbage collector: scanning 100,000 live searches cost 20 % of the run and freed nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _pieces(es: Elasticsearch, index: str, batch: Batch) -> Iterator[_Piece]:
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
        yield _Piece(first, int(bucket["last"]["value"]) + 1 - first, bucket["doc_count"], frozenset(names))


class _TooSlowError(Exception):
    """Elasticsearch stopped at the time-out, so its answer is incomplete."""


class _Matcher:
    """Matches saved searches with one piece of a batch, and records the searches that failed.

    Places are integers whose bits are the articles' places.
    """

    def __init__(self, es: Elasticsearch, names: Names, piece: _Piece, pool: Executor, walls: Bulkhead) -> None:
        self._es, self._names, self._piece, self._pool, self._walls = es, names, piece, pool, walls
        self._search = _ClauseSearch(es, names.articles, piece)
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
        for answer in self._pool.map(self._search.places, [*_chunks(plain, CHUNK), *_chunks(slow, SLOW_CHUNK)]):
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


class _ClauseSearch:
    """Lets Elasticsearch find the places of clauses in one piece of a batch, and records the clauses that fail."""

    def __init__(self, es: Elasticsearch, index: str, piece: _Piece) -> None:
        self._es, self._index, self._piece = es, index, piece
        self._patient = es.options(retry_on_status=_TRIED_AGAIN, retry_on_timeout=False, request_timeout=2 * PATIENCE_S)
        self._lost_s = 0.0
        self.faults: dict[Clause, str] = {}
        """Clause → why it failed."""
        self.postponed: set[Clause] = set()
        """The clauses in `faults` that were searched with others, and may have no fault."""

    def places(self, chunk: Sequence[Clause], pauses: Sequence[float] = PAUSES_S) -> dict[Clause, int]:
        """The places of each clause; without those that fail, which are in `faults` afterwards."""
        started = time.monotonic()
        try:
            return dict(zip(chunk, self._aggregate(chunk), strict=True))
        except (ApiError, ConnectionTimeout, SerializationError, ValueError, _TooSlowError) as error:
            self._lost_s += time.monotonic() - started
            refused = isinstance(
                error, BadRequestError | SerializationError | ValueError
            )  # at once, so it cost no time
            too_much = isinstance(error, ApiError) and error.status_code in _TRIED_AGAIN
            if too_much and len(chunk) == 1 and pauses and self._lost_s <= LOST_S:
                time.sleep(pauses[0])  # an abandoned request may still hold its memory
                self._lost_s += pauses[0]
                return self.places(chunk, pauses[1:])
            if len(chunk) == 1 or (self._lost_s > LOST_S and not refused):
                self._record_fault(chunk, error)
                return {}
            if too_much:
                self._probe()  # raises if Elasticsearch can't even answer a trivial search
            smaller = _chunks(chunk, 1 if len(chunk) <= SLOW_CHUNK else len(chunk) // 2 + 1)
            return {clause: places for part in smaller for clause, places in self.places(part).items()}
        except TransportError as error:
            raise StoreError(f"Elasticsearch can't be reached: {error}") from error

    def _record_fault(self, chunk: Sequence[Clause], error: Exception) -> None:
        """Record that a single clause failed, or that several are left to a later run after too much time was lost.

        Raises:
            StoreError: Elasticsearch does not answer a trivial search either.
        """
        self._probe()
        reason = _reason(error)
        if len(chunk) > 1:
            self.postponed.update(chunk)
            reason = f"Slow or heavy searches used up this run's time ({LOST_S:g} s); it is tried again. Last: {reason}"
            log.warning("%s clauses are left to a later run. %s", len(chunk), reason)
        self.faults.update(dict.fromkeys(chunk, reason))

    def _probe(self) -> None:
        """Raise a StoreError if Elasticsearch does not answer a trivial search."""
        try:
            self._es.count(index=self._index, query=self._piece.range)
        except (ApiError, TransportError) as trouble:
            raise StoreError(f"Elasticsearch can't search now: {trouble}") from trouble

    def _aggregate(self, chunk: Sequence[Clause]) -> Iterator[int]:
        """The places of each clause."""
        query = partial(query_of, analyzers=self._piece.analyzers)
        # The range is in every filter too, because otherwise each one would scan the older articles.
        filters = [{"bool": {"filter": [self._piece.range, query(clause)]}} for clause in chunk]
        numbers = {"terms": {"field": "seq", "size": self._piece.size, "order": {"_key": "asc"}}}
        answer = self._patient.search(
            index=self._index,
            size=0,
            query=self._piece.range,
            aggs={"clauses": {"filters": {"filters": filters}, "aggs": {"numbers": numbers}}},
            track_total_hits=False,
            request_cache=False,
            timeout=f"{PATIENCE_S * 1_000:.0f}ms",
            # A shard that doesn't answer would be a missed alert, so it is an error, and the batch is matched again.
            allow_partial_search_results=False,
        )
        if answer["timed_out"]:
            raise _TooSlowError
        buckets = answer["aggregations"]["clauses"]["buckets"]
        if len(buckets) != len(chunk):
            raise StoreError(f"{len(chunk)} clauses were searched, {len(buckets)} answered: match the batch again.")
        return (self._bits_of(bucket["numbers"]["buckets"]) for bucket in buckets)

    def _bits_of(self, buckets: Iterable[Mapping[str, int]]) -> int:
        places = 0
        for bucket in buckets:
            places |= 1 << (bucket["key"] - self._piece.first)
        return places


def _chunks(clauses: Sequence[Clause], size: int) -> list[Sequence[Clause]]:
    return [clauses[start : start + size] for start in range(0, len(clauses), size)]


def _bits(places: int) -> Iterator[int]:
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


_REASON_CHARS = 300


def _reason(error: Exception) -> str:
    """The deepest cause that Elasticsearch names, cut because it repeats the query."""
    if isinstance(error, ConnectionTimeout | _TooSlowError):
        return f"It took Elasticsearch more than {PATIENCE_S:g} seconds."
    if not isinstance(error, ApiError) or not isinstance(error.body, dict):
        return cut_short(str(error), _REASON_CHARS)
    cause = error.body.get("error", {})
    shards = cause.get("failed_shards") if isinstance(cause, dict) else None
    cause = shards[0]["reason"] if shards else cause
    while isinstance(cause, dict) and cause.get("caused_by"):
        cause = cause["caused_by"]
    return cut_short(str(cause.get("reason") or error) if isinstance(cause, dict) else str(cause), _REASON_CHARS)
