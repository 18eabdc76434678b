"""Stories: the articles that report them, divided into original reports and copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article, Version
from newswatch.reliability import Credibility, Voice, credibility, voice_key, voices
from search.missing import IncompleteError, Missing, missing_in, note_missing, noted, refused_part, whole
from store.article_documents import from_document
from store.elastic.documents import read, values
from store.elastic.times import moment_at
from store.names import Names
from transforms.versions import DiffKind, word_diff

_BUCKETS = 1_000
_LANGUAGES = 12
"""Maximum number of languages whose first report is read."""
MOST = 1_000
"""Maximum number of articles to read for a story, which usually has tens."""


@dataclass(frozen=True, slots=True)
class Report:
    """An original article, and its copies."""

    article: Article
    copies: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class StoryReports:
    """A story, with its articles."""

    id: str
    reports: tuple[Report, ...]
    """In order of publication."""
    total: int
    """Number of articles in the index; above `MOST`, not all of them were read."""
    independent: int
    """Number of owners (outlets, if the owner is unknown; all media of one state are one) with original reports."""
    credibility: Credibility
    """By the grades of those owners."""
    missing: Missing | None = None
    """What could not be searched, so that articles of the story may be missing."""

    @property
    def articles(self) -> tuple[Article, ...]:
        """All articles, in order of publication."""
        every = [article for report in self.reports for article in (report.article, *report.copies)]
        return tuple(sorted(every, key=published))

    @property
    def lead(self) -> Article:
        """The first report."""
        return self.reports[0].article


def published(article: Article) -> datetime:
    """When the article was published; if that is unknown, when it was first seen."""
    return article.published or article.first_seen


def read_story(es: Elasticsearch, names: Names, story_id: str) -> StoryReports | None:
    """The story; None if no article has that story id. Raises the errors of `read_article`.

    One that was joined with another is that one: its id is its first report's, which is there now.
    """
    found = _read_story(es, names, story_id)
    if found is None and (first := read_article(es, names, story_id)) and first.story_id != story_id:
        found = _read_story(es, names, first.story_id)
    return found


def _read_story(es: Elasticsearch, names: Names, story_id: str) -> StoryReports | None:
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
    articles, missing = values(answer["hits"]["hits"], from_document), note_missing(answer.body)
    if not articles and missing:
        raise IncompleteError(missing)
    story = arranged(story_id, articles, answer["hits"]["total"]["value"]) if articles else None
    return replace(story, missing=missing) if story else None


def read_article(es: Elasticsearch, names: Names, article_id: str) -> Article | None:
    """The article as indexed; None if no article has that id.

    Raises:
        DocumentError: the document can't be read.
        IncompleteError: a slice could not be searched, and no other has the article.
    """
    try:
        answer = es.search(index=names.articles, query={"ids": {"values": [article_id]}}, size=1)
    except NotFoundError:
        return None
    hits = answer["hits"]["hits"] or whole(answer.body)["hits"]["hits"]
    return read(hits[0], from_document) if hits else None


def arranged(story_id: str, articles: Sequence[Article], total: int) -> StoryReports:
    """The articles of a story as reports with their copies. Pure.

    A copy of a copy belongs to the original. A copy of a missing article, or in a cycle of copies, is a report itself.
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
    return StoryReports(story_id, reports, total, independent(originals), credibility(heard(originals)))


def _original_of(article: Article, by_id: dict[str, Article]) -> str:
    passed = [article.id]
    while (nearer := by_id[passed[-1]].duplicate_of) in by_id and nearer is not None:
        if nearer in passed:
            return article.id
        passed.append(nearer)
    return passed[-1]


def independent(articles: Iterable[Article]) -> int:
    """The number of independent voices among the articles that are not copies; at least 1."""
    return max(1, len(heard(articles)))


def heard(articles: Iterable[Article]) -> tuple[Voice, ...]:
    """The independent voices of the articles that are not copies, best first."""
    return voices(
        (
            _voice(a.source.owner, a.source.domain, a.source.country, a.source.state_media),
            a.source.reliability,
            a.source.state_media,
        )
        for a in articles
        if a.duplicate_of is None
    )


def _voice(owner: str | None, domain: str | None, country: str | None, of_state: bool | None) -> str:
    return voice_key(owner, domain or "", country, of_state=bool(of_state))


@dataclass(frozen=True, slots=True)
class StoryFacts:
    """A story in figures, copies included."""

    articles: int = 1
    outlets: int = 1
    owners: int = 1
    """Outlets without a known owner count as their own, all media of one state as one."""
    independent: int = 1
    """`independent` of its articles."""
    credibility: Credibility | None = None
    """None: unknown."""
    languages: tuple[str, ...] = ()
    """Of most articles first."""
    changed_at: datetime | None = None
    """When its newest article, or newest version of one, came."""
    is_whole: bool = True
    """False: a slice of the index could not be searched, so each number is the least that it can be."""


def independent_sources(es: Elasticsearch, index: str, story_ids: Sequence[str]) -> dict[str, int]:
    """`independent` for each of many stories; `index` is the articles' alias.

    Raises:
        IncompleteError: a slice could not be searched, so the numbers may be too low.
    """
    return {story_id: facts.independent for story_id, facts in story_facts(es, index, story_ids).items()}


def story_facts(
    es: Elasticsearch, index: str, story_ids: Sequence[str], *, lacking: list[Missing] | None = None
) -> dict[str, StoryFacts]:
    """The facts of each of many stories; `index` is the articles' alias.

    What an answer lacks is added to `lacking`, if that is given, and its facts are not `is_whole`.

    Raises:
        IncompleteError: a slice could not be searched, and `lacking` is not given.
    """
    facts: dict[str, StoryFacts] = {}
    for start in range(0, len(story_ids), 500):
        page, after = story_ids[start : start + 500], None
        answers: list[Mapping[str, Any]] = []
        while not answers or after:
            body = facts_search(page, after)
            answers.append(es.search(index=index, request_cache=False, **body).body)
            after = further_facts(answers[-1])
        found = facts_of(page, answers)
        if not all(_is_whole(answer, lacking) for answer in answers):
            found = {story_id: replace(one, is_whole=False) for story_id, one in found.items()}
        facts |= found
    return facts


def _is_whole(answer: Mapping[str, Any], lacking: list[Missing] | None) -> bool:
    """Whether the answer is whole; what it lacks is added to `lacking`, or raised if that is not given."""
    missing = missing_in(answer)
    if missing is None:
        return True
    if lacking is None:
        raise refused_part(missing)
    lacking.append(noted(missing))
    return False


def first_reports(
    es: Elasticsearch, index: str, story_ids: Sequence[str], most: int, lacking: list[Missing]
) -> dict[str, tuple[Article, ...]]:
    """The first original articles of each of many stories, at most `most` of each, oldest first.

    `index` is the articles' alias. An article that can't be read is left out, and reported. What an answer lacks is
    added to `lacking`.
    """
    found: dict[str, tuple[Article, ...]] = {}
    order = [{"time": "asc"}, {"seq": "asc"}]
    inner = {"name": "reports", "size": most, "sort": order}
    for start in range(0, len(story_ids), 100):
        page = story_ids[start : start + 100]
        collapse = {"field": "story_id", "inner_hits": inner, "max_concurrent_group_searches": 4}
        answer = es.search(
            index=index, query=_originals(page), size=len(page), sort=order, source=False, collapse=collapse
        )
        _is_whole(answer.body, lacking)
        for hit in answer["hits"]["hits"]:
            reports = tuple(values(hit["inner_hits"]["reports"]["hits"]["hits"], from_document))
            found |= {report.story_id: reports for report in reports[:1]}
    return found


def first_of_languages(es: Elasticsearch, index: str, story_ids: Sequence[str]) -> dict[str, tuple[Article, ...]]:
    """The first original article in each language of each of some stories, oldest first.

    `index` is the articles' alias. An article that can't be read is left out, and reported.
    """
    searches: list[Mapping[str, Any]] = []
    for story_id in story_ids:
        order = [{"time": "asc"}, {"seq": "asc"}]
        body = {"query": _originals([story_id]), "sort": order, "collapse": {"field": "language"}, "size": _LANGUAGES}
        searches += [{"index": index}, body]
    answers = es.msearch(searches=searches)["responses"] if searches else []
    for answer in answers:
        note_missing(answer)
    return {
        story_id: tuple(values(answer["hits"]["hits"], from_document))
        for story_id, answer in zip(story_ids, answers, strict=True)
        if "error" not in answer
    }


def reports_since(
    es: Elasticsearch, index: str, story_ids: Sequence[str], since: datetime, lacking: list[Missing]
) -> dict[str, int]:
    """The number of original articles on each story that were first seen after `since`; stories without are missing.

    What the answer lacks is added to `lacking`: then each number is the least that it can be.
    """
    if not story_ids:
        return {}
    query = _originals(story_ids)
    query["bool"]["filter"].append({"range": {"first_seen": {"gt": since.isoformat()}}})
    aggs = {"stories": {"terms": {"field": "story_id", "size": len(story_ids)}}}
    answer = es.search(index=index, size=0, query=query, aggs=aggs)
    _is_whole(answer.body, lacking)
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["stories"]["buckets"]}


def _originals(story_ids: Sequence[str]) -> dict[str, Any]:
    """Matches the articles of the stories that are no copies."""
    own = {"terms": {"story_id": [*story_ids]}}
    return {"bool": {"filter": [own], "must_not": [{"exists": {"field": "duplicate_of"}}]}}


def facts_search(story_ids: Sequence[str], after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The search for the facts of some stories; `further_facts` says whether the answer is complete."""
    theirs = {"bool": {"filter": [{"terms": {"story_id": [*story_ids]}}]}}
    sources: list[dict[str, Any]] = [
        {"story": {"terms": {"field": "story_id"}}},
        {"owner": {"terms": {"field": "source.owner", "missing_bucket": True}}},
        {"domain": {"terms": {"field": "source.domain", "missing_bucket": True}}},
        {"country": {"terms": {"field": "source.country", "missing_bucket": True}}},
        {"grade": {"terms": {"field": "source.reliability", "missing_bucket": True}}},
        {"state": {"terms": {"field": "source.state_media", "missing_bucket": True}}},
        {"language": {"terms": {"field": "language", "missing_bucket": True}}},
    ]
    composite = {"size": _BUCKETS, "sources": sources} | ({"after": after} if after else {})
    counted = {"copies": {"value_count": {"field": "duplicate_of"}}, "changed": {"max": {"field": "indexed_at"}}}
    return {
        "query": theirs,
        "size": 0,
        "track_total_hits": False,
        "aggs": {"parts": {"composite": composite, "aggs": counted}},
    }


def further_facts(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The key after which the search must continue; None if the answer is complete."""
    parts = answer["aggregations"]["parts"]
    return dict(parts["after_key"]) if len(parts["buckets"]) == _BUCKETS else None


def facts_of(story_ids: Sequence[str], answers: Iterable[Mapping[str, Any]]) -> dict[str, StoryFacts]:
    """Story → its facts, from all answers to `facts_search`; a story that is not in them has the least."""
    parts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for answer in answers:
        for bucket in answer["aggregations"]["parts"]["buckets"]:
            parts[bucket["key"]["story"]].append(bucket)
    return {story_id: _facts(parts[story_id]) if parts[story_id] else StoryFacts() for story_id in story_ids}


def _facts(parts: Sequence[Mapping[str, Any]]) -> StoryFacts:
    languages: Counter[str] = Counter()
    for part in parts:
        languages[part["key"]["language"] or ""] += part["doc_count"]
    changed = [part["changed"]["value"] for part in parts if part["changed"]["value"] is not None]
    own = voices(
        (_owner(part), part["key"]["grade"], bool(part["key"]["state"]))
        for part in parts
        if part["doc_count"] > part["copies"]["value"]
    )
    return StoryFacts(
        articles=sum(part["doc_count"] for part in parts),
        outlets=len({part["key"]["domain"] for part in parts}),
        owners=len({_owner(part) for part in parts}),
        independent=max(1, len(own)),
        credibility=credibility(own),
        languages=tuple(code for code, _ in languages.most_common() if code),
        changed_at=moment_at(max(changed)) if changed else None,
    )


def _owner(part: Mapping[str, Any]) -> str:
    key = part["key"]
    return _voice(key["owner"], key["domain"], key["country"], key["state"])


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version of an article, compared with the one before it."""

    version: Version
    number: int
    title: tuple[tuple[DiffKind, str], ...]
    """The title in pieces: kept, added, removed."""


def changes(article: Article) -> tuple[VersionChange, ...]:
    """Every version after the first, with its changes, oldest first. Pure."""
    return tuple(
        VersionChange(after, number, word_diff(before.title, after.title))
        for number, (before, after) in enumerate(pairwise(article.versions), 2)
    )
