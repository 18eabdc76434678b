"""Records when our own network was down: from the first poll that reached nobody to the next that reached somebody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from ingest.http.fetched import FetchResult
from ingest.http.silence import answered, is_ours, proxy_fault
from jobs.pull.attempt import Attempt
from newswatch.outages import Cause, History, begun, ended
from store.outages import OutageStore


class Reach:
    """What one batch says of our network. It is asked for with each write, and mostly costs nothing."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._outages = OutageStore(attempt.context.es, attempt.context.names)
        self._is_known_up = False

    def note(self, outcomes: Sequence[FetchResult], now: datetime, *, our_outage: bool) -> None:
        """Record an outage of our network that began or ended by these outcomes of polls.

        A record that can't be read is quarantined, and keeps no feed from being polled.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        silent = [outcome.fetched_at for outcome in outcomes if is_ours(outcome, our_outage=our_outage)]
        if silent:
            why = proxy_fault(outcomes) or f"{len(silent)} feeds were silent, and so was everybody else who was asked"
            self._change(partial(begun, at=min(silent), why=why))
        elif not self._is_known_up and any(answered(outcome) for outcome in outcomes):
            # Until now, not until the answer: what was silent is only polled again from now on.
            self._change(partial(ended, at=now))
            self._is_known_up = True

    def _change(self, changed: partial[History]) -> None:
        work = partial(self._outages.change, Cause.NETWORK, changed)
        self._attempt.wall("schedule").attempt("document", f"{Cause.NETWORK} outages", work)
