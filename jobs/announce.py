"""`announce`: finds work that waits and that no other task has announced."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.context import Context, job
from jobs.deliver import mails_wait
from jobs.match import batch_waits


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits."""

    batch: bool
    """A batch waits to be matched, for example one whose worker died."""
    mails: bool
    """Mails have come due."""
    feeds: int = 0
    """Feeds with news of which the hub was told."""


@job("announce")
def announce(context: Context) -> Waits:
    """What waits now.

    Raises:
        StoreError: nothing was changed; run it again.
    """
    batch, mails = batch_waits(context), mails_wait(context)
    return Waits(batch=batch, mails=mails, feeds=_announced_feeds(context))


def _announced_feeds(context: Context) -> int:
    if not context.settings.websub_hub:
        return 0
    # Imported here, since it brings an HTTP client that a task without a hub does not need.
    from jobs.announce_feeds import announce_feeds

    return announce_feeds(context)
