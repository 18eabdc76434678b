"""The quarantine keeps what could not be used (`newswatch.problems`), with the reason, for users to see.

The index has one document per problem with a counter, so that a feed that is read every minute does not fill it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from ingest.dates import in_utc
from newswatch.article import Article
from newswatch.entry import Entry
from newswatch.problems import Problem, reason_of
from newswatch.texts import without_logins
from store.audit import AuditLog, Deed, digest
from store.elastic import bulk
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Document, Hit, dump, stored
from store.elastic.reading import get_hits
from store.names import Names

PER_FEED = 20
"""Entries of one feed that one call of `note` keeps individually; one more problem counts the rest."""
_SETTLED = 1_000
"""Problems of a stage that one call of `settle` checks; the next run checks the rest."""
_LARGE = ("document",)
"""Fields that are read for one problem at a time only."""
_UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, AttributeError)
"""What reading a document with invalid fields may raise."""
FAILED_IN_MATCHING: dict[str, Any] = {"bool": {"filter": [{"term": {"what": "search"}}, {"term": {"stage": "match"}}]}}
"""The query for the problems of saved searches that could not be run."""
LATEST_FIRST: list[dict[str, Any]] = [{"at": {"order": "desc", "unmapped_type": "date"}}]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of a problem whose document has no readable one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A problem as stored."""

    id: str
    problem: Problem
    first_at: datetime
    last_at: datetime
    count: int
    """How often it occurred."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of problems, and their number."""

    problems: tuple[Kept, ...]
    """Newest first, without their documents."""
    total: int
    """Of all problems that fit, listed or not."""
    kinds: Mapping[str, int]
    """Kind → number of problems, also of kinds that were not requested."""


class Quarantine:
    """The quarantine of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index, self._audit = es, names.quarantine, AuditLog(es, names)

    def note(self, problems: Iterable[Problem], *, now: datetime) -> None:
        """Store the problems; the counter of one that is stored already is incremented.

        Raises:
            StoreError: Elasticsearch rejects a problem.
        """
        left = {problem.id: problem for problem in _bounded(problems)}

        def attempt() -> bool | None:
            nonlocal left
            left = self._note(left, now)
            return None if left else True

        def failure() -> str:
            return f"The quarantine keeps being changed by others: {len(left)} problems were not stored."

        until_written(attempt, failure)

    def _note(self, problems: dict[str, Problem], now: datetime) -> dict[str, Problem]:
        """Store the problems; returns those that another worker wrote meanwhile."""
        present = {doc["_id"]: doc for doc in get_hits(self._es, self._index, problems)}
        actions = []
        for problem in problems.values():
            if doc := present.get(problem.id):
                first, count = _earlier(doc)
                kept = _document(problem, now, first=first, count=count + 1)
                actions.append(bulk.replace(stored(None, doc), kept))
            else:
                actions.append(bulk.create(self._index, problem.id, _document(problem, now, first=None, count=1)))
        results = zip(problems.values(), bulk.write(self._es, actions), strict=True)
        return {problem.id: problem for problem, result in results if not bulk.require(result)}

    def settle(self, stage: str, still: Iterable[Problem]) -> int:
        """Delete the problems of a stage that are not among `still`, if the stage checks everything; their number."""
        answer = self._es.search(
            index=self._index, query={"term": {"stage": stage}}, size=_SETTLED, source=False, track_total_hits=False
        )
        gone = {hit["_id"] for hit in answer["hits"]["hits"]} - {problem.id for problem in still}
        now = get_hits(self._es, self._index, gone)  # another stage may have reported it since
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
        """The most recent problems, as of the last refresh; those of a feed include its entries'."""
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": [*_since(since), *(_of_feed(feed_id) if feed_id else [])]}},
            # A post-filter, so that the kinds are counted over all problems.
            post_filter={"term": {"what": kind}} if kind else {"match_all": {}},
            aggs={"kinds": {"terms": {"field": "what", "size": 100}}},
            size=size,
            from_=offset,
            sort=[{"at": {"order": "desc", "unmapped_type": "date"}}, {"what": "asc"}, {"id": "asc"}],
            source_excludes=["document"],
            track_total_hits=True,
        )
        kept = tuple(_kept(hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
        kinds = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["kinds"]["buckets"]}
        return Listed(kept, answer["hits"]["total"]["value"], kinds)

    def get(self, problem_id: str) -> Kept | None:
        """A problem with its document, in real time; None: no problem has that id."""
        answer = self._es.options(ignore_status=404).get(index=self._index, id=problem_id)
        return _kept(answer["_id"], answer["_source"]) if answer.get("found") else None

    def refresh(self) -> None:
        """Make the stored problems visible to `listed`."""
        self._es.indices.refresh(index=self._index)

    def dismiss(self, problem_id: str) -> bool:
        """Delete a problem; it returns if it occurs again. False: no problem has that id."""
        answer = self._es.options(ignore_status=404).delete(index=self._index, id=problem_id, refresh=True)
        return bool(answer.get("result") == "deleted")

    def forget(self, problem_ids: Iterable[str], *, by: str, now: datetime) -> tuple[str, ...]:
        """Delete problems, and the documents kept with them, on a user's behalf; the ids of those that existed.

        Raises:
            StoreError: that can't be recorded in the audit log; they stay.
        """
        there = {str(hit["_id"]): hit["_source"] for hit in get_hits(self._es, self._index, problem_ids, but=_LARGE)}
        if not there:
            return ()
        return self._audit.change(_deed(by, there), lambda: self._deleted(there), now=now)

    def _deleted(self, problem_ids: Iterable[str]) -> tuple[str, ...]:
        es = self._es.options(ignore_status=404)
        for problem_id in problem_ids:
            es.delete(index=self._index, id=problem_id)
        self.refresh()
        return tuple(problem_ids)


def _deed(by: str, there: Mapping[str, Document]) -> Deed:
    """What the audit log says of it: how many of which kind. Subjects may be addresses, so they are left out."""
    kinds = Counter(_text(one.get("what", "")) for one in there.values())
    told = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
    subject = next(iter(there)) if len(there) == 1 else f"{len(there)} problems"
    return Deed(by, "problems dismissed", subject, before=digest(sorted(there)), details=told)


def article_problem(article: Article, reason: str, *, stage: str = "index") -> Problem:
    """The problem of an article that Elasticsearch rejects. Pure."""
    return Problem("article", article.id, reason, stage, article.url, article.source.feed_id, dump(article))


def entry_problem(entry: Entry, feed_id: str, reason: str, *, stage: str = "assemble") -> Problem:
    """The problem of a feed entry that could not become an article. Pure."""
    return Problem("entry", entry.id, reason, stage, entry.url, feed_id, dump(entry))


def _bounded(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, with at most `PER_FEED` entries of each feed and one problem that counts the rest. Pure."""
    kept: list[Problem] = []
    entries: dict[str, list[Problem]] = {}
    for problem in problems:
        of_feed = entries.setdefault(problem.feed_id or "", []) if problem.kind == "entry" else kept
        of_feed.append(problem)
    for feed_id, of_feed in entries.items():
        kept += of_feed[:PER_FEED]
        if len(of_feed) > PER_FEED:
            example = of_feed[PER_FEED]
            reason = f"{len(of_feed) - PER_FEED} more entries were quarantined, such as: {example.reason}"
            kept.append(replace(example, kind="entry", subject=f"{feed_id}: more", reason=reason, document=None))
    return kept


def _document(problem: Problem, now: datetime, *, first: str | None, count: int) -> Document:
    document: Document = {
        "what": problem.kind,
        "id": problem.subject,
        "url": problem.url and without_logins(problem.url),
        "feed_id": problem.feed_id,
        "stage": problem.stage,
        "reason": without_logins(problem.reason),
        "at": now.isoformat(),
        "first_at": first or now.isoformat(),
        "count": count,
        "document": problem.document,
    }
    return {name: value for name, value in document.items() if value not in (None, "")}


def _since(moment: datetime | None) -> list[Document]:
    return [{"range": {"at": {"gte": moment.isoformat()}}}] if moment else []


def _of_feed(feed_id: str) -> list[Document]:
    """The clause for problems of the feed, of its entries and of its document."""
    itself = {"bool": {"filter": [{"term": {"what": "feed"}}, {"term": {"id": feed_id}}]}}
    brought = [{"term": {"feed_id": feed_id}}, {"wildcard": {"id": {"value": f"*feeds/{_literal(feed_id)}"}}}]
    return [{"bool": {"should": [itself, *brought], "minimum_should_match": 1}}]


def _literal(text: str) -> str:
    """The text, escaped for a wildcard query."""
    return "".join(f"\\{char}" if char in "*?\\" else char for char in text)


def _kept(problem_id: str, document: Mapping[str, Any]) -> Kept:
    """The problem of a document; an unreadable document is a problem itself."""
    try:
        return _read(problem_id, document)
    except _UNREADABLE as error:
        edited = Problem("document", f"quarantine/{problem_id}", reason_of(error), "quarantine", document=document)
        return Kept(problem_id, edited, LONG_AGO, LONG_AGO, 1)


def _read(problem_id: str, document: Mapping[str, Any]) -> Kept:
    last_at = moment(document["at"])
    problem = Problem(
        _text(document["what"]),  # type: ignore[arg-type]  # another version's kinds are shown too
        _text(document.get("id", "")),
        without_logins(_text(document.get("reason", ""))),
        _text(document.get("stage", "")),
        without_logins(_text(document["url"])) if document.get("url") else None,
        _text(document["feed_id"]) if document.get("feed_id") else None,
        document.get("document"),
    )
    first = moment(document["first_at"]) if document.get("first_at") else last_at
    return Kept(problem_id, problem, first, last_at, int(document.get("count", 1)))


def _text(value: Any) -> str:
    """The value as encodable text: a lone surrogate is replaced."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def moment(value: Any) -> datetime:
    """A stored date in UTC.

    Raises:
        ValueError, TypeError, OverflowError: it is not a date, or not one in Python's range.
    """
    return in_utc(datetime.fromisoformat(value))


def _earlier(doc: Hit) -> tuple[str | None, int]:
    """When a stored problem first occurred, and how often; (None, 0) if its document can't be read."""
    try:
        kept = _read(doc["_id"], dict(doc["_source"]))
    except _UNREADABLE:
        return None, 0
    return kept.first_at.isoformat(), kept.count
