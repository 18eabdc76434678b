"""Feed entries that were seen before: what keeps a feed's every reading from being news."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from elasticsearch import Elasticsearch

from ingest.wording import words
from newswatch.entry import Entry
from newswatch.problems import Bulkhead, Problem
from store import bulk
from store.documents import dump, load, readable, require_id, values
from store.names import Names
from store.reading import get_hits

_FEEDS = 1_000
"""Feeds that one search asks for."""


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
    page_asked_at: datetime | None = None
    """When its page was last asked for, for other words of the feed; None: never, or by an older newswatch."""
    page_changes: int = 0
    """How often it was asked for again, as the feed had changed the entry."""
    reread: bool = False
    """The feed has changed it since its page was read: at `retry_page_at` the page is read, whatever text there is."""

    @property
    def id(self) -> str:
        """The document id."""
        return entry_key(self.feed_id, self.entry_id)


def entry_key(feed_id: str, entry_id: str) -> str:
    """What an entry is known by: an id is only unique within its feed."""
    return hashlib.sha256(f"{feed_id}\0{entry_id}".encode()).hexdigest()[:32]


def content_hash(entry: Entry) -> str:
    """What the feed says of the entry, as three hashes: of all of it as it stands, of the title's words, of the rest's.

    `published` stays out of it: there are feeds that give the time of the request. `updated` counts in the first only,
    which spares working out the words of what is the same to the letter; it is all that versions before this one kept.
    """
    return f"{_exact(entry)}.{_hash(words(entry.title))}.{_rest(entry)}"


def says_the_same(record: EntryRecord, entry: Entry) -> bool:
    """Whether the feed says of the entry what it said when `record` was made: the words, not counters and times."""
    exact, _, said = record.content_hash.partition(".")
    return exact == _exact(entry) or (bool(said) and said == f"{_hash(words(entry.title))}.{_rest(entry)}")


def has_title(record: EntryRecord, title: str) -> bool:
    """Whether the entry had the words of `title` for its title; False too where the record doesn't tell."""
    return record.content_hash.partition(".")[2].partition(".")[0] == _hash(words(title))


def _exact(entry: Entry) -> str:
    said = (entry.url, entry.title, entry.summary, entry.content, entry.updated)
    return _hash(repr(said), 32)


def _rest(entry: Entry) -> str:
    return _hash(f"{words(entry.summary)}\n{words(entry.content)}")


def _hash(said: str, digits: int = 16) -> str:
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:digits]


def alias_of(link_id: str, article_url: str, article_id: str, now: datetime) -> EntryRecord:
    """The record that the link of id `link_id` leads to an article that is known by another address, `article_url`.

    It stands among the entries as one of no feed.
    """
    return EntryRecord("", link_id, article_url, article_id, "", now, now)


def shared_by(feed_id: str, name: str) -> str:
    """What the record is known by that says that several entries of the feed have had this name (`ingest.apart`)."""
    return entry_key(feed_id, _shared(name))


def mark_shared(feed_id: str, name: str, now: datetime) -> EntryRecord:
    """That record. Once seen together they are told apart for good, also when one of them comes alone."""
    return EntryRecord(feed_id, _shared(name), None, None, "", now, now)


def _shared(name: str) -> str:
    return f"shared: {name}"


class EntryStore:
    """The entries of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, walls: Bulkhead | None = None) -> None:
        """`walls` takes up the documents that can't be read and the entries that Elasticsearch refuses."""
        self._es, self._index = es, names.entries
        self._walls = walls or Bulkhead("entries")

    def known(self, keys: Iterable[str]) -> Mapping[str, EntryRecord]:
        """Those of the keys that were seen before, in real time.

        One whose record can't be read is as one never seen: it is read again, and remembered anew.
        """
        hits = get_hits(self._es, self._index, keys)
        return {hit["_id"]: record for hit, record in readable(hits, read_entry)}

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
                found += values(bucket["due"]["hits"]["hits"], read_entry)
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
            StoreError: the index can't be written to.
        """
        by_id = {record.id: record for record in records}
        actions = (bulk.put(self._index, name, dump(one)) for name, one in by_id.items())
        for result in bulk.write(self._es, actions):
            if not result.own_fault:
                bulk.won(result)
                continue
            record = by_id[result.id]
            reason = f"Elasticsearch refuses to remember it: {result.reason}"
            self._walls.note(Problem("entry", record.entry_id, reason, "remember", record.url, record.feed_id))


def read_entry(record_id: str, document: Mapping[str, object]) -> EntryRecord:
    """The record of a document. Pure."""
    nothing = {"feed_id": "", "url": None, "article_id": None, "content_hash": ""}
    record = load(EntryRecord, nothing | dict(document))
    require_id(record_id, record.id)
    return record
