"""Follows a query: each new article that it finds, once for each version, roughly in ingest order.

Batches are written concurrently, so a batch with a lower number may be acknowledged after one with a higher number.
Remembering only the last number would miss its articles. The tail therefore remembers the first number that may still
be written, and the numbers above it that it has returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.batch import SEQ_PER_BATCH
from search.asked import required, to_query, understood
from search.asking import ask
from search.syntax import Parsed
from store.article_documents import from_document
from store.batches import GRACE, MOST
from store.elastic.documents import values
from store.names import Names

_PAGE = 500


@dataclass(slots=True)
class Tail:
    """Follows a query from `start` on."""

    es: Elasticsearch
    names: Names
    parsed: Parsed
    settled: int
    """Every article below this ingest number was returned, or existed before the start."""
    seen: set[int]
    """The returned ingest numbers from `settled` on."""

    @classmethod
    def start(cls, es: Elasticsearch, names: Names, query: str, now: datetime) -> Tail:
        """A tail from `now` on; existing articles are not returned.

        Raises:
            QueryError: the query can't be parsed.
        """
        tail = cls(es, names, understood(query, names), 0, set())
        tail.settled = tail._open_from(now)
        for _ in tail.new(now):
            pass
        return tail

    def new(self, now: datetime) -> Iterator[Article]:
        """The articles that came in since the last call.

        Raises:
            QueryError: Elasticsearch refuses the query, or takes too long.
            StoreError: Elasticsearch is unavailable.
        """
        open_from = self._open_from(now)
        for hit in self._hits(now):
            seq = int(hit["sort"][0])
            if seq not in self.seen:
                self.seen.add(seq)
                yield from values([hit], from_document)
        self.settled = open_from
        self.seen = {seq for seq in self.seen if seq >= open_from}

    def _open_from(self, now: datetime) -> int:
        """The first ingest number that may still be written; all below are searchable after the next refresh."""
        index = self.names.batches
        late = {"range": {"lease_until": {"gte": (now - GRACE).isoformat()}}}
        abandoned = {"bool": {"filter": [{"term": {"abandoned": True}}, late]}}
        believed = {"range": {"number": {"gte": 0, "lte": MOST}}}
        open_ = {"bool": {"should": [{"term": {"state": "planned"}}, abandoned]}}
        unfinished = {"bool": {"filter": [open_, believed]}}
        self.es.indices.refresh(index=index)
        first = self.es.search(index=index, size=1, query=unfinished, sort=[{"number": "asc"}])["hits"]["hits"]
        if first:
            return int(first[0]["sort"][0]) * SEQ_PER_BATCH
        last = self.es.search(index=index, size=1, query=believed, sort=[{"number": "desc"}])["hits"]["hits"]
        return (int(last[0]["sort"][0]) + 1 if last else 0) * SEQ_PER_BATCH

    def _hits(self, now: datetime) -> Iterator[dict[str, Any]]:
        query = to_query(self.parsed, now, required(self.parsed, self.names))
        query["bool"]["filter"] = [*query["bool"]["filter"], {"range": {"seq": {"gte": self.settled}}}]
        after: dict[str, Any] = {}
        try:
            self.es.indices.refresh(index=self.names.articles)
            while True:
                answer = ask(
                    self.es,
                    self.names.articles,
                    self.parsed.query,
                    query=query,
                    sort=[{"seq": "asc"}],
                    size=_PAGE,
                    track_total_hits=False,
                    **after,
                )
                hits = answer["hits"]["hits"]
                yield from hits
                if len(hits) < _PAGE:
                    return
                after = {"search_after": hits[-1]["sort"]}
        except NotFoundError:
            return
