"""`recheck`: reads mailed articles again after 1, 6 and 24 hours, because outlets correct their articles.

An article that shares its page with others is left out, because the page's text is not its own. A change becomes a new
version in a batch of its own, so that `match` handles its corrections like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched
from ingest.pages.extract import extractor_version
from ingest.urls import is_part
from jobs.context import Context, job
from jobs.enricher import enricher_of
from jobs.keeping import Keeping
from jobs.pull.pages import READERS, Page, Pages
from newswatch.article import Article
from newswatch.problems import Bulkhead
from store.articles import ArticleStore
from store.batches import BatchStore
from store.rechecks import Rechecks


@dataclass(frozen=True, slots=True)
class RecheckReport:
    """The result of reading articles again."""

    noted: int = 0
    """Articles that were mailed since the last run."""
    read: int = 0
    failed: int = 0
    """Pages that could not be read this time. They are tried at the next of the three times, if there is one."""
    changed: int = 0


_LOST_WAIT: Final = timedelta(hours=1)
"""Until an article is looked for again that is in a month which can't be read."""


@job("recheck")
def recheck(context: Context) -> RecheckReport:
    """Read again what is due. Repeating it is harmless.

    Raises:
        StoreError, ConfigError: nothing is lost; run it again.
    """
    rechecks = Rechecks(context.es, context.names)
    noted = rechecks.note_mailed(now=context.clock())
    due = rechecks.due(now=context.clock())
    if not due:
        return RecheckReport(noted)
    enriched = enricher_of(context)
    store = ArticleStore(context.es, context.names, retag=enriched)
    mailed = store.in_reach(recheck.value.article_id for recheck in due)
    lost = [recheck for recheck in due if recheck.value.article_id in mailed.unknown]
    rechecks.postpone(lost, context.clock() + _LOST_WAIT)
    due = [recheck for recheck in due if recheck not in lost]
    articles = [article for article in mailed.articles.values() if not is_part(article.url)]
    walls = context.bulkhead("recheck")
    pages = asyncio.run(_read_pages(context, articles, walls))
    seen = []
    for article, page in zip(articles, pages, strict=True):
        work = partial(_seen, article, page, context.clock(), enriched)
        again = walls.attempt("page", article.url, work, url=article.url, feed_id=article.source.feed_id)
        if again is not None:
            seen.append(again)
    changed = _write(context, store, seen)
    context.keep_problems(walls)
    rechecks.done(due)
    return RecheckReport(noted, len(seen), len(articles) - len(seen), changed)


async def _read_pages(context: Context, articles: Sequence[Article], walls: Bulkhead) -> list[Page]:
    keeping = Keeping(context)
    with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
        async with Fetcher(context.settings, clock=context.clock) as fetcher:
            shared: dict[str, Any] = {"walls": lambda _: walls, "clock": context.clock, "keeping": keeping}
            pages = Pages(fetcher, readers=readers, **shared)
            try:
                return await asyncio.gather(*(pages.read(article.address) for article in articles))
            finally:
                await asyncio.to_thread(keeping.close)


def _seen(article: Article, page: Page, now: datetime, enriched: Callable[[Article], Article]) -> Article | None:
    """The article as its page shows it now; None if the page can't be read or has no full text."""
    read = page.extracted
    if read is None or read.status != "full" or not read.text:
        return None
    body_hash = page.answer.body_hash if isinstance(page.answer, Fetched) else None
    return enriched(_as_seen(article, read.title or article.title, read.text, body_hash, now))


def _as_seen(article: Article, title: str, text: str, body_hash: str | None, now: datetime) -> Article:
    provenance = replace(
        article.provenance,
        fetched_at=now,
        page_fetched=True,
        extractor=extractor_version(),
        body_hash=body_hash,
    )
    return replace(article, title=title, text=text, text_status="full", first_seen=now, provenance=provenance)


def _write(context: Context, store: ArticleStore, articles: list[Article]) -> int:
    if not articles:
        return 0
    batches, now = BatchStore(context.es, context.names), context.clock()
    batch = batches.begin(batches.open([], now=now, lease_s=context.settings.lease_s).number)
    written = store.write(articles, batch, batch.seq_of_attempt, now=now)
    counts = {"rechecked": len(articles), "updated": len(written.updated)}
    batches.mark_indexed(batch.number, counts=counts, now=now, months=written.months)
    return len(written.updated)
