"""Assigns each article to a story, once, when its batch is matched, by comparing it with the articles of recent days.

Batches are matched one after the other, in ingest order, so two copies that two workers indexed at the same moment
still meet here. The decision is pure, in `transforms.story`. Candidates come from the index, by the bands of the text's
fingerprint and by the article's most distinctive stems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.garbage import collector_paused
from newswatch.topics import Topics
from store.across import Across
from store.article_documents import placed_document, profile_of, renewed, stored_gist, with_document
from store.elastic import bulk
from store.elastic.documents import Document, Stored
from store.elastic.reading import find
from store.elastic.times import within
from store.generations import await_writable
from store.names import Names
from store.story_candidates import StoryCandidates
from transforms.background import Background, Counts, has_base
from transforms.encoder import Encoder
from transforms.likeness import weigh
from transforms.profile import Profile
from transforms.story import Placed, Recent, StoryCandidate, place

_PAGE = 100
"""Articles placed together, in a handful of requests."""
_HAS_LANGUAGE: Document = {"exists": {"field": "language"}}
_TRIES = 5


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

    def __init__(self, es: Elasticsearch, names: Names, *, window: timedelta, encoder: Encoder | None = None) -> None:
        """Articles further apart than `window` never share a story. With an encoder, those that are placed in a story
        of interest are encoded, so that languages can be joined.

        Use one for several batches: it keeps what it has read of the articles that it compared last.
        """
        self._es, self._names, self._window = es, names, window
        self._across = Across(es, names, encoder) if encoder else None
        self._candidates = StoryCandidates(es, names, window)

    def place(self, batch: Batch, *, now: datetime, hold: Callable[[], None] = lambda: None) -> PlacedReport:
        """Assign the articles of `batch` without a story to one; idempotent.

        `hold` is called before each page is written, and raises if another worker may be placing by now.

        Raises:
            StoreError: Elasticsearch is unavailable, or others keep writing the same articles; run it again.
        """
        report, overtaken = PlacedReport(), 0
        while True:
            with collector_paused():
                page = self._unplaced(batch)
                if not page:
                    return report
                compared = self._place_page(page)
                placed = list(compared)
                hold()
                written = self._write(self._anchored(page, placed), compared, now)
            overtaken = 0 if written else overtaken + 1
            if overtaken == _TRIES:
                raise StoreError(f"The articles of batch {batch.number} keep being changed by others: run it again.")
            done = [place for place in placed if place.id in written]
            report = PlacedReport(
                report.articles + len(done),
                report.copies + sum(place.duplicate_of is not None for place in done),
                report.joined + sum(place.story_id != place.id and place.duplicate_of is None for place in done),
            )

    def _unplaced(self, batch: Batch) -> list[Stored[tuple[Article, Document]]]:
        self._es.indices.refresh(index=self._names.articles, ignore_unavailable=True)
        ours = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
        return find(
            self._es,
            self._names.articles,
            _to_place,
            query={"bool": {"filter": [ours], "must_not": [{"exists": {"field": "placed_at"}}]}},
            sort=[{"time": "asc"}, {"seq": "asc"}],
            size=_PAGE,
            ignore_unavailable=True,
        )

    def _place_page(self, page: Sequence[Stored[tuple[Article, Document]]]) -> dict[Placed, StoryCandidate]:
        """Where each article was placed, and how it is compared with later ones."""
        profiles = [profile_of(article, stored_gist(document)) for article, document in (one.value for one in page)]
        background = self._background(profiles)
        weighed = [weigh(profile, background) for profile in profiles]
        known = self._candidates.of(weighed, background)
        here, placed = Recent(self._window), dict[Placed, StoryCandidate]()
        for new in weighed:
            near = {c.profile.id: c for c in (*known[new.profile.id], *here.candidates(new))}
            result = place(new, list(near.values()), window=self._window)
            placed[result] = StoryCandidate(new, result.story_id, result.duplicate_of)
            here.add(placed[result])
        return placed

    def _anchored(
        self, page: Sequence[Stored[tuple[Article, Document]]], placed: Sequence[Placed]
    ) -> Sequence[Stored[tuple[Article, Document]]]:
        """The page; articles that are of interest by their story alone have their vectors."""
        if self._across is None:
            return page
        articles = {stored.id: stored.value[0] for stored in page}
        found = self._across.anchored(articles, {place.id: place.story_id for place in placed})
        return [replace(was, value=(found.get(was.id, was.value[0]), was.value[1])) for was in page]

    def _background(self, profiles: Sequence[Profile]) -> Background:
        """How common the articles' stems are: by the base, and for languages without one within the window."""
        unknown = [profile for profile in profiles if not has_base(profile.language)]
        stems = sorted({stem for profile in unknown for stem in profile.counts})
        if not stems:
            return Background()
        of_language = {
            language: {"term": {"language": language}} if language else {"bool": {"must_not": _HAS_LANGUAGE}}
            for language in {profile.language for profile in unknown}
        }
        times = [profile.published for profile in unknown]
        return Background(self._counted(within("time", self._window, *times), of_language, stems))

    def _counted(self, query: Document, of_language: Mapping[str, Document], stems: Sequence[str]) -> dict[str, Counts]:
        """Language → counts of the stems, in two halves where they are more buckets than the server allows."""
        counts = {"terms": {"field": "story_terms", "include": stems, "size": len(stems)}}
        try:
            answer = self._es.search(
                index=self._names.articles,
                size=0,
                query=query,
                aggs={"languages": {"filters": {"filters": of_language}, "aggs": {"stems": counts}}},
            )
        except ApiError as error:
            if len(stems) < 2 or "too_many_buckets" not in str(error.body):
                raise
        else:
            found = answer["aggregations"]["languages"]["buckets"]
            return {language: _counts(bucket) for language, bucket in found.items()}
        half = len(stems) // 2
        one, other = (self._counted(query, of_language, part) for part in (stems[:half], stems[half:]))
        return {name: Counts(one[name].documents, {**one[name].stems, **other[name].stems}) for name in one}

    def _write(
        self, page: Sequence[Stored[tuple[Article, Document]]], compared: Mapping[Placed, StoryCandidate], now: datetime
    ) -> set[str]:
        """Write each article's story; the ids of those written. An article that others changed meanwhile is missing."""
        by_id, topics = {place.id: place for place in compared}, self._names.topics()
        written, moved = set(), False
        documents = {was.id: _placed(was.value, compared[by_id[was.id]], topics, now) for was in page}
        for result in bulk.write(self._es, (bulk.replace(was, documents[was.id]) for was in page)):
            if result.reason is None:
                written.add(result.id)
                version = (result.index, int(documents[result.id]["seq"]), result.seq_no, result.primary_term)
                self._candidates.keep(version, compared[by_id[result.id]])
            elif result.moved:
                moved = True
            elif not result.conflict:
                raise bulk.refusal(result)
        if moved:
            await_writable(self._es, self._names)
        return written


def _to_place(article_id: str, document: Mapping[str, Any]) -> tuple[Article, Document]:
    """`with_document`, without a gist that can't be read, as one of a later version of newswatch: it is made anew."""
    article, found = with_document(article_id, document)
    try:
        stored_gist(found)
    except ValueError:
        del found["gist"]
    return article, found


def _placed(was: tuple[Article, Document], found: StoryCandidate, topics: Topics, now: datetime) -> Document:
    article, document = was
    changed = replace(article, story_id=found.story_id, duplicate_of=found.duplicate_of, placed_at=now)
    if document.get("gist") and bool(article.meaning) == ("meaning" in document):
        return placed_document(changed, document, found.profile, topics)
    return renewed(article.id, document, topics, changed)


def _counts(bucket: Mapping[str, Any]) -> Counts:
    return Counts(bucket["doc_count"], {one["key"]: one["doc_count"] for one in bucket["stems"]["buckets"]})
