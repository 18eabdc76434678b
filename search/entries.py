"""Feed entries that were seen before: what keeps a feed's every reading from being news."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from newswatch.model import Entry
from newswatch.problems import Bulkhead, Problem
from search import bulk
from search.documents import dump, load
from search.names import Names

_FEEDS = 1_000
"""Feeds that one search asks for."""
_MALFORMED = 400
"""What Elasticsearch answers where the document itself is at fault."""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry of a feed, and the article it led to."""

    feed_id: str
    entry_id: str
    url: str | None
    article_id: str | None
    """None: it is in quarantine."""
    content_hash: str
    first_seen: datetime
    last_changed: datetime
    page_tries: int = 0
    """How often its page could not be read, for a passing reason, since the feed last changed it."""
    retry_page_at: datetime | None = None
    """When its page is to be tried again."""

    @property
    def id(self) -> str:
        """The document id."""
        return entry_key(self.feed_id, self.entry_id)


def entry_key(feed_id: str, entry_id: str) -> str:
    """What an entry is known by: an id is only unique within its feed."""
    return hashlib.sha256(f"{feed_id}\0{entry_id}".encode()).hexdigest()[:32]


def content_hash(entry: Entry) -> str:
    """Changes when the feed says something else about the entry.

    `published` stays out of it: there are feeds that give the time of the request.
    """
    said = (entry.url, entry.title, entry.summary, entry.content, entry.updated)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def alias_of(link_id: str, article_url: str, article_id: str, now: datetime) -> EntryRecord:
    """The record that the link of id `link_id` leads to an article that is known by another address, `article_url`.

    It stands among the entries as one of no feed.
    """
    return EntryRecord("", link_id, article_url, article_id, "", now, now)


class EntryStore:
    """The entries of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, walls: Bulkhead | None = None) -> None:
        """`walls` takes up the documents that can't be read and the entries that Elasticsearch refuses."""
        self._es, self._index = es, names.entries
        self._walls = walls or Bulkhead("entries")

    def known(self, keys: Iterable[str]) -> Mapping[str, EntryRecord]:
        """Those of the keys that were seen before, in real time."""
        ids = list(dict.fromkeys(keys))
        found: dict[str, EntryRecord] = {}
        for at in range(0, len(ids), 5_000):
            answer = self._es.mget(index=self._index, ids=ids[at : at + 5_000])
            found |= {record.id: record for record in self._records(doc for doc in answer["docs"] if doc["found"])}
        return found

    def _records(self, hits: Iterable[Mapping[str, Any]]) -> list[EntryRecord]:
        """The records of the hits; one that can't be read is set aside: its entry is new then, and written anew."""
        records = []
        for hit in hits:
            subject, read = f"{self._index}/{hit['_id']}", partial(load, EntryRecord, _whole(hit["_source"]))
            record = self._walls.attempt("document", subject, read)
            if record is not None and record.id == hit["_id"]:
                records.append(record)
        return records

    def articles_of_links(self, link_ids: Iterable[str]) -> dict[str, str]:
        """Link id → what its article is known by, for the links that were read before and lead elsewhere."""
        known = self.known(entry_key("", link_id) for link_id in link_ids)
        return {record.entry_id: record.url for record in known.values() if record.url}

    def pages_due(self, feed_ids: Sequence[str], *, now: datetime, per_feed: int = 100) -> list[EntryRecord]:
        """The entries of the feeds whose page is to be tried again by now, of each feed the longest waiting first.

        At most `per_feed` (and 100) of each feed, so that none keeps the others from theirs; the others stay due.
        """
        self._es.indices.refresh(index=self._index)
        found: list[EntryRecord] = []
        for at in range(0, len(feed_ids), _FEEDS):
            some = list(feed_ids[at : at + _FEEDS])
            wanted = [{"range": {"retry_page_at": {"lte": now.isoformat()}}}, {"terms": {"feed_id": some}}]
            hits = {"top_hits": {"size": min(per_feed, 100), "sort": [{"retry_page_at": "asc"}]}}
            feeds = {"terms": {"field": "feed_id", "size": len(some)}, "aggs": {"due": hits}}
            query = {"bool": {"filter": wanted}}
            answer = self._es.search(index=self._index, query=query, size=0, aggs={"feeds": feeds})
            for bucket in answer["aggregations"]["feeds"]["buckets"]:
                found += self._records(bucket["due"]["hits"]["hits"])
        return found

    def pages_waiting(self, feed_id: str) -> int:
        """How many of the feed's articles wait for another try at their page."""
        self._es.indices.refresh(index=self._index)
        waiting = [{"exists": {"field": "retry_page_at"}}, {"term": {"feed_id": feed_id}}]
        return int(self._es.count(index=self._index, query={"bool": {"filter": waiting}})["count"])

    def save(self, records: Sequence[EntryRecord]) -> None:
        """Remember the entries. Only after their articles are acknowledged: what is remembered is not read again.

        One that Elasticsearch refuses as it is, is set aside: it is read again at the next poll.

        Raises:
            StoreError: Elasticsearch is unavailable, or refuses all of them.
        """
        by_id = {record.id: record for record in records}
        refused = [
            result
            for result in bulk.write(self._es, (bulk.put(self._index, name, dump(one)) for name, one in by_id.items()))
            if result.reason
        ]
        for result in refused:
            if result.status != _MALFORMED:
                raise StoreError(f"Elasticsearch refuses entry {result.id}: {result.reason}")
            record = by_id[result.id]
            reason = f"Elasticsearch refuses to remember it: {result.reason}"
            self._walls.note(Problem("entry", record.entry_id, reason, "remember", record.url, record.feed_id))


def _whole(document: Mapping[str, object]) -> dict[str, object]:
    return {"feed_id": "", "url": None, "article_id": None, "content_hash": ""} | dict(document)
