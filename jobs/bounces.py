"""`bounces`: reads the mailbox of bounces, and pauses addresses that no mail reaches."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from delivery.channels.email_bounces import Bounce, Verdict, read_bounce
from delivery.channels.email_mailbox import each_unseen
from delivery.channels.email_return_path import token_of, whose
from delivery.links import signing_keys
from delivery.mailbox import Mailbox, Mailboxes, bounced
from jobs.context import Context, job
from newswatch.problems import Bulkhead, Problem

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BounceReport:
    """What was read."""

    hard: int = 0
    """Bounces of addresses that no mail reaches; these are paused."""
    soft: int = 0
    """Mails that were not delivered, to addresses that later ones may reach."""
    delayed: int = 0
    replies: int = 0
    unknown: int = 0
    """Bounces whose address could not be told, or that nobody but a forger could have sent."""
    paused: int = 0
    """Addresses that were not paused before."""
    left: int = 0
    """Messages for the next run."""


@job("bounces")
def bounces(context: Context) -> BounceReport:
    """Read the bounces; without a mailbox in the settings, nothing.

    Raises:
        BounceMailboxError: the mailbox can't be read; the next run tries again.
        StoreError: Elasticsearch is unavailable; what was not recorded is read again.
    """
    if not context.settings.bounce_mailbox:
        return BounceReport()
    counts = Counter[str]()
    with context.stage("bounces") as walls:
        reader = _Reader(context, walls, counts)
        left = each_unseen(context.settings, reader.take)
    return BounceReport(**counts, left=left)


class _Reader:
    def __init__(self, context: Context, walls: Bulkhead, counts: Counter[str]) -> None:
        self._boxes, self._walls, self._counts = Mailboxes(context.es, context.names), walls, counts
        self._keys, self._now = signing_keys(context.settings), context.clock()

    def take(self, octets: bytes) -> None:
        """Record what a message says. One that can't be read costs itself."""
        try:
            bounce = read_bounce(octets)
        except Exception:  # it was written by strangers, and read by a parser for everything
            log.exception("A message among the bounces can't be read, and is left out.")
            self._counts["unknown"] += 1
            return
        if bounce.verdict not in (Verdict.HARD, Verdict.SOFT):
            self._counts["replies" if bounce.verdict == Verdict.REPLY else "delayed"] += 1
            return
        address = whose(bounce.tokens, bounce.recipients, self._keys) or self._found(bounce)
        if address is None:
            self._counts["unknown"] += 1
            return
        self._counts[bounce.verdict] += 1
        self._walls.attempt("recipient", address, partial(self._record, address, bounce))

    def _found(self, bounce: Bounce) -> str | None:
        """The mailbox that a token stands for: the mail was forwarded, so the bounce names another address."""
        if not bounce.tokens:
            return None
        wanted = set(bounce.tokens)
        addresses = self._boxes.addresses()
        return next((a for a in addresses for key in self._keys if token_of(a, key) in wanted), None)

    def _record(self, address: str, bounce: Bounce) -> None:
        before = self._boxes.get(address)
        hard = bounce.verdict == Verdict.HARD
        self._boxes.change(address, partial(_noted, hard=hard, reason=bounce.reason, now=self._now))
        if hard and before.bounced_at is None:
            self._counts["paused"] += 1
            why = f"no mail reaches it ({bounce.reason}), so it gets none until `newswatch mails resume {address}`"
            self._walls.note(Problem("recipient", address, why, "bounces"))


def _noted(box: Mailbox, *, hard: bool, reason: str, now: datetime) -> Mailbox:
    if hard:
        return bounced(box, reason, now)
    return replace(box, last_error=f"bounced: {reason}")
