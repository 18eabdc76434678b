"""Articles in their monthly slices: one document per canonical URL, however many workers write it and how often."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import DocumentError, StoreError
from store.article_documents import renewed, to_document, with_document
from store.elastic import bulk, faults
from store.elastic.documents import Document, Hit, Stored, all_stored, read, stored
from store.elastic.reading import every, in_parts, unreadable_index
from store.generations import await_writable, create_slice, home_of, live_slices
from store.merge import Carried, Known, Merged, New, Updated, merge, merge_imported
from store.names import Names, month_end
from store.past_months import PastMonths

_GETS = 5_000
"""Maximum number of documents in one multi-get."""
_ROUNDS = 10
"""Number of tries for a write that other writers keep overtaking, and for a month that can't be read."""
_LOOKS = 3
"""Number of tries for a month that can't be read, where the rest is of use without it."""
_NEAR = timedelta(hours=1)
_OUTCOMES = ("new", "updated", "carried", "known", "refused", "waiting")


@dataclass(frozen=True, slots=True)
class Refused:
    """An article that Elasticsearch rejects for good."""

    article: Article
    reason: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """The outcome for each article: each is in exactly one of these fields."""

    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    waiting: tuple[str, ...] = ()
    """Not written: a month out of reach may have them."""
    months: frozenset[str] = frozenset()
    """The months that were written to."""
    next_seq: int = 0
    """The next free ingest number."""

    def plus(self, other: WriteReport) -> WriteReport:
        """Sum of both reports; the ingest number is that of `other`, the later one."""
        return WriteReport(
            self.new + other.new,
            self.updated + other.updated,
            self.carried + other.carried,
            self.known + other.known,
            self.refused + other.refused,
            self.waiting + other.waiting,
            self.months | other.months,
            other.next_seq,
        )


@dataclass(frozen=True, slots=True)
class _Write:
    kind: str
    article: Article
    action: Document


@dataclass(frozen=True, slots=True)
class InReach:
    """The articles that the months in reach have."""

    articles: dict[str, Article]
    """Id → article."""
    unknown: frozenset[str] = frozenset()
    """The ids that a month out of reach may have. Nobody knows whether these articles exist."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the slices said of some ids."""

    live: list[str]
    """The slices in force."""
    by_id: dict[str, Hit]
    lost: dict[str, Hit]
    """Id that no slice in reach has → the answer of a slice that can't be read and may have it."""


class ArticleStore:
    """The articles of one installation."""

    def __init__(
        self,
        es: Elasticsearch,
        names: Names,
        *,
        retag: Callable[[Article], Article] = lambda a: a,
        importing: bool = False,
    ) -> None:
        """`retag` tags an article again when a write joins a new title to an older text.

        With `importing`, articles of another archive are written: with the time at which that archive saw them, in the
        month of it, merged with what is stored by `merge_imported`.
        """
        self._es, self._names, self._retag = es, names, retag
        self._importing = importing
        self._past_months = PastMonths(es, names)

    def get(self, ids: Iterable[str]) -> dict[str, Article]:
        """The existing articles among `ids`, by id, in real time (before a refresh too).

        Raises:
            StoreError: a month that may have one of them can't be read.
        """
        return {article.id: article.value[0] for article in self.stored(ids)}

    def in_reach(self, ids: Iterable[str]) -> InReach:
        """`get` for whoever can do without an article that is out of reach, or wait for it."""
        found = self._look(ids, _LOOKS)
        articles = {one.id: one.value[0] for one in all_stored(found.by_id.values(), with_document)}
        return InReach(articles, frozenset(found.lost))

    def stories_now(self, story_ids: Iterable[str]) -> dict[str, str]:
        """Story → the one that it is now: it may have been joined with another, where its first report is then, which
        gave it its id. Itself, if that report is gone."""
        wanted = set(story_ids)
        first = self.get(wanted)
        return {id_: (first[id_].story_id if id_ in first else "") or id_ for id_ in wanted}

    def stories_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Article → its story, of those that have one, as of the last refresh."""
        found: dict[str, str] = {}
        for part in in_parts(list(dict.fromkeys(ids))):
            query = {"ids": {"values": part}}
            for hit in every(self._es, self._names.articles, query, source=["story_id"]):
                if story := hit["_source"].get("story_id"):
                    found[hit["_id"]] = str(story)
        return found

    def stories_in_reach(self, ids: Iterable[str]) -> dict[str, str]:
        """`stories_of` the articles in reach, for whoever can do without the others."""
        wanted = list(ids)
        try:
            return self.stories_of(wanted)
        except ApiError as error:
            if error.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        found = self._look(wanted, _LOOKS).by_id.items()
        return {name: str(story) for name, hit in found if (story := hit["_source"].get("story_id"))}

    def stored(self, ids: Iterable[str]) -> list[Stored[tuple[Article, Document]]]:
        """Those of `get`, as they are stored, for writing them again."""
        return all_stored(self._hits(ids).by_id.values(), with_document)

    def exist(self, ids: Iterable[str]) -> set[str]:
        """The ids that have a document, readable or not, in real time."""
        return set(self._hits(ids).by_id)

    def exist_in_reach(self, ids: Iterable[str]) -> tuple[set[str], frozenset[str]]:
        """`exist`, and the ids that a month out of reach may have."""
        found = self._look(ids, _LOOKS)
        return set(found.by_id), frozenset(found.lost)

    def write(
        self, articles: Sequence[Article], batch: Batch, seq: int, *, now: datetime, partly: bool = False
    ) -> WriteReport:
        """Write the new and changed articles, numbered from `seq` on; the outcome for each article.

        Returns once Elasticsearch has acknowledged every document. It is idempotent. With `partly`, an article that a
        month out of reach may have is left out; otherwise it is an error.

        Raises:
            StoreError: Elasticsearch is unavailable; run the batch again.
        """
        sorted_: dict[str, list[Any]] = {kind: [] for kind in _OUTCOMES}
        queue, months = list(articles), set[str]()
        for _ in range(_ROUNDS + len(articles)):
            if not queue:
                break
            once = list({article.id: article for article in reversed(queue)}.values())[::-1]
            taken = {id(article) for article in once}
            later = [article for article in queue if id(article) not in taken]
            found = self._look_for(once, partly=partly)
            sorted_["waiting"] += found.lost
            writes = self._decide(once, found, batch, seq, now, sorted_)
            months.update(self._months_of(writes))
            seq += len(writes)
            queue = self._commit(writes, sorted_) + later
        else:
            raise StoreError(f"Batch {batch.number} keeps being overtaken by other writers: run it again.")
        undone = self._settle_imported(sorted_["new"], batch) if self._importing else set()
        if not self._importing:
            self._settle_new_month(sorted_["new"], now)
        sorted_["new"] = [article_id for article_id in sorted_["new"] if article_id not in undone]
        outcomes = {kind: tuple(items) for kind, items in sorted_.items()}
        report = WriteReport(**outcomes, months=frozenset(months), next_seq=seq)
        again = [article for article in articles if article.id in undone]
        return report.plus(self.write(again, batch, seq, now=now, partly=partly)) if again else report

    def _decide(
        self,
        articles: list[Article],
        found: _Found,
        batch: Batch,
        seq: int,
        now: datetime,
        report: dict[str, list[Any]],
    ) -> list[_Write]:
        live, existing = found.live, found.by_id
        writes: list[_Write] = []
        topics, late = self._names.topics(), set[str]()
        for article in articles:
            if article.id in found.lost:
                continue
            try:
                was = _stored_article(existing.get(article.id))
            except DocumentError as error:
                # Don't overwrite the stored document, and don't retry as for a conflict: the article waits for repair.
                report["refused"].append(Refused(article, str(error)))
                continue
            stamp: dict[str, Any] = {"batch_id": batch.id, "seq": seq + len(writes), "indexed_at": now}
            match self._merge(article, was.value[0] if was else None):
                case New(new):
                    stamp |= {"indexed_at": min(now, new.first_seen)} if self._importing else {}
                    home = self._home(live, new.first_seen)
                    if month_end(f"{new.first_seen:%Y.%m}") < now - _NEAR:
                        late.add(home)
                    action = bulk.create(home, new.id, to_document(new, topics, **stamp))
                    writes.append(_Write("new", article, action))
                case Updated(version, mixed) if was:
                    version = self._retag(version) if mixed else version
                    writes.append(_Write("updated", article, bulk.replace(was, to_document(version, topics, **stamp))))
                case Carried(again) if was:
                    # The text is the same, so it keeps its place in the ingest order and is not matched again.
                    action = bulk.replace(was, renewed(was.id, was.value[1], topics, again))
                    writes.append(_Write("carried", article, action))
                case Known():
                    report["known"].append(article.id)
        for home in late:
            self._past_months.touch(home, now)
        return writes

    def _months_of(self, writes: Sequence[_Write]) -> Iterator[str]:
        for write in writes:
            if parsed := self._names.parse_slice(write.action["_index"]):
                yield parsed[0]

    def _commit(self, writes: list[_Write], report: dict[str, list[Any]]) -> list[Article]:
        """Write, record each result, and return the articles to be decided on again.

        Those are articles that another worker has written meanwhile, or whose slice an upgrade is replacing.
        """
        overtaken = []
        results = list(bulk.write(self._es, (write.action for write in writes)))
        if any(result.moved for result in results):
            await_writable(self._es, self._names)
        for write, result in zip(writes, results, strict=True):
            if result.conflict or result.moved:
                overtaken.append(write.article)
            elif result.of_index:
                raise bulk.refusal(result)
            elif result.reason:
                report["refused"].append(Refused(write.article, result.reason))
            else:
                report[write.kind].append(write.article.id)
        return overtaken

    def _settle_new_month(self, created: Sequence[str], now: datetime) -> None:
        """Undo a double creation around midnight on the first, when two writers may use two slices for one article.

        Each checks after its own creation, so at least one of them sees both. The earlier slice's document stays.
        """
        months = {f"{moment:%Y.%m}" for moment in (now - _NEAR, now, now + _NEAR)}
        if len(months) == 1:
            return
        for article_id in created:
            for _ in range(_ROUNDS):
                doubles = self._of_months(months, article_id)[1:]
                results = list(bulk.write(self._es, (bulk.delete(double) for double in doubles)))
                if not any(result.moved for result in results):
                    for result in results:
                        bulk.won(result)
                    break
                await_writable(self._es, self._names)

    def _settle_imported(self, created: Sequence[str], batch: Batch) -> set[str]:
        """Undo a double creation with a worker that read the same article from a feed at the same time.

        The worker's stays, since it is matched. Returns what is to be written, that is merged, again.
        """
        hits = self._every(self.slices, list(created))
        twice = Counter(hit["_id"] for hit in hits)
        ours = [hit for hit in hits if twice[hit["_id"]] > 1 and hit["_source"].get("batch") == batch.id]
        for result in bulk.write(self._es, (bulk.delete(stored(None, hit)) for hit in ours)):
            bulk.won(result)
        return {hit["_id"] for hit in ours}

    def _merge(self, article: Article, was: Article | None) -> Merged:
        return merge_imported(article, was) if self._importing else merge(article, was)

    def _of_months(self, months: set[str], article_id: str) -> list[Stored[None]]:
        """The article's documents in the slices of `months`, the earlier month first."""

        def slices() -> list[str]:
            homes = [home_of(self._names, live_slices(self._es, self._names), month) for month in sorted(months)]
            return [index for index in homes if index]

        return [stored(None, hit) for hit in self._every(slices, [article_id])]

    def _home(self, live: list[str], first_seen: datetime) -> str:
        """The slice for articles first seen at that moment; created and added to `live` if it is missing."""
        month = f"{first_seen:%Y.%m}"
        home = home_of(self._names, live, month)
        if home is None:
            home = create_slice(self._es, self._names, month)
            live.append(home)
        return home

    def slices(self) -> list[str]:
        """The monthly slices in force, newest first."""
        return live_slices(self._es, self._names)

    def _hits(self, ids: Iterable[str]) -> _Found:
        """The slices in force, and the existing documents of the articles by id, in real time.

        Raises:
            StoreError: a slice that may have one of them can't be read, so that nobody knows whether it exists.
        """
        found = self._look(ids, _ROUNDS)
        if shut := next(filter(_is_shut, found.lost.values()), None):
            raise unreadable_index(shut)
        if found.lost:
            raise _out_of_reach(sorted({str(doc["_index"]) for doc in found.lost.values()}))
        return found

    def _look_for(self, articles: Sequence[Article], *, partly: bool) -> _Found:
        ids = [article.id for article in articles]
        return self._look(ids, _LOOKS) if partly else self._hits(ids)

    def _look(self, ids: Iterable[str], rounds: int) -> _Found:
        """The same, with what is out of reach after so many tries."""
        wanted = list(dict.fromkeys(ids))
        found = self._look_once(wanted)
        for attempt in range(rounds - 1):
            if not found.lost or any(map(_is_shut, found.lost.values())):
                break
            _pause(attempt)
            found = self._look_once(wanted)
        return found

    def _look_once(self, wanted: list[str]) -> _Found:
        live = self.slices()
        hits, faulty = self._mget(live, wanted)
        by_id: dict[str, Hit] = {}
        for hit in hits:
            by_id.setdefault(hit["_id"], hit)
        return _Found(live, by_id, {doc["_id"]: doc for doc in faulty if doc["_id"] not in by_id})

    def _every(self, slices: Callable[[], list[str]], ids: list[str]) -> list[Hit]:
        """The documents of the ids in the slices, all of an id that several have.

        Raises:
            StoreError: a slice can't be read.
        """
        for attempt in range(_ROUNDS):
            hits, faulty = self._mget(slices(), ids)
            if not faulty:
                return hits
            _pause(attempt)
        raise _out_of_reach(sorted({str(doc["_index"]) for doc in faulty}))

    def _mget(self, slices: list[str], ids: list[str]) -> tuple[list[Hit], list[Hit]]:
        """The documents of the ids in the slices, and the answers of slices that can't be read and may have one."""
        wanted = [{"_index": index, "_id": name} for index in slices for name in ids]
        hits: list[Hit] = []
        faulty: list[Hit] = []
        for start in range(0, len(wanted), _GETS):
            answer = self._es.mget(docs=wanted[start : start + _GETS])
            hits += [doc for doc in answer["docs"] if doc.get("found")]
            faulty += [doc for doc in answer["docs"] if "error" in doc]
        return hits, self._possible(faulty)

    def _possible(self, faulty: list[Hit]) -> list[Hit]:
        """The answers of slices that can't be read, without those for ids that the slice is known not to have."""
        asked: dict[str, set[str]] = defaultdict(set)
        for doc in faulty:
            asked[doc["_index"]].add(doc["_id"])
        lacking = {index: self._past_months.lacking(index, ids) for index, ids in asked.items()}
        return [doc for doc in faulty if doc["_id"] not in lacking[doc["_index"]]]


def _pause(attempt: int) -> None:
    """Wait before another try: a node has restarted or a shard moves, so a slice can't be read yet."""
    time.sleep(min(0.05 * 2**attempt, 2.0))


def _is_shut(doc: Hit) -> bool:
    """Whether somebody has closed or blocked the slice, which lasts until somebody opens it."""
    return doc["error"].get("type") in (faults.CLOSED, faults.BLOCKED)


def _out_of_reach(slices: Sequence[str]) -> StoreError:
    return StoreError(
        f"A month of the articles can't be read now ({', '.join(slices)}), as a node is away or an index moves. What "
        "waits for it is tried again; `newswatch status` says what is wrong."
    )


def _stored_article(hit: Hit | None) -> Stored[tuple[Article, Document]] | None:
    """The article of a hit; None without a hit.

    Raises:
        DocumentError: the document can't be read.
    """
    return stored(read(hit, with_document), hit) if hit else None


def values_of(es: Elasticsearch, names: Names, field: str) -> list[str]:
    """The values that articles have in a field, most frequent first, at most 200, as of the last refresh."""
    aggs = {"values": {"terms": {"field": field, "size": 200}}}
    try:
        buckets = es.search(index=names.articles, size=0, aggs=aggs)["aggregations"]["values"]["buckets"]
    except NotFoundError:  # before the first article
        return []
    return [str(bucket["key"]) for bucket in buckets]
