"""Remembers which feed entries have been processed, so that reading a feed again indexes nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from elasticsearch import Elasticsearch

from ingest.wording import words
from newswatch.entry import Entry
from newswatch.problems import Bulkhead, Problem
from store.elastic import bulk
from store.elastic.documents import dump, load, readable, require_id, stored, values
from store.elastic.reading import every, get_hits
from store.names import Names

_FEEDS = 1_000
"""Maximum number of feeds in one search."""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """A feed entry, and the article it led to."""

    feed_id: str
    entry_id: str
    url: str | None
    article_id: str | None
    """None: the entry is quarantined, or in the backlog."""
    content_hash: str
    first_seen: datetime
    last_changed: datetime
    page_tries: int = 0
    """Number of failed tries to read its page, for temporary reasons, since the feed last changed the entry."""
    retry_page_at: datetime | None = None
    """When to try its page again."""
    page_asked_at: datetime | None = None
    """When its page was last requested because the feed's words had changed; None: never, or by an older newswatch."""
    page_changes: int = 0
    """Number of requests for its page because the feed had changed the entry."""
    reread: bool = False
    """The feed has changed the entry since its page was read: read the page at `retry_page_at` in any case."""
    backlog: bool = False
    """It stood on a list when the list was first read; it is never read itself."""

    @property
    def id(self) -> str:
        """The document id."""
        return entry_key(self.feed_id, self.entry_id)


def entry_key(feed_id: str, entry_id: str) -> str:
    """The document id of an entry's record: hash of feed and entry id, as entry ids are unique only within a feed."""
    return hashlib.sha256(f"{feed_id}\0{entry_id}".encode()).hexdigest()[:32]


def content_hash(entry: Entry) -> str:
    """Three hashes of the entry as the feed gives it: of its exact content, of the title's words, of the other words.

    `published` is left out, because some feeds give the time of the request. `updated` is part of the first hash only.
    The first hash spares extracting the words of an unchanged entry; earlier versions stored only that one.
    """
    return f"{_exact(entry)}.{_hash(words(entry.title))}.{_rest(entry)}"


def says_the_same(record: EntryRecord, entry: Entry) -> bool:
    """Whether the entry's words are those of `record`; counters and times don't count."""
    exact, _, in_words = record.content_hash.partition(".")
    return exact == _exact(entry) or (bool(in_words) and in_words == f"{_hash(words(entry.title))}.{_rest(entry)}")


def has_title(record: EntryRecord, title: str) -> bool:
    """Whether the entry's title had the words of `title`; False also if the record does not hold the title's hash."""
    return record.content_hash.partition(".")[2].partition(".")[0] == _hash(words(title))


def _exact(entry: Entry) -> str:
    content = (entry.url, entry.title, entry.summary, entry.content, entry.updated)
    return _hash(repr(content), 32)


def _rest(entry: Entry) -> str:
    return _hash(f"{words(entry.summary)}\n{words(entry.content)}")


def _hash(content: str, digits: int = 16) -> str:
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:digits]


def alias_of(link_id: str, article_url: str, article_id: str, now: datetime) -> EntryRecord:
    """The record that a link (`link_id`) leads to an article with another address, `article_url`.

    It is stored among the entries, with an empty feed id.
    """
    return EntryRecord("", link_id, article_url, article_id, "", now, now)


def shared_by(feed_id: str, name: str) -> str:
    """The id of the record which says that several entries of the feed have shared this name (`ingest.apart`)."""
    return entry_key(feed_id, _shared(name))


def mark_shared(feed_id: str, name: str, now: datetime) -> EntryRecord:
    """The record of `shared_by`: such entries are distinguished for good, also when one of them appears alone."""
    return EntryRecord(feed_id, _shared(name), None, None, "", now, now)


def _shared(name: str) -> str:
    return f"shared: {name}"


class EntryStore:
    """The entries of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, walls: Bulkhead | None = None) -> None:
        """`walls` collects unreadable documents, and entries that Elasticsearch rejects."""
        self._es, self._index = es, names.entries
        self._walls = walls or Bulkhead("entries")

    def known(self, keys: Iterable[str]) -> Mapping[str, EntryRecord]:
        """The existing records among `keys`, by key, in real time.

        An unreadable record is left out, so that its entry is processed again and the record overwritten.
        """
        hits = get_hits(self._es, self._index, keys)
        return {hit["_id"]: record for hit, record in readable(hits, read_entry)}

    def articles_of_links(self, link_ids: Iterable[str]) -> dict[str, str]:
        """Link id → canonical URL of its article, for known links that lead to another address."""
        known = self.known(entry_key("", link_id) for link_id in link_ids)
        return {record.entry_id: record.url for record in known.values() if record.url}

    def pages_due(self, feed_ids: Sequence[str], *, now: datetime, per_feed: int = 100) -> list[EntryRecord]:
        """The entries whose page is due for another try by now, for each feed the longest waiting first.

        At most `per_feed` (and 100) for each feed, so that no feed holds up the others. The rest stay due.
        """
        self._es.indices.refresh(index=self._index)
        due: list[EntryRecord] = []
        for start in range(0, len(feed_ids), _FEEDS):
            some = list(feed_ids[start : start + _FEEDS])
            wanted = [{"range": {"retry_page_at": {"lte": now.isoformat()}}}, {"terms": {"feed_id": some}}]
            hits = {"top_hits": {"size": min(per_feed, 100), "sort": [{"retry_page_at": "asc"}]}}
            feeds = {"terms": {"field": "feed_id", "size": len(some)}, "aggs": {"due": hits}}
            query = {"bool": {"filter": wanted}}
            answer = self._es.search(index=self._index, query=query, size=0, aggs={"feeds": feeds})
            for bucket in answer["aggregations"]["feeds"]["buckets"]:
                due += values(bucket["due"]["hits"]["hits"], read_entry)
        return due

    def pages_waiting(self, feed_id: str) -> int:
        """Number of the feed's entries that wait for another try at their page."""
        self._es.indices.refresh(index=self._index)
        waiting = [{"exists": {"field": "retry_page_at"}}, {"term": {"feed_id": feed_id}}]
        return int(self._es.count(index=self._index, query={"bool": {"filter": waiting}})["count"])

    def save(self, records: Sequence[EntryRecord]) -> None:
        """Write the records. Call it after their articles are acknowledged, because a recorded entry is not read again.

        A record that Elasticsearch rejects is quarantined; its entry is read again at the next poll.

        Raises:
            StoreError: the index can't be written to.
        """
        by_id = {record.id: record for record in records}
        actions = (bulk.put(self._index, record_id, dump(record)) for record_id, record in by_id.items())
        for result in bulk.write(self._es, actions):
            if not result.own_fault:
                bulk.won(result)
                continue
            record = by_id[result.id]
            reason = f"Elasticsearch rejects its record: {result.reason}"
            self._walls.note(Problem("entry", record.entry_id, reason, "remember", record.url, record.feed_id))

    def forget_since(self, since: datetime) -> None:
        """Forget the entries with an article that were new or changed since then, so that they are read again.

        Raises:
            StoreError: the index can't be written to; run it again.
        """
        self._es.indices.refresh(index=self._index)
        wanted = [{"range": {"last_changed": {"gte": since.isoformat()}}}, {"exists": {"field": "article_id"}}]
        query = {"bool": {"filter": wanted, "must_not": {"term": {"feed_id": ""}}}}  # which are aliases
        hits = every(self._es, self._index, query, source=False, seq_no_primary_term=True)
        for result in bulk.write(self._es, (bulk.delete(stored(None, hit)) for hit in hits)):
            bulk.won(result)


def read_entry(record_id: str, document: Mapping[str, object]) -> EntryRecord:
    """The record of a document. Pure."""
    nothing = {"feed_id": "", "url": None, "article_id": None, "content_hash": ""}
    record = load(EntryRecord, nothing | dict(document))
    require_id(record_id, record.id)
    return record
