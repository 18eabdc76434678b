"""Readers' addresses of feeds: made, opened, revoked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.errors import NewswatchError
from newswatch.feed_address import FeedAddress, Target
from store.audit import AuditLog, Deed
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Stored, dump, load, values
from store.elastic.faults import REFUSALS
from store.elastic.reading import every, get_one
from store.names import Names

MOST: Final = 200
"""Addresses in force that one reader may have."""
USED_EVERY: Final = timedelta(hours=1)
"""How often the use of an address is written down."""
_KIND: Final = "feed"

log = logging.getLogger(__name__)


class TooManyAddressesError(NewswatchError):
    """A reader has as many addresses as he may have."""


class FeedAddressStore:
    """The feed addresses of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.keys
        self._audit = AuditLog(es, names)

    def make(self, owner: str, target: Target, now: datetime) -> FeedAddress:
        """The reader's address for the target: the one in force, or a new one.

        Raises:
            TooManyAddressesError: he has `MOST` others.
            DocumentError: the address that he had can't be read.
            StoreError: that can't be recorded in the audit log; there is no address.
        """
        known = self.of(owner, target)
        if known and not known.revoked_at:
            return known
        if sum(not one.revoked_at for one in self.all(owner)) >= MOST:
            raise TooManyAddressesError(f"You have {MOST} feed addresses, the most there may be: revoke some first.")
        address_id = id_of(owner, target)

        def attempt() -> FeedAddress | None:
            was = self._get(address_id)
            if was and not was.value.revoked_at:
                return was.value
            number = was.value.number + 1 if was else 1
            fresh = FeedAddress(address_id, owner, target, now, number)
            return fresh if put(self._es, self._index, _id(address_id), fresh, _document(fresh), was) else None

        def make() -> FeedAddress:
            return until_written(attempt, lambda: "The address keeps being changed: try again.")

        deed = Deed(owner, "feed address made", address_id, details=f"of a {target.shows}")
        return self._audit.change(deed, make, now=now)

    def of(self, owner: str, target: Target) -> FeedAddress | None:
        """The reader's address for the target, in force or revoked, in real time.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._get(id_of(owner, target))
        return found.value if found else None

    def opened(self, address_id: str, number: int, now: datetime) -> FeedAddress | None:
        """The address, in real time; None: there is none such. Its use is written down, at most once an hour.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._get(address_id)
        if found is None or found.value.number < number:
            return None
        if found.value.number > number:
            return replace(found.value, revoked_at=found.value.created_at)
        address = found.value
        if not address.revoked_at and (address.last_used_at is None or now - address.last_used_at >= USED_EVERY):
            self._note_use(found, now)
        return address

    def _note_use(self, was: Stored[FeedAddress], now: datetime) -> None:
        """Write down that an address was used. Compare-and-set, so that it undoes no revocation."""
        used = replace(was.value, last_used_at=now)
        try:
            put(self._es, self._index, was.id, used, _document(used), was)
        except REFUSALS as error:
            log.warning("The use of a feed address could not be written down: %s", error)

    def all(self, owner: str | None = None) -> list[FeedAddress]:
        """The addresses of a reader, or of all, newest first; unreadable ones are quarantined."""
        self._es.indices.refresh(index=self._index)
        wanted: list[Document] = [{"term": {"kind": _KIND}}, *([{"term": {"owner": owner}}] if owner else [])]
        found = values(every(self._es, self._index, {"bool": {"filter": wanted}}), _read)
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def announced(self, address_id: str, seq: int) -> None:
        """Write down up to which ingest number the hub was told.

        Raises:
            DocumentError: the address can't be read.
        """
        self._change(address_id, lambda was: replace(was, announced=max(was.announced, seq)))

    def revoke(self, address_id: str, *, by: str, only_own: bool, now: datetime) -> FeedAddress | None:
        """The address, which opens nothing from now on; None: there is none such, or it is another's and `only_own`.

        Raises:
            DocumentError: it can't be read.
            StoreError: that can't be recorded in the audit log.
        """
        found = self._get(address_id)
        if found is None or (only_own and found.value.owner != by):
            return None

        def changed(was: FeedAddress) -> FeedAddress:
            return was if was.revoked_at else replace(was, revoked_at=now, revoked_by=by)

        deed = Deed(by, "feed address revoked", address_id)
        return self._audit.change(deed, lambda: self._change(address_id, changed), now=now)

    def _change(self, address_id: str, changed: Callable[[FeedAddress], FeedAddress | None]) -> FeedAddress | None:
        def attempt() -> tuple[FeedAddress | None] | None:
            was = self._get(address_id)
            now = changed(was.value) if was else None
            if was is None or now is None or now == was.value:
                return (now,)
            return (now,) if put(self._es, self._index, was.id, now, _document(now), was, refresh=True) else None

        (address,) = until_written(attempt, lambda: "The address keeps being changed: try again.")
        return address

    def _get(self, address_id: str) -> Stored[FeedAddress] | None:
        return get_one(self._es, self._index, _id(address_id), _read)


def id_of(owner: str, target: Target) -> str:
    """The id of a reader's address for a target."""
    told = "\n".join((owner, target.shows, target.of)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:32]


def _id(address_id: str) -> str:
    return f"{_KIND}~{address_id}"


def _document(address: FeedAddress) -> Document:
    return {"kind": _KIND} | dump(address)


def _read(document_id: str, document: Mapping[str, Any]) -> FeedAddress:
    fields = {name: value for name, value in document.items() if name != "kind"}
    fields["target"] = {"of": ""} | dict(fields["target"])
    address = load(FeedAddress, fields)
    if document_id != _id(address.id):
        raise ValueError(f"it says that it is {address.id!r}")
    return address
