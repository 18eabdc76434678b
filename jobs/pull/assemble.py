"""From fresh entries to articles: reads the pages of a feed and hands its articles over part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from ingest.assemble import assemble, wants_page
from ingest.http.fetched import Fetched, FetchFailed
from ingest.pages.extract import extractor_version
from jobs.pull.attempt import Attempt
from jobs.pull.pages import Page, Pages
from jobs.pull.polled import PAGE_NOT_READ, PAGES_PER_FEED, Candidate, Fresh, Part, Polled, Share, share
from newswatch.article import Article
from store.quarantine import entry_problem

PAGES_AT_ONCE = 4
"""Pages of one feed that are read at the same time; pages that a slow host delays leave room for other feeds'."""
PART = 10
"""Articles of one feed that are written together while its further pages are read."""
HAND_OVER_S = 10
"""Seconds that a cancelled feed waits for the writer to take what was already read."""

HandOver = Callable[[list[Part]], Awaitable[object]]
"""Gives parts to the writer, and returns once it has taken them."""


class Assembly:
    """Makes articles from fresh entries."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self._lease = attempt, attempt.lease
        self._extractor = extractor_version()

    def share(self, polled: Polled) -> Share:
        """The feed's entries whose page is read now, is not needed, or waits for the next poll."""
        return share(polled.fresh, _needs_page)

    def plain(self, polled: Polled, shared: Share, *, is_last: bool) -> Part:
        """The articles of a feed that need no page, or whose page is read later."""
        why = f"its feed had more than {PAGES_PER_FEED} new pages at once; it is read at the next poll"
        plain = [self._candidate(fresh, None) for fresh in shared.plain]
        later = [self._candidate(fresh, None, later=why) for fresh in shared.later]
        return Part(polled, (*plain, *later), is_last)

    async def with_pages(self, pages: Pages, polled: Polled, shared: Share, hand_over: HandOver) -> None:
        """Read the pages of one feed, and hand its articles over part by part, in the order of its entries."""
        if shared.plain or shared.later:
            await hand_over([await asyncio.to_thread(partial(self.plain, polled, shared, is_last=False))])
        room = asyncio.Semaphore(PAGES_AT_ONCE)
        reading = [asyncio.create_task(self._with_page(pages, room, fresh)) for fresh in shared.asked]
        handed_over = 0
        try:
            while handed_over < len(reading):
                part = tuple(await asyncio.gather(*reading[handed_over : handed_over + PART]))
                handed_over += len(part)
                await hand_over([Part(polled, part, is_last=handed_over == len(reading))])
        finally:
            read = tuple(task.result() for task in reading[handed_over:] if _is_done(task))
            for task in reading:
                task.cancel()
            if read:  # cancelled: pages that were fetched must not be fetched again
                await asyncio.wait_for(hand_over([Part(polled, read, is_last=False)]), HAND_OVER_S)

    async def _with_page(self, pages: Pages, room: asyncio.Semaphore, fresh: Fresh) -> Candidate:
        async with room:
            if not self._lease.may_begin():
                why = "the batch had no more time; it is read at the next poll"
                if fresh.again:
                    return Candidate(fresh, None, later=why)
                return await asyncio.to_thread(partial(self._candidate, fresh, None, later=why))
            page = await pages.read(fresh.entry.url or "")
        if fresh.again and isinstance(page.answer, FetchFailed):
            return Candidate(fresh, None, page.answer)
        return await asyncio.to_thread(self._candidate, fresh, page)

    def _candidate(self, fresh: Fresh, page: Page | None, *, later: str | None = None) -> Candidate:
        """The entry as an article; if our code fails on it, the whole entry goes into quarantine with the reason."""
        walls, feed_id = self._attempt.wall("assemble"), fresh.polled.record.id
        work = partial(self._article, fresh, page, later)
        article = walls.attempt("entry", fresh.entry.id, work, url=fresh.entry.url, feed_id=feed_id)
        answer = page.answer if page else None
        if article is not None:
            return Candidate(fresh, article, answer, later=later)
        reason = walls.reason("entry", fresh.entry.id, feed_id=feed_id)
        walls.note(entry_problem(fresh.entry, feed_id, reason))
        return Candidate(fresh, None, answer, reason)

    def _article(self, fresh: Fresh, page: Page | None, later: str | None) -> Article:
        answer = page.answer if page else None
        article = assemble(
            fresh.entry,
            page.extracted if page else None,
            fresh.polled.record.value.feed,
            now=self._attempt.clock(),
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
            article = replace(article, text_status="summary")  # otherwise its page would never be fetched
        return self._attempt.enriched(article)


def _needs_page(fresh: Fresh) -> bool:
    if fresh.rests_until:
        return False
    return bool(fresh.entry.url) and (fresh.again or wants_page(fresh.entry, fresh.polled.record.value.feed))


def _is_done(task: asyncio.Task[Candidate]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
