"""What the operator was told, so that nothing is told twice and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from elasticsearch import ConflictError, Elasticsearch, NotFoundError

from newswatch.errors import DocumentError
from newswatch.problems import set_aside
from store.documents import Document, dump, load, problem_of, read
from store.names import Names


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A feed whose state is another than the operator knows."""

    feed_id: str
    title: str
    url: str
    before: str
    state: str
    since: datetime | None
    why: str
    last_success_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A mail that was made; it may have gone out already."""

    message_id: str
    at: datetime
    changes: tuple[HealthChange, ...]
    told: Mapping[str, str]
    """What the operator knows once it has arrived."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator knows: feed id → state, for the feeds that are not simply well."""

    told: Mapping[str, str] = field(default_factory=dict)
    pending: Pending | None = None
    message_id: str | None = None
    """Of the last mail that went out."""
    at: datetime | None = None
    seq_no: int | None = None
    primary_term: int | None = None


class NoticeStore:
    """The notices about the feeds' health."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index, self._id = es, names.notices, "feed-health"

    def read(self) -> Told:
        """As it stands, in real time.

        A document that can't be read is set aside and stands for nothing told: rather told twice than never.
        """
        try:
            found = self._es.get(index=self._index, id=self._id)
        except NotFoundError:
            return Told()
        try:
            told = read(found.body, read_told)
        except DocumentError as error:
            set_aside(problem_of(error))
            told = Told()
        return replace(told, seq_no=found["_seq_no"], primary_term=found["_primary_term"])

    def begin(self, was: Told, pending: Pending) -> bool:
        """Note that the mail is about to go out; False: somebody else was there first, and sends theirs."""
        return self._write(was, {"told": dict(was.told), "pending": dump(pending)})

    def finish(self, was: Told, pending: Pending) -> bool:
        """Note that it has gone out."""
        done = {"told": dict(pending.told), "message_id": pending.message_id, "at": pending.at.isoformat()}
        return self._write(was, done)

    def _write(self, was: Told, document: Document) -> bool:
        token: dict[str, Any] = {"op_type": "create"}
        if was.seq_no is not None:
            token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
        try:
            self._es.index(index=self._index, id=self._id, document={"kind": "feed-health"} | document, **token)
        except ConflictError:
            return False
        return True


def read_told(_id: str, document: Mapping[str, Any]) -> Told:
    """What the operator knows by a document. Pure."""
    names = ("told", "pending", "message_id", "at")
    return load(Told, {name: document[name] for name in names if name in document})
