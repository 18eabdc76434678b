"""Compare-and-set: read, change, and write if nobody else wrote meanwhile; otherwise start over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from elasticsearch import ConflictError, Elasticsearch

from newswatch.errors import StoreError
from store.elastic.documents import Document, Stored, stored

T = TypeVar("T")

TRIES: Final = 50
"""Each try takes milliseconds, and one of several concurrent writers always succeeds."""


def until_written(attempt: Callable[[], T | None], gave_up: Callable[[], str], *, tries: int = TRIES) -> T:
    """The first result of `attempt` that is not None. None means that another worker wrote first; it is called again.

    Raises:
        StoreError: all `tries` failed; `gave_up` returns the message.
    """
    for _ in range(tries):
        result = attempt()
        if result is not None:
            return result
    raise StoreError(gave_up())


def put(
    es: Elasticsearch,
    index: str,
    document_id: str,
    value: T,
    document: Document,
    was: Stored[Any] | None,
    *,
    refresh: bool = False,
) -> Stored[T] | None:
    """Replace the document `was`, or create it if `was` is None; None: another worker wrote first.

    Raises:
        elasticsearch's errors: it can't be written. `store.elastic.bulk` writes many documents and reports on each.
    """
    try:
        if was is None:
            answer = es.create(index=index, id=document_id, document=document, refresh=refresh)
        else:
            answer = es.index(
                index=index,
                id=document_id,
                document=document,
                refresh=refresh,
                if_seq_no=was.seq_no,
                if_primary_term=was.primary_term,
            )
    except ConflictError:
        return None
    return stored(value, answer.body)
