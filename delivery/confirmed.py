"""Which addresses are confirmed: a mailbox that waits for its owner's word gets nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.address_book import document, read_entry
from delivery.mailbox import Mailboxes
from newswatch.subscriber import Address
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.reading import get_one
from store.names import Names


def hold(es: Client, names: Names, address: str, now: datetime) -> None:
    """Send nothing to the address until it is confirmed; mails for it wait (`mailbox.CONFIRM_WITHIN`).

    Raises:
        StoreError: the mailbox was changed by others on every try.
    """
    Mailboxes(es, names).change(address, lambda box: replace(box, unverified_since=now))


def release(es: Client, names: Names, address: str) -> None:
    """Release what waits for the address. Idempotent.

    Raises:
        StoreError: the mailbox was changed by others on every try.
    """
    Mailboxes(es, names).change(address, lambda box: replace(box, unverified_since=None))


def confirm_mail(es: Client, names: Names, address: str, now: datetime) -> None:
    """Release the mails that wait for a mail address, and have the address book say that it is confirmed. Idempotent.

    Raises:
        StoreError: the mailbox or the entry was changed by others on every try.
        DocumentError: one of them can't be read.
    """
    release(es, names, address)

    def attempt() -> bool | None:
        was = get_one(es, names.subscribers, address, read_entry)
        if was is None or not isinstance(was.value, Address) or was.value.verified_at:
            return True
        entry = replace(was.value, verified_at=now)
        return True if put(es, names.subscribers, was.id, entry, document(entry), was, refresh=True) else None

    until_written(attempt, lambda: f"{address} keeps being changed by others: try again.")
