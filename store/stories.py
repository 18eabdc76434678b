"""Assigns each article to a story, once, when its batch is matched, by comparing it with the articles of recent days.

Batches are matched one after the other, in ingest order, so two copies that two workers indexed at the same moment
still meet here. The decision is pure, in `transforms.story`. Candidates come from the index, by the bands of the text's
fingerprint and by the article's most distinctive stems.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.topics import Topics
from store import bulk
from store.documents import Document, Stored, from_document, profile_of, renewed, values, with_document
from store.generations import await_writable
from store.names import Names
from store.reading import find
from transforms.story import Background, Placed, Profile, StoryCandidate, place

_PAGE = 200
"""Articles placed together, in a handful of requests."""
_CANDIDATES = 60
"""Candidates for each article; a story rarely has more close ones."""
_DISTINCTIVE = 16
"""Stems by which candidates are searched."""
_TRIES = 5
_NEEDED = ["title", "summary", "text", "repeated", "published", "first_seen", "source", "story_id", "duplicate_of"]


@dataclass(frozen=True, slots=True)
class PlacedReport:
    """The number of articles placed, and how."""

    articles: int = 0
    copies: int = 0
    """Articles that share the text of an earlier one."""
    joined: int = 0
    """Articles that joined an existing story."""


class Stories:
    """The stories of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, window: timedelta) -> None:
        """Articles further apart than `window` never share a story."""
        self._es, self._names, self._window = es, names, window

    def place(self, batch: Batch, *, now: datetime) -> PlacedReport:
        """Assign the articles of `batch` without a story to one; idempotent.

        Raises:
            StoreError: Elasticsearch is unavailable, or others keep writing the same articles; run it again.
        """
        report, overtaken = PlacedReport(), 0
        while page := self._unplaced(batch):
            placed = self._place_page(page)
            written = self._write(page, placed, now)
            overtaken = 0 if written else overtaken + 1
            if overtaken == _TRIES:
                raise StoreError(f"The articles of batch {batch.number} keep being changed by others: run it again.")
            done = [place for place in placed if place.id in written]
            report = PlacedReport(
                report.articles + len(done),
                report.copies + sum(place.duplicate_of is not None for place in done),
                report.joined + sum(place.story_id != place.id and place.duplicate_of is None for place in done),
            )
        return report

    def _unplaced(self, batch: Batch) -> list[Stored[tuple[Article, Document]]]:
        self._es.indices.refresh(index=self._names.articles, ignore_unavailable=True)
        ours = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
        return find(
            self._es,
            self._names.articles,
            with_document,
            query={"bool": {"filter": [ours], "must_not": [{"exists": {"field": "placed_at"}}]}},
            sort=[{"time": "asc"}, {"seq": "asc"}],
            size=_PAGE,
            ignore_unavailable=True,
        )

    def _place_page(self, page: Sequence[Stored[tuple[Article, Document]]]) -> list[Placed]:
        profiles = [profile_of(stored.value[0]) for stored in page]
        background = self._background(profiles)
        known = self._candidates(profiles, background)
        here = _Neighbours()
        placed = []
        for profile in profiles:
            near = {c.profile.id: c for c in (*known[profile.id], *here.of(profile))}
            result = place(profile, list(near.values()), background, window=self._window)
            here.add(StoryCandidate(profile, result.story_id, result.duplicate_of))
            placed.append(result)
        return placed

    def _background(self, profiles: Sequence[Profile]) -> Background:
        """How common the articles' stems are within the window."""
        stems = sorted({stem for profile in profiles for stem in profile.terms})
        if not stems:
            return Background()
        counts = {"terms": {"field": "story_terms", "include": stems, "size": len(stems)}}
        answer = self._es.search(
            index=self._names.articles,
            size=0,
            query=self._around(min(profile.published for profile in profiles)),
            aggs={"stems": counts},
            track_total_hits=True,
        )
        buckets = answer["aggregations"]["stems"]["buckets"]
        return Background.of(answer["hits"]["total"]["value"], {b["key"]: b["doc_count"] for b in buckets})

    def _candidates(self, profiles: Sequence[Profile], background: Background) -> Mapping[str, list[StoryCandidate]]:
        """Article id → the placed articles that may share its text or its story."""
        searches: list[Document] = []
        for profile in profiles:
            searches += [{}, self._candidate_search(profile, background)]
        answers = self._es.msearch(index=self._names.articles, searches=searches)["responses"]
        if len(answers) != len(profiles):
            raise StoreError(f"Elasticsearch gave {len(answers)} answers to {len(profiles)} questions.")
        return {profile.id: _candidates_in(answer) for profile, answer in zip(profiles, answers, strict=True)}

    def _candidate_search(self, profile: Profile, background: Background) -> Document:
        weights = {stem: weight * background.weight(stem) for stem, weight in profile.terms.items()}
        distinctive = sorted(weights, key=lambda stem: (-weights[stem], stem))[:_DISTINCTIVE]
        by_stem = [
            {"constant_score": _term("story_terms", stem, weights[stem])} for stem in distinctive if weights[stem] > 0
        ]
        by_band = [{"constant_score": _term("bands", band, 100.0)} for band in profile.fingerprint.bands]
        placed = {"exists": {"field": "placed_at"}}
        return {
            "query": {
                "bool": {
                    "filter": [self._around(profile.published), placed],
                    "should": by_stem + by_band or [{"match_none": {}}],
                    "minimum_should_match": 1,
                }
            },
            "size": _CANDIDATES,
            "_source": _NEEDED,
        }

    def _around(self, moment: datetime) -> Document:
        return {"range": {"time": {"gte": (moment - self._window).isoformat()}}}

    def _write(
        self, page: Sequence[Stored[tuple[Article, Document]]], placed: Sequence[Placed], now: datetime
    ) -> set[str]:
        """Write each article's story; the ids of those written. An article that others changed meanwhile is missing."""
        by_id, topics = {place.id: place for place in placed}, self._names.topics()
        actions = (bulk.replace(was, _placed(was.value, by_id[was.id], topics, now)) for was in page)
        results = bulk.write(self._es, actions)
        written, moved = set(), False
        for result in results:
            if result.reason is None:
                written.add(result.id)
            elif result.moved:
                moved = True
            elif not result.conflict:
                raise bulk.refusal(result)
        if moved:
            await_writable(self._es, self._names)
        return written


def _placed(was: tuple[Article, Document], placed: Placed, topics: Topics, now: datetime) -> Document:
    article, document = was
    changed = replace(article, story_id=placed.story_id, duplicate_of=placed.duplicate_of, placed_at=now)
    return renewed(article.id, document, topics, changed)


def _term(field: str, value: str, boost: float) -> Document:
    return {"filter": {"term": {field: value}}, "boost": boost}


def _candidates_in(answer: Mapping[str, Any]) -> list[StoryCandidate]:
    if "error" in answer:
        raise StoreError(f"Elasticsearch can't search for an article's story: {answer['error']}")
    articles = values(answer["hits"]["hits"], _candidate)
    return [StoryCandidate(profile_of(article), article.story_id, article.duplicate_of) for article in articles]


def _candidate(article_id: str, document: Mapping[str, Any]) -> Article:
    return from_document(article_id, _WHOLE | dict(document))


_WHOLE: Document = {
    "url": "",
    "text_status": "full",
    "provenance": {"fetched_at": 0, "page_fetched": 0, "extractor": ""},
}
"""Values for required fields that a candidate's search does not request."""


class _Neighbours:
    """The articles of the page that are placed already, by their bands and stems."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[StoryCandidate]] = defaultdict(list)

    def add(self, candidate: StoryCandidate) -> None:
        for key in _keys(candidate.profile):
            self._by_key[key].append(candidate)

    def of(self, profile: Profile) -> Iterable[StoryCandidate]:
        return {c.profile.id: c for key in _keys(profile) for c in self._by_key.get(key, ())}.values()


def _keys(profile: Profile) -> Iterable[str]:
    yield from profile.fingerprint.bands
    yield from profile.terms
