"""Finds the stored articles that a new one may belong to, and keeps those that were compared last.

What is compared of an article is in its document, and Elasticsearch unpacks some 50 kB for each document that it opens.
So the search answers with ingest numbers and versions alone, which lie beside the documents; only versions that are not
kept are read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from store.article_documents import from_document, profile_of, stored_gist
from store.elastic.documents import Document, Hit, readable
from store.elastic.times import within
from store.names import Names
from transforms.background import Background, has_base
from transforms.likeness import Weighed, weigh
from transforms.profile import Body
from transforms.story import CANDIDATES, StoryCandidate, telling_terms

_BAND_WEIGHT: Final = 100.0
"""Of a shared band, so that possible copies come before articles that share words; all words together weigh under 5."""
_COMPARED: Final = ["gist", "language", "published", "first_seen", "source", "story_id", "duplicate_of"]
"""What is read of a candidate: about 4 kB."""
_TEXTS: Final = ["title", "summary", "text", "repeated", *_COMPARED]
"""What is read of one that may be a copy, or was stored before there were gists."""
_AT_ONCE: Final = 100
"""Documents in one answer."""
_TEXTS_AT_ONCE: Final = 20
"""Documents with their whole texts in one answer."""
_MOST_COPIES: Final = 8
"""Whole texts that an article is compared with; the most similar ones share most bands and come first."""
_KEPT: Final = 5_000
"""Candidates that are kept from page to page, about 30 kB each: half of a burst of 10,000."""
_KEPT_TEXT: Final = 10_000
"""Characters up to which a candidate's text is kept with it."""
_TRIES: Final = 3
"""Searches for the candidates of a page, if articles among them are written meanwhile."""
_UNNUMBERED: Final = 2**63 - 1
"""By what Elasticsearch sorts a document without ingest number: somebody has edited it, and it is found by nothing."""

_PLACED: Final[Document] = {"exists": {"field": "placed_at"}}

_Place = tuple[str, int]
"""Where a stored article is: its index and ingest number."""
Version = tuple[str, int, int, int]
"""A version of a stored article: index, ingest number, sequence number, primary term."""


@dataclass(frozen=True, slots=True)
class _Near:
    """A hit of the search for candidates."""

    version: Version
    shares_band: bool

    @property
    def place(self) -> _Place:
        return self.version[:2]


class _Kept:
    """The candidates that were compared last: most are candidates of later articles too.

    A version never changes, so what is kept is what would be read. Only languages whose words are weighed by the base
    alone: in others the weights are those of one page.
    """

    def __init__(self) -> None:
        self._by_version: OrderedDict[Version, tuple[StoryCandidate, bool]] = OrderedDict()

    def get(self, version: Version, *, with_text: bool) -> StoryCandidate | None:
        """The candidate; None if it must be read."""
        candidate, has_text = self._by_version.get(version, (None, False))
        if candidate is None or (with_text and not has_text):
            return None
        self._by_version.move_to_end(version)
        return candidate

    def add(self, version: Version, candidate: StoryCandidate, *, with_text: bool) -> None:
        """Keep a candidate, and forget the one that has not been compared for longest."""
        if has_base(candidate.profile.language):
            self._by_version[version] = candidate, with_text
            self._by_version.move_to_end(version)
            if len(self._by_version) > _KEPT:
                self._by_version.popitem(last=False)


class StoryCandidates:
    """The placed articles of one installation, as candidates for new ones."""

    def __init__(self, es: Elasticsearch, names: Names, window: timedelta) -> None:
        self._es, self._names, self._window = es, names, window
        self._kept = _Kept()

    def of(self, profiles: Sequence[Weighed], background: Background) -> Mapping[str, list[StoryCandidate]]:
        """Article id → the placed articles that may share its text or its story, the nearest first.

        An article that is written while its candidates are read is looked for again.
        """
        for tries_left in reversed(range(_TRIES)):
            found = self._found(profiles)
            short = {new.profile.id for new in profiles if not new.profile.fingerprint.bands}
            copies = {id: _possible_copies(hits, every=id in short) for id, hits in found.items()}
            near = {hit.version: hit for hits in found.values() for hit in hits}
            known, missing = self._known(near, frozenset().union(*copies.values()), background)
            if not (missing and tries_left):
                break
            self._es.indices.refresh(index=self._names.articles)
        return {
            id: [
                replace(one, shares_band=True) if hit.place in copies[id] else one
                for hit in hits
                if (one := known.get(hit.version) or known.get(hit.place))
            ]
            for id, hits in found.items()
        }

    def keep(self, version: Version, candidate: StoryCandidate) -> None:
        """Keep an article that has just been placed."""
        text = candidate.profile.body.text
        with_text = len(text) <= _KEPT_TEXT
        kept = replace(candidate, weighed=_as_compared(candidate.weighed, text if with_text else ""), shares_band=False)
        self._kept.add(version, kept, with_text=with_text)

    def _found(self, profiles: Sequence[Weighed]) -> dict[str, list[_Near]]:
        """Article id → the hits of its candidates, without their documents: most are candidates of several articles."""
        searches: list[Document] = []
        for new in profiles:
            searches += [{"allow_partial_search_results": False}, self._search(new)]
        answers = self._es.msearch(index=self._names.articles, searches=searches)["responses"]
        if len(answers) != len(profiles):
            raise StoreError(f"Elasticsearch gave {len(answers)} answers to {len(profiles)} questions.")
        return {new.profile.id: _hits_of(answer) for new, answer in zip(profiles, answers, strict=True)}

    def _search(self, new: Weighed) -> Document:
        by_stem = [_term("story_terms", stem, new.vector[stem]) for stem in telling_terms(new)]
        by_band = [_term("bands", band, _BAND_WEIGHT) for band in new.profile.fingerprint.bands]
        return {
            "query": {
                "bool": {
                    "filter": [within("time", self._window, new.profile.published), _PLACED],
                    "should": [*by_stem, *by_band] or [{"match_none": {}}],
                    "minimum_should_match": 1,
                }
            },
            "size": CANDIDATES,
            "sort": ["_score", {"seq": "asc"}],  # which of equals are found must not depend on how they lie on disk
            "track_total_hits": False,
            "stored_fields": "_none_",  # an id lies with the document
            "seq_no_primary_term": True,
        }

    def _known(
        self, near: Iterable[Version], copies: Collection[_Place], background: Background
    ) -> tuple[dict[Version | _Place, StoryCandidate], bool]:
        """The readable ones among `near`, with the texts of those in `copies` alone; whether one was not found.

        By version, too, as somebody may have given two articles one number; by place, as one may have been written
        since.
        """
        known: dict[Version | _Place, StoryCandidate] = {}
        unknown: list[_Place] = []
        for version in near:
            place = version[:2]
            kept = self._kept.get(version, with_text=place in copies)
            if kept:
                known[version] = known[place] = kept
            else:
                unknown.append(place)
        if not unknown:
            return known, False
        gists: list[Hit] = []
        without_gist: list[Hit] = []
        for hit in self._documents([place for place in unknown if place not in copies], _COMPARED, _AT_ONCE):
            (gists if hit["_source"].get("gist") else without_gist).append(hit)
        old = [*self._documents([_place_of(hit) for hit in without_gist], _TEXTS, _TEXTS_AT_ONCE)]
        whole = [*self._documents([place for place in unknown if place in copies], _TEXTS, _TEXTS_AT_ONCE)]
        for hits, with_text in (([*gists, *old], False), (whole, True)):
            for hit, candidate in readable(hits, partial(_candidate, background, with_text=with_text)):
                place = _place_of(hit)
                version = (*place, hit["_seq_no"], hit["_primary_term"])
                known[version] = known[place] = candidate
                self._kept.add(version, candidate, with_text=with_text)
        return known, not {*unknown} <= {*map(_place_of, (*gists, *old, *whole))}

    def _documents(self, places: Sequence[_Place], fields: Sequence[str], at_once: int) -> Iterator[Hit]:
        """The documents at `places` that exist and are placed, as of the last refresh."""
        for start in range(0, len(places), at_once):
            part = set(places[start : start + at_once])
            here = [{"terms": {"_index": sorted({index for index, _ in part})}}]
            these = [{"terms": {"seq": sorted(seq for _, seq in part)}}]
            answer = self._es.search(
                index=self._names.articles,
                query={"bool": {"filter": [*here, *these, _PLACED]}},
                size=2 * at_once,  # somebody may have given two articles one number
                sort=[{"seq": "asc"}],
                source={"includes": fields},
                seq_no_primary_term=True,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            yield from (hit for hit in answer["hits"]["hits"] if _place_of(hit) in part)


def _place_of(hit: Hit) -> _Place:
    return hit["_index"], int(hit["sort"][0])


def _term(field: str, value: str, boost: float) -> Document:
    return {"constant_score": {"filter": {"term": {field: value}}, "boost": boost}}


def _hits_of(answer: Mapping[str, Any]) -> list[_Near]:
    if "error" in answer:
        raise StoreError(f"Elasticsearch can't search for an article's story: {answer['error']}")
    near = []
    for hit in answer["hits"]["hits"]:
        score, seq = hit["sort"]
        if seq != _UNNUMBERED:
            version = (hit["_index"], int(seq), hit["_seq_no"], hit["_primary_term"])
            near.append(_Near(version, score >= _BAND_WEIGHT))
    return near


def _possible_copies(hits: Sequence[_Near], *, every: bool) -> frozenset[_Place]:
    """The articles whose texts are compared: the first ones that share a band, or the first of all."""
    sharing = (hit.place for hit in hits if every or hit.shares_band)
    return frozenset(islice(sharing, _MOST_COPIES))


def _candidate(
    background: Background, article_id: str, document: Mapping[str, Any], *, with_text: bool
) -> StoryCandidate:
    article = from_document(article_id, _WHOLE | dict(document))
    weighed = weigh(profile_of(article, stored_gist(document)), background)
    compared = _as_compared(weighed, weighed.profile.body.text if with_text else "")
    return StoryCandidate(compared, article.story_id, article.duplicate_of, shares_band=False)


def _as_compared(weighed: Weighed, text: str) -> Weighed:
    """Without what is not compared any more, such as a fingerprint that nobody may ask for: a third of its memory."""
    return replace(weighed, profile=replace(weighed.profile, terms={}, names={}, body=Body(text)))


_WHOLE: Document = {
    "url": "",
    "text_status": "full",
    "provenance": {"fetched_at": 0, "page_fetched": 0, "extractor": ""},
}
"""Values for required fields that a candidate's search does not request."""
