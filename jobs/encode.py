"""`encode`: gives stored articles the vectors that they lack, or that another encoder gave them.

Articles are encoded when they are read; this is for those from before there was an encoder, or from before it changed.
Stories stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from jobs.context import Context, job
from jobs.encoder import why_none
from newswatch.article import Article
from newswatch.errors import SetupError
from store.article_documents import renewed, with_document
from store.elastic import bulk
from store.elastic.documents import Document, Stored, all_stored
from store.elastic.reading import pages
from store.generations import await_writable
from store.quarantine import article_problem
from transforms import encoder as encoders
from transforms.encoder import Encoder
from transforms.meaning import with_meaning

_PAGE = 100

Progress = Callable[[int, int], None]
"""Called with the number of articles done, and the total."""


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What was encoded."""

    encoder: str
    lacking: int
    """Tagged articles that had no vector of this encoder."""
    encoded: int = 0
    left: int = 0
    """Not encoded: time was up, others changed them meanwhile, or they have no words or could not be written."""


@job("encode")
def encode(
    context: Context,
    *,
    days: int | None = None,
    most_s: float | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> EncodeReport:
    """Encode the tagged articles that lack a vector of the encoder in use, the newest first.

    `days` limits it to articles first seen since, `most_s` is the time after which no more are begun. Run it again for
    those that are left.

    Raises:
        SetupError: there is no encoder.
        StoreError: Elasticsearch is unavailable; what was encoded is kept.
    """
    if reason := why_none(context.settings):
        raise SetupError(f"Nothing can be encoded: {reason}.")
    encoder = encoders.load()
    assert encoder is not None
    context.es.indices.refresh(index=context.names.articles, ignore_unavailable=True)
    query = lacking(encoder, context, days)
    total = int(context.es.count(index=context.names.articles, query=query, ignore_unavailable=True)["count"])
    if dry_run or not total:
        return EncodeReport(encoder.name, total, 0, total)
    encoded = _Encoding(context, encoder, query, total, progress).run(most_s)
    return EncodeReport(encoder.name, total, encoded, total - encoded)


def lacking(encoder: Encoder, context: Context, days: int | None) -> Document:
    """The query for the tagged articles without a vector of the encoder."""
    filters: list[Document] = [{"exists": {"field": "tags"}}]
    if days is not None:
        since = context.clock() - timedelta(days=days)
        filters.append({"range": {"first_seen": {"gte": since.isoformat()}}})
    return {"bool": {"filter": filters, "must_not": [{"term": {"meaning.by": encoder.name}}]}}


class _Encoding:
    def __init__(self, context: Context, encoder: Encoder, query: Document, total: int, progress: Progress) -> None:
        self._context, self._encoder, self._query = context, encoder, query
        self._total, self._progress = total, progress
        self._walls = context.bulkhead("encode")

    def run(self, most_s: float | None) -> int:
        """The number of articles encoded."""
        began, looked, encoded = time.monotonic(), 0, 0
        found = pages(
            self._context.es,
            self._context.names.articles,
            self._query,
            size=_PAGE,
            sort=[{"seq": "desc"}],
            seq_no_primary_term=True,
        )
        try:
            for hits in found:
                encoded += self._write(all_stored(hits, with_document))
                looked += len(hits)
                self._progress(looked, self._total)
                if most_s is not None and time.monotonic() - began >= most_s:
                    break
        finally:
            found.close()
            self._context.keep_problems(self._walls)
        return encoded

    def _write(self, page: list[Stored[tuple[Article, Document]]]) -> int:
        topics = self._context.names.topics()
        tries = [(was, self._encoded(was.value[0])) for was in page]
        done = [(was, article) for was, article in tries if article is not None and article.meaning is not None]
        actions = (bulk.replace(was, renewed(was.id, was.value[1], topics, article)) for was, article in done)
        written, moved = 0, False
        for (_, article), result in zip(done, bulk.write(self._context.es, actions), strict=True):
            if result.reason is None:
                written += 1
            elif result.conflict or result.moved:
                moved = moved or result.moved
            elif result.own_fault:
                self._walls.note(article_problem(article, result.reason, stage="encode"))
            else:
                bulk.won(result)
        if moved:
            await_writable(self._context.es, self._context.names)
        return written

    def _encoded(self, article: Article) -> Article | None:
        """The article with its vector; None if that fails: then it goes into quarantine."""
        work = partial(with_meaning, article, self._encoder)
        return self._walls.attempt("article", article.id, work, url=article.url, feed_id=article.source.feed_id)
