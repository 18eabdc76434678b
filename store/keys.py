"""API keys: made, checked, revoked. Only hashes are stored, so a stolen index opens nothing.

A key's text is `nwk_ID_SECRET`. Whoever scans repositories for leaked secrets finds it by its beginning.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.api_key import MOST_DAYS, MOST_PER_MINUTE, NAME_CHARS, PER_MINUTE, ApiKey, Scope
from newswatch.errors import DocumentError, NewswatchError, StoreError
from newswatch.origin import origin
from store.audit import AuditLog, Deed
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Stored, dump, load, values
from store.elastic.faults import REFUSALS
from store.elastic.reading import every, get_one
from store.names import Names

MOST: Final = 1_000
"""Keys in force at a time."""
USED_EVERY: Final = timedelta(hours=1)
"""How often the use of a key is written down."""
MOST_PLACES: Final = 20
"""Addresses of a day from which a key's first use gets a record in the audit log."""
REFUSED_EVERY: Final = timedelta(days=1)
"""How often the log gets one of a key that is refused."""
_TEXT: Final = re.compile(r"nwk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
KIND: Final = "api"
"""Of the documents that are keys of the API."""
_UNKNOWN: Final = "This API key is not known here: perhaps it was cut when it was copied."

log = logging.getLogger(__name__)


class KeyRequestError(NewswatchError):
    """A key that was asked for can't be made; the text names the parameter."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and its text, which nobody can get again."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a key opens nothing: a sentence for who has shown it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a key is asked to be."""

    name: str
    owner: str
    scopes: Sequence[str]
    days: int
    per_minute: int = PER_MINUTE


class KeyStore:
    """The API keys of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.keys
        self._audit = AuditLog(es, names)

    def create(self, asked: Request, *, by: str, now: datetime) -> NewKey:
        """A new key, and its text.

        Raises:
            KeyRequestError: it can't be as it was asked for, or there are too many.
            StoreError: that can't be recorded in the audit log; there is no key.
        """
        name, owner = checked(asked)
        if sum(key.state(now) == "on" for key in self.all()) >= MOST:
            raise KeyRequestError(f"There are {MOST:,} keys in force, the most there may be: revoke some first.")
        secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=secrets.token_hex(8),
            name=name,
            owner=owner,
            scopes=tuple(dict.fromkeys(asked.scopes)),
            hash=_hash(secret),
            created_at=now,
            created_by=by,
            expires_at=now + timedelta(days=asked.days),
            per_minute=asked.per_minute,
        )
        scopes = ", ".join(key.scopes)
        deed = Deed(by, "API key created", key.id, details=f"{scopes} until {key.expires_at:%Y-%m-%d}")
        make = partial(self._es.create, index=self._index, id=_id(key.id), document=_document(key), refresh=True)
        self._audit.change(deed, make, now=now)
        return NewKey(key, f"nwk_{key.id}_{secret}")

    def admitted(self, text: str, now: datetime) -> ApiKey | Refusal:
        """The key of a text, in real time: one that is revoked is refused from the next request on.

        Its use is written down at most once an hour. The audit log gets a record of its first use on a day from each
        address (`newswatch.origin`), and once a day of a key that is refused.
        """
        parts = _TEXT.fullmatch(text.strip())
        if parts is None:
            return Refusal("This is no API key: one begins with nwk_ and has 64 characters.")
        try:
            found = self._get(parts[1])
        except DocumentError as error:
            log.warning("An API key was refused: %s", error)
            return Refusal("This API key can't be read any more: make a new one.")
        if found is None:
            return Refusal(_UNKNOWN)
        key = found.value
        if not hmac.compare_digest(key.hash.encode(), _hash(parts[2]).encode()):
            self._note_refusal(found, "its secret part is wrong", now)
            return Refusal(_UNKNOWN)
        if key.state(now) != "on":
            at = key.revoked_at or key.expires_at
            why = f"{'was revoked' if key.revoked_at else 'has expired'} ({at:%d %B %Y})"
            self._note_refusal(found, f"it {why}", now)
            return Refusal(f"This API key {why}: make a new one.")
        self._note_use(found, now)
        return key

    def _note_use(self, was: Stored[ApiKey], now: datetime) -> None:
        """Write down that a key was used, if that is not known yet."""
        key, last = was.value, was.value.last_used_at
        places = key.used_from if last and last.date() == now.date() else ()
        is_new = origin() not in places and len(places) < MOST_PLACES
        if not is_new and last is not None and now - last < USED_EVERY:
            return
        deed = Deed(key.owner, "API key used", key.id, details="for the first time today from there")
        noted = replace(key, last_used_at=now, used_from=(*places, *([origin()] if is_new else ())))
        self._note(was, noted, deed if is_new else None, now)

    def _note_refusal(self, was: Stored[ApiKey], why: str, now: datetime) -> None:
        key = was.value
        if key.refused_at is None or now - key.refused_at >= REFUSED_EVERY:
            deed = Deed("whoever showed it", "API key refused", key.id, details=f"{why}; owner {key.owner}")
            self._note(was, replace(key, refused_at=now), deed, now)

    def _note(self, was: Stored[ApiKey], key: ApiKey, deed: Deed | None, now: datetime) -> None:
        """Record the deed and write the key down. Compare-and-set, so that it undoes no revocation.

        Failing costs the reader nothing: the next request tries again.
        """
        try:
            if deed:
                self._audit.record(deed, now=now)
            put(self._es, self._index, was.id, key, _document(key), was)
        except (StoreError, *REFUSALS) as error:
            log.warning("The use of API key %s could not be written down: %s", key.id, error)

    def all(self) -> list[ApiKey]:
        """Every key, revoked and expired ones too, newest first. Unreadable ones are quarantined."""
        self._es.indices.refresh(index=self._index)
        found = values(every(self._es, self._index, {"term": {"kind": KIND}}), read_key)
        return sorted(found, key=lambda key: key.created_at, reverse=True)

    def get(self, key_id: str) -> ApiKey | None:
        """The key, in real time.

        Raises:
            DocumentError: it can't be read.
        """
        found = self._get(key_id)
        return found.value if found else None

    def revoke(self, key_id: str, *, by: str, now: datetime) -> ApiKey | None:
        """The key, which opens nothing from now on; None: there is no such key. Idempotent: the first one counts.

        Raises:
            DocumentError: it can't be read.
        """

        def revoked(key: ApiKey) -> ApiKey:
            return key if key.revoked_at else replace(key, revoked_at=now, revoked_by=by)

        deed = Deed(by, "API key revoked", key_id)
        return self._audit.change(deed, lambda: self._change(key_id, revoked), now=now)

    def _change(self, key_id: str, changed: Callable[[ApiKey], ApiKey]) -> ApiKey | None:
        def attempt() -> tuple[ApiKey | None] | None:
            was = self._get(key_id)
            if was is None:
                return (None,)
            key = changed(was.value)
            if key == was.value:
                return (key,)
            return (key,) if put(self._es, self._index, was.id, key, _document(key), was, refresh=True) else None

        (key,) = until_written(attempt, lambda: f"The key {key_id} keeps being changed by others: try again.")
        return key

    def _get(self, key_id: str) -> Stored[ApiKey] | None:
        return get_one(self._es, self._index, _id(key_id), read_key)


def checked(asked: Request) -> tuple[str, str]:
    """The name and the owner, without space around them.

    Raises:
        KeyRequestError: something that was asked for can't be.
    """
    name, owner = asked.name.strip(), asked.owner.strip()
    for what, text in (("name", name), ("owner", owner)):
        if not text or len(text) > NAME_CHARS or any(unicodedata.category(c) in ("Cc", "Cs", "Cf") for c in text):
            raise KeyRequestError(f"{what}: 1 to {NAME_CHARS} printable characters.")
    known = ", ".join(Scope)
    if not asked.scopes:
        raise KeyRequestError(f"scopes: name at least one of {known}.")
    if unknown := [scope for scope in asked.scopes if scope not in {*Scope}]:
        raise KeyRequestError(f"scopes: {unknown[0][:40]!r} is none of {known}.")
    if not 1 <= asked.days <= MOST_DAYS:
        raise KeyRequestError(f"days: a key lasts 1 to {MOST_DAYS} days.")
    if not 1 <= asked.per_minute <= MOST_PER_MINUTE:
        raise KeyRequestError(f"per_minute: 1 to {MOST_PER_MINUTE:,} requests.")
    return name, owner


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _id(key_id: str) -> str:
    return f"{KIND}~{key_id}"


def _document(key: ApiKey) -> Document:
    return {"kind": KIND} | dump(key)


def read_key(document_id: str, document: Mapping[str, Any]) -> ApiKey:
    """The key that a document of the kind `KIND` holds.

    Raises:
        ValueError: it holds none, or another one.
    """
    fields = {name: value for name, value in document.items() if name != "kind"}
    key = load(ApiKey, fields)
    if document_id != _id(key.id):
        raise ValueError(f"it says that it is {key.id!r}")
    return key
