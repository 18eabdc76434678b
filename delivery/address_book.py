"""The address book: people, groups, and the addresses of webhooks and chats, in Elasticsearch.

What an address holds in secret is sealed before it is stored (`newswatch.sealing`) and opened only to send. No method
returns it to a page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from delivery.channels.targets import Closed, Target
from newswatch.errors import ChangedMeanwhileError, DocumentError, NewswatchError
from newswatch.problems import Problem, report_problem
from newswatch.sealing import Sealer, SealError
from newswatch.subscriber import GROUP, PERSON, Address, Subscriber
from store.audit import AuditLog, Deed, pseudonym
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Stored, dump, load, require_id, values
from store.elastic.reading import every, get_hits, get_one
from store.names import Names

_SECRET: Final = ("sealed", "challenge")
Entry = Address | Subscriber


class AddressError(NewswatchError):
    """An address or a subscriber can't be used as asked."""

    exit_code = 2


class AddressBook:
    """The address book of one installation; also tells channels where addresses lead (`Targets`)."""

    def __init__(self, es: Client, names: Names, sealer: Sealer, *, by: str = "newswatch") -> None:
        """Entries are added, replaced and removed in the name of `by`, says the audit log."""
        self._es, self._index, self._sealer = es, names.subscribers, sealer
        self._audit, self._by = AuditLog(es, names), by

    def record(self, what: str, entry_id: str) -> None:
        """Record in the audit log what is about to be done to an entry; under a pseudonym, as it may be erased.

        Raises:
            StoreError: it can't be recorded; then it must not be done either.
        """
        self._audit.record(Deed(self._by, what, pseudonym(entry_id)))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def address(self, address_id: str) -> Address | None:
        """The address, in real time; None if it is not in the book.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._find(address_id)
        return found.value if found and isinstance(found.value, Address) else None

    def subscriber(self, subscriber_id: str) -> Subscriber | None:
        """The person or group, in real time; None if there is none.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._find(subscriber_id)
        return found.value if found and isinstance(found.value, Subscriber) else None

    def many(self, ids: Iterable[str]) -> dict[str, Entry]:
        """The existing entries among `ids`, in real time; an unreadable one is quarantined and left out."""
        wanted = list(dict.fromkeys(filter(None, ids)))
        hits = get_hits(self._es, self._index, wanted) if wanted else []
        return {entry.id: entry for entry in values(hits, read_entry)}

    def all(self) -> tuple[Entry, ...]:
        """Every entry, by id."""
        self._es.indices.refresh(index=self._index)
        return tuple(sorted(values(every(self._es, self._index), read_entry), key=lambda entry: entry.id))

    # ── Targets ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def target(self, address: str) -> Target | Closed:
        """Where the address leads now, or why nothing can be sent there. Only a verified address leads anywhere."""
        try:
            known = self.address(address)
        except DocumentError as error:
            return Closed(str(error), permanent=False)
        if known is None:
            return Closed(f"{address} is not in the address book (any more)")
        if known.disabled_at:
            return Closed(f"{address} is switched off: {known.disabled_why}")
        if not known.verified_at:
            return Closed(f"{address} is not confirmed yet", permanent=False)
        try:
            target = self.open(known)
        except SealError as error:
            return Closed(f"{address} can't be read: {error}", permanent=False)
        if not self._sealer.is_current(known.sealed):  # so that the key before can be taken out of the settings
            self.change(address, lambda was: replace(was, sealed=self.seal(self.open(was))))
        return target

    def open(self, address: Address) -> Target:
        """Where an address leads, verified or not: for sending its code.

        Raises:
            SealError: another key sealed it.
        """
        secret = json.loads(self._sealer.open(address.sealed))
        return Target(str(secret["url"]), tuple(map(str, secret.get("keys", ()))))

    def seal(self, target: Target) -> str:
        """A target as it is stored."""
        return self._sealer.seal(json.dumps({"url": target.url, "keys": list(target.keys)}))

    def disable(self, address: str, why: str, now: datetime) -> None:
        """Send nothing to the address any more; its owner sees why."""
        report_problem(Problem("recipient", address, f"it is switched off: {why}"))
        self.change(address, lambda known: replace(known, disabled_at=now, disabled_why=why))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            AddressError: there is one of that name.
        """
        self.record("recipient added", entry.id)
        if put(self._es, self._index, entry.id, entry, document(entry), None, refresh=True) is None:
            raise AddressError(f"There is {entry.id} already: give this one another name.")

    def change(self, address_id: str, change: Callable[[Address], Address]) -> Address:
        """Change an address, and return it as written.

        Raises:
            AddressError: it is not in the book.
            DocumentError: it can't be read.
            StoreError: it was changed by others on every try.
        """

        def attempt() -> Address | None:
            was = self._find(address_id)
            if was is None or not isinstance(was.value, Address):
                raise AddressError(f"{address_id} is not in the address book.")
            changed = change(was.value)
            if changed == was.value:
                return changed
            written = put(self._es, self._index, address_id, changed, document(changed), was, refresh=True)
            return changed if written else None

        return until_written(attempt, lambda: f"{address_id} keeps being changed by others: try again.")

    def save(self, subscriber: Subscriber) -> None:
        """Create or replace a person or group, whatever is stored now; who looked at it first calls `replace`."""
        self.record("recipient saved", subscriber.id)

        def attempt() -> bool | None:
            was = self._find(subscriber.id)
            made = document(subscriber)
            return True if put(self._es, self._index, subscriber.id, subscriber, made, was, refresh=True) else None

        until_written(attempt, lambda: f"{subscriber.id} keeps being changed by others: try again.")

    def replace(self, was: Subscriber, subscriber: Subscriber) -> None:
        """Replace the person or group that a user has looked at as `was`.

        Raises:
            ChangedMeanwhileError: it is not as `was` any more; nothing was changed.
        """
        known, changed = self._find(was.id), f"{was.id} was changed in another window meanwhile: look at it again."
        if known is None or known.value != was:
            raise ChangedMeanwhileError(changed)
        self.record("recipient saved", was.id)
        if put(self._es, self._index, was.id, subscriber, document(subscriber), known, refresh=True) is None:
            raise ChangedMeanwhileError(changed)

    def delete(self, entry_id: str) -> bool:
        """Delete an entry; returns whether there was one."""
        if self._find_raw(entry_id) is None:
            return False
        self.record("recipient removed", entry_id)
        self._es.options(ignore_status=404).delete(index=self._index, id=entry_id, refresh=True)
        return True

    def _find_raw(self, entry_id: str) -> Mapping[str, Any] | None:
        return next(iter(get_hits(self._es, self._index, [entry_id])), None)

    def _find(self, entry_id: str) -> Stored[Entry] | None:
        return get_one(self._es, self._index, entry_id, read_entry) if entry_id else None


def document(entry: Entry) -> Document:
    """The document of an entry. Pure."""
    made = dump(entry)
    secret = {name: made.pop(name) for name in _SECRET if name in made}
    return made | ({"secret": secret} if secret else {})


def read_entry(entry_id: str, stored: Mapping[str, Any]) -> Entry:
    """The inverse of `document`. Pure.

    Raises:
        ValueError: it is none.
    """
    plain = {**stored, **stored.get("secret", {})}
    plain.pop("secret", None)
    kind: type[Entry] = Subscriber if plain.get("kind") in (PERSON, GROUP) else Address
    entry: Entry = load(kind, plain)
    require_id(entry_id, entry.id)
    return entry
