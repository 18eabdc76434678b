"""Selects the fresh entries in a window of feeds: recognises entries, and leaves out those with nothing new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ingest.addresses import is_address
from ingest.apart import former_page, page_of
from ingest.http.silence import answered
from ingest.urls import known_id
from jobs.pull.attempt import Attempt
from jobs.pull.in_reach import InReach
from jobs.pull.polled import PAGES_PER_FEED, Fresh, Polled, again
from jobs.pull.recognise import Memory, Recognised, leading, more_keys, recognise
from newswatch.article import Article
from newswatch.entry import Entry
from store.elastic.documents import Stored
from store.entries import EntryRecord, alias_of, entry_key, mark_shared
from store.feeds import FeedRecord


class Selection:
    """Selects what is new or changed in parsed feeds, and the pages to try again."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self._clock = attempt, attempt.clock
        self._articles, self._entries = InReach(attempt.articles), attempt.entries
        self._pages_due: dict[str, list[EntryRecord]] = {}
        self._unclear: set[str] = set()
        """Pages of which can't be told now which article they led to."""

    def load_pages_due(self, records: Sequence[Stored[FeedRecord]]) -> None:
        """Look up the pages of the batch's feeds that wait for another try."""
        by_feed: dict[str, list[EntryRecord]] = defaultdict(list)
        ids = [feed.id for feed in records]
        for record in self._entries.pages_due(ids, now=self._clock(), per_feed=PAGES_PER_FEED):
            by_feed[record.feed_id].append(record)
        self._pages_due = by_feed

    def select(self, window: Sequence[Polled]) -> None:
        """Note in each feed of the window which entries are fresh, and which records to store for the rest.

        Entries that can't be told from those of a month out of reach are left out, and counted as waiting.
        """
        self._articles = InReach(self._attempt.articles)
        walls = self._attempt.wall("select")
        for polled, recognised in self._recognised(window):
            for entry, record in recognised:
                work = partial(polled.select, entry, record, self._clock())
                walls.attempt("entry", entry.id, work, url=entry.url, feed_id=polled.record.id)
        self._note_renamed(window)
        self._note_known_urls(window)
        self._leave_out_waiting(window)
        self._add_due_pages([polled for polled in window if answered(polled.outcome)])

    def _recognised(self, window: Sequence[Polled]) -> list[tuple[Polled, list[Recognised]]]:
        """The entries of each feed that need a closer look, under their remembered ids, with their records."""
        own = [entry_key(polled.record.id, entry.id) for polled in window for entry in polled.entries]
        known = dict(self._entries.known(own))
        more = self._more(window, known)
        known |= self._entries.known({key for keys in more.values() for key in keys})
        articles = self._articles_of(
            entry
            for polled in window
            if polled.record.id in more
            for entry in polled.entries
            if entry_key(polled.record.id, entry.id) not in known
        )
        return [(polled, self._recognised_in(polled, known, more, articles)) for polled in window]

    def _recognised_in(
        self,
        polled: Polled,
        known: Mapping[str, EntryRecord],
        more: Mapping[str, list[str]],
        articles: Mapping[str, Article],
    ) -> list[Recognised]:
        """The same for one feed."""
        feed = polled.record.value.feed
        unclear = self._unclear_pages(polled, known, articles)
        clear = {page: article for page, article in articles.items() if page not in unclear}
        memory = Memory(feed, known, clear, frozenset(more[feed.id]) if feed.id in more else None)
        work = partial(recognise, polled.entries, memory)
        recognised = self._attempt.wall("recognise").attempt("feed", feed.id, work, url=feed.url, feed_id=feed.id)
        if recognised is None:  # our own fault: the entries are read as new, and find their articles in the store
            recognised = [(entry, known.get(entry_key(feed.id, entry.id))) for entry in polled.entries]
        polled.to_remember += [mark_shared(feed.id, name, self._clock()) for name in sorted(memory.newly_shared)]
        polled.to_remember += [record for _, record in recognised if record and record.id not in known]
        polled.recognised_as(entry for entry, _ in recognised)
        decided = [(entry, record) for entry, record in recognised if record or _page_id(entry) not in unclear]
        polled.waiting += len(recognised) - len(decided)
        return leading(decided)

    def _unclear_pages(
        self, polled: Polled, known: Mapping[str, EntryRecord], articles: Mapping[str, Article]
    ) -> set[str]:
        """The pages of which can't be told whether they led to an article, or whether an entry is that article.

        One of the first kind makes the feed's others of the second: together they tell whether the feed changes its
        ids (`jobs.pull.recognise`).
        """
        asked = {_page_id(entry) for entry in polled.entries if entry_key(polled.record.id, entry.id) not in known}
        if asked.isdisjoint(self._unclear):
            return set()
        return asked & (self._unclear | articles.keys())

    def _more(self, window: Sequence[Polled], known: Mapping[str, EntryRecord]) -> dict[str, list[str]]:
        """Feed → further keys to look up for its entries. A feed that was never read has nothing to look up."""
        return {
            polled.record.id: [
                key
                for entry in polled.entries
                for key in more_keys(entry, polled.record.id, known.get(entry_key(polled.record.id, entry.id)))
            ]
            for polled in window
            if polled.record.value.state.last_success_at
        }

    def _articles_of(self, entries: Iterable[Entry]) -> dict[str, Article]:
        """Page id → the article that its link leads to, for entries with an unknown id."""
        urls = {known_id(page_of(entry.url)): entry.url for entry in entries if entry.url}
        if not urls:
            return {}
        before = {link: former for link, url in urls.items() if (former := known_id(former_page(url))) != link}
        led = self._entries.articles_of_links({*urls, *before.values()})
        moved = {link: known_id(url) for link, url in led.items() if is_address(url)}
        articles = self._articles.get({*urls, *before.values(), *moved.values()})
        found = {}
        for link in urls:
            names = (moved.get(link), moved.get(before.get(link, "")), before.get(link), link)
            if not self._articles.unknown.isdisjoint(names):
                self._unclear.add(link)
                continue
            if name := next((name for name in names if name in articles), None):
                found[link] = articles[name]
        return found

    def _note_renamed(self, window: Sequence[Polled]) -> None:
        """Remember that the new links of renamed entries lead to the articles that these entries had."""
        renamed = [(polled, entry, record) for polled in window for entry, record in polled.renamed]
        if not renamed:
            return
        articles = self._articles.get(record.article_id for _, _, record in renamed if record.article_id)
        for polled, entry, record in renamed:
            if record.article_id in self._articles.unknown:
                polled.waiting += 1
                continue
            article = articles.get(record.article_id or "")
            if article and entry.url and is_address(article.url):
                link = Fresh(polled, entry, record).link_id or ""
                polled.to_remember.append(alias_of(link, article.url, article.id, self._clock()))
            polled.to_remember.append(replace(record, url=entry.url, last_changed=self._clock()))

    def _note_known_urls(self, window: Sequence[Polled]) -> None:
        """Note the URLs that the articles of fresh entries are known by, where they differ from the links."""
        links = {fresh.link_id for polled in window for fresh in polled.fresh}
        addresses = self._entries.articles_of_links(link for link in links if link)
        addresses = self._known_before(fresh for polled in window for fresh in polled.fresh) | addresses
        for polled in window:
            polled.fresh = [replace(fresh, known_url=addresses.get(fresh.link_id or "")) for fresh in polled.fresh]

    def _leave_out_waiting(self, window: Sequence[Polled]) -> None:
        """Leave out the fresh entries whose article is out of reach, before their pages are asked for."""
        self._articles.exist(name for polled in window for fresh in polled.fresh for name in _led_to(fresh))
        unknown = self._articles.unknown
        if not unknown:
            return
        for polled in window:
            stays = [fresh for fresh in polled.fresh if unknown.isdisjoint((*_led_to(fresh), *_former_id(fresh)))]
            polled.waiting += len(polled.fresh) - len(stays)
            polled.fresh = stays

    def _known_before(self, some: Iterable[Fresh]) -> dict[str, str]:
        """Link id → URL of its article, for links by which an earlier version knew one, and we would know another."""
        before = {fresh.link_id: fresh.former_url for fresh in some if fresh.link_id and fresh.former_url}
        if not before:
            return {}
        ids = {link: known_id(url) for link, url in before.items()}
        led, stored = self._entries.articles_of_links(ids.values()), self._articles.exist(ids.values())
        known = {link: before[link] for link, article_id in ids.items() if article_id in stored}
        return known | {link: led[article_id] for link, article_id in ids.items() if article_id in led}

    def _add_due_pages(self, window: Sequence[Polled]) -> None:
        """Try pages that failed again at the next polls of their feed, whether or not the feed has changed."""
        due = [(polled, record) for polled in window for record in self._pages_due.pop(polled.record.id, ())]
        articles = self._articles.get(record.article_id for _, record in due if record.article_id)
        for polled, record in due:
            if record.article_id in self._articles.unknown:
                continue  # it stays due
            if record.id in {fresh.record.id for fresh in polled.fresh if fresh.record}:
                continue  # the feed has changed the entry, so its page is read anyway
            article = articles.get(record.article_id or "")
            if article is None or (article.text_status == "full" and not record.reread):
                polled.to_remember.append(replace(record, retry_page_at=None))  # another feed got the page
            else:
                known_url = self._attempt.address_of(article, record.url)
                polled.fresh.append(again(polled, record, article, known_url=known_url))


def _page_id(entry: Entry) -> str:
    """The id of an article of the entry's page; empty without a link."""
    return known_id(page_of(entry.url)) if entry.url else ""


def _led_to(fresh: Fresh) -> list[str]:
    """The articles that the entry or its link led to before."""
    before = [fresh.record.article_id] if fresh.record and fresh.record.article_id else []
    return [*before, *([known_id(fresh.known_url)] if fresh.known_url else [])]


def _former_id(fresh: Fresh) -> list[str]:
    """The id by which an earlier version knew the article of its link, if that differs from today's."""
    return [known_id(fresh.former_url)] if fresh.former_url else []
