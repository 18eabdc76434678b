"""Assigns each article to a story, once, when its batch is matched, by comparing it with the articles of recent days.

Batches are matched one after the other, in ingest order, so two copies that two workers indexed at the same moment
still meet here. The decision is pure, in `transforms.story`. Candidates come from the index, by the bands of the text's
fingerprint and by the article's most distinctive stems.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import StoreError
from newswatch.topics import Topics
from store import bulk
from store.across import Across
from store.documents import (
    Document,
    Hit,
    Stored,
    from_document,
    profile_of,
    readable,
    renewed,
    stored_gist,
    with_document,
)
from store.generations import await_writable
from store.names import Names
from store.reading import find, unreadable_index
from store.times import within
from transforms.background import Background, Counts, has_base
from transforms.encoder import Encoder
from transforms.likeness import Weighed, weigh
from transforms.profile import Body, Profile
from transforms.story import CANDIDATES, Placed, Recent, StoryCandidate, place, telling_terms

_PAGE = 100
"""Articles placed together, in a handful of requests."""
_BAND_WEIGHT = 100.0
"""Of a shared band, so that possible copies come before articles that share words."""
_HAS_LANGUAGE: Document = {"exists": {"field": "language"}}
_TRIES = 5
_COMPARED = ["gist", "language", "published", "first_seen", "source", "story_id", "duplicate_of"]
"""What is read of a candidate: about 4 kB."""
_TEXTS = ["title", "summary", "text", "repeated", *_COMPARED]
"""What is read of one that may be a copy, or was stored before there were gists."""
_TEXTS_AT_ONCE = 20
"""Whole texts in one answer."""
_MOST_COPIES = 8
"""Whole texts that an article is compared with; the most similar ones share most bands and come first."""
_KEPT = 1_000
"""Candidates that are kept from page to page, about 50 kB each."""

_Version = tuple[str, str, int, int]
"""A version of a stored article: index, id, sequence number, primary term."""


@dataclass(slots=True)
class _Kept:
    """The candidates that were compared last: most are candidates of later articles too.

    A version never changes, so what is kept is what would be read. Only languages whose words are weighed by the base
    alone: in others the weights are those of one page.
    """

    _by_version: OrderedDict[_Version, tuple[StoryCandidate, bool]] = field(default_factory=OrderedDict)

    def get(self, version: _Version, *, with_text: bool) -> StoryCandidate | None:
        """The candidate; None if it must be read."""
        candidate, has_text = self._by_version.get(version, (None, False))
        if candidate is None or (with_text and not has_text):
            return None
        self._by_version.move_to_end(version)
        return candidate

    def add(self, version: _Version, candidate: StoryCandidate, *, with_text: bool) -> None:
        """Keep a candidate, and forget the one that has not been compared for longest."""
        if has_base(candidate.profile.language):
            self._by_version[version] = candidate, with_text
            self._by_version.move_to_end(version)
            if len(self._by_version) > _KEPT:
                self._by_version.popitem(last=False)


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
        self._kept = _Kept()

    def place(self, batch: Batch, *, now: datetime, hold: Callable[[], None] = lambda: None) -> PlacedReport:
        """Assign the articles of `batch` without a story to one; idempotent.

        `hold` is called before each page is written, and raises if another worker may be placing by now.

        Raises:
            StoreError: Elasticsearch is unavailable, or others keep writing the same articles; run it again.
        """
        report, overtaken = PlacedReport(), 0
        while page := self._unplaced(batch):
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

    def _place_page(self, page: Sequence[Stored[tuple[Article, Document]]]) -> dict[Placed, StoryCandidate]:
        """Where each article was placed, and how it is compared with later ones."""
        profiles = [profile_of(article, stored_gist(document)) for article, document in (one.value for one in page)]
        background = self._background(profiles)
        weighed = [weigh(profile, background) for profile in profiles]
        known = self._candidates(weighed, background)
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

    def _candidates(self, profiles: Sequence[Weighed], background: Background) -> Mapping[str, list[StoryCandidate]]:
        """Article id → the placed articles that may share its text or its story."""
        found = self._found(profiles)
        short = {new.profile.id for new in profiles if not new.profile.fingerprint.bands}
        near = {hit["_id"]: hit for hits in found.values() for hit in hits}
        copies = {id: _possible_copies(hits, every=id in short) for id, hits in found.items()}
        known = self._known(near, frozenset().union(*copies.values()), background)
        return {
            id: [
                replace(known[hit["_id"]], shares_band=hit["_id"] in copies[id]) for hit in hits if hit["_id"] in known
            ]
            for id, hits in found.items()
        }

    def _known(
        self, near: Mapping[str, Hit], copies: Collection[str], background: Background
    ) -> dict[str, StoryCandidate]:
        """The readable ones among `near` (article id → hit), by id; with the texts of those in `copies` alone."""
        kept = {id: self._kept.get(_version(hit), with_text=id in copies) for id, hit in near.items()}
        known = {id: candidate for id, candidate in kept.items() if candidate}
        unknown = {id: hit["_index"] for id, hit in near.items() if id not in known}
        gists: list[Hit] = []
        without_gist: list[Hit] = []
        for hit in self._documents([one for one in unknown.items() if one[0] not in copies], _COMPARED, _PAGE):
            (gists if hit["_source"].get("gist") else without_gist).append(hit)
        old = self._documents([(hit["_id"], hit["_index"]) for hit in without_gist], _TEXTS, _TEXTS_AT_ONCE)
        whole = self._documents([one for one in unknown.items() if one[0] in copies], _TEXTS, _TEXTS_AT_ONCE)
        for hits, with_text in ((chain(gists, old), False), (whole, True)):
            for hit, candidate in readable(hits, partial(_candidate, background, with_text=with_text)):
                known[candidate.profile.id] = candidate
                self._kept.add(_version(hit), candidate, with_text=with_text)
        return known

    def _found(self, profiles: Sequence[Weighed]) -> dict[str, list[Hit]]:
        """Article id → the hits of its candidates, without their documents: most are candidates of several articles."""
        searches: list[Document] = []
        for new in profiles:
            searches += [{}, self._candidate_search(new)]
        answers = self._es.msearch(index=self._names.articles, searches=searches)["responses"]
        if len(answers) != len(profiles):
            raise StoreError(f"Elasticsearch gave {len(answers)} answers to {len(profiles)} questions.")
        return {new.profile.id: _hits_of(answer) for new, answer in zip(profiles, answers, strict=True)}

    def _documents(self, places: Sequence[tuple[str, str]], fields: Sequence[str], at_once: int) -> Iterator[Hit]:
        """The documents of `places` (article id, index) that exist."""
        for start in range(0, len(places), at_once):
            docs = [{"_index": index, "_id": id, "_source": fields} for id, index in places[start : start + at_once]]
            for doc in self._es.mget(docs=docs)["docs"]:
                if "error" in doc:
                    raise unreadable_index(doc)
                if doc.get("found"):
                    yield doc

    def _candidate_search(self, new: Weighed) -> Document:
        by_stem = [{"constant_score": _term("story_terms", stem, new.vector[stem])} for stem in telling_terms(new)]
        by_band = [{"constant_score": _term("bands", band, _BAND_WEIGHT)} for band in new.profile.fingerprint.bands]
        copies = [{"bool": {"should": by_band, "_name": "copies"}}] if by_band else []
        placed = {"exists": {"field": "placed_at"}}
        return {
            "query": {
                "bool": {
                    "filter": [within("time", self._window, new.profile.published), placed],
                    "should": by_stem + copies or [{"match_none": {}}],
                    "minimum_should_match": 1,
                }
            },
            "size": CANDIDATES,
            "_source": False,
            "seq_no_primary_term": True,
        }

    def _write(
        self, page: Sequence[Stored[tuple[Article, Document]]], compared: Mapping[Placed, StoryCandidate], now: datetime
    ) -> set[str]:
        """Write each article's story; the ids of those written. An article that others changed meanwhile is missing."""
        by_id, topics = {place.id: place for place in compared}, self._names.topics()
        documents = {was.id: _placed(was.value, by_id[was.id], topics, now) for was in page}
        gists = {was.id: was.value[1].get("gist") for was in page}
        written, moved = set(), False
        for result in bulk.write(self._es, (bulk.replace(was, documents[was.id]) for was in page)):
            if result.reason is None:
                written.add(result.id)
                if documents[result.id]["gist"] == gists[result.id]:  # else it was compared by an older version's
                    candidate = _without_text(compared[by_id[result.id]])
                    self._kept.add(_version_written(result), candidate, with_text=False)
            elif result.moved:
                moved = True
            elif not result.conflict:
                raise bulk.refusal(result)
        if moved:
            await_writable(self._es, self._names)
        return written


def _version(hit: Hit) -> _Version:
    return hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"]


def _version_written(result: bulk.Written) -> _Version:
    return result.index, result.id, result.seq_no, result.primary_term


def _without_text(candidate: StoryCandidate) -> StoryCandidate:
    weighed = candidate.weighed
    return replace(candidate, weighed=replace(weighed, profile=replace(weighed.profile, body=Body(""))))


def _placed(was: tuple[Article, Document], placed: Placed, topics: Topics, now: datetime) -> Document:
    article, document = was
    changed = replace(article, story_id=placed.story_id, duplicate_of=placed.duplicate_of, placed_at=now)
    return renewed(article.id, document, topics, changed)


def _term(field: str, value: str, boost: float) -> Document:
    return {"filter": {"term": {field: value}}, "boost": boost}


def _hits_of(answer: Mapping[str, Any]) -> list[Hit]:
    if "error" in answer:
        raise StoreError(f"Elasticsearch can't search for an article's story: {answer['error']}")
    hits: list[Hit] = answer["hits"]["hits"]
    return hits


def _counts(bucket: Mapping[str, Any]) -> Counts:
    return Counts(bucket["doc_count"], {one["key"]: one["doc_count"] for one in bucket["stems"]["buckets"]})


def _possible_copies(hits: Sequence[Hit], *, every: bool) -> frozenset[str]:
    """The articles whose texts are compared: the first ones that share a band, or the first of all."""
    sharing = (hit["_id"] for hit in hits if every or "copies" in hit.get("matched_queries", ()))
    return frozenset(islice(sharing, _MOST_COPIES))


def _candidate(
    background: Background, article_id: str, document: Mapping[str, Any], *, with_text: bool
) -> StoryCandidate:
    article = from_document(article_id, _WHOLE | dict(document))
    profile = profile_of(article, stored_gist(document))
    if not with_text:
        profile = replace(profile, body=Body(""))
    return StoryCandidate(weigh(profile, background), article.story_id, article.duplicate_of)


_WHOLE: Document = {
    "url": "",
    "text_status": "full",
    "provenance": {"fetched_at": 0, "page_fetched": 0, "extractor": ""},
}
"""Values for required fields that a candidate's search does not request."""
