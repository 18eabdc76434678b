"""`recheck`: the articles that were mailed are read again after 1, 6 and 24 hours, as outlets correct themselves.

What has changed becomes a new version in a batch of its own, so that `match` finds corrections there as in any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingest.extract import extract, extractor_version
from ingest.fetch import Fetcher
from jobs.context import Context, job
from newswatch.model import Article, Fetched, FetchResult
from search.articles import ArticleStore
from search.batches import BatchStore
from search.rechecks import Rechecks
from transforms.enrich import enrich
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy


@dataclass(frozen=True, slots=True)
class RecheckReport:
    """What reading again brought."""

    noted: int = 0
    """Articles that were mailed since the last run."""
    read: int = 0
    failed: int = 0
    """Pages that could not be read this time; there is a next one, but for the last."""
    changed: int = 0


@job("recheck")
def recheck(context: Context) -> RecheckReport:
    """Read again what is due. Doing it again does no harm.

    Raises:
        StoreError, ConfigError: nothing is lost; run it again.
    """
    rechecks = Rechecks(context.es, context.names)
    noted = rechecks.note_mailed(now=context.clock())
    due = rechecks.due(now=context.clock())
    if not due:
        return RecheckReport(noted)
    tagger = Tagger(load_taxonomy(context.settings.config_dir / "taxonomy.yaml"))
    store = ArticleStore(context.es, context.names, retag=lambda article: enrich(article, tagger))
    articles = list(store.get(found.value.article_id for found in due).values())
    answers = asyncio.run(_fetch(context, articles))
    seen = [
        again for article, answer in zip(articles, answers, strict=True) if (again := _read(context, article, answer))
    ]
    changed = _write(context, store, [enrich(article, tagger) for article in seen])
    rechecks.done(due)
    return RecheckReport(noted, len(seen), len(articles) - len(seen), changed)


async def _fetch(context: Context, articles: Sequence[Article]) -> list[FetchResult]:
    async with Fetcher(context.settings, clock=context.clock) as fetcher:
        return await asyncio.gather(*(fetcher.fetch_page(article.url) for article in articles))


def _read(context: Context, article: Article, answer: FetchResult) -> Article | None:
    """The article as its page has it now; None where the page can't be read, or says less than before."""
    if not isinstance(answer, Fetched):
        return None
    now = context.clock()
    page = extract(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)
    if page.status != "full" or not page.text:
        return None
    return _as_seen(article, page.title or article.title, page.text, now)


def _as_seen(article: Article, title: str, text: str, now: datetime) -> Article:
    provenance = replace(article.provenance, fetched_at=now, page_fetched=True, extractor=extractor_version())
    return replace(article, title=title, text=text, text_status="full", first_seen=now, provenance=provenance)


def _write(context: Context, store: ArticleStore, articles: list[Article]) -> int:
    if not articles:
        return 0
    batches, now = BatchStore(context.es, context.names), context.clock()
    batch = batches.begin(batches.open([], now=now, lease_s=context.settings.lease_s).number)
    written = store.write(articles, batch, batch.seq_of_attempt, now=now)
    batches.mark_indexed(batch.number, counts={"rechecked": len(articles), "updated": len(written.updated)}, now=now)
    return len(written.updated)
