"""The mailboxes that one worker holds: claimed, kept, given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from delivery.due import LEASE
from delivery.mailbox import CHANGED_BY_OTHERS, Mailbox, Mailboxes, tried, untried
from delivery.sending import Served
from store.elastic.documents import Document, Stored


class Holding:
    """What a worker does with mailboxes. Several threads use it."""

    def __init__(self, boxes: Mailboxes, worker: str, clock: Callable[[], datetime]) -> None:
        self._boxes, self._worker, self._clock = boxes, worker, clock

    def claim(self, addresses: Sequence[str]) -> dict[str, Stored[Mailbox]]:
        """Address → the mailbox, held by this worker; without those that another one holds, or that can't be read."""
        return self._boxes.claim(addresses, self._worker, self._clock(), LEASE)

    def note_tries(self, group: Sequence[Served]) -> list[Served]:
        """Record the tries before anything is written: if that kills the worker, the recipients are postponed.

        Those whom another worker has taken over are missing.
        """
        now = self._clock()
        noted = {
            one.address: (one.held, replace(tried(one.box, now), claimed_by=self._worker, claimed_until=now + LEASE))
            for one in group
        }
        kept = self.keep(noted)
        for one in group:
            if one.address in kept:
                one.held = kept[one.address]
                one.box = untried(one.held.value, one.box)
        return [one for one in group if one.address in kept]

    def release(self, served: Iterable[Served]) -> None:
        """Give the mailboxes back."""
        now = self._clock()
        boxes = {one.address: (one.held, released(one.box, now)) for one in served}
        if boxes:
            self.keep(boxes)

    def keep(self, boxes: Mapping[str, tuple[Stored[Mailbox], Mailbox]]) -> dict[str, Stored[Mailbox]]:
        """Write our changes to mailboxes, keeping the recipients' own changes (unsubscribed, muted) meanwhile.

        Those that another worker has claimed are missing.
        """
        kept = self._boxes.keep(boxes)
        if len(kept) < len(boxes):
            for address, (_, box) in boxes.items():
                current = self._boxes.find(address) if address not in kept else None
                if current is not None and current.value.claimed_by == self._worker:
                    wishes = {name: getattr(current.value, name) for name in CHANGED_BY_OTHERS}
                    kept |= self._boxes.keep({address: (current, replace(box, **wishes))})
        return kept

    def replacing(self, was: Stored[Mailbox], box: Mailbox) -> Document:
        """The action that writes a mailbox if nobody has written it since."""
        return self._boxes.replacing(was, box)


def postpone(one: Served) -> None:
    """Keep the recorded try, which postpones the recipient."""
    one.box = one.held.value
    one.mails.clear()


def released(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox without our claim, and without a retry whose time has come. Pure."""
    retry_at = box.retry_at if box.retry_at and box.retry_at > now else None
    return replace(box, retry_at=retry_at, claimed_until=None, claimed_by="")
