"""Keeps when newswatch itself stood still: one document per cause, with its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.outages import Cause, History
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Stored, dump, load, require_id
from store.elastic.reading import get_one, get_stored
from store.names import Names


@dataclass(frozen=True, slots=True)
class OwnOutages:
    """The outages of one cause."""

    cause: Cause
    outages: History = ()


class OutageStore:
    """The outages of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.outages

    def read(self) -> dict[Cause, History]:
        """Cause → its outages, oldest first, in real time; a document that can't be read is quarantined and missing.

        Raises:
            StoreError: the index can't be read.
        """
        return {
            stored.value.cause: stored.value.outages
            for stored in get_stored(self._es, self._index, Cause, read_outages)
        }

    def change(self, cause: Cause, changed: Callable[[History], History]) -> History:
        """Replace the history by what `changed` makes of it, whoever else writes; writes nothing without a difference.

        Raises:
            DocumentError: the document can't be read, and stays as it is.
            StoreError: it could not be written.
        """

        def attempt() -> History | None:
            was = get_one(self._es, self._index, cause, read_outages)
            before = was.value.outages if was else ()
            after = changed(before)
            return after if after == before or self._write(cause, after, was) else None

        return until_written(attempt, lambda: f"The outages of {cause} keep being changed by others.")

    def _write(self, cause: Cause, outages: History, was: Stored[OwnOutages] | None) -> bool:
        value = OwnOutages(cause, outages)
        return put(self._es, self._index, cause, value, stored(value), was) is not None


def stored(own: OwnOutages) -> Document:
    """The document, which also says for Kibana since when the last outage has lasted, and when it ended."""
    last = own.outages[-1] if own.outages else None
    shown = {"since": last.since.isoformat()} if last else {}
    return dump(own) | shown | ({"until": last.until.isoformat()} if last and last.until else {})


def read_outages(cause: str, document: Mapping[str, Any]) -> OwnOutages:
    """The outages in a document. Pure."""
    own = load(OwnOutages, {name: document[name] for name in ("cause", "outages") if name in document})
    require_id(cause, own.cause)
    return own
