"""Which saved searches a batch matches: all of them against the new articles only, many in one request.

Saved searches share most of their words, so they are taken apart (`alerts.formula`) and each distinct clause is
answered once. Where there are many searches for the articles, the articles' own words answer most of them
(`alerts.vocabulary`). Elasticsearch is asked the rest: each clause is one filter of a `filters` aggregation, with the
batch's range of ingest numbers inside it; a `terms` sub-aggregation on the ingest number says which articles. Documents
are asked for afterwards, and only for what matched; where they match is asked when a mail is written, since most of
what matches is of a story told before. One bad search must not hide the others: a request that fails is parted until
what fails is alone.
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
from alerts.confirmed import confirmed
from alerts.formula import EVERYWHERE, Clause, Formula, formula, gather, may_be_slow, query_of, where
from alerts.hits import SOURCE, Found, all_found
from alerts.kinds import KINDS
from alerts.query import Query
from alerts.vocabulary import PAGE, Read, UnreadableError, Vocabulary, read
from newswatch.alert import Match, SavedSearch
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.problems import Bulkhead, Problem
from newswatch.texts import cut_short
from store.mapping import ANALYZERS, UNSTEMMED
from store.names import Names

CHUNK = 500
"""Clauses in one request: 250 to 1,000 were equally fast, below and above it slows down."""
SLOW_CHUNK = 20
"""Clauses in one request where one of them may be slow."""
AT_ONCE = 2
PIECE = 2_000
"""Ingest numbers that are matched together: few enough for the buckets of one request."""
BLOCK = 10_000
"""Saved searches that are taken apart together: what is held in memory grows with it, not with all of them."""
REMEMBERED = 100_000
"""Clauses whose articles are remembered from one block to the next."""
PATIENCE_S = 5.0
"""A request that takes longer is parted; a clause that takes longer on its own makes its saved searches fail."""
LOST_S = 30.0
"""Seconds that may be lost to clauses that fail, in one piece of a batch; what fails then is not parted any more."""
PAUSES_S = (0.5, 2.0, 4.0)
"""Seconds before a clause that Elasticsearch refused for want of memory or time is asked again."""
WORDS_PER_ARTICLE = 20
"""Of all searches together: from so many on, reading an article's words costs less than asking for the clauses."""
_TRIED_AGAIN = (429, 502, 503)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What a batch matches."""

    matches: tuple[Match, ...] = ()
    """In ingest order; those of searches that wait for independent sources come last."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some of a batch's articles."""

    first: int
    """An article's place is its ingest number less this."""
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
    """What of `searches` matches which articles of `batch`, also if it holds a million of them.

    A search that can't be run is among `failed` and set aside in `bulkhead`; the others are matched. One that is
    `resting` (id → why) is not run and among `failed` too, so that the batch is matched against it later.

    Raises:
        StoreError: Elasticsearch is not there or in trouble of its own: match the batch again later.
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
    with _no_garbage_looked_for(), ThreadPoolExecutor(AT_ONCE, "match") as pool:
        for piece in _pieces(es, names.articles, batch):
            asker = _Asker(es, names, piece, pool, walls)
            matches += asker.matches(watching)
            if asker.failed:  # one that failed once is not tried on each of a thousand pieces
                failed |= asker.failed
                faultless |= asker.postponed
                watching = [search for search in watching if search.id not in failed]
    waiting = [search for search in watching if search.min_sources > 1]
    if waiting:
        ids = {search.id for search in waiting}
        sure = confirmed(es, names, batch, waiting, tuple(match for match in matches if match.saved_search_id in ids))
        matches = [*(match for match in matches if match.saved_search_id not in ids), *sure.matches]
        failed |= sure.failed
    for search_id, why in failed.items():
        if search_id not in faultless and not walls.has("search", search_id):
            walls.note(Problem("search", search_id, why, "match"))
    return MatchReport(tuple(matches), failed)


def runnable(searches: Iterable[SavedSearch], walls: Bulkhead, failed: dict[str, str]) -> list[SavedSearch]:
    """The searches that can be worked with; why the others can't is put into `failed` and set aside in `walls`."""
    usable = []
    for search in searches:
        if why := unusable(search):
            walls.note(Problem("search", search.id, why, "match"))
            failed[search.id] = why
        else:
            usable.append(search)
    return usable


@contextmanager
def _no_garbage_looked_for() -> Iterator[None]:
    """A hundred thousand searches and their parts lie here and none is garbage: looking them through took a fifth."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def _pieces(es: Elasticsearch, index: str, batch: Batch) -> Iterator[_Piece]:
    """The batch's articles in pieces of `PIECE` numbers, those without articles left out."""
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
    """Elasticsearch stopped looking: what it had found by then is not all."""


class _Asker:
    """Finds out about one piece of a batch, and remembers which searches failed.

    Where a clause holds is a number whose bits are the articles' places.
    """

    def __init__(self, es: Elasticsearch, names: Names, piece: _Piece, pool: Executor, walls: Bulkhead) -> None:
        self._es, self._names, self._index, self._piece, self._pool = es, names, names.articles, piece, pool
        self._patient = es.options(retry_on_status=_TRIED_AGAIN, retry_on_timeout=False, request_timeout=2 * PATIENCE_S)
        self._held: dict[Clause, int] = {}
        self._faults: dict[Clause, str] = {}
        self._reading: list[Future[Read]] = []
        self._vocabulary: Vocabulary | None = None
        self._walls = walls
        self._lost_s = 0.0
        self._postponed: set[Clause] = set()
        self.failed: dict[str, str] = {}
        self.postponed: set[str] = set()
        """Those of `failed` that were asked with others and may have no fault of their own."""

    def matches(self, searches: Sequence[SavedSearch]) -> list[Match]:
        """What of `searches`, which are in the order of their ids, matches which articles; in ingest order."""
        watched: dict[int, list[SavedSearch]] = defaultdict(list)
        if sum(search.query.count(" ") + 1 for search in searches) >= WORDS_PER_ARTICLE * self._piece.articles:
            self._begin_reading()
        for at in range(0, len(searches), BLOCK):
            for search, places in self._places(searches[at : at + BLOCK]):
                for place in _bits(places):
                    watched[place].append(search)
        articles = self._articles(sorted(watched))
        return [
            article.matches(search.id)
            for place in sorted(watched)
            if (article := articles.get(place))  # else a newer version has taken it to a later batch
            for search in watched[place]
        ]

    def _places(self, searches: Sequence[SavedSearch]) -> Iterator[tuple[SavedSearch, int]]:
        if len(self._held) > REMEMBERED:
            self._held.clear()
        formulas = list(self._taken_apart(searches))
        wanted: set[Clause] = set()
        for _, one in formulas:
            gather(one, wanted)
        self._answer(wanted - self._held.keys() - self._faults.keys())
        everywhere = self._everywhere()
        for search, one in formulas:
            try:
                places = where(one, self._held, everywhere)
            except KeyError as unknown:
                clause = unknown.args[0]
                self.failed[search.id] = self._faults[clause]
                if clause in self._postponed:
                    self.postponed.add(search.id)
                continue
            if places:
                yield search, places

    def _taken_apart(self, searches: Iterable[SavedSearch]) -> Iterator[tuple[SavedSearch, Formula]]:
        """Each search with its formula; one that breaks this fails."""
        for search in searches:
            whole = self._walls.attempt("search", search.id, partial(formula, search))
            if whole is None:
                self.failed[search.id] = self._walls.reason("search", search.id)
            else:
                yield search, whole

    def _answer(self, clauses: set[Clause]) -> None:
        """Find out where the clauses hold: from the articles' words where these tell, else from Elasticsearch."""
        told = self._look_up(clauses)
        self._held |= told
        asked = clauses - told.keys()
        slow = sorted(filter(may_be_slow, asked))
        plain = sorted(asked.difference(slow))
        for answer in self._pool.map(self._chunk, [*_parted(plain, CHUNK), *_parted(slow, SLOW_CHUNK)]):
            self._held |= answer

    # ── from the articles' words ─────────────────────────────────────────────────────────────────────────────────────

    def _begin_reading(self) -> None:
        """Elasticsearch gives the articles' words while the searches are being taken apart."""
        first, last = self._piece.first, self._piece.first + self._piece.size
        self._reading = [
            self._pool.submit(
                copy_context().run, partial(read, origin=first), self._es, self._names, at, min(at + PAGE, last)
            )
            for at in range(first, last, PAGE)
        ]

    def _look_up(self, clauses: Collection[Clause]) -> dict[Clause, int]:
        """Where the clauses hold, as far as the words tell; all could be asked too, so a fault here costs only time."""
        try:
            if self._reading:
                reading, self._reading = self._reading, []
                self._vocabulary = Vocabulary(self._es, reading, self._piece.analyzers, self._pool)
            return dict(self._vocabulary.where(clauses)) if self._vocabulary and clauses else {}
        except (ApiError, TransportError, UnreadableError, ValueError) as fault:
            log.warning("The articles' words can't be read, so each clause is asked: %s", fault)
            self._vocabulary = None
            return {}

    # ── from Elasticsearch ───────────────────────────────────────────────────────────────────────────────────────────

    def _everywhere(self) -> int:
        """The places that have an article."""
        if EVERYWHERE not in self._held:
            self._held |= self._chunk([EVERYWHERE])
        if EVERYWHERE in self._faults:
            raise StoreError(f"Elasticsearch can't search now: {self._faults[EVERYWHERE]}")
        return self._held[EVERYWHERE]

    def _chunk(self, chunk: Sequence[Clause], pauses: Sequence[float] = PAUSES_S) -> dict[Clause, int]:
        started = time.monotonic()
        try:
            return dict(zip(chunk, self._aggregate(chunk), strict=True))
        except (ApiError, ConnectionTimeout, SerializationError, ValueError, _TooSlowError) as error:
            self._lost_s += time.monotonic() - started
            refused = isinstance(error, BadRequestError | SerializationError | ValueError)  # which costs nothing
            too_much = isinstance(error, ApiError) and error.status_code in _TRIED_AGAIN
            if too_much and len(chunk) == 1 and pauses and self._lost_s <= LOST_S:
                time.sleep(pauses[0])  # a request that was given up may still hold the memory
                self._lost_s += pauses[0]
                return self._chunk(chunk, pauses[1:])
            if len(chunk) == 1 or (self._lost_s > LOST_S and not refused):
                self._excuse(chunk, error)
                return {}
            if too_much:
                self._probe()  # what a clause asks for may be too much; but if so little is too much as well, wait
            parts = _parted(chunk, 1 if len(chunk) <= SLOW_CHUNK else len(chunk) // 2 + 1)
            return {clause: places for part in parts for clause, places in self._chunk(part).items()}
        except TransportError as error:
            raise StoreError(f"Elasticsearch can't be reached: {error}") from error

    def _excuse(self, chunk: Sequence[Clause], error: Exception) -> None:
        """A clause that failed on its own: a fault of its own, unless Elasticsearch can't do even less.

        Several, once too much time was lost: they fail now, and are tried again by a later run.
        """
        self._probe()
        told = _reason(error)
        if len(chunk) > 1:
            self._postponed.update(chunk)
            told = f"Slow or heavy searches took this run's time ({LOST_S:g} s); it is tried again. The last: {told}"
            log.warning("%s clauses are matched by a later run. %s", len(chunk), told)
        self._faults.update(dict.fromkeys(chunk, told))

    def _probe(self) -> None:
        """Raise a StoreError if Elasticsearch does not answer the simplest of all searches."""
        try:
            self._es.count(index=self._index, query=self._piece.range)
        except (ApiError, TransportError) as trouble:
            raise StoreError(f"Elasticsearch can't search now: {trouble}") from trouble

    def _aggregate(self, chunk: Sequence[Clause]) -> Iterator[int]:
        """Where each clause holds."""
        asked = partial(query_of, analyzers=self._piece.analyzers)
        # Without the range in every filter too, the older articles would be looked through for each.
        filters = [{"bool": {"filter": [self._piece.range, asked(clause)]}} for clause in chunk]
        numbers = {"terms": {"field": "seq", "size": self._piece.size, "order": {"_key": "asc"}}}
        answer = self._patient.search(
            index=self._index,
            size=0,
            query=self._piece.range,
            aggs={"clauses": {"filters": {"filters": filters}, "aggs": {"numbers": numbers}}},
            track_total_hits=False,
            request_cache=False,
            timeout=f"{PATIENCE_S * 1_000:.0f}ms",
            # A shard that doesn't answer is a missed alert: rather an error, and the batch matched again.
            allow_partial_search_results=False,
        )
        if answer["timed_out"]:
            raise _TooSlowError
        buckets = answer["aggregations"]["clauses"]["buckets"]
        if len(buckets) != len(chunk):
            raise StoreError(f"{len(chunk)} clauses were asked, {len(buckets)} answered: match the batch again.")
        return (self._bits_of(bucket["numbers"]["buckets"]) for bucket in buckets)

    def _bits_of(self, buckets: Iterable[Mapping[str, int]]) -> int:
        places = 0
        for bucket in buckets:
            places |= 1 << (bucket["key"] - self._piece.first)
        return places

    def _articles(self, places: Sequence[int]) -> Mapping[int, Found]:
        """The articles in these places."""
        known = self._vocabulary.articles if self._vocabulary else {}
        numbers = [self._piece.first + place for place in places if place not in known]
        if not numbers:
            return known
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": [self._piece.range, {"terms": {"seq": numbers}}]}},
            size=len(numbers),
            source_includes=SOURCE,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        read_now = {seq - self._piece.first: found for seq, found in all_found(answer["hits"]["hits"])}
        return {**known, **read_now}


def _parted(chunk: Sequence[Clause], size: int) -> list[Sequence[Clause]]:
    return [chunk[at : at + size] for at in range(0, len(chunk), size)]


def _bits(places: int) -> Iterator[int]:
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


_REASON_CHARS = 300


def _reason(error: Exception) -> str:
    """The deepest cause that Elasticsearch names; it repeats the query, so of a long one the beginning."""
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
