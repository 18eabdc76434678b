"""`pull`: one batch of feeds, from the request to the acknowledged documents.

The order of writes is what makes it safe to die anywhere: articles first; then, once Elasticsearch has acknowledged
them, the entries as seen and the feeds' new state; then the batch as indexed. Whatever did not get that far is done
again and finds its articles there already.

Nobody waits for anybody else: what was read of a feed is written as soon as it is there (`_Puller._write_ready`), while
its further pages, other feeds and slow hosts are still under way. Whatever breaks is walled off (`newswatch.problems`):
a feed, a page or an entry costs itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ingest.apart import page_of
from ingest.assemble import assemble, wants_page
from ingest.extract import extractor_version
from ingest.fetch import Fetcher
from ingest.fetched import Fetched, FetchFailed, NotModified
from ingest.parsed import NotAFeed
from ingest.schedule import WITNESSES, after_poll, answered, is_our_outage, is_silent, last_answer, may_be_ours
from ingest.urls import host_of, is_address, known_id, shown
from jobs.answers import LINGER_S, Answers
from jobs.context import Context, job
from jobs.lease import Lease
from jobs.pages import READERS, Page, Pages
from jobs.polled import (
    PAGE_NOT_READ,
    PAGES_PER_FEED,
    Candidate,
    Fresh,
    Part,
    Polled,
    Share,
    again,
    aliases,
    is_same,
    moved,
    relinked,
    remembered,
    share,
)
from jobs.recognise import Memory, Recognised, leading, more_keys, recognise
from newswatch.article import Article
from newswatch.batch import Batch, BatchState
from newswatch.entry import Entry
from newswatch.feed import FeedState
from newswatch.problems import Bulkhead, Problem, is_trouble
from store.articles import ArticleStore, Refused, WriteReport
from store.batches import BatchStore
from store.documents import Stored
from store.entries import EntryRecord, EntryStore, alias_of, entry_key, mark_shared
from store.feeds import FeedRecord, FeedStore
from store.quarantine import Quarantine, article_problem, entry_problem
from transforms.enrich import enrich
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

PAGES_AT_ONCE = 4
"""Pages of one feed under way at once: those that are held up by their host leave room for others'."""
PART = 10
"""Articles of one feed that are written together while its further pages are read."""
HANDED_OVER = 2
"""Windows and parts that wait for the writer; then the readers wait for it, which bounds the memory."""
WRITTEN_AT_ONCE = 2_000
"""Articles, about; what has piled up beyond them is written next."""
HAND_OVER_S = 10
"""How long a feed that is broken off waits for the writer to take what was read of it."""
_TRIED = 10
"""Ingest numbers that one article may have used up before its writing failed; there are a million."""
BROKEN_WAIT_S = 3_600
"""A feed whose state our own code can't work out is polled again so much later."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a batch brought, in counts."""

    batch: int
    feeds: int = 0
    unchanged: int = 0
    """Answered 304, or with the same body."""
    failed: int = 0
    offline: int = 0
    """Of the failures, those that our own network is to blame for; they count against no feed."""
    not_a_feed: int = 0
    entries: int = 0
    """In the bodies read, seen before or not."""
    new_entries: int = 0
    pages: int = 0
    pages_failed: int = 0
    pages_again: int = 0
    """Pages of earlier polls that failed then, or had to wait, tried again."""
    pages_later: int = 0
    """Pages that wait for the next poll, as their feed had too many or the batch too little time."""
    new: int = 0
    updated: int = 0
    carried: int = 0
    known: int = 0
    quarantined: int = 0
    set_aside: int = 0
    """Feeds, pages and documents of Elasticsearch that broke the work on them."""
    unfinished: int = 0
    """Feeds that were not done with, as the lease ran out or somebody else took them; they stay due."""

    def plus(self, **counts: int) -> PullReport:
        """With the counts added."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})

    def counts(self) -> dict[str, int]:
        """All but the batch's number."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "batch"}


@job("pull")
def pull(context: Context, number: int) -> PullReport:
    """Poll the feeds of batch `number` and index what they bring. Doing it again does no harm.

    Raises:
        StoreError: Elasticsearch is unavailable; run it again.
        ConfigError: the taxonomy can't be read; what is new stays to be polled.
    """
    batches = BatchStore(context.es, context.names)
    if batches.get(number).value.state != BatchState.PLANNED:
        return PullReport(number)
    batch = batches.begin(number)
    lease = Lease(batch, batches, context.clock)
    report = asyncio.run(_Puller(context, batch, lease).run())
    if not lease.was_taken_over():
        batches.mark_indexed(number, counts=report.counts(), now=context.clock())
    return report


def tagger_of(config_dir: Path) -> Tagger:
    """The tagger of the taxonomy as it stands; made when a poll first brings something new, as it takes half a second.

    Raises:
        ConfigError: it can't be read.
    """
    path = config_dir / "taxonomy.yaml"
    try:
        stat = path.stat()
    except OSError:
        return Tagger(load_taxonomy(path))  # which says what is wrong
    return _tagger(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _tagger(path: Path, _changed_ns: int, _size: int) -> Tagger:
    tagger = Tagger(load_taxonomy(path))
    # It and what is imported live as long as the process: to look through them for garbage took a seventh of a poll.
    gc.freeze()
    return tagger


class _Puller:
    """One attempt at one batch."""

    def __init__(self, context: Context, batch: Batch, lease: Lease) -> None:
        self._context, self._batch, self._lease = context, batch, lease
        self._settings, self._clock = context.settings, context.clock
        self._walls: dict[str, Bulkhead] = {}
        self._noted: dict[tuple[str, str], Problem] = {}
        self._articles = ArticleStore(context.es, context.names, retag=self._retag)
        self._entries = EntryStore(context.es, context.names, walls=self._wall("entries"))
        self._feeds = FeedStore(context.es, context.names)
        self._seq = batch.seq_of_attempt
        self._report = PullReport(batch.number)
        self._extractor = extractor_version()
        self._pages_due: dict[str, list[EntryRecord]] = {}
        self._outage = False
        self._well: dict[str, str] = {}
        """Host → address, of those that were read in this batch, the last one last."""
        self._rng = random.Random()  # noqa: S311 - jitter, no secret
        self._ready: asyncio.Queue[tuple[list[Part], asyncio.Event] | None] = asyncio.Queue(maxsize=HANDED_OVER)
        self._with_pages: set[asyncio.Task[None]] = set()

    def _wall(self, stage: str) -> Bulkhead:
        return self._walls.setdefault(stage, self._context.bulkhead(stage))

    async def run(self) -> PullReport:
        records = self._feeds.leased(self._batch)
        if self._lease.may_begin():
            self._pages_due = await asyncio.to_thread(self._load_pages_due, records)
            await self._run(records)
        return self._report.plus(unfinished=len(records) - self._report.feeds)

    async def _run(self, records: Sequence[Stored[FeedRecord]]) -> None:
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        async with Fetcher(self._settings, clock=self._clock) as fetcher:
            shared: dict[str, Any] = {"readers": readers, "walls": self._wall, "clock": self._clock}
            answers = Answers(fetcher, records, lease=self._lease, **shared)
            pages = Pages(fetcher, **shared)
            writing = asyncio.create_task(self._write_ready())
            taking = asyncio.create_task(self._take(fetcher, answers, pages))
            try:
                await self._within_lease(taking, writing)
                over = asyncio.create_task(self._ready.put(None))
                await asyncio.wait({over, writing}, return_when=asyncio.FIRST_COMPLETED)
                over.cancel()  # nobody takes it, where the writer has given up
                await writing
                await asyncio.to_thread(self._note_problems)
            finally:
                for task in (taking, writing, *self._with_pages):
                    task.cancel()
                await asyncio.gather(taking, writing, *self._with_pages, return_exceptions=True)
                await answers.close()
                await pages.close()
                readers.shutdown(wait=False, cancel_futures=True)

    async def _within_lease(self, taking: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
        """Wait until everything is taken, the lease nears its end, or nothing can be written any more."""
        await asyncio.wait({taking, writing}, timeout=self._lease.seconds_left(), return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            return taking.result()
        for task in (taking, *self._with_pages):
            task.cancel()
        await asyncio.gather(taking, *self._with_pages, return_exceptions=True)
        if not writing.done():
            log.warning("batch %s: broken off, as its lease nears its end", self._batch.number)
        return None

    async def _take(self, fetcher: Fetcher, answers: Answers, pages: Pages) -> None:
        """Work on the windows as they come.

        Where nobody has answered since a host was silent, the fault may be ours: that failure waits, until somebody
        does answer or the batch is at its end. It holds no body, so waiting costs nothing.
        """
        held: list[Polled] = []
        heard_at: datetime | None = None
        async for window in answers.windows():
            heard = last_answer(polled.outcome for polled in window)
            heard_at = max(heard_at or heard, heard) if heard else heard_at
            self._note_witnesses(window)
            waiting = [*held, *window]
            held = [polled for polled in waiting if may_be_ours(polled.outcome, heard_at)]
            ready = [polled for polled in waiting if not may_be_ours(polled.outcome, heard_at)]
            if ready:
                await self._work(answers, pages, ready)
        if held:
            self._outage = await self._is_our_outage(fetcher, {host_of(polled.outcome.url) for polled in held})
            await self._work(answers, pages, held)
        while self._with_pages:
            await asyncio.wait(self._with_pages)
            self._with_pages = {task for task in self._with_pages if not task.done() or task.result()}

    def _note_witnesses(self, window: Sequence[Polled]) -> None:
        for polled in window:
            if not isinstance(polled.outcome, FetchFailed):
                self._well.pop(host_of(polled.outcome.url), None)
                self._well[host_of(polled.outcome.url)] = polled.outcome.url

    async def _is_our_outage(self, fetcher: Fetcher, silent: set[str]) -> bool:
        """Ask others that are well, of this batch or else of the store, whether they can be reached."""
        known = self._well
        if len(known.keys() - silent) < WITNESSES:
            others = await asyncio.to_thread(self._feeds.well)
            known = {host_of(url): url for url in reversed(others) if is_address(url)} | known
        urls = [url for host, url in reversed(known.items()) if host not in silent][:WITNESSES]
        ours = is_our_outage(silent, await asyncio.gather(*(fetcher.answers(url) for url in urls)))
        if ours:
            log.warning("batch %s: our own network is down; %s hosts were not reached", self._batch.number, len(silent))
        return ours

    async def _work(self, answers: Answers, pages: Pages, window: list[Polled]) -> None:
        """Hand the feeds that need no page to the writer, and begin on the others' pages."""
        await asyncio.to_thread(self._read, answers, window)
        if any(polled.fresh for polled in window):
            await asyncio.to_thread(tagger_of, self._settings.config_dir)  # before a page is asked for in vain
        shares = [(polled, share(polled.fresh, self._needs_page)) for polled in window]
        without = [(polled, its) for polled, its in shares if not its.asked]
        # To hand something to a thread costs as much as half an article: the plain ones go together.
        parts = await asyncio.to_thread(lambda: [self._plain(*one, is_last=True) for one in without])
        for polled, its in shares:
            if its.asked:
                self._with_pages.add(asyncio.create_task(self._read_pages(pages, polled, its)))
        if parts:
            # Answers gather meanwhile: few large windows cost Elasticsearch less than many small ones.
            await (await self._hand_over(parts)).wait()

    # ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _load_pages_due(self, records: Sequence[Stored[FeedRecord]]) -> dict[str, list[EntryRecord]]:
        by_feed: dict[str, list[EntryRecord]] = defaultdict(list)
        ids = [feed.id for feed in records]
        for record in self._entries.pages_due(ids, now=self._clock(), per_feed=PAGES_PER_FEED):
            by_feed[record.feed_id].append(record)
        return by_feed

    def _read(self, answers: Answers, window: list[Polled]) -> None:
        """Parse the bodies and find what is new or changed in them, and which pages are to be tried again."""
        for polled in window:
            answers.parse(polled)
        for polled, recognised in self._recognised(window):
            for entry, record in recognised:
                self._wall("select").attempt(
                    "entry",
                    entry.id,
                    partial(polled.select, entry, record, self._clock()),
                    url=entry.url,
                    feed_id=polled.record.id,
                )
        self._note_renamed(window)
        links = {fresh.link_id for polled in window for fresh in polled.fresh}
        addresses = self._entries.articles_of_links(link for link in links if link)
        for polled in window:
            polled.fresh = [replace(one, known_url=addresses.get(one.link_id or "")) for one in polled.fresh]
        self._add_due_pages([polled for polled in window if answered(polled.outcome)])

    def _recognised(self, window: Sequence[Polled]) -> list[tuple[Polled, list[Recognised]]]:
        """The entries of each feed as they are remembered, with their records: what is to be looked at further."""
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
        found = []
        for polled in window:
            feed = polled.record.value.feed
            memory = Memory(feed, known, articles, frozenset(more[feed.id]) if feed.id in more else None)
            work = partial(recognise, polled.entries, memory)
            walls = self._wall("recognise")
            recognised = walls.attempt("feed", feed.id, work, url=feed.url, feed_id=feed.id)
            if recognised is None:  # our own fault: they are read as new, and find their articles there
                recognised = [(entry, known.get(entry_key(feed.id, entry.id))) for entry in polled.entries]
            polled.settled += [mark_shared(feed.id, name, self._clock()) for name in sorted(memory.newly_shared)]
            polled.settled += [record for _, record in recognised if record and record.id not in known]
            polled.recognised_as(entry for entry, _ in recognised)
            found.append((polled, leading(recognised)))
        return found

    def _more(self, window: Sequence[Polled], known: Mapping[str, EntryRecord]) -> dict[str, list[str]]:
        """Feed → what else is to be looked up of its entries. Of a feed that was never read there is nothing."""
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
        """Page's id → the article that its link leads to, for the entries that came under an id that is not known."""
        links = {known_id(page_of(entry.url)) for entry in entries if entry.url}
        if not links:
            return {}
        led = {link: known_id(url) for link, url in self._entries.articles_of_links(links).items() if is_address(url)}
        articles = self._articles.get({*links, *led.values()})
        ids = {link: led.get(link, link) for link in links}
        return {link: articles[name] for link, name in ids.items() if name in articles}

    def _note_renamed(self, window: Sequence[Polled]) -> None:
        """Remember that the new links of entries which say what they said lead to the articles that these had."""
        renamed = [(polled, entry, record) for polled in window for entry, record in polled.renamed]
        if not renamed:
            return
        articles = self._articles.get(record.article_id for _, _, record in renamed if record.article_id)
        for polled, entry, record in renamed:
            article = articles.get(record.article_id or "")
            if article and entry.url and is_address(article.url):
                link = Fresh(polled, entry, record).link_id or ""
                polled.settled.append(alias_of(link, article.url, article.id, self._clock()))
            polled.settled.append(replace(record, url=entry.url, last_changed=self._clock()))

    def _add_due_pages(self, window: Sequence[Polled]) -> None:
        """Whether or not the feed has changed: a page that failed is tried again at the next polls of its feed."""
        due = [(polled, record) for polled in window for record in self._pages_due.pop(polled.record.id, ())]
        articles = self._articles.get(record.article_id for _, record in due if record.article_id)
        for polled, record in due:
            if record.id in {one.record.id for one in polled.fresh if one.record}:
                continue  # the feed has changed it: its page is read anyway
            article = articles.get(record.article_id or "")
            if article is None or (article.text_status == "full" and not record.reread):
                polled.settled.append(replace(record, retry_page_at=None))  # another feed's reading was luckier
            else:
                polled.fresh.append(again(polled, record, article, known_url=self._address(article, record.url)))

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plain(self, polled: Polled, its: Share, *, is_last: bool) -> Part:
        """What of a feed needs no page, or gets it later."""
        why = f"its feed had more than {PAGES_PER_FEED} new pages at once; it is read at the next poll"
        made = [self._article(one, None) for one in its.plain]
        return Part(polled, (*made, *(self._article(one, None, later=why) for one in its.later)), is_last)

    async def _read_pages(self, pages: Pages, polled: Polled, its: Share) -> None:
        """Read the pages of one feed, and hand its articles to the writer part by part, in the order of its entries."""
        if its.plain or its.later:
            await self._hand_over([await asyncio.to_thread(partial(self._plain, polled, its, is_last=False))])
        room = asyncio.Semaphore(PAGES_AT_ONCE)
        reading = [asyncio.create_task(self._with_page(pages, room, one)) for one in its.asked]
        handed_over = 0
        try:
            while handed_over < len(reading):
                part = tuple(await asyncio.gather(*reading[handed_over : handed_over + PART]))
                handed_over += len(part)
                await self._hand_over([Part(polled, part, is_last=handed_over == len(reading))])
        finally:
            read = tuple(task.result() for task in reading[handed_over:] if _is_done(task))
            for task in reading:
                task.cancel()
            if read:  # broken off: what was asked for is not to be asked for again
                await asyncio.wait_for(self._hand_over([Part(polled, read, is_last=False)]), HAND_OVER_S)

    def _needs_page(self, fresh: Fresh) -> bool:
        if fresh.rests_until:
            return False
        return bool(fresh.entry.url) and (fresh.again or wants_page(fresh.entry, fresh.polled.record.value.feed))

    async def _with_page(self, pages: Pages, room: asyncio.Semaphore, fresh: Fresh) -> Candidate:
        async with room:
            if not self._lease.may_begin():
                why = "the batch had no more time; it is read at the next poll"
                if fresh.again:
                    return Candidate(fresh, None, later=why)
                return await asyncio.to_thread(partial(self._article, fresh, None, later=why))
            page = await pages.read(fresh.entry.url or "")
        if fresh.again and isinstance(page.answer, FetchFailed):
            return Candidate(fresh, None, page.answer)
        return await asyncio.to_thread(self._article, fresh, page)

    def _article(self, fresh: Fresh, page: Page | None, *, later: str | None = None) -> Candidate:
        """The entry as an article; one that our own code can't take is set aside, whole, with the reason."""
        walls, feed_id = self._wall("assemble"), fresh.polled.record.id
        work = partial(self._assemble, fresh, page, later)
        article = walls.attempt("entry", fresh.entry.id, work, url=fresh.entry.url, feed_id=feed_id)
        answer = page.answer if page else None
        if article is not None:
            return Candidate(fresh, article, answer, later=later)
        reason = next(found.reason for found in reversed(walls.problems) if found.subject == fresh.entry.id)
        walls.note(entry_problem(fresh.entry, feed_id, reason))
        return Candidate(fresh, None, answer, reason)

    def _assemble(self, fresh: Fresh, page: Page | None, later: str | None) -> Article:
        answer = page.answer if page else None
        article = assemble(
            fresh.entry,
            page.extracted if page else None,
            fresh.polled.record.value.feed,
            now=self._clock(),
            extractor=self._extractor,
            final_url=answer.final_url if isinstance(answer, Fetched) else None,
            known_url=fresh.known_url,
        )
        body = answer if isinstance(answer, Fetched) else fresh.polled.outcome
        if isinstance(body, Fetched):
            article = replace(article, provenance=replace(article.provenance, body_hash=body.body_hash))
        why = answer.reason if isinstance(answer, FetchFailed) else later
        if why:
            article = replace(article, problems=(*article.problems, PAGE_NOT_READ + why))
        if later and article.text_status == "full":
            article = replace(article, text_status="summary")  # or its page would never be asked for
        return self._retag(article)

    def _retag(self, article: Article) -> Article:
        return enrich(article, tagger_of(self._settings.config_dir))

    # ── write ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _write_ready(self) -> None:
        """Write the parts of feeds as they come; what has come while others were written goes together."""
        is_over = False
        while not is_over:
            ready, written, is_over = await self._take_ready()
            if ready and not await asyncio.to_thread(self._write_parts, ready):
                log.warning("batch %s: its lease is over, or another attempt has it", self._batch.number)
                return
            for event in written:
                event.set()

    async def _hand_over(self, parts: list[Part]) -> asyncio.Event:
        """Give the parts to the writer; the event tells when they are written."""
        written = asyncio.Event()
        await self._ready.put((parts, written))
        return written

    async def _take_ready(self) -> tuple[list[Part], list[asyncio.Event], bool]:
        """What is ready by now, at least something; whom to tell; and whether nothing more will come."""
        ready: list[Part] = []
        written: list[asyncio.Event] = []
        handed = await self._ready.get()
        if handed and not all(part.is_last for part in handed[0]):
            await asyncio.sleep(LINGER_S)  # pages come one by one, and each write waits for the disk
        while handed is not None:
            ready += handed[0]
            written.append(handed[1])
            await asyncio.sleep(0)  # whoever waits to hand something over does so
            if self._ready.empty() or sum(len(part.candidates) for part in ready) > WRITTEN_AT_ONCE:
                return ready, written, False
            handed = self._ready.get_nowait()
        return ready, written, True

    def _write_parts(self, parts: list[Part]) -> bool:
        """Write the articles, then remember their entries and the feeds that are done; False: the lease is over."""
        if not self._lease.holds():
            return False
        candidates = self._identify([candidate for part in parts for candidate in part.candidates])
        written = self._write(candidates)
        self._set_aside(candidates, written)
        self._remember([part.polled for part in parts if part.is_last], candidates, written)
        return True

    def _identify(self, candidates: list[Candidate]) -> list[Candidate]:
        """Give each article the identity it has already, if it has one, whichever address it is read from this time.

        An article whose page once failed is known by the link, and stays so. Where a link leads to another address,
        that is remembered before the article is written: the next to follow the link may not get to see the page.
        """
        candidates = self._relinked(candidates)
        addresses = moved(candidates)
        if not addresses:
            return candidates
        links = {one.fresh.link_id: one.fresh.entry.url for one in candidates}
        for link_id, article in self._articles.get(addresses).items():
            addresses[link_id] = self._address(article, links[link_id]) or addresses[link_id]
        self._entries.save(aliases(addresses, self._clock()))
        return [
            one
            if one.fresh.known_url
            else one.known_as(addresses[one.fresh.link_id])
            if one.fresh.link_id in addresses
            else one
            for one in candidates
        ]

    def _address(self, article: Article, link: str | None) -> str | None:
        """The stored article's URL, or the link that it was found by if it was edited to what is no address."""
        if is_address(article.url):
            return article.url
        reason = f"its url is no address: {shown(article.url)}"
        self._wall("identify").note(Problem("document", f"articles/{article.id}", reason, "identify"))
        return link

    def _relinked(self, candidates: list[Candidate]) -> list[Candidate]:
        """Give entries that were seen before, and have another link now, the article they had, if it still is that."""
        was = {id(one): article_id for one, article_id in relinked(candidates)}
        articles = self._articles.get(was.values()) if was else {}
        return [
            one.known_as(before.url)
            if one.article and (before := articles.get(was.get(id(one), ""))) and self._is_same(one, before)
            else one
            for one in candidates
        ]

    def _is_same(self, one: Candidate, was: Article) -> bool:
        if one.article is None:
            return False
        work = partial(is_same, one.article, was, one.fresh.record)
        return bool(self._wall("identify").attempt("article", was.id, work, url=was.url))

    def _write(self, candidates: Sequence[Candidate]) -> WriteReport:
        articles = [candidate.article for candidate in candidates if candidate.article]
        try:
            written = self._write_articles(articles)
        except Exception as error:
            if is_trouble(error):
                raise
            log.exception("batch %s: writing failed; its articles are tried one by one", self._batch.number)
            written = self._one_by_one(articles)
        return written

    def _write_articles(self, articles: Sequence[Article]) -> WriteReport:
        written = self._articles.write(articles, self._batch, self._seq, now=self._clock())
        self._seq = written.next_seq
        return written

    def _one_by_one(self, articles: Sequence[Article]) -> WriteReport:
        """Write each by itself, for the sake of those beside the one that can't be written at all."""
        total = WriteReport()
        self._seq += _TRIED * len(articles)  # what was written together has used numbers up
        for article in articles:
            walls, work = self._wall("write"), partial(self._write_articles, [article])
            written = walls.attempt("article", article.id, work, url=article.url, feed_id=article.source.feed_id)
            if written is None:
                self._seq += _TRIED
                reason = walls.problems[-1].reason
                written = WriteReport(refused=(Refused(article, reason),))
            total = total.plus(written)
        return total

    def _set_aside(self, candidates: Sequence[Candidate], written: WriteReport) -> None:
        """Keep what was set aside so far, before the entries are remembered: those are not read again."""
        for refused in written.refused:
            self._wall("index").note(article_problem(refused.article, refused.reason))
        failed = sum(candidate.failure is not None for candidate in candidates)
        self._report = self._report.plus(quarantined=len(written.refused) + failed)
        self._note_problems()

    def _note_problems(self) -> None:
        found = {(stage, one.id): one for stage, walls in list(self._walls.items()) for one in walls.problems}
        new = [problem for key, problem in found.items() if self._noted.get(key) is not problem]
        if new:
            Quarantine(self._context.es, self._context.names).note(new, now=self._clock())
        self._noted = found
        others = sum(problem.kind not in ("entry", "article") for problem in new)
        self._report = self._report.plus(set_aside=others)

    def _remember(self, done: list[Polled], candidates: Sequence[Candidate], written: WriteReport) -> None:
        now = self._clock()
        settled = [record for polled in done for record in polled.settled]
        self._entries.save([*settled, *(remembered(candidate, now) for candidate in candidates)])
        lost = self._feeds.save([(polled.record, self._next_state(polled, now)) for polled in done])
        self._report = self._report.plus(
            feeds=len(done) - len(lost),
            unchanged=sum(isinstance(polled.outcome, NotModified) for polled in done),
            failed=sum(isinstance(polled.outcome, FetchFailed) for polled in done),
            offline=sum(self._outage and is_silent(polled.outcome) for polled in done),
            not_a_feed=sum(isinstance(polled.parsed, NotAFeed) for polled in done),
            entries=sum(len(polled.entries) for polled in done),
            new_entries=sum(polled.unseen for polled in done),
            pages=sum(bool(one.article and one.article.provenance.page_fetched) for one in candidates),
            pages_failed=sum(candidate.page_failed for candidate in candidates),
            pages_again=sum(candidate.fresh.again and not candidate.later for candidate in candidates),
            pages_later=sum(candidate.later is not None for candidate in candidates),
            new=len(written.new),
            updated=len(written.updated),
            carried=len(written.carried),
            known=len(written.known),
        )

    def _next_state(self, polled: Polled, now: datetime) -> FeedState:
        record = polled.record.value
        work = partial(
            after_poll,
            record.state,
            record.feed,
            polled.outcome,
            polled.parsed,
            new_entries=polled.unseen,
            now=now,
            settings=self._settings,
            rng=self._rng,
            our_outage=self._outage,
        )
        walls = self._wall("schedule")
        state = walls.attempt("feed", polled.record.id, work, url=record.state.url, feed_id=polled.record.id)
        if state is not None:
            return state
        again_at = now + timedelta(seconds=BROKEN_WAIT_S)
        return replace(record.state, next_poll_at=again_at, last_error=walls.problems[-1].reason)


def _is_done(task: asyncio.Task[Candidate]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
