"""The answers of a batch's feeds, in windows, while further requests are running."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from ingest.bounds import harmless
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.source import DocumentSource
from jobs.keeping import Keeping
from jobs.pull.lease import Lease
from jobs.pull.polled import Polled
from newswatch.clock import Clock
from newswatch.problems import Bulkhead, Problem
from store.elastic.documents import Stored
from store.feeds import FeedRecord

WINDOW: Final = 200
"""Feeds whose answers are processed together: few round trips to Elasticsearch, bounded memory."""
LINGER_S: Final = 0.2
"""Seconds that a window waits to fill up. Each window costs several writes that Elasticsearch flushes one by one."""


class Answers:
    """Fetches the feeds from the source. Slow parsing happens here too, so that it delays no window."""

    def __init__(
        self,
        source: DocumentSource,
        records: Sequence[Stored[FeedRecord]],
        *,
        lease: Lease,
        readers: Executor,
        walls: Callable[[str], Bulkhead],
        clock: Clock,
        keeping: Keeping,
    ) -> None:
        self._source, self._lease, self._readers, self._clock = source, lease, readers, clock
        self._keeping = keeping
        self._fetching, self._parsing = walls("fetch"), walls("parse")
        self._left = len(records)
        # Bodies wait here until they are processed; the limit bounds the memory.
        self._queue: asyncio.Queue[Polled | None] = asyncio.Queue(maxsize=WINDOW)
        self._room = asyncio.Semaphore(WINDOW)
        self._tasks = [asyncio.create_task(self._fetch_and_parse(record)) for record in records]

    async def _fetch_and_parse(self, record: Stored[FeedRecord]) -> None:
        async with self._room:
            if not self._lease.may_begin():
                return await self._queue.put(None)  # it stays due
            polled = Polled(record, await self._fetch(record))
            if isinstance(polled.outcome, Fetched):
                polled.bytes = len(polled.outcome.body)
                if harmless(polled.outcome.body) is None:
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._readers, self.parse, polled)
            return await self._queue.put(polled)

    async def _fetch(self, record: Stored[FeedRecord]) -> FetchResult:
        feed, state = record.value.feed, record.value.state
        brought = await self._fetching.attempt_async(
            "feed", record.id, lambda: self._source.bring(feed, state), url=state.url, feed_id=record.id
        )
        if brought is not None:
            return brought
        return FetchFailed(state.url, FailureKind.PERMANENT, "fetching it failed: see the problems", self._clock(), 0.0)

    def parse(self, polled: Polled) -> None:
        """Parse the body of `polled` and release it; the parsed feed takes its place in memory."""
        answer, record = polled.outcome, polled.record
        if not isinstance(answer, Fetched) or polled.parsed is not None:
            return
        feed, now, started = record.value.feed, self._clock(), time.perf_counter()
        self._keeping.keep(answer, feed_id=feed.id)
        polled.parsed = self._parsing.attempt(
            "feed", record.id, lambda: self._source.read(answer, feed, now), url=answer.final_url, feed_id=record.id
        ) or NotAFeed(answer.final_url, "reading it failed: see the problems")
        polled.outcome, polled.parse_s = replace(answer, body=b""), time.perf_counter() - started
        for reason in polled.parsed.left_out if isinstance(polled.parsed, ParsedFeed) else ():
            self._parsing.note(Problem("feed", record.id, reason, "parse", answer.final_url, record.id))

    async def windows(self) -> AsyncIterator[list[Polled]]:
        """The answers that have arrived, at most `WINDOW` at a time, until all feeds are done or out of time."""
        while self._left:
            taken = [await self._queue.get()]
            await self._linger()
            while len(taken) < WINDOW and not self._queue.empty():
                taken.append(self._queue.get_nowait())
            self._left -= len(taken)
            yield [polled for polled in taken if polled is not None]

    async def _linger(self) -> None:
        until = asyncio.get_running_loop().time() + LINGER_S
        while self._queue.qsize() < min(WINDOW, self._left) - 1 and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LINGER_S / 10)

    async def close(self) -> None:
        """Cancel the running requests."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
