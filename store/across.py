"""Joins new stories across languages: brings what `transforms.across` decides on from Elasticsearch.

All questions of a page of articles are asked in three requests, before its articles are placed one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import StoreError
from store.documents import Document, values
from store.names import Names
from store.times import within
from transforms.across import OF_DOMAIN, Continued, Encoded, apart_from, continued, domain, nearest_abroad
from transforms.encoder import Encoder, packed, unpacked
from transforms.meaning import vector_of, with_meaning

_ABROAD = 30
"""Articles in other languages for each new one: some for each language."""
_RIVALS = 3
"""Articles in its own language that are most like each of these."""
_OF_STORY = 50
"""Articles by which a story is judged, its first ones."""
_LOOKED = 150
"""Articles that the search for neighbours looks at in each segment; more is more exact, and slower."""


@dataclass(frozen=True, slots=True)
class Across:
    """Stories of several languages in one installation."""

    es: Elasticsearch
    names: Names
    encoder: Encoder
    window: timedelta

    def beside(self, articles: Sequence[Article]) -> Placing:
        """What is needed for placing these articles.

        Raises:
            StoreError: Elasticsearch can't answer.
        """
        new = {article.id: it for article in articles if (it := self._encoded(article, ""))}
        if not new:
            return Placing({}, {}, self.window)
        asked = [(self._latest(), OF_DOMAIN)]
        asked += [(self._neighbours(one, one, at_home=False), _ABROAD) for one in new.values()]
        latest, *abroad = self._asked(asked)
        common = domain([one.vector for one in latest])
        raw = new | {one.id: one for found in abroad for one in found}
        apart = {id_: apart_from(common, one) for id_, one in raw.items()}
        pairs = []
        for one, found in zip(new.values(), abroad, strict=True):
            # Also those of this page: one that is placed before may turn out to be the nearest.
            others = [apart[other.id] for other in (*found, *new.values())]
            pairs += [(one, raw[other.id]) for _, other in nearest_abroad(apart[one.id], others, self.window)]
        rivals = self._asked([(self._neighbours(other, one, at_home=True), _RIVALS) for one, other in pairs])
        stories = sorted({other.story_id for _, other in pairs if other.story_id})
        members = self._asked([(_of_story(story, self.encoder.name), _OF_STORY) for story in stories])
        more = {one.id: apart_from(common, one) for found in (*rivals, *members) for one in found}
        return Placing({id_: apart[id_] for id_ in new}, more | apart, self.window)

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

    def _encoded(self, article: Article, story_id: str) -> Encoded | None:
        vector = vector_of(article, self.encoder.name)
        if vector is None or not article.language:
            return None
        return Encoded(article.id, article.language, article.published or article.first_seen, vector, story_id)

    def _latest(self) -> Document:
        """The search for the articles by which it is known what all have in common: one of each story."""
        query = {"term": {"meaning.by": self.encoder.name}}
        return {"query": query, "sort": [{"time": "desc"}, {"seq": "desc"}], "collapse": {"field": "story_id"}}

    def _neighbours(self, of: Encoded, new: Encoded, *, at_home: bool) -> Document:
        """The search for the articles most like `of`, in the language of `new` or in all others."""
        language = {"term": {"language": new.language}}
        filters: list[Document] = [
            {"term": {"meaning.by": self.encoder.name}},
            {"exists": {"field": "placed_at"}},
            {"exists": {"field": "language"}},
            within("time", self.window, new.published),
            language if at_home else {"bool": {"must_not": [language]}},
        ]
        k = _RIVALS if at_home else _ABROAD
        vector = packed(of.vector)
        return {
            "knn": {"field": "vector", "query_vector": vector, "k": k, "num_candidates": _LOOKED, "filter": filters}
        }

    def _asked(self, asked: Sequence[tuple[Document, int]]) -> list[list[Encoded]]:
        """The articles that each search finds; one that can't be read is left out and reported."""
        if not asked:
            return []
        searches: list[Document] = []
        for body, size in asked:
            searches += [{}, body | {"size": size, "_source": _NEEDED}]
        answers = self.es.msearch(index=self.names.articles, searches=searches)["responses"]
        if len(answers) != len(asked):
            raise StoreError(f"Elasticsearch gave {len(answers)} answers to {len(asked)} questions.")
        return [_read(answer) for answer in answers]


_NEEDED = ["language", "time", "story_id", "meaning.vector"]


def _of_story(story_id: str, encoder_name: str) -> Document:
    filters = [{"term": {"story_id": story_id}}, {"term": {"meaning.by": encoder_name}}]
    return {"query": {"bool": {"filter": filters}}, "sort": [{"time": "asc"}, {"seq": "asc"}]}


def _read(answer: Mapping[str, Any]) -> list[Encoded]:
    if "error" in answer:
        raise StoreError(f"Elasticsearch can't search for articles of the same meaning: {answer['error']}")
    return [one for one in values(answer["hits"]["hits"], _encoded_of) if one]


def _encoded_of(article_id: str, document: Mapping[str, Any]) -> Encoded | None:
    vector = unpacked(document["meaning"]["vector"])
    if vector is None:
        return None
    published = datetime.fromisoformat(document["time"]).astimezone(UTC)
    return Encoded(article_id, document["language"], published, vector, document.get("story_id") or article_id)


class Placing:
    """The stories of a page of articles, as they are placed one after the other."""

    def __init__(self, new: Mapping[str, Encoded], found: Mapping[str, Encoded], window: timedelta) -> None:
        self._new, self._window = new, window
        self._placed = {id_: one for id_, one in found.items() if id_ not in new}

    def continued(self, article_id: str) -> Continued | None:
        """The story of another language that the article continues; None if it begins one."""
        new = self._new.get(article_id)
        return continued(new, [*self._placed.values()], self._window) if new else None

    def add(self, article_id: str, story_id: str) -> None:
        """Remember the story of an article of the page."""
        if article_id in self._new:
            self._placed[article_id] = replace(self._new[article_id], story_id=story_id)
