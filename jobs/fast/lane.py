"""The fast lane: asks some feeds every few seconds, and brings what is new at once to the readers.

One process with one event loop. It holds its feeds by compare-and-set (`jobs.fast.hold`) and asks them with
conditional requests; while nothing is new, that writes nothing but a sign of life. What is new goes the way of
everything: a batch is opened, the feed is leased to it, and `jobs.pull` reads, indexes and remembers. Then `match` and
`deliver` run in this process at once (`jobs.fast.after`), as they would in a DAG. What is left undone because the
process dies, the minute's poll and its `announce` find.

    free ─hold→ held ─news→ leased to a batch ─pull→ free ─retake→ held
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, NotModified
from ingest.parsed import ParsedFeed
from ingest.polling.schedule import after_poll
from ingest.source import Polling
from jobs.context import Context
from jobs.fast.after import Afterwards
from jobs.fast.hold import Holds
from jobs.fast.push import Pushing, PushTools
from jobs.fast.read import Brought, Handed, as_unchanged, logged, words
from jobs.pull.batch import PullReport, Within, pull
from newswatch import private
from newswatch.batch import Batch
from newswatch.feed import FeedState
from observe.record import recording
from store.elastic.documents import Stored
from store.feeds import FeedRecord

LOOK_S: Final = 1.0
"""Seconds between two looks for feeds to ask, at most."""
FAULT_S: Final = 60.0
RENEW_S: Final = 20.0
"""Seconds between two renewals of what is held."""
PULLS: Final = 4
"""Batches at once."""
WITH_COMPANIONS: Final = 2
"""Of these, the most with other feeds of held sites, which may take the whole lease: news must not wait for them."""
END_S: Final = 20.0
"""Seconds that batches may still take when the process is asked to end."""
log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What the fast lane has done."""

    asked: int = 0
    """Requests to feeds."""
    unchanged: int = 0
    """Of these, answers that said nothing new."""
    batches: int = 0
    new: int = 0
    updated: int = 0
    owed: int = 0
    sent: int = 0

    def plus(self, **counts: int) -> LaneReport:
        """The report with the counts added."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})


@dataclass(slots=True)
class _Held:
    """A held feed."""

    stored: Stored[FeedRecord]
    state: FeedState
    """As of the last answer; stored with the next renewal."""
    next_s: float
    """When it is asked next, by the loop's clock."""
    is_asked: bool = False


@dataclass(slots=True)
class _Known:
    """What is remembered of a feed while it is with a batch."""

    words: str | None = None
    """What its entries said when they were last read."""
    in_vain: int = 0
    """How often in a row its document changed without bringing anything new."""


def run(context: Context, over: threading.Event) -> LaneReport:
    """Run the fast lane until `over` is set; it is recorded as the job `fast`.

    While Elasticsearch is away nothing is asked, and it goes on when that is back.
    """
    with recording("fast", context.es, context.names, context.clock) as recorded:
        report = asyncio.run(Lane(context, sign=sign_of_life(context.settings.data_dir)).run(over))
        recorded.report = report
    return report


def sign_of_life(data_dir: Path) -> Path:
    """The file whose time is that of the last renewal."""
    return data_dir / "fast-lane.beat"


class Lane:
    """The fast lane of one process."""

    def __init__(self, context: Context, *, mails: bool | None = None, sign: Path | None = None) -> None:
        """`mails`: whether it sends what it has matched; by default, if the settings name a mail server.

        `sign`: a file that it touches with each renewal of what it holds.
        """
        self._sign = sign
        self._context, self._settings = context, context.settings
        self._holds = Holds(context)
        self._held: dict[str, _Held] = {}
        self._known: dict[str, _Known] = {}
        self._pages_due: set[str] = set()
        self._pushing: Pushing | None = None
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._workers = ThreadPoolExecutor(PULLS + 5, thread_name_prefix="fast")
        self._pulling, self._writing = asyncio.Semaphore(PULLS), asyncio.Lock()
        self._companions = asyncio.Semaphore(WITH_COMPANIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._afterwards = Afterwards(context, self._in_thread, self._count, mails=mails)
        self.report = LaneReport()

    @property
    def held(self) -> tuple[str, ...]:
        """The ids of the feeds that are held now."""
        return tuple(self._held)

    async def run(self, over: threading.Event) -> LaneReport:
        """Ask, bring in, match and send until `over` is set; then give everything back."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        threading.Thread(target=_tell, args=(over, loop, stop), daemon=True).start()
        async with Fetcher(self._settings, clock=self._context.clock) as fetcher:
            self._fetcher, self._polling, self._within = fetcher, Polling(fetcher), Within(loop, fetcher)
            if self._settings.websub:
                tools = PushTools(self._in_thread, self._start, self._bring_push)
                self._pushing = Pushing(self._context, fetcher, tools)
            begun = (self._renewing(), self._asking(), *([self._pushing.listen()] if self._pushing else []))
            first = [asyncio.create_task(work) for work in begun]
            after = [asyncio.create_task(work) for work in (self._afterwards.matching(), self._afterwards.mailing())]
            try:
                await asyncio.wait(
                    [asyncio.create_task(stop.wait()), *first, *after], return_when=asyncio.FIRST_COMPLETED
                )
                for task in (*first, *after):
                    if task.done():
                        task.result()  # a fault of ours: raised, recorded, and the process is started again
            finally:
                await self._end(first, after)
        self._workers.shutdown(wait=False, cancel_futures=True)
        return self.report

    async def _end(self, first: Iterable[asyncio.Task[None]], after: Iterable[asyncio.Task[None]]) -> None:
        """Finish what was begun: batches, then their matching and mails; and give the feeds back."""
        await _cancelled(first)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S)
        await _cancelled(self._tasks)
        self._afterwards.end()
        await asyncio.wait(after, timeout=END_S)
        await _cancelled(after)
        with logged("giving the feeds back"):
            await self._in_thread(self._holds.release, self._states())

    # ── holding ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _renewing(self) -> None:
        while True:
            with logged("renewing what is held"):
                if self._pushing:
                    self._holds.pushed = await self._pushing.look()
                await self._renew()
                self._pages_due = await self._in_thread(self._holds.pages_due, tuple(self._held))
                self._show_life()
            await asyncio.sleep(RENEW_S)

    def _show_life(self) -> None:
        if self._sign:
            with suppress(OSError):
                private.make_folder(self._sign.parent)
                self._sign.touch()

    async def _renew(self) -> None:
        async with self._writing:
            asked = self._states()
            in_vain = {feed_id: known.in_vain for feed_id, known in self._known.items()}
            now_held = await self._in_thread(self._holds.renew, asked, in_vain)
            kept = {feed.id for feed in now_held}
            for feed_id in asked.keys() - kept:
                del self._held[feed_id]
            for feed in now_held:
                self._hold(feed, was=asked.get(feed.id))
        if self._holds.left_out:
            log.warning("%s feeds are left to the minute's poll: there are too many", self._holds.left_out)
        if asked.keys() != kept:
            log.info("%s feeds are held", len(kept))
        self._start(self._poll_companions())

    def _hold(self, feed: Stored[FeedRecord], was: FeedState | None) -> None:
        """Note that the feed is held. `was` is the state that was written for it; answers may have come since."""
        if held := self._held.get(feed.id):
            held.stored = feed
            if feed.value.state != was:  # somebody has changed it
                held.state = feed.value.state
        else:
            spread = self._rng.uniform(0, self._settings.fast_interval_s)
            relied_on = self._holds.pushed.get(feed.id)
            wait_s = spread if relied_on is None else self._wait_s(feed, feed.value.state)
            self._held[feed.id] = _Held(feed, feed.value.state, _now_s() + wait_s)

    def _wait_s(self, feed: Stored[FeedRecord], state: FeedState) -> float:
        """Seconds until it is asked again. What is not for us any more goes with the next renewal, and not before."""
        known = self._known.setdefault(feed.id, _Known())
        return self._holds.wait_s(feed, state, known.in_vain) or 2 * RENEW_S

    def _states(self) -> dict[str, FeedState]:
        return {feed_id: held.state for feed_id, held in self._held.items()}

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _asking(self) -> None:
        while True:
            if not self._holds.is_valid():
                await asyncio.sleep(LOOK_S)
                continue
            for held in [held for held in self._held.values() if not held.is_asked and held.next_s <= _now_s()]:
                held.is_asked = True
                self._start(self._asked(held))
            waiting = [held.next_s for held in self._held.values() if not held.is_asked]
            await asyncio.sleep(min(LOOK_S, max(0.05, min(waiting, default=math.inf) - _now_s())))

    async def _asked(self, held: _Held) -> None:
        """Ask a feed. A fault of ours costs that feed a minute."""
        try:
            await self._ask(held)
        except Exception:
            log.exception("%s: the fast lane met a fault of ours", held.stored.value.feed.url)
            held.next_s, held.is_asked = _now_s() + FAULT_S, False

    async def _ask(self, held: _Held) -> None:
        feed, feed_id = held.stored.value.feed, held.stored.id
        outcome = await self._polling.bring(feed, held.state)
        self.report = self.report.plus(asked=1)
        known = self._known.setdefault(feed_id, _Known())
        brought = Brought(outcome)
        if isinstance(outcome, Fetched):
            brought = Brought(outcome, await self._read(outcome, held))
            if known.words is not None and words(brought.parsed) == known.words:
                outcome = as_unchanged(outcome)
                held.state = replace(held.state, body_hash=brought.outcome.body_hash)  # type: ignore[union-attr]
        if isinstance(outcome, NotModified) and feed_id not in self._pages_due:
            self._unchanged(held, outcome)
        else:  # pages that are due are tried by a batch, though the feed says nothing new
            self._pages_due.discard(feed_id)
            await self._news(held, brought, known)

    async def _read(self, answer: Fetched, held: _Held) -> ParsedFeed | None:
        """What is in the answer, in a thread; None leaves it to the batch, which reports what is wrong."""
        feed, now = held.stored.value.feed, self._context.clock()
        try:
            parsed = await self._in_thread(self._polling.read, answer, feed, now)
        except Exception:
            log.exception("%s could not be read", feed.url)
            return None
        return parsed if isinstance(parsed, ParsedFeed) else None

    def _unchanged(self, held: _Held, outcome: NotModified) -> None:
        self.report = self.report.plus(unchanged=1)
        feed, now = held.stored.value.feed, self._context.clock()
        held.state = after_poll(
            held.state, feed, outcome, None, new_entries=0, now=now, settings=self._settings, rng=self._rng
        )
        held.next_s = _now_s() + self._wait_s(held.stored, held.state)
        held.is_asked = False

    # ── bringing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _news(self, held: _Held, brought: Brought, known: _Known) -> None:
        """Hand a feed with news to a batch of its own, which waits for no other feed, and hold it again."""
        feed_id = held.stored.id
        with logged(f"bringing in {held.stored.value.feed.url}"):
            async with self._pulling:
                async with self._writing:  # the lease goes by what the last renewal wrote
                    if self._held.get(feed_id) is not held:
                        return  # it was taken away meanwhile: who has it reads it
                    del self._held[feed_id]
                    ours = replace(held.stored, value=replace(held.stored.value, state=held.state))
                    batch = await self._in_thread(self._holds.lease, [ours])
                if batch is None:
                    return
                report = await self._bring_in(batch, {feed_id: brought})
            if isinstance(brought.outcome, Fetched):
                if (said := words(brought.parsed)) != known.words or report.new or report.updated:
                    known.in_vain = 0 if report.new or report.updated else known.in_vain + 1
                # What the batch did not finish is read again, though the document will say the same.
                known.words = said if report.feeds else None
            await self._retake(feed_id)

    async def _retake(self, feed_id: str) -> None:
        """Hold a feed again that was handed to a batch, unless others have it by now."""
        async with self._writing:
            known = self._known.setdefault(feed_id, _Known())
            again = await self._in_thread(self._holds.retake, feed_id, known.in_vain)
            if again:
                state = again.value.state
                self._held[feed_id] = _Held(again, state, _now_s() + self._wait_s(again, state))

    async def _poll_companions(self) -> None:
        """Poll what is due on the sites that we hold, as `plan` would."""
        if self._companions.locked():
            return  # the next renewal finds them again
        with logged("polling the other feeds of the sites"):
            async with self._companions:
                due = await self._in_thread(self._holds.companions, self._states())
                if not due:
                    return
                async with self._pulling:
                    batch = await self._in_thread(self._holds.lease, due)
                    if batch is not None:
                        await self._bring_in(batch, {})

    async def _bring_in(self, batch: Batch, brought: dict[str, Brought]) -> PullReport:
        """Run a batch, and have it matched."""
        work = partial(pull, source=partial(Handed, brought), within=self._within)
        report = await self._in_thread(work, self._context, batch.number)
        self.report = self.report.plus(batches=1, new=report.new, updated=report.updated)
        self._afterwards.brought()
        return report

    # ── what hubs push ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _bring_push(self, feed_id: str, brought: Brought) -> bool:
        """Bring in what a hub has pushed; False: the feed is in other hands just now."""
        async with self._pulling:
            async with self._writing:
                held = self._held.pop(feed_id, None)
                if held:
                    ours = replace(held.stored, value=replace(held.stored.value, state=held.state))
                    batch = await self._in_thread(self._holds.lease, [ours])
                else:
                    batch = await self._in_thread(self._holds.lease_free, feed_id, self._states())
            if batch is None:
                return False
            await self._bring_in(batch, {feed_id: brought})
        if held:
            await self._retake(feed_id)
        return True

    def _count(self, **counts: int) -> None:
        self.report = self.report.plus(**counts)

    # ── threads and tasks ────────────────────────────────────────────────────────────────────────────────────────────

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        """Run what waits for Elasticsearch in a thread of ours: `pull` needs those of the loop while it waits."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._workers, partial(context.run, work, *args))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the fast lane met a fault of ours", exc_info=error)


def _tell(over: threading.Event, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    over.wait()
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


def _now_s() -> float:
    return time.monotonic()


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
