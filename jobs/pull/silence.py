"""Decides why a feed's host does not answer: because of itself, or because of our network."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from ingest.addresses import host_of, is_address
from ingest.http.fetch import Fetcher
from ingest.http.fetched import FetchFailed
from ingest.http.silence import WITNESSES, is_our_outage, is_silent, last_answer, may_be_ours, proxy_fault
from jobs.pull.attempt import Attempt
from jobs.pull.polled import Polled
from observe.record import noted

log = logging.getLogger(__name__)


class Silence:
    """Holds back the feeds whose hosts were silent until another host answers, or the batch ends.

    If no host has answered since a host was silent, our network may be down. Those feeds have no body, so holding them
    costs nothing.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._held: list[Polled] = []
        self._heard_at: datetime | None = None
        self._well: dict[str, str] = {}
        """Host → address of hosts that answered in this batch, the latest last."""
        self.is_ours = False
        """Our own network is down."""
        self.witnesses = 0
        """Other hosts that answered when asked."""

    def pass_through(self, window: Sequence[Polled]) -> list[Polled]:
        """Those feeds, of the window and of the ones held back before, that need not wait."""
        answered_at = last_answer(polled.outcome for polled in window)
        if answered_at:
            self._heard_at = max(self._heard_at or answered_at, answered_at)
        self._note_witnesses(window)
        _record(window, answered_at)
        waiting = [*self._held, *window]
        self._held = [polled for polled in waiting if may_be_ours(polled.outcome, self._heard_at)]
        return [polled for polled in waiting if not may_be_ours(polled.outcome, self._heard_at)]

    async def release(self, fetcher: Fetcher) -> list[Polled]:
        """The feeds still held back at the end of the batch; afterwards `is_ours` says whether our network was down."""
        released, self._held = self._held, []
        if fault := proxy_fault(polled.outcome for polled in released):
            log.warning("batch %s: no host was reached: %s", self._attempt.batch.number, fault)
            self.is_ours = True
        elif released:
            self.is_ours = await self._ask_others(fetcher, {host_of(polled.outcome.url) for polled in released})
        return released

    def _note_witnesses(self, window: Sequence[Polled]) -> None:
        for polled in window:
            if not isinstance(polled.outcome, FetchFailed):
                self._well.pop(host_of(polled.outcome.url), None)
                self._well[host_of(polled.outcome.url)] = polled.outcome.url

    async def _ask_others(self, fetcher: Fetcher, silent: set[str]) -> bool:
        """Ask other hosts that are well, from this batch or from the store, whether they can be reached."""
        known = self._well
        if len(known.keys() - silent) < WITNESSES:
            stored = await asyncio.to_thread(self._attempt.feeds.well)
            known = {host_of(url): url for url in reversed(stored) if is_address(url)} | known
        urls = [url for host, url in reversed(known.items()) if host not in silent][:WITNESSES]
        answers = await asyncio.gather(*(fetcher.answers(url) for url in urls))
        self.witnesses += sum(answers)
        is_ours = is_our_outage(silent, answers)
        if is_ours:
            number = self._attempt.batch.number
            log.warning("batch %s: our own network is down; %s hosts were not reached", number, len(silent))
        return is_ours


def _record(window: Sequence[Polled], answered_at: datetime | None) -> None:
    """Record for the pulse whether anybody answers, because the batch may take long to end."""
    if answered_at:
        noted("reached")
    for polled in window:
        if isinstance(polled.outcome, FetchFailed) and is_silent(polled.outcome):
            noted("silent", f"{polled.record.value.feed.title}: {polled.outcome.reason}")
            return
