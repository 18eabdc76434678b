"""The audit log: who changed what, when, from where. Records are only ever added.

    audit               the head: a copy of the last record
    audit-2026.11       the records of a month, each under its number

Numbers follow one another without a gap, and each record holds the hash of the one before. A record that is missing,
was edited or was put in later breaks the chain, and `AuditLog.check` says where. What was cut off at the end shows by
the head; whoever can write to Elasticsearch could forge that too, so each record is also written to the process's log,
and `newswatch audit export` can be kept elsewhere.

A record is written before its change: if it can't be, nothing is changed. A change that fails after that gets a second
record. Only retention deletes, whole months, and leaves a record of that.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError

from newswatch.as_json import json_line
from newswatch.clock import Clock, utc_now
from newswatch.errors import DocumentError, StoreError
from newswatch.origin import origin
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, read, readable
from store.elastic.faults import REFUSALS, store_error
from store.elastic.reading import every, get_hit, get_one
from store.indices.mapping import AUDIT, plain_mappings
from store.names import Names

log = logging.getLogger(__name__)

T = TypeVar("T")

HEAD: Final = "head"
TEXT_CHARS: Final = 1_000
"""Maximum length of each text of a record; longer ones are cut, visibly."""
DROPPED: Final = "audit log shortened"
NOT_DONE: Final = "not carried out: "
"""Before what a record says was to be changed, if it was not."""
FAULTS: Final = 20
"""Maximum number of faults of the chain to report one by one."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A change that somebody is about to make."""

    who: str
    """A user of the server, `NAME (command line)`, a job, a file, or `reader HASH` (see `pseudonym`)."""
    what: str
    """Kind of thing and what is done to it: "saved search changed"."""
    subject: str
    """Which one: its id."""
    before: str = ""
    """Digest of what it was (see `digest`); empty: there was nothing."""
    after: str = ""
    """Digest of what it is then; empty: nothing is left."""
    details: str = ""
    """The fields that change, versions, counts. No values: they may hold addresses or secrets."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the log."""

    n: int
    """Its number, from 1."""
    at: datetime
    who: str
    where: str
    """What it came through: the page with the client's address, the command line of a machine, a job."""
    what: str
    subject: str
    before: str = ""
    after: str = ""
    details: str = ""
    previous: str = ""
    """Hash of the record before; empty for the first."""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """What a check of the whole log found."""

    records: int
    first: int = 0
    """Number of the first record; above 1 once retention has dropped months."""
    last: int = 0
    hash: str = ""
    """Of the last record. Whoever notes it elsewhere can tell later that nothing before it was changed."""
    faults: tuple[str, ...] = ()


def digest(value: Any) -> str:
    """A short hash of a value that `newswatch.as_json` can write; empty for None. It tells versions apart."""
    if value is None:
        return ""
    return hashlib.sha256(json.dumps(json.loads(json_line(value)), sort_keys=True).encode()).hexdigest()[:16]


def pseudonym(address: str) -> str:
    """What a reader without an account is called in the log, which must not keep addresses after an erasure."""
    return f"reader {hashlib.sha256(address.strip().casefold().encode()).hexdigest()[:12]}"


def chained(last: Record | None, deed: Deed, *, where: str, at: datetime) -> Record:
    """The record of a deed after the record `last`. Pure."""
    texts = {name: _cut(getattr(deed, name)) for name in ("who", "what", "subject", "before", "after", "details")}
    number, previous = (last.n + 1, last.hash) if last else (1, "")
    # To the millisecond, as Elasticsearch searches it.
    moment = at.replace(microsecond=at.microsecond // 1_000 * 1_000)
    record = Record(n=number, at=moment, where=_cut(where), previous=previous, **texts)
    return replace(record, hash=hash_of(record))


def hash_of(record: Record) -> str:
    """The hash that the record must hold: SHA-256 of all else in it, as JSON. Pure."""
    said = {name: value for name, value in dump(record).items() if name != "hash"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _cut(text: str) -> str:
    left_out = len(text) - TEXT_CHARS
    plain = text[:TEXT_CHARS].encode("utf-8", "replace").decode()
    return plain if left_out <= 0 else f"{plain}… ({left_out:,} more characters)"


def read_record(_id: str, document: Mapping[str, Any]) -> Record:
    """The record of a document. Pure."""
    return load(Record, document)


class AuditLog:
    """The audit log of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, clock: Clock = utc_now) -> None:
        self._es, self._names, self._clock = es, names, clock

    @property
    def index(self) -> str:
        """The name of its head's index, with which those of its months begin."""
        return self._names.audit

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, deed: Deed, *, now: datetime | None = None) -> Record:
        """Add a record, and return it once Elasticsearch has it.

        Raises:
            StoreError: it can't be written; then the change must not be made either.
        """

        def attempt() -> Record | None:
            head = self._head()
            last = head.value if head else self._last()
            if last is not None:
                self._complete(last)
            record = chained(last, deed, where=origin(), at=now or self._clock())
            done = put(self._es, self._names.audit, HEAD, record, dump(record), head)
            return done.value if done else None

        try:
            record = until_written(attempt, lambda: "Others keep writing to the audit log: try again.")
            self._write(record)
        except DocumentError as error:
            raise StoreError(f"The audit log can't go on. {error} `newswatch audit check` says more.") from error
        except REFUSALS as error:
            raise store_error(error) from error
        log.info("audit %d %s: %s %r by %r from %r", record.n, record.hash, *_said(record))
        return record

    def change(self, deed: Deed, work: Callable[[], T], *, now: datetime | None = None) -> T:
        """The result of `work`, which makes the change, recorded before it.

        If it raises an error, or returns None because there was nothing to change, a second record says so.

        Raises:
            StoreError: the record can't be written; `work` was not called.
        """
        self.record(deed, now=now)
        try:
            result = work()
        except Exception as error:
            self._not_done(deed, str(error) or type(error).__name__, now)
            raise
        if result is None:
            self._not_done(deed, "there was nothing to change, or somebody else was faster", now)
        return result

    def _not_done(self, deed: Deed, why: str, now: datetime | None) -> None:
        with suppress(StoreError):  # the change's own error is told
            self.record(replace(deed, what=f"{NOT_DONE}{deed.what}", details=why), now=now)

    def _head(self) -> Stored[Record] | None:
        return get_one(self._es, self._names.audit, HEAD, read_record)

    def _last(self) -> Record | None:
        """The last record in the months: the head is missing at first, or if its index was lost."""
        self.refresh()
        found = self._search({"match_all": {}}, 1)
        return found[0] if found else None

    def _complete(self, last: Record) -> None:
        """Write the head's record to its month, where the worker before died in between."""
        index, name = self._place(last)
        (there,) = self._es.mget(index=index, ids=[name])["docs"]
        if there.get("found"):
            _require(last, there)
        else:  # or it can't be read: another worker has just made the index, and only a write waits for it
            self._write(last)

    def _write(self, record: Record) -> None:
        index, name = self._place(record)
        try:
            self._add(index, name, record)
        except NotFoundError:  # the month's first record: the template keeps a write from making the index
            self._create(index)
            self._add(index, name, record)

    def _add(self, index: str, name: str, record: Record) -> None:
        try:
            self._es.create(index=index, id=name, document=dump(record))
        except ConflictError:
            _require(record, get_hit(self._es, index, name) or {"_index": index, "_id": name})

    def _place(self, record: Record) -> tuple[str, str]:
        return self._names.audit_of_month(f"{record.at:%Y.%m}"), f"{record.n:012d}"

    def _create(self, index: str) -> None:
        try:
            self._es.indices.create(index=index, mappings=plain_mappings(AUDIT))
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self) -> None:
        """Make every record findable by the functions below."""
        self._es.indices.refresh(index=self._names.audit_months, ignore_unavailable=True)

    def listed(
        self,
        *,
        who: str = "",
        what: str = "",
        subject: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        size: int = 50,
    ) -> list[Record]:
        """The records that fit, the latest first; `before` leaves out those from that number on.

        Raises:
            elasticsearch's errors: it can't be searched.
        """
        terms = {"who": who, "what": what, "subject": subject}
        filters: list[Any] = [{"term": {name: value}} for name, value in terms.items() if value]
        span = {"gte": since and since.isoformat(), "lt": until and until.isoformat()}
        if since or until:
            filters.append({"range": {"at": {name: value for name, value in span.items() if value}}})
        if before is not None:
            filters.append({"range": {"n": {"lt": before}}})
        return self._search({"bool": {"filter": filters}}, size)

    def _search(self, query: Mapping[str, Any], size: int) -> list[Record]:
        answer = self._es.search(
            index=self._names.audit_months,
            query=dict(query),
            size=size,
            sort=[{"n": {"order": "desc", "unmapped_type": "long"}}],
            ignore_unavailable=True,
        )
        return [record for _, record in readable(answer["hits"]["hits"], read_record)]

    def values(self, field: str, *, most: int = 100) -> list[str]:
        """What the records have in a field ("who", "what"), the most frequent first, at most `most`."""
        aggs = {"values": {"terms": {"field": field, "size": most}}}
        answer = self._es.search(index=self._names.audit_months, size=0, aggs=aggs, ignore_unavailable=True)
        found = answer.get("aggregations", {}).get("values", {}).get("buckets", [])
        return [str(bucket["key"]) for bucket in found]

    def all(self) -> Generator[Record, None, None]:
        """Every record, in order; an unreadable one is left out, and quarantined (`check` counts it)."""
        hits = every(self._es, self._names.audit_months, sort=[{"n": {"order": "asc", "unmapped_type": "long"}}])
        return (record for _, record in readable(hits, read_record))

    def check(self) -> Chain:
        """Follow the chain from its first record to the head; what breaks it is among the faults.

        Raises:
            elasticsearch's errors: it can't be read.
        """
        self.refresh()
        faults: list[str] = []
        first = last = None
        dropped = count = 0
        for hit in every(self._es, self._names.audit_months, sort=[{"n": {"order": "asc", "unmapped_type": "long"}}]):
            try:
                record = read(hit, read_record)
            except DocumentError as error:
                faults.append(f"{error.index}/{error.id} can't be read: {error.reason}")
                continue
            faults += _breaks(last, record)
            count, first, last = count + 1, first or record, record
            dropped = int(record.before) if record.what == DROPPED and record.before.isdigit() else dropped
        faults += _ends(first, last, dropped, self._head_or_none(faults))
        told = (*faults[:FAULTS], *([f"and {len(faults) - FAULTS} more"] if len(faults) > FAULTS else []))
        return Chain(count, first.n if first else 0, last.n if last else 0, last.hash if last else "", told)

    def _head_or_none(self, faults: list[str]) -> Record | None:
        try:
            head = self._head()
        except DocumentError as error:
            faults.append(str(error))
            return None
        return head.value if head else None

    # ── retention ────────────────────────────────────────────────────────────────────────────────────────────────────

    def months(self) -> list[str]:
        """The indices that there are, the oldest first."""
        return sorted(self._es.indices.get(index=self._names.audit_months, features="settings").body)

    def drop(self, indices: Sequence[str]) -> None:
        """Delete whole months, recorded as every change. The last month stays.

        Raises:
            StoreError: it can't be recorded; nothing was deleted.
        """
        self.refresh()
        this = self._names.audit_of_month(f"{self._clock():%Y.%m}")
        for index in [index for index in indices if index in self.months()[:-1] and index != this]:
            newest = self._es.search(index=index, size=1, sort=[{"n": "desc"}], query={"match_all": {}})["hits"]["hits"]
            last = int(newest[0]["_source"]["n"]) if newest else 0
            details = f"records up to {last} are past audit_retention_days"
            self.record(Deed("upkeep", DROPPED, index, str(last), "", details))
            self._es.options(ignore_status=404).indices.delete(index=index)


def _require(record: Record, there: Mapping[str, Any]) -> None:
    """Raise a StoreError unless the document in the record's place is that record."""
    if there.get("_source", {}).get("hash") != record.hash:
        raise StoreError(
            f"The audit log was changed from outside: {there['_index']}/{there['_id']} is another record. Nothing is "
            "changed until that is settled: `newswatch audit check` says more."
        ) from None


def _said(record: Record) -> tuple[str, str, str, str]:
    return record.what, record.subject, record.who, record.where


def _breaks(last: Record | None, record: Record) -> list[str]:
    """What is wrong with a record after the one before it. Pure."""
    faults = [] if hash_of(record) == record.hash else [f"record {record.n} was changed: its hash is another"]
    if last is None:
        return faults
    if record.n == last.n:
        return [*faults, f"record {record.n} is there twice"]
    if record.n > last.n + 1:
        numbers = f"record {last.n + 1}" if record.n == last.n + 2 else f"records {last.n + 1} to {record.n - 1}"
        return [*faults, f"{numbers} missing"]
    return faults if record.previous == last.hash else [*faults, f"record {record.n} does not follow record {last.n}"]


def _ends(first: Record | None, last: Record | None, dropped: int, head: Record | None) -> list[str]:
    """What is wrong with both ends of the log. Pure."""
    faults = []
    if first and first.n > dropped + 1:
        faults.append(f"records {dropped + 1} to {first.n - 1} missing at the beginning")
    if head is None:
        return faults
    number = last.n if last else dropped
    if head.n == number + 1:  # its writer died before it was written to its month; the next writer does that
        return [*faults, *_breaks(last, head)]
    if head.n > number or (last and head.n == number and head.hash != last.hash):
        faults.append(f"the log ended with record {head.n} ({head.hash[:16]}…), which is missing or was changed")
    if head.n < number:
        faults.append(f"records after {head.n} were not written by newswatch")
    return faults
