"""A story: every article that reports it, told apart by who wrote and who copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article, Version
from store.documents import from_document, read, values
from store.names import Names
from transforms.versions import DiffKind, word_diff

_BUCKETS = 1_000
MOST = 1_000
"""Articles of one story that are read; a story has tens."""


@dataclass(frozen=True, slots=True)
class Report:
    """An article that is nobody's copy, and those that copy it."""

    article: Article
    copies: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """All that was read of a story."""

    id: str
    reports: tuple[Report, ...]
    """In the order they were published."""
    total: int
    """Articles in the index; more than were read if it exceeds `MOST`."""
    independent: int
    """Owners (or outlets, where the owner is not known) that wrote of it themselves: copies don't count."""

    @property
    def articles(self) -> tuple[Article, ...]:
        """All, in the order they were published."""
        every = [article for report in self.reports for article in (report.article, *report.copies)]
        return tuple(sorted(every, key=published))

    @property
    def lead(self) -> Article:
        """The first report."""
        return self.reports[0].article


def published(article: Article) -> datetime:
    """When it was published, or seen where nobody says."""
    return article.published or article.first_seen


def read_story(es: Elasticsearch, names: Names, story_id: str) -> Story | None:
    """The story; None if no article has that story id."""
    try:
        answer = es.search(
            index=names.articles,
            query={"term": {"story_id": story_id}},
            sort=[{"time": "asc"}, {"seq": "asc"}],
            size=MOST,
            track_total_hits=True,
        )
    except NotFoundError:
        return None
    articles = values(answer["hits"]["hits"], from_document)
    return arranged(story_id, articles, answer["hits"]["total"]["value"]) if articles else None


def read_article(es: Elasticsearch, names: Names, article_id: str) -> Article | None:
    """The article, as the index has it; None if there is none of that id.

    Raises:
        DocumentError: it can't be read.
    """
    try:
        hits = es.search(index=names.articles, query={"ids": {"values": [article_id]}}, size=1)["hits"]["hits"]
    except NotFoundError:
        return None
    return read(hits[0], from_document) if hits else None


def arranged(story_id: str, articles: Sequence[Article], total: int) -> Story:
    """The articles of a story as reports with their copies. Pure.

    A copy of a copy stands with the first; a copy of what isn't there, or in a ring of copies, stands for itself.
    """
    by_id = {article.id: article for article in articles}
    copies: dict[str, list[Article]] = {}
    originals: list[Article] = []
    for article in sorted(articles, key=published):
        root = _original_of(article, by_id)
        if root == article.id:
            originals.append(article)
        else:
            copies.setdefault(root, []).append(article)
    reports = tuple(Report(article, tuple(copies.get(article.id, ()))) for article in originals)
    return Story(story_id, reports, total, independent(originals))


def _original_of(article: Article, by_id: dict[str, Article]) -> str:
    passed = [article.id]
    while (nearer := by_id[passed[-1]].duplicate_of) in by_id and nearer is not None:
        if nearer in passed:
            return article.id
        passed.append(nearer)
    return passed[-1]


def independent(articles: Iterable[Article]) -> int:
    """How many owners (or outlets) wrote the articles that copy none; 1 at least."""
    own = {a.source.owner or a.source.domain for a in articles if a.duplicate_of is None}
    return max(1, len(own))


def independent_sources(es: Elasticsearch, index: str, story_ids: Sequence[str]) -> dict[str, int]:
    """`independent` for each of many stories; `index` is that of the articles."""
    counts: dict[str, int] = {}
    for at in range(0, len(story_ids), 500):
        page, after = story_ids[at : at + 500], None
        answers: list[Mapping[str, Any]] = []
        while not answers or after:
            body = sources_asked(page, after)
            answers.append(es.search(index=index, request_cache=False, **body).body)
            after = further_sources(answers[-1])
        counts |= sources_told(page, answers)
    return counts


def sources_asked(story_ids: Sequence[str], after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The search for who wrote of some stories without copying; its answer may hold only the first of them."""
    own = {
        "bool": {"filter": [{"terms": {"story_id": [*story_ids]}}], "must_not": [{"exists": {"field": "duplicate_of"}}]}
    }
    sources: list[dict[str, Any]] = [
        {"story": {"terms": {"field": "story_id"}}},
        {"owner": {"terms": {"field": "source.owner", "missing_bucket": True}}},
        {"domain": {"terms": {"field": "source.domain", "missing_bucket": True}}},
    ]
    composite = {"size": _BUCKETS, "sources": sources} | ({"after": after} if after else {})
    return {"query": own, "size": 0, "track_total_hits": False, "aggs": {"sources": {"composite": composite}}}


def further_sources(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """After what the rest must be asked for, if the answer may not hold all."""
    found = answer["aggregations"]["sources"]
    return dict(found["after_key"]) if len(found["buckets"]) == _BUCKETS else None


def sources_told(story_ids: Sequence[str], answers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many independent sources each story has, by all the answers there are."""
    owners: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        for bucket in answer["aggregations"]["sources"]["buckets"]:
            key = bucket["key"]
            owners[key["story"]].add(key["owner"] or key["domain"] or "")
    return {story_id: max(len(owners[story_id]), 1) for story_id in story_ids}


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version of an article beside the one before it."""

    version: Version
    number: int
    title: tuple[tuple[DiffKind, str], ...]
    """The title in pieces: what stayed, what came, what went."""


def changes(article: Article) -> tuple[VersionChange, ...]:
    """Every version after the first, with what it changed, oldest first. Pure."""
    return tuple(
        VersionChange(after, number, word_diff(before.title, after.title))
        for number, (before, after) in enumerate(pairwise(article.versions), 2)
    )
