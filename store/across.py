"""Brings the stories that `transforms.across` compares from Elasticsearch, and encodes what has become of interest.

A page of stories takes five rounds of requests, however many stories there are; each brings up to ten megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import NewswatchError, StoreError
from store.elastic.documents import Document, values
from store.elastic.times import within
from store.names import Names
from transforms.across import (
    LOOK_BACK,
    MOST,
    OF_DOMAIN,
    ON_AVERAGE,
    Encoded,
    Group,
    Join,
    apart_from,
    domain,
    groups,
    joins,
    likeness,
)
from transforms.encoder import Encoder, Vector, cosine, packed, unpacked
from transforms.meaning import with_meaning

PAGE = 100
"""Stories that are compared with all others together."""
_ABROAD = 30
"""Articles in other languages for each story: some for each language."""
_RIVALS = 5
"""Articles that are nearest to a story that may be joined, in the languages of the other."""
_AT_ONCE = 200
"""Searches in one request: of `MOST` articles each, a kilobyte an article."""
_LOOKED = 150
"""Articles that the search for neighbours looks at in each segment; more is more exact, and slower."""


@dataclass(frozen=True, slots=True)
class Across:
    """Stories of several languages in one installation."""

    es: Elasticsearch
    names: Names
    encoder: Encoder

    def touched(self, batch: Batch) -> Iterator[list[str]]:
        """The stories with encoded articles of the batch, page by page; what is joined meanwhile is left out."""
        self.es.indices.refresh(index=self.names.articles, ignore_unavailable=True)
        ours = {"bool": {"filter": [_of_batch(batch), {"term": {"meaning.by": self.encoder.name}}]}}
        sources = [{"story": {"terms": {"field": "story_id"}}}]
        after: Document = {}
        while True:
            composite = {"size": PAGE, "sources": sources, **after}
            answer = self.es.search(
                index=self.names.articles,
                ignore_unavailable=True,
                size=0,
                query=ours,
                aggs={"stories": {"composite": composite}},
            )
            found = answer.get("aggregations", {}).get("stories", {"buckets": []})
            if not found["buckets"]:
                return
            yield [bucket["key"]["story"] for bucket in found["buckets"]]
            after = {"after": found["after_key"]}

    def joins(self, stories: Sequence[str], batch: Batch) -> list[Join]:
        """The joins of these stories, which have new articles of the batch, with any that are reported beside them.

        Raises:
            StoreError: Elasticsearch can't answer.
            NewswatchError: it refuses the question: asked again, it would again.
        """
        (latest,) = self._asked([(self._latest(), OF_DOMAIN)], batch)
        common = domain([one.vector for one in latest])
        known = self._stories(stories, common, batch)
        ours = groups(known)
        near = self._near([*ours.values()], common, batch)
        known += self._stories(sorted(near - ours.keys()), common, batch)
        every = groups(known)
        pairs = [(every[a], other) for a in ours for other in every.values() if likeness(every[a], other)]
        rivals = self._rivals(pairs, batch)
        known += self._stories(sorted(rivals - every.keys()), common, batch)
        return joins(known, stories)

    def _near(self, ours: Sequence[Group], common: Vector, batch: Batch) -> set[str]:
        """The stories with an article that is near one of ours: so near as one of each story that is joined must be."""
        asked = [(mean, one) for one in ours if (mean := one.mean)]
        found = self._asked([(self._neighbours(mean, one), _ABROAD) for mean, one in asked], batch)
        return {
            other.story_id
            for (mean, _), others in zip(asked, found, strict=True)
            for other in others
            if cosine(mean, apart_from(common, other).vector) >= ON_AVERAGE
        }

    def _rivals(self, pairs: Sequence[tuple[Group, Group]], batch: Batch) -> set[str]:
        """The stories in the languages of the first of each pair that are nearest to the second."""
        asked = [
            (self._neighbours(mean, other, languages=sorted(one.languages), beside=[one.id]), _RIVALS)
            for one, other in pairs
            if (mean := other.mean)
        ]
        return {rival.story_id for found in self._asked(asked, batch) for rival in found}

    def _stories(self, ids: Sequence[str], common: Vector, batch: Batch) -> list[Encoded]:
        found = self._asked([(_of_story(id_, self.encoder.name), MOST) for id_ in ids], batch)
        return [apart_from(common, one) for one in chain.from_iterable(found)]

    def anchored(self, articles: Mapping[str, Article], stories: Mapping[str, str]) -> dict[str, Article]:
        """The articles that are in a story of interest without being tagged, with their vectors, by id.

        `stories` is the story of each article. Articles that already have a vector, or begin a story, are left out.
        """
        wanted = {id_: stories[id_] for id_, a in articles.items() if not a.meaning and stories.get(id_, id_) != id_}
        if not wanted:
            return {}
        of_interest = {"terms": {"story_id": sorted(set(wanted.values()))}}
        query = {"bool": {"filter": [of_interest, {"exists": {"field": "meaning.by"}}]}}
        aggs = {"stories": {"terms": {"field": "story_id", "size": len(wanted)}}}
        answer = self.es.search(index=self.names.articles, query=query, size=0, aggs=aggs)
        known = {bucket["key"] for bucket in answer["aggregations"]["stories"]["buckets"]}
        known |= {stories[a.id] for a in articles.values() if a.meaning and a.id in stories}
        return {
            id_: with_meaning(articles[id_], self.encoder, of_interest=True)
            for id_, story in wanted.items()
            if story in known
        }

    def _latest(self) -> Document:
        """The search for the articles by which it is known what all have in common: one of each story."""
        query = {"term": {"meaning.by": self.encoder.name}}
        return {"query": query, "sort": [{"time": "desc"}, {"seq": "desc"}], "collapse": {"field": "story_id"}}

    def _neighbours(
        self, mean: Vector, of: Group, *, languages: Sequence[str] = (), beside: Sequence[str] = ()
    ) -> Document:
        """The search for the articles nearest to a story: in these languages, or in others than its only one."""
        own = {"terms": {"story_id": [of.id, *beside]}}
        only = {"terms": {"language": [*of.languages]}}
        excluded = [own] if languages or len(of.languages) > 1 else [own, only]
        filters: list[Document] = [
            {"term": {"meaning.by": self.encoder.name}},
            {"exists": {"field": "placed_at"}},
            {"terms": {"language": [*languages]}} if languages else {"exists": {"field": "language"}},
            within("time", LOOK_BACK, of.times[0], of.times[-1]),
            {"bool": {"must_not": excluded}},
        ]
        k = _RIVALS if languages else _ABROAD
        vector = packed(mean)
        return {
            "knn": {"field": "vector", "query_vector": vector, "k": k, "num_candidates": _LOOKED, "filter": filters}
        }

    def _asked(self, asked: Sequence[tuple[Document, int]], batch: Batch) -> list[list[Encoded]]:
        """The articles that each search finds; one that can't be read is left out and reported."""
        found: list[list[Encoded]] = []
        for start in range(0, len(asked), _AT_ONCE):
            searches: list[Document] = []
            for body, size in asked[start : start + _AT_ONCE]:
                searches += [{}, body | {"size": size, "_source": _NEEDED}]
            answers = self.es.msearch(index=self.names.articles, searches=searches)["responses"]
            if len(answers) != len(searches) // 2:
                raise StoreError(f"Elasticsearch gave {len(answers)} answers to {len(searches) // 2} questions.")
            found += [_read(answer, batch) for answer in answers]
        return found


_NEEDED = ["language", "time", "story_id", "meaning.vector", "gist.places", "seq", "placed_at", "placed_by"]


def _of_batch(batch: Batch) -> Document:
    return {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}


def _of_story(story_id: str, encoder_name: str) -> Document:
    filters = [
        {"term": {"story_id": story_id}},
        {"term": {"meaning.by": encoder_name}},
        {"exists": {"field": "language"}},
    ]
    return {"query": {"bool": {"filter": filters}}, "sort": [{"time": "desc"}, {"seq": "desc"}]}


def _read(answer: Mapping[str, Any], batch: Batch) -> list[Encoded]:
    if "error" in answer:
        why = f"Elasticsearch can't search for articles of the same meaning: {answer['error']}"
        raise NewswatchError(why) if answer.get("status") == HTTPStatus.BAD_REQUEST else StoreError(why)
    return [one for one in values(answer["hits"]["hits"], partial(_encoded, batch)) if one]


def _encoded(batch: Batch, article_id: str, document: Mapping[str, Any]) -> Encoded | None:
    vector = unpacked(document["meaning"]["vector"])
    if vector is None:
        return None
    return Encoded(
        article_id,
        document.get("language") or "",
        datetime.fromisoformat(document["time"]).astimezone(UTC),
        vector,
        document.get("story_id") or article_id,
        frozenset(document.get("gist", {}).get("places", "").split()),
        is_new=_has_come_with(batch, document),
        by_person=bool(document.get("placed_by")),
    )


def _has_come_with(batch: Batch, document: Mapping[str, Any]) -> bool:
    """Whether an article has just come, so that no person has parted it from another yet.

    A batch that is matched again brings nothing new, nor does an edit of an article that has its place.
    """
    if batch.matched_at or not batch.seq_from <= int(document["seq"]) < batch.seq_to:
        return False
    placed_at = document.get("placed_at")
    return not placed_at or datetime.fromisoformat(placed_at) >= batch.created_at
