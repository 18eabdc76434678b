"""Bulk writes whose every item is accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from newswatch.errors import StoreError
from search.documents import Document, Stored

CONFLICT = 409
_UNAVAILABLE = (429, 502, 503, 504)
_MOVED = ("index_not_found_exception", "cluster_block_exception: index")
_CHUNK_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one item."""

    id: str
    status: int
    reason: str | None
    """None: written."""

    @property
    def conflict(self) -> bool:
        """Somebody else was there first."""
        return self.status == CONFLICT

    @property
    def own_fault(self) -> bool:
        """Elasticsearch does not take this document as it is, and would take others."""
        return self.status in (400, 413)

    @property
    def moved(self) -> bool:
        """The index is gone, or closed to writing, as an upgrade has put another generation in its place."""
        return (self.reason or "").startswith(_MOVED)


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
    results = streaming_bulk(
        es,
        actions,
        chunk_size=1000,
        max_chunk_bytes=_CHUNK_BYTES,
        max_retries=5,
        initial_backoff=1,
        raise_on_error=False,
        raise_on_exception=True,
    )
    for ok, result in results:
        (item,) = result.values()
        status = int(item["status"])
        if status in _UNAVAILABLE:
            raise StoreError(f"Elasticsearch can't take document {item['_id']} now: {_reason(item)}")
        yield Written(item["_id"], status, None if ok else _reason(item))


def _reason(item: Mapping[str, Any]) -> str:
    error = item.get("error", "unknown")
    if not isinstance(error, Mapping):
        return str(error)
    cause = error.get("caused_by") or {}
    return ": ".join(str(part) for part in (error.get("type"), error.get("reason"), cause.get("reason")) if part)
