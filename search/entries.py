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
    return {"url": None, "article_id": None} | dict(document)
