"""What could not be used (`newswatch.problems`): kept with its reason, where a user sees it.

The index holds one document per thing, with how often it was set aside; a feed read every minute does not fill it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from ingest.dates import in_utc
from newswatch.article import Article
from newswatch.entry import Entry
from newswatch.problems import Problem, reason_of
from store import bulk
from store.compare_and_set import until_written
from store.documents import Document, Hit, dump, stored
from store.names import Names
from store.reading import get_hits

PER_FEED = 20
"""Entries of one feed that one call of `note` keeps one by one; the rest are counted in one more problem."""
_SETTLED = 1_000
"""Problems of a stage that are looked through at once; the next run takes the rest."""
_UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, AttributeError)
"""What reading a document that was edited to nonsense may raise."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When a problem was met whose document no longer says so."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A problem as it is kept."""

    id: str
    problem: Problem
    first_at: datetime
    last_at: datetime
    count: int
    """How often it was set aside."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of the problems, and how many there are."""

    problems: tuple[Kept, ...]
    """Newest first, without their documents."""
    total: int
    """Of those that were asked for, listed or not."""
    kinds: Mapping[str, int]
    """How many of each kind, whatever kind was asked for."""


class Quarantine:
    """The quarantine of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.quarantine

    def note(self, problems: Iterable[Problem], *, now: datetime) -> None:
        """Keep the problems; one that is kept already is counted once more.

        Raises:
            StoreError: Elasticsearch refuses even these.
        """
        left = {problem.id: problem for problem in _bounded(problems)}

        def attempt() -> bool | None:
            nonlocal left
            left = self._note(left, now)
            return None if left else True

        def told() -> str:
            return f"The quarantine keeps being changed by others: {len(left)} problems were not noted."

        until_written(attempt, told)

    def _note(self, problems: dict[str, Problem], now: datetime) -> dict[str, Problem]:
        """Those that somebody else has written meanwhile."""
        found = {doc["_id"]: doc for doc in get_hits(self._es, self._index, problems)}
        actions = []
        for problem in problems.values():
            if doc := found.get(problem.id):
                first, count = _earlier(doc)
                kept = _document(problem, now, first=first, count=count + 1)
                actions.append(bulk.replace(stored(None, doc), kept))
            else:
                actions.append(bulk.create(self._index, problem.id, _document(problem, now, first=None, count=1)))
        results = zip(problems.values(), bulk.write(self._es, actions), strict=True)
        return {problem.id: problem for problem, result in results if not bulk.require(result)}

    def settle(self, stage: str, still: Iterable[Problem]) -> int:
        """Forget what a stage met earlier and meets no more, as it looks at everything each time; how many."""
        found = self._es.search(
            index=self._index, query={"term": {"stage": stage}}, size=_SETTLED, source=False, track_total_hits=False
        )
        gone = {hit["_id"] for hit in found["hits"]["hits"]} - {problem.id for problem in still}
        now = get_hits(self._es, self._index, gone)  # another stage may have met it since
        actions = [bulk.delete(stored(None, hit)) for hit in now if hit["_source"].get("stage") == stage]
        return sum(bulk.won(result) for result in bulk.write(self._es, actions))

    def listed(
        self,
        *,
        kind: str | None = None,
        feed_id: str | None = None,
        since: datetime | None = None,
        size: int = 50,
        offset: int = 0,
    ) -> Listed:
        """The problems that were met last, as of the last refresh; a feed's include those with itself."""
        found = self._es.search(
            index=self._index,
            query={"bool": {"filter": [*_since(since), *(_of_feed(feed_id) if feed_id else [])]}},
            # After the kinds are counted, so that the counts are of all.
            post_filter={"term": {"what": kind}} if kind else {"match_all": {}},
            aggs={"kinds": {"terms": {"field": "what", "size": 100}}},
            size=size,
            from_=offset,
            sort=[{"at": {"order": "desc", "unmapped_type": "date"}}, {"what": "asc"}, {"id": "asc"}],
            source_excludes=["document"],
            track_total_hits=True,
        )
        kept = tuple(_kept(hit["_id"], hit["_source"]) for hit in found["hits"]["hits"])
        kinds = {bucket["key"]: bucket["doc_count"] for bucket in found["aggregations"]["kinds"]["buckets"]}
        return Listed(kept, found["hits"]["total"]["value"], kinds)

    def total(self, *, timeout_s: float = 5) -> int:
        """How many problems there are, as of the last refresh. One small request, not tried again."""
        es = self._es.options(request_timeout=timeout_s, max_retries=0)
        return int(es.count(index=self._index)["count"])

    def get(self, problem_id: str) -> Kept | None:
        """A problem with its document, in real time; None: there is none of that id."""
        found = self._es.options(ignore_status=404).get(index=self._index, id=problem_id)
        return _kept(found["_id"], found["_source"]) if found.get("found") else None

    def refresh(self) -> None:
        """Make what was noted findable."""
        self._es.indices.refresh(index=self._index)

    def dismiss(self, problem_id: str) -> bool:
        """Forget a problem that was dealt with; met again, it comes back. False: there is none of that id."""
        answer = self._es.options(ignore_status=404).delete(index=self._index, id=problem_id, refresh=True)
        return bool(answer.get("result") == "deleted")

    def dismiss_all(self, problem_ids: Iterable[str]) -> int:
        """Forget several; how many of them there were."""
        es = self._es.options(ignore_status=404)
        gone = [es.delete(index=self._index, id=one).get("result") == "deleted" for one in problem_ids]
        self.refresh()
        return sum(gone)


def article_problem(article: Article, reason: str, *, stage: str = "index") -> Problem:
    """An article that Elasticsearch refuses. Pure."""
    return Problem("article", article.id, reason, stage, article.url, article.source.feed_id, dump(article))


def entry_problem(entry: Entry, feed_id: str, reason: str, *, stage: str = "assemble") -> Problem:
    """A feed entry that could not be made an article. Pure."""
    return Problem("entry", entry.id, reason, stage, entry.url, feed_id, dump(entry))


def _bounded(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, of each feed no more than `PER_FEED` entries and one that counts the others. Pure."""
    kept: list[Problem] = []
    entries: dict[str, list[Problem]] = {}
    for problem in problems:
        of_feed = entries.setdefault(problem.feed_id or "", []) if problem.kind == "entry" else kept
        of_feed.append(problem)
    for feed_id, found in entries.items():
        kept += found[:PER_FEED]
        if len(found) > PER_FEED:
            more = f"{len(found) - PER_FEED} more entries were set aside, such as: {found[PER_FEED].reason}"
            kept.append(replace(found[PER_FEED], kind="entry", subject=f"{feed_id}: more", reason=more, document=None))
    return kept


def _document(problem: Problem, now: datetime, *, first: str | None, count: int) -> Document:
    document: Document = {
        "what": problem.kind,
        "id": problem.subject,
        "url": problem.url,
        "feed_id": problem.feed_id,
        "stage": problem.stage,
        "reason": problem.reason,
        "at": now.isoformat(),
        "first_at": first or now.isoformat(),
        "count": count,
        "document": problem.document,
    }
    return {name: value for name, value in document.items() if value not in (None, "")}


def _since(moment: datetime | None) -> list[Document]:
    return [{"range": {"at": {"gte": moment.isoformat()}}}] if moment else []


def _of_feed(feed_id: str) -> list[Document]:
    """What the feed brought, the feed itself, and its document."""
    itself = {"bool": {"filter": [{"term": {"what": "feed"}}, {"term": {"id": feed_id}}]}}
    brought = [{"term": {"feed_id": feed_id}}, {"wildcard": {"id": {"value": f"*feeds/{_literal(feed_id)}"}}}]
    return [{"bool": {"should": [itself, *brought], "minimum_should_match": 1}}]


def _literal(text: str) -> str:
    """The text as a wildcard query that finds nothing else."""
    return "".join(f"\\{char}" if char in "*?\\" else char for char in text)


def _kept(problem_id: str, document: Mapping[str, Any]) -> Kept:
    """A problem as its document says; one that was edited to nonsense is a problem itself."""
    try:
        return _read(problem_id, document)
    except _UNREADABLE as error:
        edited = Problem("document", f"quarantine/{problem_id}", reason_of(error), "quarantine", document=document)
        return Kept(problem_id, edited, LONG_AGO, LONG_AGO, 1)


def _read(problem_id: str, document: Mapping[str, Any]) -> Kept:
    at = moment(document["at"])
    problem = Problem(
        _text(document["what"]),  # type: ignore[arg-type]  # a kind of another version is shown too
        _text(document.get("id", "")),
        _text(document.get("reason", "")),
        _text(document.get("stage", "")),
        _text(document["url"]) if document.get("url") else None,
        _text(document["feed_id"]) if document.get("feed_id") else None,
        document.get("document"),
    )
    first = moment(document["first_at"]) if document.get("first_at") else at
    return Kept(problem_id, problem, first, at, int(document.get("count", 1)))


def _text(value: Any) -> str:
    """The value as text that can be written out: half of a surrogate pair can't be."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def moment(value: Any) -> datetime:
    """A date of Elasticsearch in UTC.

    Raises:
        ValueError, TypeError, OverflowError: it is none that can be shown.
    """
    return in_utc(datetime.fromisoformat(value))


def _earlier(doc: Hit) -> tuple[str | None, int]:
    """When a kept problem was first met, and how often; one that can't be read counts from now on."""
    try:
        kept = _read(doc["_id"], dict(doc["_source"]))
    except _UNREADABLE:
        return None, 0
    return kept.first_at.isoformat(), kept.count
