"""`pull`: processes one batch of feeds, from the requests to the acknowledged documents.

The order of writes makes a crash safe at any point: first the articles; once Elasticsearch has acknowledged them, the
entries as seen and the feeds' new states; then the batch as indexed. Whatever was not reached is repeated and finds its
articles already there.

Nothing waits for unrelated work: a feed's articles are written as soon as they are ready (`jobs.pull.write`), while its
further pages, other feeds and slow hosts are still being fetched. Failures are contained (`newswatch.problems`): a
feed, a page or an entry costs only itself.

A window of feeds passes these steps: `Answers` fetches the documents from the batch's source, `Silence` holds back the
feeds whose hosts are silent, `Selection` selects the fresh entries, `Assembly` makes them articles, `Writer` writes
them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ingest.http.fetch import Fetcher
from ingest.source import Polling, SourceOf
from jobs.context import Context, job
from jobs.keeping import Keeping
from jobs.pull.answers import Answers
from jobs.pull.assemble import Assembly
from jobs.pull.attempt import Attempt
from jobs.pull.lease import Lease
from jobs.pull.pages import READERS, Pages
from jobs.pull.polled import Part, Polled
from jobs.pull.report import PullReport
from jobs.pull.select import Selection
from jobs.pull.silence import Silence
from jobs.pull.write import Writer
from newswatch.batch import BatchState
from observe.record import noted
from store.batches import BatchStore
from store.elastic.documents import Stored
from store.feeds import FeedRecord

__all__ = ["PullReport", "Within", "pull"]

log = logging.getLogger(__name__)


@job("pull")
def pull(context: Context, number: int, *, source: SourceOf = Polling, within: Within | None = None) -> PullReport:
    """Index the articles of the feeds in batch `number`, with documents from `source`. Repeating it is harmless.

    `within` a process that fetches all the time, its fetcher is used, so that it keeps the pace of each host.

    Raises:
        StoreError: Elasticsearch is unavailable; run it again.
        ConfigError: the taxonomy can't be read; new entries stay due.
    """
    batches = BatchStore(context.es, context.names)
    if batches.get(number).value.state != BatchState.PLANNED:
        return PullReport(number)
    batch = batches.begin(number)
    lease = Lease(batch, batches, context.clock)
    attempt = Attempt(context, batch, lease)
    puller = _Puller(attempt, source)
    report = within.run(puller.run) if within else asyncio.run(_alone(context, puller))
    if not lease.was_taken_over():
        months = attempt.months if attempt.knows_months else None
        batches.mark_indexed(number, counts=report.counts(), now=context.clock(), months=months)
    return report


@dataclass(frozen=True, slots=True)
class Within:
    """A process that fetches all the time: its event loop and its fetcher."""

    loop: asyncio.AbstractEventLoop
    fetcher: Fetcher

    def run(self, work: Callable[[Fetcher], Coroutine[Any, Any, PullReport]]) -> PullReport:
        """Do the work in the loop, and wait for it. Called in a thread."""
        return asyncio.run_coroutine_threadsafe(work(self.fetcher), self.loop).result()


async def _alone(context: Context, puller: _Puller) -> PullReport:
    async with Fetcher(context.settings, clock=context.clock) as fetcher:
        return await puller.run(fetcher)


class _Puller:
    """Runs one attempt: processes the windows as they arrive, and ends within the lease."""

    def __init__(self, attempt: Attempt, source: SourceOf) -> None:
        self._attempt, self._source = attempt, source
        self._silence = Silence(attempt)
        self._selection = Selection(attempt)
        self._assembly = Assembly(attempt)
        self._writer = Writer(attempt, self._silence)
        self._with_pages: set[asyncio.Task[None]] = set()
        self._page_counts: dict[str, float] = {}

    async def run(self, fetcher: Fetcher) -> PullReport:
        """The result of the attempt, whose requests go by `fetcher`."""
        records = self._attempt.feeds.leased(self._attempt.batch)
        if records and self._attempt.lease.may_begin():
            noted("asked")
            await asyncio.to_thread(self._selection.load_pages_due, records)
            await self._run(fetcher, records)
        report = self._writer.report.plus(reached=self._silence.witnesses, **self._page_counts)
        return report.plus(unfinished=len(records) - report.feeds)

    async def _run(self, fetcher: Fetcher, records: Sequence[Stored[FeedRecord]]) -> None:
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        keeping = Keeping(self._attempt.context)
        shared: dict[str, Any] = {"readers": readers, "walls": self._attempt.wall, "clock": self._attempt.clock}
        shared["keeping"] = keeping
        answers = Answers(self._source(fetcher), records, lease=self._attempt.lease, **shared)
        pages = Pages(fetcher, **shared)
        writing = asyncio.create_task(self._writer.run())
        taking = asyncio.create_task(self._take(fetcher, answers, pages))
        try:
            await self._within_lease(taking, writing)
            await self._writer.finish(writing)
        finally:
            await _ended(taking, writing, *self._with_pages)
            await answers.close()
            await pages.close()
            self._page_counts = pages.counts()
            readers.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(keeping.close)

    async def _within_lease(self, taking: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
        """Wait until all windows are processed, the lease nears its end, or nothing can be written any more."""
        left_s = self._attempt.lease.seconds_left()
        await asyncio.wait({taking, writing}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            return taking.result()
        await _ended(taking, *self._with_pages)
        if not writing.done():
            log.warning("batch %s: stopped, because its lease nears its end", self._attempt.batch.number)
        return None

    async def _take(self, fetcher: Fetcher, answers: Answers, pages: Pages) -> None:
        """Process the windows as they arrive, then the feeds that were silent, and wait for the pages."""
        async for window in answers.windows():
            if ready := self._silence.pass_through(window):
                await self._work(answers, pages, ready)
        if silent := await self._silence.release(fetcher):
            await self._work(answers, pages, silent)
        while self._with_pages:
            await asyncio.wait(self._with_pages)
            self._with_pages = {task for task in self._with_pages if not task.done() or task.result()}

    async def _work(self, answers: Answers, pages: Pages, window: list[Polled]) -> None:
        """Hand the feeds that need no page to the writer, and start reading the others' pages."""
        await asyncio.to_thread(self._read, answers, window)
        if any(polled.fresh for polled in window):
            await asyncio.to_thread(self._attempt.tagger)  # if the taxonomy is wrong, fail before fetching pages
        shares = [(polled, self._assembly.share(polled)) for polled in window]
        # Handing work to a thread costs as much as half an article, so all feeds without pages go together.
        plain = [(polled, share) for polled, share in shares if not share.asked]
        parts = await asyncio.to_thread(lambda: [self._assembly.plain(*each, is_last=True) for each in plain])
        for polled, share in shares:
            if share.asked:
                reading = self._assembly.with_pages(pages, polled, share, self._writer.hand_over)
                self._with_pages.add(asyncio.create_task(reading))
        if parts:
            await self._written(parts)

    def _read(self, answers: Answers, window: Sequence[Polled]) -> None:
        for polled in window:
            answers.parse(polled)
        self._selection.select(window)

    async def _written(self, parts: list[Part]) -> None:
        """Wait until the parts are written. Meanwhile more answers gather; few large windows are cheaper to write."""
        written = await self._writer.hand_over(parts)
        await written.wait()


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and wait for them to end, ignoring their results and exceptions."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
