"""What could not be indexed: kept whole, with the reason, where a user sees it."""

from __future__ import annotations

import hashlib
from datetime import datetime

from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from newswatch.model import Article, Entry
from search import bulk
from search.documents import Document, dump
from search.names import Names


class Quarantine:
    """The quarantine of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.quarantine

    def keep_article(self, article: Article, reason: str, *, now: datetime) -> None:
        """Keep an article that Elasticsearch refuses."""
        facts = {"what": "article", "id": article.id, "url": article.url, "feed_id": article.source.feed_id}
        self._keep(article.id, facts, dump(article), reason, now)

    def keep_entry(self, entry: Entry, feed_id: str, reason: str, *, now: datetime) -> None:
        """Keep a feed entry that could not be made an article."""
        facts = {"what": "entry", "id": entry.id, "url": entry.url, "feed_id": feed_id}
        self._keep(f"{feed_id} {entry.id}", facts, dump(entry), reason, now)

    def _keep(self, key: str, facts: Document, document: Document, reason: str, now: datetime) -> None:
        # The same thing refused again is the same document: a feed read every minute must not fill the quarantine.
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        kept = facts | {"at": now.isoformat(), "reason": reason, "document": document}
        (result,) = bulk.write(self._es, [bulk.put(self._index, name, kept)])
        if result.reason:
            raise StoreError(f"Elasticsearch refuses even the quarantine of {key}: {result.reason}")
