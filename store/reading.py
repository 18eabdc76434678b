"""Searches and gets whose every document is accounted for: what can't be read takes no other's place.

An index that is closed or missing is told by Elasticsearch in the single answers of a multi-get; here that is raised,
for it does not mean that there are no such documents.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final, TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError

from store import faults
from store.documents import Hit, Reads, Stored, all_stored, read, stored

T = TypeVar("T")

_GETS = 5_000
"""Documents asked for in one multi-get."""
_PAGE: Final = 1_000
_KEEP_ALIVE: Final = "5m"
"""How long Elasticsearch keeps a point in time after each page: work on a page may take as long."""
_ANY_ORDER: Final = ("_shard_doc",)
"""The quickest: as the documents lie."""

Searches = Callable[..., Any]
"""Takes what `Elasticsearch.search` takes, and returns what it returns."""


def pages(
    es: Elasticsearch,
    index: str,
    query: Mapping[str, Any] | None = None,
    *,
    size: int = _PAGE,
    sort: Sequence[Any] = _ANY_ORDER,
    search: Searches | None = None,
    **body: Any,
) -> Generator[Sequence[Hit], None, None]:
    """Every document that fits, page by page, as of the last refresh: what is written meanwhile changes nothing.

    `body` is the rest of each search; `search` puts it to Elasticsearch, `es.search` unless it is given. Who stops
    before the end closes the generator, which gives up the point in time.

    Raises:
        NotFoundError: there is no such index; at once, not with the first page.
    """
    point = es.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)["id"]
    asked = {"query": query, "size": size, "sort": list(sort), "track_total_hits": False, **body}
    return _pages(es, point, search or es.search, asked)


def _pages(
    es: Elasticsearch, point: str, search: Searches, asked: Mapping[str, Any]
) -> Generator[Sequence[Hit], None, None]:
    after: dict[str, Any] = {}
    try:
        while True:
            pit = {"id": point, "keep_alive": _KEEP_ALIVE}
            answer = search(pit=pit, allow_partial_search_results=False, **asked, **after)
            hits = answer["hits"]["hits"]
            if hits:
                yield hits
            if len(hits) < asked["size"]:
                return
            point, after = answer["pit_id"], {"search_after": hits[-1]["sort"]}
    finally:
        with suppress(ApiError, TransportError):  # it expires by itself
            es.close_point_in_time(id=point)


def every(
    es: Elasticsearch, index: str, query: Mapping[str, Any] | None = None, **body: Any
) -> Generator[Hit, None, None]:
    """Every document that fits, one by one; takes and raises what `pages` does."""
    return _one_by_one(pages(es, index, query, **body))


def _one_by_one(found: Generator[Sequence[Hit], None, None]) -> Generator[Hit, None, None]:
    with closing(found):
        for page in found:
            yield from page


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


def get_one(es: Elasticsearch, index: str, document_id: str, reads: Reads[T]) -> Stored[T] | None:
    """What the document stands for, in real time; None: there is none.

    Raises:
        DocumentError: it can't be read.
        StoreError: the index can't be read.
    """
    hit = get_hit(es, index, document_id)
    return stored(read(hit, reads), hit) if hit else None


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
