"""What mails composed together read from Elasticsearch: each article, story and passage once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from alerts.highlight import Place, Wanted, highlights
from newswatch.alert import Passage
from newswatch.article import Article
from search.story_view import StoryFacts, story_facts
from store.articles import ArticleStore
from store.elastic.client import Client
from store.names import Names


class Reads:
    """Remembers what it has read, so it is made anew for mails that must not be told what was."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._store = es, names, ArticleStore(es, names)
        self._articles: dict[str, Article | None] = {}
        self._lost: set[str] = set()
        self._facts: dict[str, StoryFacts] = {}
        self._passages: dict[Place, tuple[Passage, ...]] = {}

    def articles(self, ids: Collection[str]) -> dict[str, Article]:
        """The readable articles among `ids`, by id, in real time; without those out of reach (`out_of_reach`)."""
        unknown = {name for name in ids if name not in self._articles}
        if unknown:
            found = self._store.in_reach(unknown)
            self._articles |= dict.fromkeys(unknown) | found.articles
            self._lost |= found.unknown
        return {name: article for name in ids if (article := self._articles[name])}

    def out_of_reach(self, ids: Collection[str]) -> set[str]:
        """Those of the ids that were asked for and may be in a month that can't be read."""
        return self._lost & {*ids}

    def facts(self, story_ids: Sequence[str]) -> dict[str, StoryFacts]:
        """The facts of each story, as of the last refresh; not `is_whole` where a slice could not be searched."""
        unknown = [name for name in story_ids if name not in self._facts]
        if unknown:
            self._facts |= story_facts(self._es, self._names.articles, unknown, lacking=[])
        return {name: self._facts[name] for name in story_ids}

    def passages(self, wanted: Sequence[Wanted]) -> dict[Place, tuple[Passage, ...]]:
        """Where each saved search matches its article."""
        unknown = [each for each in wanted if (each[0], each[3]) not in self._passages]
        if unknown:
            none: dict[Place, tuple[Passage, ...]] = {(each[0], each[3]): () for each in unknown}
            self._passages |= none | highlights(self._es, self._names, unknown)
        return {(each[0], each[3]): self._passages[each[0], each[3]] for each in wanted}
