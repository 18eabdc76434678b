"""Changing what others may change too: read, change, write only if nobody wrote meanwhile, else from the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from elasticsearch import ConflictError, Elasticsearch

from newswatch.errors import StoreError
from store.documents import Document, Stored, stored

T = TypeVar("T")

TRIES: Final = 50
"""Each takes milliseconds, and of those who write at once one always comes through."""


def until_written(attempt: Callable[[], T | None], gave_up: Callable[[], str], *, tries: int = TRIES) -> T:
    """What `attempt` returns; None means that somebody else was there first, and it is made again, from reading on.

    Raises:
        StoreError: it stays so; `gave_up` says what for.
    """
    for _ in range(tries):
        done = attempt()
        if done is not None:
            return done
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
    """Write one document in the place of `was`, or where there is none; None: somebody else was there first.

    Raises:
        elasticsearch's errors: it can't be written. For many documents, and each one's fault, see `store.bulk`.
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
