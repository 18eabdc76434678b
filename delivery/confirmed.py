"""Which addresses are confirmed: a mailbox that waits for its owner's word gets nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from delivery.mailbox import Mailboxes
from store.client import Client
from store.names import Names


def hold(es: Client, names: Names, address: str, now: datetime) -> None:
    """Send nothing to the address until it is confirmed; mails for it wait (`mailbox.CONFIRM_WITHIN`).

    Raises:
        StoreError: the mailbox was changed by others on every try.
    """
    Mailboxes(es, names).change(address, lambda box: replace(box, unverified_since=now))


def confirm_mail(es: Client, names: Names, address: str, now: datetime) -> None:
    """Release the mails that wait for the address. Idempotent; `now` is only for the record.

    Raises:
        StoreError: the mailbox was changed by others on every try.
    """
    del now
    Mailboxes(es, names).change(address, lambda box: replace(box, unverified_since=None))


def unconfirmed(es: Client, names: Names, addresses: Iterable[str]) -> list[str]:
    """Those of the addresses that wait to be confirmed, in real time."""
    wanted = list(dict.fromkeys(addresses))
    boxes = Mailboxes(es, names).many(wanted)
    return [address for address, box in zip(wanted, boxes, strict=True) if box and box.unverified_since]
