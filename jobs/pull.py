"""`pull`: one batch of feeds, from the request to the acknowledged documents.

The order of writes is what makes it safe to die anywhere: articles first; then, once Elasticsearch has acknowledged
them, the entries as seen and the feeds' new state; then the batch as indexed. Whatever did not get that far is done
again and finds its articles there already.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ingest.assemble import assemble, wants_page
from ingest.extract import extract, extractor_version
from ingest.fetch import Fetcher
from ingest.parse import parse
from ingest.schedule import WITNESSES, after_poll, answered, is_our_outage, is_silent, last_answer, may_be_ours
from ingest.urls import host_of, is_address
from jobs.context import Context, job
from jobs.polled import PAGE_NOT_READ, Candidate, Fresh, Polled, again, aliases, is_same, moved, relinked, remembered
from newswatch.model import (
    Article,
    Batch,
    BatchState,
    FeedState,
    Fetched,
    FetchFailed,
    FetchResult,
    NotAFeed,
    NotModified,
    ParsedFeed,
    Request,
)
from search.articles import ArticleStore, WriteReport
from search.batches import BatchStore
from search.documents import Stored
from search.entries import EntryRecord, EntryStore, entry_key
from search.feeds import FeedRecord, FeedStore
from search.quarantine import Quarantine
from transforms.enrich import enrich
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

WINDOW = 200
"""Feeds whose answers are worked on together: few round trips to Elasticsearch, bounded memory."""
LINGER_S = 0.2
"""How long a window waits to be full. Each costs a few writes that Elasticsearch brings to the disk one by one."""

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
    """Pages of earlier polls that failed then, tried again."""
    new: int = 0
    updated: int = 0
    carried: int = 0
    known: int = 0
    quarantined: int = 0
    unfinished: int = 0
    """Feeds that were not polled, as the lease ran out or somebody else took them; they stay due."""

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
    report = asyncio.run(_Puller(context, batch).run())
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

    def __init__(self, context: Context, batch: Batch) -> None:
        self._batch = batch
        self._settings, self._clock = context.settings, context.clock
        self._articles = ArticleStore(context.es, context.names, retag=self._retag)
        self._entries = EntryStore(context.es, context.names)
        self._feeds = FeedStore(context.es, context.names)
        self._quarantine = Quarantine(context.es, context.names)
        self._seq = batch.seq_of_attempt
        self._report = PullReport(batch.number)
        self._extractor = extractor_version()
        self._pages_due: dict[str, list[EntryRecord]] = {}
        self._outage = False
        self._well: dict[str, str] = {}
        """Host → address, of those that were read in this batch, the last one last."""
        self._rng = random.Random()  # noqa: S311 - jitter, no secret

    async def run(self) -> PullReport:
        records = self._feeds.leased(self._batch)
        self._pages_due = await asyncio.to_thread(self._load_pages_due, records)
        async with Fetcher(self._settings, clock=self._clock) as fetcher:
            answers = _Answers(fetcher, records)
            try:
                await self._take(fetcher, answers)
            finally:
                await answers.close()
        done = self._report.feeds
        return self._report.plus(unfinished=len(records) - done)

    async def _take(self, fetcher: Fetcher, answers: _Answers) -> None:
        """Work on the windows as they come.

        Where nobody has answered since a host was silent, the fault may be ours: that failure waits, until somebody
        does answer or the batch is at its end. It holds no body, so waiting costs nothing.
        """
        held: list[Polled] = []
        heard_at: datetime | None = None
        async for window in answers.windows():
            if self._clock() >= self._batch.lease_until:
                return
            heard = last_answer(polled.outcome for polled in window)
            heard_at = max(heard_at or heard, heard) if heard else heard_at
            self._note_witnesses(window)
            waiting = [*held, *window]
            held = [polled for polled in waiting if may_be_ours(polled.outcome, heard_at)]
            ready = [polled for polled in waiting if not may_be_ours(polled.outcome, heard_at)]
            if ready:
                await self._work(fetcher, ready)
        if held:
            self._outage = await self._is_our_outage(fetcher, {host_of(polled.outcome.url) for polled in held})
            await self._work(fetcher, held)

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

    async def _work(self, fetcher: Fetcher, window: list[Polled]) -> None:
        await asyncio.to_thread(self._read, window)
        if any(polled.fresh for polled in window):
            await asyncio.to_thread(tagger_of, self._settings.config_dir)  # before a page is asked for in vain
        candidates = await self._candidates(fetcher, window)
        await asyncio.to_thread(self._finish, window, candidates)

    def _finish(self, window: list[Polled], candidates: list[Candidate]) -> None:
        candidates = self._identify(candidates)
        self._remember(window, candidates, self._write(candidates))

    # ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _load_pages_due(self, records: Sequence[Stored[FeedRecord]]) -> dict[str, list[EntryRecord]]:
        by_feed: dict[str, list[EntryRecord]] = defaultdict(list)
        for record in self._entries.pages_due([feed.id for feed in records], now=self._clock()):
            by_feed[record.feed_id].append(record)
        return by_feed

    def _read(self, window: list[Polled]) -> None:
        """Parse the bodies and find what is new or changed in them, and which pages are to be tried again."""
        for polled in window:
            if isinstance(polled.outcome, Fetched):
                polled.parsed = _parse(polled.outcome, self._clock())
        keys = [entry_key(polled.record.id, entry.id) for polled in window for entry in polled.entries]
        known = self._entries.known(keys)
        for polled in window:
            polled.select(known)
        links = {fresh.link_id for polled in window for fresh in polled.fresh}
        addresses = self._entries.articles_of_links(link for link in links if link)
        for polled in window:
            polled.fresh = [replace(one, known_url=addresses.get(one.link_id or "")) for one in polled.fresh]
        self._add_due_pages([polled for polled in window if answered(polled.outcome)])

    def _add_due_pages(self, window: Sequence[Polled]) -> None:
        """Whether or not the feed has changed: a page that failed is tried again at the next polls of its feed."""
        due = [(polled, record) for polled in window for record in self._pages_due.pop(polled.record.id, ())]
        articles = self._articles.get(record.article_id for _, record in due if record.article_id)
        for polled, record in due:
            if record.id in {one.record.id for one in polled.fresh if one.record}:
                continue  # the feed has changed it: its page is read anyway
            article = articles.get(record.article_id or "")
            if article is None or article.text_status == "full":  # another feed's reading was luckier
                polled.settled.append(replace(record, retry_page_at=None))
            else:
                polled.fresh.append(again(polled, record, article))

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _candidates(self, fetcher: Fetcher, window: list[Polled]) -> list[Candidate]:
        """In the order of the feeds and their entries: of two that are one article, the first is written first."""
        fresh = [one for polled in window for one in polled.fresh]
        asked = [one for one in fresh if self._needs_page(one)]
        plain = [one for one in fresh if not self._needs_page(one)]
        # Each holds a page in memory between its request and its extraction.
        room = asyncio.Semaphore(2 * self._settings.fetch_concurrency)

        async def read(one: Fresh) -> Candidate:
            async with room:
                return await self._with_page(fetcher, one)

        # To hand something to a thread costs as much as half an article: the plain ones go together.
        made, read_too = await asyncio.gather(
            asyncio.to_thread(lambda: [self._article(one, None) for one in plain]),
            asyncio.gather(*map(read, asked)),
        )
        by_fresh = {id(one.fresh): one for one in (*made, *read_too)}
        return [by_fresh[id(one)] for one in fresh]

    def _needs_page(self, fresh: Fresh) -> bool:
        return bool(fresh.entry.url) and (fresh.again or wants_page(fresh.entry, fresh.polled.record.value.feed))

    async def _with_page(self, fetcher: Fetcher, fresh: Fresh) -> Candidate:
        page = await fetcher.fetch_page(fresh.entry.url or "")
        if fresh.again and isinstance(page, FetchFailed):
            return Candidate(fresh, None, page)
        return await asyncio.to_thread(self._article, fresh, page)

    def _article(self, fresh: Fresh, page: FetchResult | None) -> Candidate:
        try:
            article = self._assemble(fresh, page)
        except Exception as error:
            # One article that our own code can't take must not cost the batch: it is set aside, whole, with the reason.
            log.exception("feed %s: entry %s could not be made an article", fresh.polled.record.id, fresh.entry.id)
            return Candidate(fresh, None, page, f"{type(error).__name__}: {error}")
        return Candidate(fresh, article, page)

    def _assemble(self, fresh: Fresh, answer: FetchResult | None) -> Article:
        now, page = self._clock(), None
        if isinstance(answer, Fetched):
            page = extract(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)
        article = assemble(
            fresh.entry,
            page,
            fresh.polled.record.value.feed,
            now=now,
            extractor=self._extractor,
            final_url=answer.final_url if isinstance(answer, Fetched) else None,
            known_url=fresh.known_url,
        )
        body = answer if isinstance(answer, Fetched) else fresh.polled.outcome
        if isinstance(body, Fetched):
            article = replace(article, provenance=replace(article.provenance, body_hash=body.body_hash))
        if isinstance(answer, FetchFailed):
            article = replace(article, problems=(*article.problems, PAGE_NOT_READ + answer.reason))
        return self._retag(article)

    def _retag(self, article: Article) -> Article:
        return enrich(article, tagger_of(self._settings.config_dir))

    # ── write ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _identify(self, candidates: list[Candidate]) -> list[Candidate]:
        """Give each article the identity it has already, if it has one, whichever address it is read from this time.

        An article whose page once failed is known by the link, and stays so. Where a link leads to another address,
        that is remembered before the article is written: the next to follow the link may not get to see the page.
        """
        candidates = self._relinked(candidates)
        addresses = moved(candidates)
        if not addresses:
            return candidates
        for link_id, article in self._articles.get(addresses).items():
            addresses[link_id] = article.url
        self._entries.save(aliases(addresses, self._clock()))
        return [
            one
            if one.fresh.known_url
            else one.known_as(addresses[one.fresh.link_id])
            if one.fresh.link_id in addresses
            else one
            for one in candidates
        ]

    def _relinked(self, candidates: list[Candidate]) -> list[Candidate]:
        """Give entries that were seen before, and have another link now, the article they had, if it still is that."""
        was = {id(one): article_id for one, article_id in relinked(candidates)}
        articles = self._articles.get(was.values()) if was else {}
        return [
            one.known_as(before.url)
            if one.article and (before := articles.get(was.get(id(one), ""))) and is_same(one.article, before)
            else one
            for one in candidates
        ]

    def _write(self, candidates: Sequence[Candidate]) -> WriteReport:
        articles = [candidate.article for candidate in candidates if candidate.article]
        written = self._articles.write(articles, self._batch, self._seq, now=self._clock())
        self._seq = written.next_seq
        self._set_aside(candidates, written)
        return written

    def _set_aside(self, candidates: Sequence[Candidate], written: WriteReport) -> None:
        now = self._clock()
        for refused in written.refused:
            self._quarantine.keep_article(refused.article, refused.reason, now=now)
        for candidate in candidates:
            if candidate.failure:
                feed_id = candidate.fresh.polled.record.id
                self._quarantine.keep_entry(candidate.fresh.entry, feed_id, candidate.failure, now=now)

    def _remember(self, window: list[Polled], candidates: Sequence[Candidate], written: WriteReport) -> None:
        now = self._clock()
        settled = [record for polled in window for record in polled.settled]
        self._entries.save([*settled, *(remembered(candidate, now) for candidate in candidates)])
        lost = self._feeds.save([(polled.record, self._next_state(polled, now)) for polled in window])
        self._report = self._report.plus(
            feeds=len(window) - len(lost),
            unchanged=sum(isinstance(polled.outcome, NotModified) for polled in window),
            failed=sum(isinstance(polled.outcome, FetchFailed) for polled in window),
            offline=sum(self._outage and is_silent(polled.outcome) for polled in window),
            not_a_feed=sum(isinstance(polled.parsed, NotAFeed) for polled in window),
            entries=sum(len(polled.entries) for polled in window),
            new_entries=sum(polled.unseen for polled in window),
            pages=sum(bool(one.article and one.article.provenance.page_fetched) for one in candidates),
            pages_failed=sum(candidate.page_failed for candidate in candidates),
            pages_again=sum(candidate.fresh.again for candidate in candidates),
            new=len(written.new),
            updated=len(written.updated),
            carried=len(written.carried),
            known=len(written.known),
            quarantined=len(written.refused) + sum(candidate.failure is not None for candidate in candidates),
        )

    def _next_state(self, polled: Polled, now: datetime) -> FeedState:
        record = polled.record.value
        return after_poll(
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


class _Answers:
    """The feeds' answers, in windows, while further requests are under way."""

    def __init__(self, fetcher: Fetcher, records: Sequence[Stored[FeedRecord]]) -> None:
        self._fetcher = fetcher
        self._left = len(records)
        # Bodies wait here to be worked on: the bound keeps them from piling up in memory.
        self._queue: asyncio.Queue[Polled] = asyncio.Queue(maxsize=WINDOW)
        self._room = asyncio.Semaphore(WINDOW)
        self._tasks = [asyncio.create_task(self._fetch(record)) for record in records]

    async def _fetch(self, record: Stored[FeedRecord]) -> None:
        state = record.value.state
        request = Request(state.url, state.etag, state.last_modified, state.body_hash)
        async with self._room:
            await self._queue.put(Polled(record, await self._fetcher.fetch(request)))

    async def windows(self) -> AsyncIterator[list[Polled]]:
        """What is there, at least one and at most `WINDOW`, until every feed has answered."""
        while self._left:
            window = [await self._queue.get()]
            await self._linger()
            while len(window) < WINDOW and not self._queue.empty():
                window.append(self._queue.get_nowait())
            self._left -= len(window)
            yield window

    async def _linger(self) -> None:
        until = asyncio.get_running_loop().time() + LINGER_S
        while self._queue.qsize() < min(WINDOW, self._left) - 1 and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LINGER_S / 10)

    async def close(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _parse(answer: Fetched, now: datetime) -> ParsedFeed | NotAFeed:
    return parse(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)
