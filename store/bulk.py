"""Bulk writes whose every item is accounted for.

Three things can keep a document from being written, and each means something else: a conflict (`Written.conflict`, or
it is gone) says that somebody else was there first; a fault of the index (`of_index`: blocked, closed, missing) is
nobody's in particular and is raised; anything else is wrong with the document itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from elasticsearch import ApiError, Elasticsearch
from elasticsearch.helpers import streaming_bulk

from newswatch.errors import StoreError
from newswatch.problems import Problem, report_problem
from store import faults
from store.documents import Document, Stored

CONFLICT, GONE = 409, 404
_UNAVAILABLE = (429, 502, 503, 504)
_CHUNK = 1_000
"""Documents in one request."""
_CHUNK_BYTES = 10_000_000
_TRIES = 6
"""For an item that Elasticsearch has no room for now; between them 1, 2, 4 … seconds."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one item."""

    id: str
    status: int
    reason: str | None
    """None: written."""
    index: str = ""
    kind: str = ""
    """Elasticsearch's name for what is wrong; empty if it was written, or was to be deleted and is gone."""

    @property
    def conflict(self) -> bool:
        """Somebody else was there first."""
        return self.status == CONFLICT

    @property
    def of_index(self) -> bool:
        """The index can't be written to, whatever the document is."""
        return self.kind in faults.OF_THE_INDEX or self.status in (401, 403)

    @property
    def own_fault(self) -> bool:
        """Elasticsearch does not take this document as it is, and would take others."""
        return self.status in (400, 413) and not self.of_index

    @property
    def moved(self) -> bool:
        """The index is gone, or closed to writing: an upgrade may have put another generation in its place."""
        return self.kind in (faults.MISSING, faults.BLOCKED)


def create(index: str, document_id: str, document: Document) -> Document:
    """The action that writes a document only where there is none."""
    return {"_op_type": "create", "_index": index, "_id": document_id, "_source": document}


def put(index: str, document_id: str, document: Document) -> Document:
    """The action that writes a document whatever was there."""
    return {"_op_type": "index", "_index": index, "_id": document_id, "_source": document}


def replace(was: Stored[Any], document: Document) -> Document:
    """The action that writes a document only where nobody wrote since it was read (compare-and-set)."""
    token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
    return {"_op_type": "index", "_index": was.index, "_id": was.id, "_source": document} | token


def copy(index: str, document_id: str, document: Document, version: int) -> Document:
    """The action that writes a document only where there is none, or one of a lower version."""
    external = {"version": version, "version_type": "external"}
    return {"_op_type": "index", "_index": index, "_id": document_id, "_source": document} | external


def delete(was: Stored[Any]) -> Document:
    """The action that deletes a document only where nobody wrote since it was read."""
    token = {"if_seq_no": was.seq_no, "if_primary_term": was.primary_term}
    return {"_op_type": "delete", "_index": was.index, "_id": was.id} | token


def write(es: Elasticsearch, actions: Iterable[Document]) -> Iterator[Written]:
    """Write all, in chunks of 10 MB; one `Written` for each action, in order.

    Raises:
        StoreError: Elasticsearch stays unavailable for an item after the retries: nothing is known of the rest.
    """
    waiting = iter(actions)
    while chunk := list(islice(waiting, _CHUNK)):
        yield from _write_chunk(es, chunk)


def _write_chunk(es: Elasticsearch, chunk: Sequence[Document]) -> list[Written]:
    """The client's own retries would give the results in another order than the actions."""
    done: dict[int, Written] = {}
    busy = "no answer"
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(2 ** (attempt - 1))
        left = [at for at in range(len(chunk)) if at not in done]
        try:
            for at, written in zip(left, _try(es, [chunk[at] for at in left]), strict=True):
                if _has_no_room(written):
                    busy = f"{written.index}/{written.id}: {written.reason}"
                else:
                    done[at] = written
        except ApiError as error:
            if error.meta.status not in _UNAVAILABLE:
                raise faults.store_error(error) from error
            busy = str(error)
        if len(done) == len(chunk):
            return [done[at] for at in range(len(chunk))]
    raise StoreError(f"Elasticsearch can't take {len(chunk) - len(done)} documents now: {busy}")


def _try(es: Elasticsearch, actions: Sequence[Document]) -> Iterator[Written]:
    results = streaming_bulk(
        es, actions, chunk_size=_CHUNK, max_chunk_bytes=_CHUNK_BYTES, max_retries=0, raise_on_error=False
    )
    for ok, result in results:
        (item,) = result.values()
        reason, kind = (None, "") if ok else (_reason(item), _kind(item))
        yield Written(item["_id"], int(item["status"]), reason, item["_index"], kind)


def _has_no_room(written: Written) -> bool:
    """Whether it is worth trying again in a moment; a full disk is not."""
    return written.status in _UNAVAILABLE and written.kind != faults.BLOCKED


def won(written: Written) -> bool:
    """Whether the item was written; False: somebody else was there first, or the document itself is refused.

    What is refused for its own sake is set aside, so that the others are not kept from being written.

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
    """Whether the item was written; False: somebody else was there first.

    Raises:
        StoreError: anything else has kept it from being written.
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
