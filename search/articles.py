"""Articles in their monthly slices: one document per canonical URL, whoever writes and however often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from newswatch.model import Article, Batch
from search import bulk
from search.documents import Document, Stored, from_document, stored, to_document
from search.merge import Carried, Known, New, Updated, merge
from search.names import Names

_GETS = 5_000
"""Documents asked for in one multi-get."""
_ROUNDS = 10
"""How often a write that somebody else keeps overtaking is tried again."""
_NEAR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Refused:
    """An article that Elasticsearch will never take as it is."""

    article: Article
    reason: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of the articles: each is in exactly one of these."""

    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    next_seq: int = 0
    """The first ingest number that is still free."""


@dataclass(frozen=True, slots=True)
class _Write:
    kind: str
    article: Article
    action: Document


class ArticleStore:
    """The articles of one installation."""

    def __init__(self, es: Elasticsearch, names: Names, *, retag: Callable[[Article], Article] = lambda a: a) -> None:
        """`retag` makes an article's tags anew when a write joins a new title to an older text."""
        self._es, self._names, self._retag = es, names, retag

    def get(self, ids: Iterable[str]) -> dict[str, Article]:
        """Those of the articles that exist, in real time: also what was written a moment ago."""
        return {name: found.value[0] for name, found in self._read(ids).items()}

    def write(self, articles: Sequence[Article], batch: Batch, seq: int, *, now: datetime) -> WriteReport:
        """Write what is new or changed, numbered from `seq` on, and say what became of each article.

        Returns once Elasticsearch has acknowledged every document. Doing it again does no harm.

        Raises:
            StoreError: Elasticsearch is unavailable; do the batch again.
        """
        sorted_: dict[str, list[Any]] = {kind: [] for kind in ("new", "updated", "carried", "known", "refused")}
        queue = list(articles)
        for _ in range(_ROUNDS + len(articles)):
            if not queue:
                break
            once = list({article.id: article for article in reversed(queue)}.values())[::-1]
            taken = {id(article) for article in once}
            later = [article for article in queue if id(article) not in taken]
            writes = self._decide(once, batch, seq, now, sorted_)
            seq += len(writes)
            queue = self._commit(writes, sorted_) + later
        else:
            raise StoreError(f"Batch {batch.number} keeps being overtaken by other writers: run it again.")
        self._settle_new_month(sorted_["new"], now)
        return WriteReport(**{kind: tuple(items) for kind, items in sorted_.items()}, next_seq=seq)

    def _decide(
        self, articles: list[Article], batch: Batch, seq: int, now: datetime, report: dict[str, list[Any]]
    ) -> list[_Write]:
        existing = self._read(article.id for article in articles) if articles else {}
        writes: list[_Write] = []
        for article in articles:
            was = existing.get(article.id)
            stamp: dict[str, Any] = {"batch_id": batch.id, "seq": seq + len(writes), "indexed_at": now}
            match merge(article, was.value[0] if was else None):
                case New(new):
                    action = bulk.create(self._names.slice(new.first_seen), new.id, to_document(new, **stamp))
                    writes.append(_Write("new", article, action))
                case Updated(version, mixed) if was:
                    version = self._retag(version) if mixed else version
                    writes.append(_Write("updated", article, bulk.replace(was, to_document(version, **stamp))))
                case Carried(again) if was:
                    # Nobody needs to be told of it, so it keeps its place in the ingest order.
                    writes.append(_Write("carried", article, bulk.replace(was, _restamp(again, was.value[1]))))
                case Known():
                    report["known"].append(article.id)
        return writes

    def _commit(self, writes: list[_Write], report: dict[str, list[Any]]) -> list[Article]:
        """Write, note each result, and give back the articles that somebody else has written meanwhile."""
        overtaken = []
        results = bulk.write(self._es, (write.action for write in writes))
        for write, result in zip(writes, results, strict=True):
            if result.conflict:
                overtaken.append(write.article)
            elif result.reason:
                report["refused"].append(Refused(write.article, result.reason))
            else:
                report[write.kind].append(write.article.id)
        return overtaken

    def _settle_new_month(self, created: Sequence[str], now: datetime) -> None:
        """Undo a double creation around midnight on the first, when two writers may use two slices for one article.

        Each looks after its own creation, so at least one of them sees both; the earlier slice's document stays.
        """
        slices = {self._names.slice(moment) for moment in (now - _NEAR, now, now + _NEAR)}
        if len(slices) == 1 or not created:
            return
        for article_id in created:
            found = [hit for index in sorted(slices) for hit in self._mget([index], [article_id])]
            for double in found[1:]:
                token = {"if_seq_no": double["_seq_no"], "if_primary_term": double["_primary_term"]}
                self._es.options(ignore_status=(404, 409)).delete(index=double["_index"], id=article_id, **token)

    def slices(self) -> list[str]:
        """The monthly slices there are, newest first."""
        found = self._es.options(ignore_status=404).indices.get_alias(name=self._names.articles)
        return sorted((name for name in found.body if name.startswith(self._names.articles + "-")), reverse=True)

    def _read(self, ids: Iterable[str]) -> dict[str, Stored[tuple[Article, Document]]]:
        hits = self._mget(self.slices(), list(dict.fromkeys(ids)))
        found: dict[str, Stored[tuple[Article, Document]]] = {}
        for hit in hits:
            value = (from_document(hit["_id"], hit["_source"]), hit["_source"])
            found.setdefault(hit["_id"], stored(value, hit))
        return found

    def _mget(self, slices: list[str], ids: list[str]) -> list[Document]:
        wanted = [{"_index": index, "_id": name} for index in slices for name in ids]
        hits: list[Document] = []
        for at in range(0, len(wanted), _GETS):
            answer = self._es.mget(docs=wanted[at : at + _GETS])
            hits += [doc for doc in answer["docs"] if doc.get("found")]
        return hits


def _restamp(article: Article, was: Document) -> Document:
    indexed_at = datetime.fromisoformat(was["indexed_at"])
    return to_document(article, batch_id=was["batch"], seq=was["seq"], indexed_at=indexed_at)
