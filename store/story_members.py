"""The articles of a story, and moving some of them to another: what a person decides, not the comparison of words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.errors import NewswatchError
from store.article_documents import renewed, with_document
from store.elastic import bulk
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Document, Stored, all_stored
from store.elastic.reading import every, get_stored
from store.names import Names

MOST = 1_000
"""Articles of a story that can be moved; a larger one is no story."""

Member = Stored[tuple[Article, Document]]


class StoryMembers:
    """The articles of stories, to be read and moved by one person at a time (`store.elastic.turns`)."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names = es, names

    def of(self, story_ids: Collection[str]) -> list[Member]:
        """The articles of these stories, in order of publication.

        Raises:
            NewswatchError: there are more than `MOST`.
        """
        self._es.indices.refresh(index=self._names.articles, ignore_unavailable=True)
        query = {"terms": {"story_id": list(story_ids)}}
        try:
            count = int(self._es.count(index=self._names.articles, query=query)["count"])
            if count > MOST:  # before all of their texts are in memory
                raise NewswatchError(f"These stories have {count} articles; up to {MOST} can be moved.")
            found = all_stored(every(self._es, self._names.articles, query, seq_no_primary_term=True), with_document)
        except NotFoundError:
            return []
        return sorted(found, key=lambda member: (_moment(member), member.id))

    def move(self, members: Collection[Member], to: str, by: str) -> int:
        """Move articles to the story `to`, noting who decided it; the number of those that were not in it.

        A copy whose original does not go along, and is not there, becomes a report of its own.

        Raises:
            StoreError: they keep being changed by others; run it again.
        """
        there = {member.id for member in (*members, *self.of([to]))}
        left = [member for member in members if member.value[0].story_id != to]
        return self._write(left, lambda article: _moved(article, to, by, there))

    def unite(self, members: Collection[Member], into: Mapping[str, str], by: str = "") -> int:
        """Move the articles of whole stories to the ones that `into` leads to; their number.

        Their copies go along. Without `by`, nobody has decided it.

        Raises:
            StoreError: they keep being changed by others; run it again.
        """
        left = [member for member in members if member.value[0].story_id in into]
        return self._write(left, lambda article: _united(article, into, by))

    def _write(self, left: list[Member], change: Callable[[Article], Article]) -> int:
        if not left:
            return 0
        count, topics = len(left), self._names.topics()

        def attempt() -> bool | None:
            nonlocal left
            actions = [bulk.replace(was, renewed(was.id, was.value[1], topics, change(was.value[0]))) for was in left]
            again: Mapping[str, list[str]] = {}
            for was, result in zip(left, bulk.write(self._es, actions), strict=True):
                if result.own_fault:  # no other try helps, and nobody's mails wait for it
                    raise NewswatchError(f"The article {was.id} can't be moved: {result.reason}")
                if not bulk.require(result):
                    again = {**again, was.index: [*again.get(was.index, ()), was.id]}
            left = [
                member for index, ids in again.items() for member in get_stored(self._es, index, ids, with_document)
            ]
            return None if left else True

        until_written(attempt, lambda: "The articles keep being changed by others: run it again.")
        self._es.indices.refresh(index=self._names.articles, ignore_unavailable=True)
        return count


def _moment(member: Member) -> float:
    article = member.value[0]
    return (article.published or article.first_seen).timestamp()


def _united(article: Article, into: Mapping[str, str], by: str) -> Article:
    return replace(article, story_id=into.get(article.story_id, article.story_id), placed_by=by or article.placed_by)


def _moved(article: Article, to: str, by: str, there: Collection[str]) -> Article:
    original = article.duplicate_of if article.duplicate_of in there else None
    return replace(article, story_id=to, duplicate_of=original, placed_by=by)
