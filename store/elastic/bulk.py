"""Bulk writes that account for every item.

A write fails for one of three reasons. A conflict (`Written.conflict`, or the document is gone) means that another
worker wrote first. A fault of the index (`of_index`: blocked, closed, missing) concerns every document and is raised.
Anything else is a fault of the document.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from elasticsearch import ApiError, Elasticsearch
from elasticsearch.helpers import streaming_bulk

from newswatch.errors import StoreError
from newswatch.problems import Problem, report_problem
from store.elastic import faults
from store.elastic.documents import Document, Stored

T = TypeVar("T")

CONFLICT, GONE = 409, 404
_UNAVAILABLE = (429, 502, 503, 504)
_CHUNK = 1_000
"""Maximum number of documents in one request."""
_CHUNK_BYTES = 10_000_000
_TRIES = 6
"""Tries for an item that Elasticsearch is too busy to accept, 1, 2, 4 … seconds apart."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one bulk item."""

    id: str
    status: int
    reason: str | None
    """None: written."""
    index: str = ""
    kind: str = ""
    """Elasticsearch's error type; empty if the item was written, or if a document to delete was already gone."""
    seq_no: int = -1
    primary_term: int = -1
    """The tokens for a compare-and-set, if it was written."""

    def stored(self, value: T) -> Stored[T]:
        """What was written, as if it had been read."""
        return Stored(value, self.index, self.id, self.seq_no, self.primary_term)

    @property
    def conflict(self) -> bool:
        """Another worker wrote first."""
        return self.status == CONFLICT

    @property
    def of_index(self) -> bool:
        """The index accepts no document."""
        return self.kind in faults.OF_THE_INDEX or self.status in (401, 403)

    @property
    def own_fault(self) -> bool:
        """Elasticsearch rejects this document, and would accept others."""
        return self.status in (400, 413) and not self.of_index

    @property
    def moved(self) -> bool:
        """The index is gone or blocked: an upgrade may have put another generation in its place."""
        return self.kind in (faults.MISSING, faults.BLOCKED)


def create(index: str, document_id: str, document: Document) -> Document:
    """The action that writes a document unless one of that id exists."""
    return {"_op_type": "create", "_index": index, "_id": document_id, "_source": document}


def put(index: str, document_id: str, document: Document) -> Document:
    """The action that writes a document, overwriting any of that id."""
    return {"_op_type": "index", "_index": index, "_id": document_id, "_source": document}


def replace(was: Stored[Any], document: Document) -> Document:
    """The action that writes a document if nobody has written it since `was` was read (compare-and-set)."""
    token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
    return {"_op_type": "index", "_index": was.index, "_id": was.id, "_source": document} | token


def amend(was: Stored[Any], fields: Document) -> Document:
    """The action that changes these fields of a document if nobody has written it since `was` was read."""
    token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
    return {"_op_type": "update", "_index": was.index, "_id": was.id, "doc": fields} | token


def merge(index: str, document_id: str, fields: Document) -> Document:
    """The action that changes these fields of a document, whoever has written it since."""
    return {"_op_type": "update", "_index": index, "_id": document_id, "doc": fields, "retry_on_conflict": 5}


def copy(index: str, document_id: str, document: Document, version: int) -> Document:
    """The action that writes a document unless one of the same or a higher version exists."""
    external = {"version": version, "version_type": "external"}
    return {"_op_type": "index", "_index": index, "_id": document_id, "_source": document} | external


def delete(was: Stored[Any]) -> Document:
    """The action that deletes a document if nobody has written it since `was` was read."""
    token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
    return {"_op_type": "delete", "_index": was.index, "_id": was.id} | token


def write(es: Elasticsearch, actions: Iterable[Document]) -> Iterator[Written]:
    """Write all, in chunks of 10 MB; one `Written` for each action, in order.

    Raises:
        StoreError: Elasticsearch stays unavailable for an item after the retries; the outcome of the rest is unknown.
    """
    waiting = iter(actions)
    while chunk := list(islice(waiting, _CHUNK)):
        yield from _write_chunk(es, chunk)


def _write_chunk(es: Elasticsearch, chunk: Sequence[Document]) -> list[Written]:
    """The results in the order of the actions, which the client's own retries would not keep."""
    done: dict[int, Written] = {}
    busy = "no answer"
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(2 ** (attempt - 1))
        left = [number for number in range(len(chunk)) if number not in done]
        try:
            for number, written in zip(left, _try(es, [chunk[number] for number in left]), strict=True):
                if _has_no_room(written):
                    busy = f"{written.index}/{written.id}: {written.reason}"
                else:
                    done[number] = written
        except ApiError as error:
            if error.meta.status not in _UNAVAILABLE:
                raise faults.store_error(error) from error
            busy = str(error)
        if len(done) == len(chunk):
            return [done[number] for number in range(len(chunk))]
    raise StoreError(f"Elasticsearch can't take {len(chunk) - len(done)} documents now: {busy}")


def _try(es: Elasticsearch, actions: Sequence[Document]) -> Iterator[Written]:
    results = streaming_bulk(
        es, actions, chunk_size=_CHUNK, max_chunk_bytes=_CHUNK_BYTES, max_retries=0, raise_on_error=False
    )
    for ok, result in results:
        (item,) = result.values()
        reason, kind = (None, "") if ok else (_reason(item), _kind(item))
        tokens = (int(item.get("_seq_no", -1)), int(item.get("_primary_term", -1)))
        yield Written(item["_id"], int(item["status"]), reason, item["_index"], kind, *tokens)


def _has_no_room(written: Written) -> bool:
    """Whether a retry in a moment may succeed; after a full disk it won't."""
    return written.status in _UNAVAILABLE and written.kind != faults.BLOCKED


def won(written: Written) -> bool:
    """Whether the item was written; False: another worker wrote first, or Elasticsearch rejects the document.

    A rejected document is quarantined, so that it does not keep the others from being written.

    Raises:
        StoreError: the index can't be written to.
    """
    if written.reason is None:
        return True
    if written.conflict or (written.status == GONE and not written.kind):
        return False
    if written.of_index:
        raise refusal(written)
    report_problem(Problem("document", f"{written.index}/{written.id}", f"Elasticsearch refuses it: {written.reason}"))
    return False


def require(written: Written) -> bool:
    """Whether the item was written; False: another worker wrote first.

    Raises:
        StoreError: the write failed for another reason.
    """
    if written.reason is not None and not written.conflict:
        raise refusal(written)
    return written.reason is None


def refusal(written: Written) -> StoreError:
    """Why the item was not written."""
    if written.of_index:
        return faults.of_index(written.kind, written.reason or "", written.index)
    return StoreError(f"Elasticsearch refuses the document {written.index}/{written.id}: {written.reason}")


def _kind(item: Mapping[str, Any]) -> str:
    error = item.get("error")
    return str(error.get("type", "")) if isinstance(error, Mapping) else ""


def _reason(item: Mapping[str, Any]) -> str:
    error = item.get("error", "unknown")
    if not isinstance(error, Mapping):
        return str(error)
    cause = error.get("caused_by") or {}
    return ": ".join(str(part) for part in (error.get("type"), error.get("reason"), cause.get("reason")) if part)
