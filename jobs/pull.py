"""`pull`: one batch of feeds, from the request to the acknowledged documents.

The order of writes is what makes it safe to die anywhere: articles first; then, once Elasticsearch has acknowledged
them, the entries as seen and the feeds' new state; then the batch as indexed. Whatever did not get that far is done
again and finds its articles there already.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from ingest.assemble import assemble, wants_page
from ingest.extract import extract
from ingest.parse import parse
from ingest.schedule import after_poll

from ingest.fetch import Fetcher
from jobs.context import Context
from newswatch.model import (
    Article,
    Batch,
    BatchState,
    Entry,
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
from search.entries import EntryRecord, EntryStore, content_hash, entry_key
from search.feeds import FeedRecord, FeedStore
from search.quarantine import Quarantine
from transforms.enrich import enrich
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

WINDOW = 50
"""Feeds whose answers are worked on together: few round trips to Elasticsearch, bounded memory."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a batch brought, in counts."""

    batch: int
    feeds: int = 0
    unchanged: int = 0
    """Answered 304, or with the same body."""
    failed: int = 0
    not_a_feed: int = 0
    entries: int = 0
    """In the bodies read, seen before or not."""
    new_entries: int = 0
    pages: int = 0
    pages_failed: int = 0
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


@dataclass(slots=True)
class _Polled:
    """A feed on its way through a window."""

    record: Stored[FeedRecord]
    outcome: FetchResult
    parsed: ParsedFeed | NotAFeed | None = None
    fresh: list[_Fresh] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """An entry that is new, or says something else than in its record."""

    polled: _Polled
    entry: Entry
    record: EntryRecord | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A fresh entry with its article; without one, `failure` says why it could not be made."""

    fresh: _Fresh
    article: Article | None
    page_failed: bool = False
    failure: str | None = None


def pull(context: Context, number: int) -> PullReport:
    """Poll the feeds of batch `number` and index what they bring. Doing it again does no harm.

    Raises:
        StoreError: Elasticsearch is unavailable; run it again.
        ConfigError: the taxonomy can't be read; nothing was polled.
    """
    batches = BatchStore(context.es, context.names)
    if batches.get(number).value.state != BatchState.PLANNED:
        return PullReport(number)
    tagger = Tagger(load_taxonomy(context.settings.config_dir / "taxonomy.yaml"))
    batch = batches.begin(number)
    report = asyncio.run(_Puller(context, batch, tagger).run())
    batches.mark_indexed(number, counts=report.counts(), now=context.clock())
    return report


class _Puller:
    """One attempt at one batch."""

    def __init__(self, context: Context, batch: Batch, tagger: Tagger) -> None:
        self._context, self._batch = context, batch
        self._settings, self._clock = context.settings, context.clock
        self._retag: Callable[[Article], Article] = lambda article: enrich(article, tagger)
        self._articles = ArticleStore(context.es, context.names, retag=self._retag)
        self._entries = EntryStore(context.es, context.names)
        self._feeds = FeedStore(context.es, context.names)
        self._quarantine = Quarantine(context.es, context.names)
        self._seq = batch.seq_of_attempt
        self._report = PullReport(batch.number)
        self._rng = random.Random()  # noqa: S311 - jitter, no secret

    async def run(self) -> PullReport:
        records = self._feeds.leased(self._batch)
        async with Fetcher(self._settings, clock=self._clock) as fetcher:
            answers = _Answers(fetcher, records)
            try:
                async for window in answers.windows():
                    if self._clock() >= self._batch.lease_until:
                        break
                    await self._work(fetcher, window)
            finally:
                await answers.close()
        done = self._report.feeds
        return self._report.plus(unfinished=len(records) - done)

    async def _work(self, fetcher: Fetcher, window: list[_Polled]) -> None:
        await asyncio.to_thread(self._read, window)
        candidates = await self._candidates(fetcher, window)
        written = await asyncio.to_thread(self._write, candidates)
        await asyncio.to_thread(self._remember, window, candidates, written)

    # ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, window: list[_Polled]) -> None:
        """Parse the bodies and find what is new or changed in them."""
        for polled in window:
            if isinstance(polled.outcome, Fetched):
                polled.parsed = _parse(polled.outcome, self._clock())
        keys = [entry_key(polled.record.id, entry.id) for polled in window for entry in _entries(polled)]
        known = self._entries.known(keys)
        for polled in window:
            self._select(polled, known)

    def _select(self, polled: _Polled, known: Mapping[str, EntryRecord]) -> None:
        for entry in _entries(polled):
            record = known.get(entry_key(polled.record.id, entry.id))
            if record is None or record.content_hash != content_hash(entry):
                polled.fresh.append(_Fresh(polled, entry, record))

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _candidates(self, fetcher: Fetcher, window: list[_Polled]) -> list[_Candidate]:
        # Each holds a page in memory between its request and its extraction.
        room = asyncio.Semaphore(2 * self._settings.fetch_concurrency)

        async def one(fresh: _Fresh) -> _Candidate:
            async with room:
                return await self._candidate(fetcher, fresh)

        return await asyncio.gather(*(one(fresh) for polled in window for fresh in polled.fresh))

    async def _candidate(self, fetcher: Fetcher, fresh: _Fresh) -> _Candidate:
        answer: FetchResult | None = None
        if fresh.entry.url and wants_page(fresh.entry, fresh.polled.record.value.feed):
            answer = await fetcher.fetch(Request(fresh.entry.url))
        return await asyncio.to_thread(self._article, fresh, answer)

    def _article(self, fresh: _Fresh, answer: FetchResult | None) -> _Candidate:
        page_failed = isinstance(answer, FetchFailed)
        try:
            article = self._assemble(fresh, answer)
        except Exception as error:
            # One article that our own code can't take must not cost the batch: it is set aside, whole, with the reason.
            log.exception("feed %s: entry %s could not be made an article", fresh.polled.record.id, fresh.entry.id)
            return _Candidate(fresh, None, page_failed, f"{type(error).__name__}: {error}")
        return _Candidate(fresh, article, page_failed)

    def _assemble(self, fresh: _Fresh, answer: FetchResult | None) -> Article:
        now, page = self._clock(), None
        if isinstance(answer, Fetched):
            page = extract(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)
        article = assemble(fresh.entry, page, fresh.polled.record.value.feed, now=now)
        body = answer if isinstance(answer, Fetched) else fresh.polled.outcome
        if isinstance(body, Fetched):
            article = replace(article, provenance=replace(article.provenance, body_hash=body.body_hash))
        if isinstance(answer, FetchFailed):
            article = replace(article, problems=(*article.problems, f"page not read: {answer.reason}"))
        return self._retag(article)

    # ── write ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, candidates: Sequence[_Candidate]) -> WriteReport:
        articles = [candidate.article for candidate in candidates if candidate.article]
        written = self._articles.write(articles, self._batch, self._seq, now=self._clock())
        self._seq = written.next_seq
        self._set_aside(candidates, written)
        return written

    def _set_aside(self, candidates: Sequence[_Candidate], written: WriteReport) -> None:
        now = self._clock()
        for refused in written.refused:
            self._quarantine.keep_article(refused.article, refused.reason, now=now)
        for candidate in candidates:
            if candidate.failure:
                feed_id = candidate.fresh.polled.record.id
                self._quarantine.keep_entry(candidate.fresh.entry, feed_id, candidate.failure, now=now)

    def _remember(self, window: list[_Polled], candidates: Sequence[_Candidate], written: WriteReport) -> None:
        now = self._clock()
        self._entries.save([_entry_record(candidate, now) for candidate in candidates])
        lost = self._feeds.save([(polled.record, self._next_state(polled, now)) for polled in window])
        self._report = self._report.plus(
            feeds=len(window) - len(lost),
            unchanged=sum(isinstance(polled.outcome, NotModified) for polled in window),
            failed=sum(isinstance(polled.outcome, FetchFailed) for polled in window),
            not_a_feed=sum(isinstance(polled.parsed, NotAFeed) for polled in window),
            entries=sum(len(_entries(polled)) for polled in window),
            new_entries=sum(_unseen(polled) for polled in window),
            pages=sum(bool(one.article and one.article.provenance.page_fetched) for one in candidates),
            pages_failed=sum(candidate.page_failed for candidate in candidates),
            new=len(written.new),
            updated=len(written.updated),
            carried=len(written.carried),
            known=len(written.known),
            quarantined=len(written.refused) + sum(candidate.failure is not None for candidate in candidates),
        )

    def _next_state(self, polled: _Polled, now: datetime) -> FeedState:
        record = polled.record.value
        return after_poll(
            record.state,
            record.feed,
            polled.outcome,
            polled.parsed,
            new_entries=_unseen(polled),
            now=now,
            settings=self._settings,
            rng=self._rng,
        )


class _Answers:
    """The feeds' answers, in windows, while further requests are under way."""

    def __init__(self, fetcher: Fetcher, records: Sequence[Stored[FeedRecord]]) -> None:
        self._fetcher = fetcher
        self._left = len(records)
        # Bodies wait here to be worked on: the bound keeps them from piling up in memory.
        self._queue: asyncio.Queue[_Polled] = asyncio.Queue(maxsize=WINDOW)
        self._room = asyncio.Semaphore(2 * WINDOW)
        self._tasks = [asyncio.create_task(self._fetch(record)) for record in records]

    async def _fetch(self, record: Stored[FeedRecord]) -> None:
        state = record.value.state
        request = Request(state.url, state.etag, state.last_modified, state.body_hash)
        async with self._room:
            await self._queue.put(_Polled(record, await self._fetcher.fetch(request)))

    async def windows(self) -> AsyncIterator[list[_Polled]]:
        """What is there, at least one and at most `WINDOW`, until every feed has answered."""
        while self._left:
            window = [await self._queue.get()]
            while len(window) < WINDOW and not self._queue.empty():
                window.append(self._queue.get_nowait())
            self._left -= len(window)
            yield window

    async def close(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _parse(answer: Fetched, now: datetime) -> ParsedFeed | NotAFeed:
    return parse(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)


def _entries(polled: _Polled) -> tuple[Entry, ...]:
    return polled.parsed.entries if isinstance(polled.parsed, ParsedFeed) else ()


def _unseen(polled: _Polled) -> int:
    return sum(fresh.record is None for fresh in polled.fresh)


def _entry_record(candidate: _Candidate, now: datetime) -> EntryRecord:
    fresh = candidate.fresh
    return EntryRecord(
        feed_id=fresh.polled.record.id,
        entry_id=fresh.entry.id,
        url=fresh.entry.url,
        article_id=candidate.article.id if candidate.article else None,
        content_hash=content_hash(fresh.entry),
        first_seen=fresh.record.first_seen if fresh.record else now,
        last_changed=now,
    )
