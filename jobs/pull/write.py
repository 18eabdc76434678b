"""Writes what was read of a batch's feeds as it arrives: articles, then their entries, then the finished feeds."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from ingest.http.fetched import FetchFailed, NotModified
from ingest.http.silence import answered, is_ours, is_silent
from ingest.parsed import NotAFeed
from ingest.polling.schedule import after_poll, is_newly_broken, unread
from jobs.pull.answers import LINGER_S
from jobs.pull.attempt import Attempt
from jobs.pull.identify import Identities
from jobs.pull.polled import Candidate, Part, Polled, remembered
from jobs.pull.reach import Reach
from jobs.pull.report import PullReport
from jobs.pull.silence import Silence
from newswatch.article import Article
from newswatch.feed import FeedState
from newswatch.problems import Problem, is_trouble
from store.articles import Refused, WriteReport
from store.quarantine import Quarantine, article_problem

HANDED_OVER = 2
"""Parts that may wait for the writer; beyond that the readers wait for it, which bounds the memory."""
WRITTEN_AT_ONCE = 2_000
"""Approximate number of articles in one write; the rest goes into the next."""
_TRIED = 10
"""Ingest numbers that one article may have used up before its write failed; there are a million."""
BROKEN_WAIT_S = 3_600
"""Seconds until the next poll of a feed whose new state our own code fails to compute."""

log = logging.getLogger(__name__)


class Writer:
    """Writes the parts of feeds that are handed over to it, and counts the results of the batch."""

    def __init__(self, attempt: Attempt, silence: Silence) -> None:
        self._attempt, self._silence = attempt, silence
        self._clock, self._number = attempt.clock, attempt.batch.number
        self._identities = Identities(attempt)
        self._reach = Reach(attempt)
        self._seq = attempt.batch.seq_of_attempt
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._ready: asyncio.Queue[tuple[list[Part], asyncio.Event] | None] = asyncio.Queue(maxsize=HANDED_OVER)
        self._noted: dict[tuple[str, str], Problem] = {}
        self.report = PullReport(attempt.batch.number)

    async def hand_over(self, parts: list[Part]) -> asyncio.Event:
        """Hand over the parts once the writer has room for them; the event is set when they are written."""
        written = asyncio.Event()
        await self._ready.put((parts, written))
        return written

    async def run(self) -> None:
        """Write until everything is handed over (`finish`), or nothing may be written any more.

        Raises:
            StoreError, ConfigError, elastic_transport's errors: nothing can be written; the work is repeated.
        """
        is_over = False
        while not is_over:
            ready, written, is_over = await self._take_ready()
            if ready and not await asyncio.to_thread(self._write_parts, ready):
                log.warning("batch %s: its lease has ended, or another attempt has taken it over", self._number)
                return
            for event in written:
                event.set()

    async def finish(self, running: asyncio.Task[None]) -> None:
        """Wait until `running`, the task of `run`, has written what was handed over; keep the last problems."""
        over = asyncio.create_task(self._ready.put(None))
        await asyncio.wait({over, running}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()  # if the writer has given up, nothing takes it
        await running
        await asyncio.to_thread(self._note_problems)

    async def _take_ready(self) -> tuple[list[Part], list[asyncio.Event], bool]:
        """The parts that are ready, at least one; the events to set afterwards; whether nothing more will come."""
        ready: list[Part] = []
        written: list[asyncio.Event] = []
        handed = await self._ready.get()
        if handed and not all(part.is_last for part in handed[0]):
            await asyncio.sleep(LINGER_S)  # pages arrive one by one, and each write waits for the disk
        while handed is not None:
            ready += handed[0]
            written.append(handed[1])
            await asyncio.sleep(0)  # let waiting tasks hand over their parts
            if self._ready.empty() or sum(len(part.candidates) for part in ready) > WRITTEN_AT_ONCE:
                return ready, written, False
            handed = self._ready.get_nowait()
        return ready, written, True

    # ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _write_parts(self, parts: list[Part]) -> bool:
        """Write the articles, then record their entries and the finished feeds; False: the lease is over."""
        if not self._attempt.lease.holds():
            return False
        candidates = self._identities.identified([candidate for part in parts for candidate in part.candidates])
        written = self._write(candidates)
        candidates = _without(written.waiting, candidates)
        self._keep_problems(candidates, written)
        self._remember([part.polled for part in parts if part.is_last], candidates, written)
        return True

    def _write(self, candidates: Sequence[Candidate]) -> WriteReport:
        articles = [candidate.article for candidate in candidates if candidate.article]
        try:
            return self._write_articles(articles)
        except Exception as error:
            if is_trouble(error):
                raise
            self._attempt.knows_months = False
            log.exception("batch %s: the write failed; its articles are written one by one", self._number)
        return self._one_by_one(articles)

    def _write_articles(self, articles: Sequence[Article]) -> WriteReport:
        written = self._attempt.articles.write(articles, self._attempt.batch, self._seq, now=self._clock(), partly=True)
        self._seq = written.next_seq
        self._attempt.months |= written.months
        return written

    def _one_by_one(self, articles: Sequence[Article]) -> WriteReport:
        """Write each article by itself, so that one that can't be written does not cost the others."""
        total, walls = WriteReport(), self._attempt.wall("write")
        self._seq += _TRIED * len(articles)  # the joint write has used numbers up
        for article in articles:
            feed_id, work = article.source.feed_id, partial(self._write_articles, [article])
            written = walls.attempt("article", article.id, work, url=article.url, feed_id=feed_id)
            if written is None:
                self._seq += _TRIED
                reason = walls.reason("article", article.id, feed_id=feed_id)
                written = WriteReport(refused=(Refused(article, reason),))
            total = total.plus(written)
        return total

    # ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keep_problems(self, candidates: Sequence[Candidate], written: WriteReport) -> None:
        """Keep the problems so far before the entries are recorded, because recorded entries are not read again."""
        for refused in written.refused:
            self._attempt.wall("index").note(article_problem(refused.article, refused.reason))
        failed = sum(candidate.failure is not None for candidate in candidates)
        self.report = self.report.plus(quarantined=len(written.refused) + failed)
        self._note_problems()

    def _note_problems(self) -> None:
        problems = self._attempt.problems
        new = [problem for key, problem in problems.items() if self._noted.get(key) is not problem]
        if new:
            Quarantine(self._attempt.context.es, self._attempt.context.names).note(new, now=self._clock())
        self._noted = problems
        others = sum(problem.kind not in ("entry", "article") for problem in new)
        self.report = self.report.plus(set_aside=others)

    # ── entries and feeds ────────────────────────────────────────────────────────────────────────────────────────────

    def _remember(self, done: list[Polled], candidates: Sequence[Candidate], written: WriteReport) -> None:
        now = self._clock()
        unchanged = [record for polled in done for record in polled.to_remember]
        self._attempt.entries.save([*unchanged, *(remembered(candidate, now) for candidate in candidates)])
        # Before the feeds' states: if the worker dies in between, the feeds are polled again, and this is noted again.
        self._reach.note([polled.outcome for polled in done], now, our_outage=self._silence.is_ours)
        lost = self._attempt.feeds.save([(polled.record, self._next_state(polled, now)) for polled in done])
        self.report = (
            self.report.plus(feeds=len(done) - len(lost))
            .plus(**_counts_of_feeds(done, our_outage=self._silence.is_ours))
            .plus(**_counts_of_pages(candidates))
            .plus(
                new=len(written.new),
                updated=len(written.updated),
                carried=len(written.carried),
                known=len(written.known),
            )
        )

    def _next_state(self, polled: Polled, now: datetime) -> FeedState:
        record = polled.record.value
        work = partial(
            after_poll,
            record.state,
            record.feed,
            polled.outcome,
            polled.seen,
            new_entries=polled.unseen,
            now=now,
            settings=self._attempt.settings,
            rng=self._rng,
            our_outage=self._silence.is_ours,
        )
        walls, feed_id = self._attempt.wall("schedule"), polled.record.id
        state = walls.attempt("feed", feed_id, work, url=record.state.url, feed_id=feed_id)
        if state is not None:
            if is_newly_broken(record.feed, record.state, state):
                walls.note(Problem("feed", feed_id, state.health_why, "schedule", state.url, feed_id))
            return state
        reason = walls.reason("feed", feed_id, feed_id=feed_id)
        state = unread(record.state, reason, now)
        return replace(state, next_poll_at=now + timedelta(seconds=BROKEN_WAIT_S), last_error=reason)


def _without(waiting: Sequence[str], candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates whose articles don't wait; the feeds of the others come again as a whole."""
    those, written = set(waiting), []
    for candidate in candidates:
        if candidate.article and candidate.article.id in those:
            candidate.fresh.polled.waiting += 1
        else:
            written.append(candidate)
    return written


def _counts_of_feeds(done: Sequence[Polled], *, our_outage: bool) -> dict[str, float]:
    return {
        "unchanged": sum(isinstance(polled.outcome, NotModified) for polled in done),
        "failed": sum(isinstance(polled.outcome, FetchFailed) for polled in done),
        "silent": sum(is_silent(polled.outcome) for polled in done),
        "reached": sum(answered(polled.outcome) for polled in done),
        "offline": sum(is_ours(polled.outcome, our_outage=our_outage) for polled in done),
        "not_a_feed": sum(isinstance(polled.parsed, NotAFeed) for polled in done),
        "entries": sum(len(polled.entries) for polled in done),
        "waiting": sum(polled.waiting for polled in done),
        "new_entries": sum(polled.unseen for polled in done),
        "bytes": sum(polled.bytes for polled in done),
        "parse_seconds": sum(polled.parse_s for polled in done),
    }


def _counts_of_pages(candidates: Sequence[Candidate]) -> dict[str, int]:
    articles = [candidate.article for candidate in candidates if candidate.article]
    return {
        "pages": sum(article.provenance.page_fetched for article in articles),
        "pages_failed": sum(candidate.page_failed for candidate in candidates),
        "pages_again": sum(candidate.fresh.again and not candidate.later for candidate in candidates),
        "pages_later": sum(candidate.later is not None for candidate in candidates),
    }
