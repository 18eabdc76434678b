"""What could not be used (`newswatch.problems`): kept with its reason, where a user sees it.

The index holds one document per thing, with how often it was set aside; a feed read every minute does not fill it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import DocumentError, StoreError
from newswatch.model import Article, Entry
from newswatch.problems import Problem, ProblemKind
from search import bulk
from search.documents import Document, Hit, dump, load, read, values
from search.names import Names
from search.reading import get_hits

PER_FEED = 20
"""Entries of one feed that one call of `note` keeps one by one; the rest are counted in one more problem."""
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A problem as it is kept."""

    id: str
    problem: Problem
    first_at: datetime
    last_at: datetime
    count: int
    """How often it was set aside."""


class Quarantine:
    """The quarantine of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.quarantine

    def keep_article(self, article: Article, reason: str, *, now: datetime) -> None:
        """Keep an article that Elasticsearch refuses."""
        self.note([article_problem(article, reason)], now=now)

    def keep_entry(self, entry: Entry, feed_id: str, reason: str, *, now: datetime) -> None:
        """Keep a feed entry that could not be made an article."""
        self.note([entry_problem(entry, feed_id, reason)], now=now)

    def note(self, problems: Iterable[Problem], *, now: datetime) -> None:
        """Keep the problems; one that is kept already is counted once more.

        Raises:
            StoreError: Elasticsearch refuses even these.
        """
        left = {problem.id: problem for problem in _bounded(problems)}
        for _ in range(_TRIES):
            if not left:
                return
            left = self._note(left, now)
        raise StoreError(f"The quarantine keeps being changed by others: {len(left)} problems were not noted.")

    def _note(self, problems: dict[str, Problem], now: datetime) -> dict[str, Problem]:
        """Those that somebody else has written meanwhile."""
        found = {doc["_id"]: doc for doc in get_hits(self._es, self._index, problems)}
        actions = []
        for problem in problems.values():
            if doc := found.get(problem.id):
                first, count = _earlier(doc)
                token = {"if_seq_no": doc["_seq_no"], "if_primary_term": doc["_primary_term"]}
                kept = _document(problem, now, first=first, count=count + 1)
                actions.append(bulk.put(self._index, problem.id, kept) | token)
            else:
                actions.append(bulk.create(self._index, problem.id, _document(problem, now, first=None, count=1)))
        results = zip(problems.values(), bulk.write(self._es, actions), strict=True)
        return {problem.id: problem for problem, result in results if not bulk.require(result)}

    def latest(self, *, size: int = 100, kind: ProblemKind | None = None, since: datetime | None = None) -> list[Kept]:
        """The problems that were met last, newest first, as of the last refresh."""
        wanted: list[Document] = [{"term": {"what": kind}}] if kind else []
        wanted += [{"range": {"at": {"gte": since.isoformat()}}}] if since else []
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": wanted}},
            size=size,
            sort=[{"at": {"order": "desc", "unmapped_type": "date"}}],
        )
        return values(answer["hits"]["hits"], _kept)

    def counts(self, *, since: datetime | None = None) -> dict[str, int]:
        """How many problems are kept of each kind, as of the last refresh."""
        query: Document = {"range": {"at": {"gte": since.isoformat()}}} if since else {"match_all": {}}
        kinds = {"kinds": {"terms": {"field": "what", "size": 100}}}
        answer = self._es.search(index=self._index, size=0, query=query, aggs=kinds)
        return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["kinds"]["buckets"]}

    def refresh(self) -> None:
        """Make what was noted findable."""
        self._es.indices.refresh(index=self._index)

    def dismiss(self, problem_id: str) -> bool:
        """Forget a problem that was dealt with; met again, it comes back. False: there is none of that id."""
        answer = self._es.options(ignore_status=404).delete(index=self._index, id=problem_id, refresh=True)
        return bool(answer.get("result") == "deleted")


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


def _earlier(doc: Hit) -> tuple[str | None, int]:
    """When a kept problem was first met, and how often; one that can't be read counts from now on."""
    try:
        kept = read(doc, _kept)
    except DocumentError:
        return None, 0
    return kept.first_at.isoformat(), kept.count


@dataclass(frozen=True, slots=True)
class _Fields:
    """A document of the quarantine, field by field."""

    what: ProblemKind
    at: datetime
    id: str = ""
    reason: str = ""
    stage: str = ""
    url: str | None = None
    feed_id: str | None = None
    document: Mapping[str, Any] | None = None
    first_at: datetime | None = None
    count: int = 1


def _kept(problem_id: str, document: Mapping[str, Any]) -> Kept:
    d = load(_Fields, document)
    problem = Problem(d.what, d.id, d.reason, d.stage, d.url, d.feed_id, d.document)
    return Kept(problem_id, problem, d.first_at or d.at, d.at, d.count)
