"""Feed entries that were seen before: what keeps a feed's every reading from being news."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from newswatch.model import Entry
from search import bulk
from search.documents import dump, load
from search.names import Names


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

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.entries

    def known(self, keys: Iterable[str]) -> Mapping[str, EntryRecord]:
        """Those of the keys that were seen before, in real time."""
        ids = list(dict.fromkeys(keys))
        found: dict[str, EntryRecord] = {}
        for at in range(0, len(ids), 5_000):
            answer = self._es.mget(index=self._index, ids=ids[at : at + 5_000])
            found |= {doc["_id"]: load(EntryRecord, _whole(doc["_source"])) for doc in answer["docs"] if doc["found"]}
        return found

    def articles_of_links(self, link_ids: Iterable[str]) -> dict[str, str]:
        """Link id → what its article is known by, for the links that were read before and lead elsewhere."""
        known = self.known(entry_key("", link_id) for link_id in link_ids)
        return {record.entry_id: record.url for record in known.values() if record.url}

    def pages_due(self, feed_ids: Sequence[str], *, now: datetime, limit: int = 1_000) -> list[EntryRecord]:
        """The entries of the feeds whose page is to be tried again by now, longest waiting first.

        At most `limit`; the others stay due.
        """
        self._es.indices.refresh(index=self._index)
        wanted = [{"range": {"retry_page_at": {"lte": now.isoformat()}}}, {"terms": {"feed_id": list(feed_ids)}}]
        answer = self._es.search(
            index=self._index, query={"bool": {"filter": wanted}}, size=limit, sort=[{"retry_page_at": "asc"}]
        )
        return [load(EntryRecord, _whole(hit["_source"])) for hit in answer["hits"]["hits"]]

    def pages_waiting(self, feed_id: str) -> int:
        """How many of the feed's articles wait for another try at their page."""
        self._es.indices.refresh(index=self._index)
        waiting = [{"exists": {"field": "retry_page_at"}}, {"term": {"feed_id": feed_id}}]
        return int(self._es.count(index=self._index, query={"bool": {"filter": waiting}})["count"])

    def save(self, records: Sequence[EntryRecord]) -> None:
        """Remember the entries. Only after their articles are acknowledged: what is remembered is not read again.

        Raises:
            StoreError: one was refused.
        """
        actions = (bulk.put(self._index, record.id, dump(record)) for record in records)
        for result in bulk.write(self._es, actions):
            if result.reason:
                raise StoreError(f"Elasticsearch refuses entry {result.id}: {result.reason}")


def _whole(document: Mapping[str, object]) -> dict[str, object]:
    return {"feed_id": "", "url": None, "article_id": None, "content_hash": ""} | dict(document)
