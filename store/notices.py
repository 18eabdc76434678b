"""What the operator was told, so that nothing is told twice and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import DocumentError
from newswatch.problems import report_problem
from store.compare_and_set import put
from store.documents import Document, Stored, dump, load, problem_of, read, stored
from store.names import Names
from store.reading import get_hit


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
    place: Stored[None] | None = None
    """Where it stands, and as written when; None: nothing was told yet."""


class NoticeStore:
    """The notices about the feeds' health."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index, self._id = es, names.notices, "feed-health"

    def read(self) -> Told:
        """As it stands, in real time.

        A document that can't be read is set aside and stands for nothing told: rather told twice than never.
        """
        hit = get_hit(self._es, self._index, self._id)
        if hit is None:
            return Told()
        try:
            told = read(hit, read_told)
        except DocumentError as error:
            report_problem(problem_of(error))
            told = Told()
        return replace(told, place=stored(None, hit))

    def begin(self, was: Told, pending: Pending) -> bool:
        """Note that the mail is about to go out; False: somebody else was there first, and sends theirs."""
        return self._write(was, {"told": dict(was.told), "pending": dump(pending)})

    def finish(self, was: Told, pending: Pending) -> bool:
        """Note that it has gone out."""
        done = {"told": dict(pending.told), "message_id": pending.message_id, "at": pending.at.isoformat()}
        return self._write(was, done)

    def _write(self, was: Told, document: Document) -> bool:
        document = {"kind": "feed-health"} | document
        return put(self._es, self._index, self._id, None, document, was.place) is not None


def read_told(_id: str, document: Mapping[str, Any]) -> Told:
    """What the operator knows by a document. Pure."""
    names = ("told", "pending", "message_id", "at")
    return load(Told, {name: document[name] for name in names if name in document})
