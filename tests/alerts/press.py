"""Articles in the index, as `pull` leaves them, for tests of what comes after."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.batch import Batch, BatchState
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, an_article


@dataclass
class Press:
    """Publishes articles, each call a batch of its own."""

    es: Elasticsearch
    names: Names
    number: int = 0
    articles: dict[str, Article] = field(default_factory=dict)

    def publish(self, *articles: Article, now: datetime = NOW) -> Batch:
        """Index the articles; returns their batch."""
        self.number += 1
        batch = Batch(self.number, ("herald",), BatchState.INDEXED, now, now, attempts=1)
        report = ArticleStore(self.es, self.names).write(articles, batch, batch.seq_of_attempt, now=now)
        assert not report.refused, report.refused
        self.articles |= {article.id: article for article in articles}
        return batch


def a_story(n: int = 1, **changes: Any) -> Article:
    """The n-th invented article, unlike the others."""
    words = ("harbour", "glacier", "orchard", "lantern", "meadow", "quarry", "saddle", "thimble", "violin", "walnut")
    word = words[n % len(words)]
    text = (
        f"Officials spoke of the {word} plan number {n} on Wednesday.\nThe {word} will be built by spring, they said."
    )
    whole: dict[str, Any] = {"title": f"A new {word} is agreed, plan {n}", "text": text, "summary": "", "tags": ()}
    return an_article(f"https://herald.example/{n}", **(whole | {"entities": ()} | changes))


def a_search(alert_id: str, query: str = "", *recipients: str, **changes: Any) -> SavedSearch:
    """A saved search."""
    return SavedSearch(alert_id, alert_id.title(), query, recipients or ("ann@reader.example",), **changes)
