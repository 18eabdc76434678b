"""Searches and gets whose every document is accounted for: what can't be read takes no other's place.

An index that is closed or missing is told by Elasticsearch in the single answers of a multi-get; here that is raised,
for it does not mean that there are no such documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from elasticsearch import Elasticsearch

from store import faults
from store.documents import Hit, Reads, Stored, all_stored

T = TypeVar("T")

_GETS = 5_000
"""Documents asked for in one multi-get."""


def find(
    es: Elasticsearch,
    index: str,
    reads: Reads[T],
    *,
    query: dict[str, Any],
    size: int,
    sort: list[Any],
    ignore_unavailable: bool = False,
) -> list[Stored[T]]:
    """The first `size` documents that fit and can be read, in this order, as of the last refresh.

    Those that can't be read are set aside, and others are asked for in their place.
    """
    unreadable: list[str] = []
    while True:
        fits = {"bool": {"filter": [query], "must_not": {"ids": {"values": unreadable}}}} if unreadable else query
        answer = es.search(
            index=index,
            query=fits,
            size=size,
            sort=sort,
            seq_no_primary_term=True,
            ignore_unavailable=ignore_unavailable,
        )
        hits: list[Hit] = answer["hits"]["hits"]
        found = all_stored(hits, reads)
        if len(found) == len(hits) or len(hits) < size:
            return found
        known = {one.id for one in found}
        unreadable += [hit["_id"] for hit in hits if hit["_id"] not in known]


def get_hits(es: Elasticsearch, index: str, ids: Iterable[str]) -> list[Hit]:
    """Those of the documents that exist, in real time.

    Raises:
        StoreError: the index can't be read.
    """
    wanted = list(dict.fromkeys(ids))
    hits: list[Hit] = []
    for at in range(0, len(wanted), _GETS):
        docs: list[Hit] = es.mget(index=index, ids=wanted[at : at + _GETS])["docs"]
        for doc in docs:
            if "error" in doc:
                raise unreadable_index(doc)
        hits += [doc for doc in docs if doc.get("found")]
    return hits


def get_hit(es: Elasticsearch, index: str, document_id: str) -> Hit | None:
    """The document in real time; None: there is none.

    Raises:
        StoreError: the index can't be read.
    """
    return next(iter(get_hits(es, index, [document_id])), None)


def unreadable_index(doc: Hit) -> Exception:
    """Why a multi-get could not look into a document's index."""
    error = doc["error"]
    return faults.of_index(str(error.get("type", "")), str(error.get("reason", "")), str(doc["_index"]))


def get_stored(es: Elasticsearch, index: str, ids: Iterable[str], reads: Reads[T]) -> list[Stored[T]]:
    """Those of the documents that exist and can be read, in real time; the others that exist are set aside.

    Raises:
        StoreError: the index can't be read.
    """
    return all_stored(get_hits(es, index, ids), reads)
