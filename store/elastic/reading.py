"""Searches and gets that account for every document: an unreadable one takes no other's place.

Elasticsearch reports a closed or missing index in the single answers of a multi-get. Here that is raised, because it
does not mean that the documents don't exist.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final, TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError

from store.elastic import faults
from store.elastic.documents import Hit, Reads, Stored, all_stored, read, stored

T = TypeVar("T")

_GETS = 5_000
"""Maximum number of documents in one multi-get."""
_PAGE: Final = 1_000
_KEEP_ALIVE: Final = "5m"
"""How long Elasticsearch keeps a point in time after each page, so the maximum time for work on a page."""
TERMS: Final = 10_000
"""Values in one query; Elasticsearch takes 65,536."""
_ANY_ORDER: Final = ("_shard_doc",)
"""The fastest order: the documents' order on disk."""

Searches = Callable[..., Any]
"""A function with the signature of `Elasticsearch.search`."""


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in parts of at most `TERMS`, each for one query."""
    return (values[start : start + TERMS] for start in range(0, len(values), TERMS))


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
    """Pages of all documents that match, as of the last refresh; writes during the iteration don't change the result.

    `body` is the rest of each search; `search` sends it (default `es.search`). A caller that stops before the end must
    close the generator, which closes the point in time.

    What fits on one page is one search, which sees one state by itself; a point in time would make it three requests.
    Where there is more, the first page is read twice.

    Raises:
        NotFoundError: the index does not exist; raised at once, not with the first page.
    """
    asked = {"query": query, "size": size, "track_total_hits": False, "allow_partial_search_results": False, **body}
    ask = search or es.search
    hits = ask(index=index, sort=["_doc" if field == "_shard_doc" else field for field in sort], **asked)["hits"][
        "hits"
    ]
    if len(hits) < size:
        return _one_page(hits)
    point = es.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)["id"]
    return _pages(es, point, ask, {"sort": list(sort), **asked})


def _one_page(hits: Sequence[Hit]) -> Generator[Sequence[Hit], None, None]:
    if hits:
        yield hits


def _pages(
    es: Elasticsearch, point: str, search: Searches, asked: Mapping[str, Any]
) -> Generator[Sequence[Hit], None, None]:
    after: dict[str, Any] = {}
    try:
        while True:
            answer = search(pit={"id": point, "keep_alive": _KEEP_ALIVE}, **asked, **after)
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
    """All documents that match, one by one; takes the arguments of `pages` and raises the same errors."""
    return _one_by_one(pages(es, index, query, **body))


def _one_by_one(pages_: Generator[Sequence[Hit], None, None]) -> Generator[Hit, None, None]:
    with closing(pages_):
        for page in pages_:
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
    """The first `size` readable documents that match, in this order, as of the last refresh.

    Unreadable ones are quarantined, and the next ones requested in their place.
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
        documents = all_stored(hits, reads)
        if len(documents) == len(hits) or len(hits) < size:
            return documents
        known = {document.id for document in documents}
        unreadable += [hit["_id"] for hit in hits if hit["_id"] not in known]


def get_hits(es: Elasticsearch, index: str, ids: Iterable[str], *, but: Sequence[str] = ()) -> list[Hit]:
    """The existing documents among `ids`, in real time, without the fields `but`.

    Raises:
        StoreError: the index can't be read.
    """
    wanted = list(dict.fromkeys(ids))
    hits: list[Hit] = []
    for start in range(0, len(wanted), _GETS):
        part = wanted[start : start + _GETS]
        docs: list[Hit] = es.mget(index=index, ids=part, source_excludes=list(but) or None)["docs"]
        for doc in docs:
            if "error" in doc:
                raise unreadable_index(doc)
        hits += [doc for doc in docs if doc.get("found")]
    return hits


def get_hit(es: Elasticsearch, index: str, document_id: str) -> Hit | None:
    """The document, in real time; None if it does not exist.

    Raises:
        StoreError: the index can't be read.
    """
    return next(iter(get_hits(es, index, [document_id])), None)


def get_one(es: Elasticsearch, index: str, document_id: str, reads: Reads[T]) -> Stored[T] | None:
    """The document's value, in real time; None if it does not exist.

    Raises:
        DocumentError: the document can't be read.
        StoreError: the index can't be read.
    """
    hit = get_hit(es, index, document_id)
    return stored(read(hit, reads), hit) if hit else None


def unreadable_index(doc: Hit) -> Exception:
    """The error for an index that a multi-get could not read."""
    error = doc["error"]
    return faults.of_index(str(error.get("type", "")), str(error.get("reason", "")), str(doc["_index"]))


def get_stored(es: Elasticsearch, index: str, ids: Iterable[str], reads: Reads[T]) -> list[Stored[T]]:
    """The readable documents among `ids`, in real time; unreadable ones are quarantined.

    Raises:
        StoreError: the index can't be read.
    """
    return all_stored(get_hits(es, index, ids), reads)
