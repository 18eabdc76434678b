"""How far each import has come, and the articles of another installation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import DocumentError, MissingIndexError, NewswatchError, StoreError
from store.article_documents import from_document
from store.elastic import bulk
from store.elastic.compare_and_set import put
from store.elastic.documents import Stored, dump, load, read, require_id, stored
from store.elastic.faults import REFUSALS, store_error
from store.elastic.reading import every, get_one
from store.names import Names

Kind = Literal["lines", "warc", "installation"]


@dataclass(frozen=True, slots=True)
class Import:
    """A source that is, or was, imported."""

    id: str
    kind: Kind
    name: str
    """The file's name, or the other installation's address; what it was called when it was last imported."""
    hash: str
    """Of the file's content; of another installation, its cluster and prefix."""
    size: int
    """Bytes, or articles when it began."""
    started_at: datetime
    changed_at: datetime
    place: int = 0
    """Where it goes on: a byte of the unpacked file, a record's offset, an ingest number."""
    number: int = 0
    """Records done."""
    done: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """The first ones, each with its line."""


def import_id(kind: Kind, content: str) -> str:
    """The id of an import of this content: the same whatever the file is called."""
    return hashlib.sha256(f"{kind} {content}".encode()).hexdigest()[:32]


class AnotherImportError(NewswatchError):
    """Somebody else imports the same source at the same time."""


class Imports:
    """The imports of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.imports

    def get(self, import_id: str) -> Stored[Import] | None:
        """The import, in real time; None: it was never begun.

        Raises:
            DocumentError: its document can't be read.
        """
        return get_one(self._es, self._index, import_id, _read)

    def save(self, value: Import, was: Stored[Import] | None) -> Stored[Import]:
        """Keep how far it has come.

        Raises:
            AnotherImportError: another process has written it since `was` was read.
            StoreError: it can't be written.
        """
        try:
            kept = put(self._es, self._index, value.id, value, dump(value), was)
        except REFUSALS as error:
            raise store_error(error) from error
        if kept is None:
            raise AnotherImportError(f"Another process imports {value.name}: wait until it is done, or stop it.")
        return kept

    def forget_since(self, since: datetime) -> None:
        """Forget the imports and the answers to pushes that went on since: they begin anew, which repeats nothing.

        Raises:
            StoreError: the index can't be written to; run it again.
        """
        self._es.indices.refresh(index=self._index)
        query = {"range": {"changed_at": {"gte": since.isoformat()}}}
        hits = every(self._es, self._index, query, source=False, seq_no_primary_term=True)
        for result in bulk.write(self._es, (bulk.delete(stored(None, hit)) for hit in hits)):
            bulk.won(result)


def _read(document_id: str, document: Mapping[str, Any]) -> Import:
    value = load(Import, {"counts": {}, "faults": []} | dict(document))
    require_id(document_id, value.id)
    return value


# ── another installation ─────────────────────────────────────────────────────────────────────────────────────────────


def content_of(es: Elasticsearch, names: Names) -> str:
    """What identifies an installation: its cluster and its prefix.

    Raises:
        StoreError: it can't be reached.
    """
    try:
        state = es.cluster.state(metric="metadata", filter_path="metadata.cluster_uuid,cluster_uuid").body
    except REFUSALS as error:
        raise store_error(error) from error
    uuid = state.get("cluster_uuid") or state.get("metadata", {}).get("cluster_uuid")
    return f"{uuid} {names.prefix}"


def count_of(es: Elasticsearch, names: Names) -> int:
    """How many articles the installation has.

    Raises:
        StoreError: there is no installation of that prefix, or it can't be reached.
    """
    try:
        return int(es.count(index=names.articles)["count"])
    except REFUSALS as error:
        fault = store_error(error)
        if not isinstance(fault, MissingIndexError):
            raise fault from error
        raise StoreError(
            f"No newswatch has its articles there: there is no {names.articles}. Name the other installation's prefix "
            "by --index-prefix."
        ) from error


def articles_after(es: Elasticsearch, names: Names, seq: int) -> Iterator[tuple[int, str, Article | str]]:
    """The articles of the installation with a higher ingest number than `seq`, in its order, as of now.

    Each with its ingest number and id; instead of an article that can't be read, the reason. `count_unnumbered` tells
    how many are left out.

    Raises:
        elasticsearch's errors: it can't be read.
    """
    numbered = {"range": {"seq": {"gt": seq}}}
    with closing(every(es, names.articles, numbered, size=200, sort=["seq", "_shard_doc"])) as hits:
        for hit in hits:
            try:
                yield int(hit["sort"][0]), str(hit["_id"]), read(hit, from_document)
            except DocumentError as error:
                yield int(hit["sort"][0]), str(hit["_id"]), error.reason


def count_unnumbered(es: Elasticsearch, names: Names) -> int:
    """How many articles have no ingest number: somebody wrote them by hand."""
    unnumbered = {"bool": {"must_not": {"exists": {"field": "seq"}}}}
    return int(es.count(index=names.articles, query=unnumbered)["count"])
