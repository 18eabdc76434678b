"""Mail addresses that differ in case alone are one reader, who has one mailbox.

It is decided when a delivery is created. Mailboxes are never joined: what a reader wants stays under the spelling under
which the reader has said it, and that spelling is the one that is written to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from delivery.mailbox import Mailbox, read_mailbox
from store.elastic.client import Client
from store.elastic.documents import values
from store.elastic.reading import every
from store.names import Names

_AT_ONCE: Final = 200
"""Addresses in one search."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Spellings:
    """Which spelling is written to. Keeps what it has read, so use it for one batch."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names = es, names
        self._known: dict[str, str] = {}
        self._asked: dict[str, None] = {}
        """In order: the first of several without a mailbox stays the one that is written to."""

    def learn(self, recipients: Iterable[str]) -> None:
        """Look up the mailboxes of those recipients that are mail addresses, as of the last refresh."""
        fresh = {one for one in recipients if _is_mail(one)} - self._asked.keys()
        self._asked |= dict.fromkeys(sorted(fresh))
        wanted = sorted({one.casefold() for one in fresh})
        boxes: list[Mailbox] = []
        for start in range(0, len(wanted), _AT_ONCE):
            some: list[Any] = [_spelled(one) for one in wanted[start : start + _AT_ONCE]]
            boxes += values(every(self._es, self._names.mailboxes, {"bool": {"should": some}}), read_mailbox)
        concerned = {*wanted}
        self._known |= written_to((one for one in self._asked if one.casefold() in concerned), boxes)

    def of(self, recipient: str) -> str:
        """The spelling that is written to in place of this one."""
        return self._known.get(recipient, recipient)


def _is_mail(recipient: str) -> bool:
    return "@" in recipient and ":" not in recipient


def _spelled(address: str) -> Mapping[str, Any]:
    return {"term": {"address": {"value": address, "case_insensitive": True}}}


def written_to(recipients: Iterable[str], boxes: Iterable[Mailbox]) -> dict[str, str]:
    """Recipient → the spelling that is written to in its place, of those for which it is another one. Pure.

    It is the one under which the reader wants less mail (has unsubscribed, muted, acknowledged; or a mail came back),
    else the one that was written to last, else the first of `recipients`. Where the reader has said something under
    several spellings, or waits to confirm one, these stay apart, and each mailbox is heard for itself.
    """
    groups: dict[str, dict[str, Mailbox]] = defaultdict(dict)
    for recipient in recipients:
        groups[recipient.casefold()].setdefault(recipient, Mailbox(recipient))
    for box in boxes:
        if box.address.casefold() in groups:
            groups[box.address.casefold()][box.address] = box
    changed: dict[str, str] = {}
    for group in groups.values():
        told = [box for box in group.values() if _says_something(box)]
        plain = [box for box in group.values() if box not in told and not box.unverified_since]
        if len(told) > 1 or not plain:
            continue
        candidates = [box for box in told if not box.unverified_since] if told else plain
        if candidates:
            chosen = max(candidates, key=lambda box: box.last_sent_at or _NEVER)
            changed |= {box.address: chosen.address for box in plain if box is not chosen}
    return changed


def _says_something(box: Mailbox) -> bool:
    return bool(box.unsubscribed or box.muted or box.acknowledged or box.bounced_at)
