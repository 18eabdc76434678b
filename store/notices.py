"""Records the notices mailed to the operator, so that each change is reported once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import DocumentError
from newswatch.problems import report_problem
from store.elastic.compare_and_set import put
from store.elastic.documents import Document, Stored, dump, load, problem_of, read, stored
from store.elastic.reading import get_hit
from store.names import Names


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A feed whose health differs from what the operator was last told."""

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
    """A message that was written and may have been sent already."""

    key: str
    """The idempotency key of the message."""
    at: datetime
    changes: tuple[HealthChange, ...]
    told: Mapping[str, str]
    """Feed id → health, as the operator knows it once the mail has arrived."""
    reference: str = ""
    """The channel's name for the message; empty if it gives none."""


@dataclass(frozen=True, slots=True)
class HealthNotice:
    """What the operator was last told about the feeds' health."""

    told: Mapping[str, str] = field(default_factory=dict)
    """Feed id → health, for the feeds that are not healthy."""
    pending: Pending | None = None
    key: str | None = None
    """Of the last message that was sent."""
    at: datetime | None = None
    """When that message was sent."""
    place: Stored[None] | None = None
    """The document, with its compare-and-set tokens; None: nothing was sent yet."""


class NoticeStore:
    """The notices about the feeds' health."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index, self._id = es, names.notices, "feed-health"

    def read(self) -> HealthNotice:
        """The last notice, in real time.

        An unreadable document is quarantined and counts as no notice: reporting twice is better than never.
        """
        hit = get_hit(self._es, self._index, self._id)
        if hit is None:
            return HealthNotice()
        try:
            notice = read(hit, read_notice)
        except DocumentError as error:
            report_problem(problem_of(error))
            notice = HealthNotice()
        return replace(notice, place=stored(None, hit))

    def begin(self, was: HealthNotice, pending: Pending) -> bool:
        """Record that the mail is about to be sent; False: another worker was first, and sends its own."""
        return self._write(was, {"told": dict(was.told), "pending": dump(pending)})

    def finish(self, was: HealthNotice, pending: Pending) -> bool:
        """Record that the mail was sent; False: another worker wrote first."""
        done = {"told": dict(pending.told), "key": pending.key, "at": pending.at.isoformat()}
        return self._write(was, done)

    def _write(self, was: HealthNotice, document: Document) -> bool:
        document = {"kind": "feed-health"} | document
        return put(self._es, self._index, self._id, None, document, was.place) is not None


def read_notice(_id: str, document: Mapping[str, Any]) -> HealthNotice:
    """The notice of a document. Pure."""
    names = ("told", "pending", "key", "at")
    fields = {name: document[name] for name in names if name in document}
    if former := document.get("message_id"):  # written before channels existed
        fields["key"] = former
    pending = fields.get("pending")
    if pending and (former := pending.get("message_id")):
        fields["pending"] = {"key": former, "reference": former} | pending
    return load(HealthNotice, fields)
