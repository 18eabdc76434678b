"""Decides which known entry an entry is. Pure; it requests what it needs in three steps.

Most entries have the id they had before, so nothing else is needed. An entry with a new id may still be known by
another of its names (`ingest.apart.steps`), or by the article that its link led to: feeds change their ids, and an
entry that shares its page with others may come alone the next time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ingest.apart import Step, is_edit, page_of, set_apart, shared_names, steps
from ingest.assemble import wants_page
from ingest.urls import known_id, part_url
from ingest.wording import words
from newswatch.article import Article
from newswatch.entry import Entry
from newswatch.feed import Feed
from store.entries import EntryRecord, content_hash, entry_key, has_title, says_the_same, shared_by

Recognised = tuple[Entry, EntryRecord | None]
"""An entry under the id it is remembered by, with its record; None if it was never seen."""


@dataclass(slots=True)
class Memory:
    """What is remembered about a feed's entries."""

    feed: Feed
    records: Mapping[str, EntryRecord]
    """By their keys."""
    articles: Mapping[str, Article] = field(default_factory=dict)
    """By the id of a link's page: the article that it leads to now."""
    asked: frozenset[str] | None = None
    """Keys that were looked up in addition to the entries' own; None: there is nothing to look up."""
    shared: set[str] = field(default_factory=set)
    """Names that several entries of the document have."""
    newly_shared: set[str] = field(default_factory=set)
    """Those of `shared` that were not remembered as shared yet."""

    ids_change: bool = False
    """Whether the feed changes the ids of unchanged entries; then a different id proves nothing."""

    def record(self, name: str) -> EntryRecord | None:
        """The record stored under `name`."""
        return self.records.get(entry_key(self.feed.id, name))

    def is_shared(self, name: str) -> bool:
        """Whether several entries have had this name, now or before."""
        return name in self.shared or shared_by(self.feed.id, name) in self.records

    def share(self, names: Iterable[str]) -> None:
        """Note that several entries have these names."""
        for name in names:
            is_known = self.asked is not None and shared_by(self.feed.id, name) not in self.asked
            if not is_known and not self.is_shared(name):
                self.newly_shared.add(name)
            self.shared.add(name)


def more_keys(entry: Entry, feed_id: str, record: EntryRecord | None) -> list[str]:
    """Keys to look up in addition to the entry's own id; none if its record already decides."""
    ladder = steps(entry)
    if not ladder or (record and (says_the_same(record, entry) or entry.id != ladder[0].name)):
        return []
    names = [step.name for step in ladder]
    return [key for name in names for key in (entry_key(feed_id, name), shared_by(feed_id, name))]


def recognise(entries: Iterable[Entry], memory: Memory) -> list[Recognised]:
    """The entries in their order, under the ids they are remembered by, with their records."""
    listed = list(entries)
    memory.share(shared_names(listed))
    memory.ids_change = any(_has_another_id(entry, memory) for entry in listed)
    return [_recognised(entry, memory) for entry in listed]


def _has_another_id(entry: Entry, memory: Memory) -> bool:
    if not entry.url or entry.part or memory.record(entry.id):
        return False
    article = _article_at(page_of(entry.url), memory)
    if article is None:
        return False
    return words(entry.title) == words(article.title) and words(entry.summary) == words(article.summary)


def _article_at(page: str, memory: Memory) -> Article | None:
    """The article that the feed's link to the page led to before."""
    article = memory.articles.get(known_id(page))
    return article if article and memory.feed.id in article.feeds else None


def _recognised(entry: Entry, memory: Memory) -> Recognised:
    ladder = steps(entry)
    record = memory.record(entry.id)
    if not ladder:
        return entry, record
    page = ladder[0].name
    is_shared = memory.is_shared(page)
    if record and (entry.id != page or not is_shared or _has_words(record, entry)):
        return replace(entry, part=entry.part or _part_before(record, ladder)), record
    for step in reversed(ladder[1:]):
        by_name = None if memory.is_shared(step.name) else memory.record(step.name)
        if by_name:
            return replace(entry, id=step.name, part=entry.part or (step.part if is_shared else "")), by_name
    by_page = memory.record(page)
    if by_page and _has_words(by_page, entry):
        return replace(entry, id=page), by_page
    return _by_its_page(entry, page, by_page, memory)


def _part_before(record: EntryRecord, ladder: Sequence[Step]) -> str:
    """The entry's part of the page when other entries shared that page, whether or not they still do."""
    page = ladder[0].name
    parts = (step.part for step in ladder if step.part)
    return next((part for part in parts if record.article_id == known_id(part_url(page, part))), "")


def _has_words(record: EntryRecord, entry: Entry) -> bool:
    return says_the_same(record, entry) or has_title(record, entry.title)


def _by_its_page(entry: Entry, page: str, record: EntryRecord | None, memory: Memory) -> Recognised:
    """An entry whose names decide nothing: the article its link led to before, an edit of it, or a new one."""
    article = _article_at(page, memory)
    if article is None:
        return (set_apart(entry, memory.is_shared) if memory.is_shared(page) else entry), None
    is_same = words(entry.title) == words(article.title)
    same_date = bool(entry.published and entry.published == article.published)
    if not memory.is_shared(page):
        is_same = memory.ids_change or is_edit(entry, article.title, article.summary, same_date=same_date)
        if not is_same:
            memory.share((page,))
    if is_same:
        return replace(entry, id=page), record or _record_of(article, entry, page, memory.feed)
    return set_apart(entry, memory.is_shared), None


def _record_of(article: Article, entry: Entry, page: str, feed: Feed) -> EntryRecord:
    """The record of an entry that reported the article under another id."""
    said = replace(entry, title=article.title, summary=article.summary)
    is_done = article.text_status == "full" or not wants_page(entry, feed)
    seen: datetime = article.first_seen
    hash_ = content_hash(said) if is_done else ""
    return EntryRecord(feed.id, page, entry.url, article.id, hash_, seen, seen, page_asked_at=seen)


def leading(recognised: Sequence[Recognised]) -> list[Recognised]:
    """The entries without duplicates: of several versions of one article in a document, one remains, in any order.

    That is the one whose words are unchanged, else the one seen first, else the newest.
    """
    best: dict[str, Recognised] = {}
    for candidate in recognised:
        page = _whole_page(candidate[0])
        if page and (page not in best or _rank(candidate) < _rank(best[page])):
            best[page] = candidate
    return [candidate for candidate in recognised if best.get(_whole_page(candidate[0]), candidate) is candidate]


def _whole_page(entry: Entry) -> str:
    return known_id(page_of(entry.url)) if entry.url and not entry.part else ""


def _rank(recognised: Recognised) -> tuple[bool, bool, float, str]:
    entry, record = recognised
    if record is None:
        return True, True, -entry.published.timestamp() if entry.published else 0.0, entry.id
    return False, not says_the_same(record, entry), record.first_seen.timestamp(), entry.id


def leads_elsewhere(entry: Entry, record: EntryRecord) -> bool:
    """Whether the entry's link differs from the one when it was seen before."""
    if not entry.url or not record.url:
        return entry.url != record.url
    return known_id(page_of(entry.url)) != known_id(page_of(record.url))
