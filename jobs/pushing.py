"""`push`: articles that a program sends in. They go the way of a pulled batch: tagged, indexed, matched and mailed.

A push is idempotent twice over: an article is its canonical URL, and a request with an idempotency key is answered as
before. If the process dies, the batch is given up like any other, and what was written of it is matched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from ingest.addresses import domain_of, is_address
from ingest.assemble import source_of
from ingest.given import GivenError, pushed
from jobs.context import Context, job
from jobs.enricher import enricher_of
from jobs.known_as import known_as
from newswatch.article import Article, Source
from newswatch.errors import DocumentError
from newswatch.feed import Feed
from newswatch.problems import Bulkhead
from store.articles import ArticleStore, WriteReport
from store.batches import BatchStore
from store.feeds import FeedStore
from store.quarantine import article_problem

_Enrich = Callable[[Article], Article]
LEASE_S: Final = 120
Outcome = Literal["created", "updated", "known", "refused"]


@dataclass(frozen=True, slots=True)
class Pusher:
    """Who sends articles in."""

    id: str
    name: str
    """If a feed of the list has this id, its facts hold for the articles: title, country, kind, owner, grade."""

    @property
    def feed_id(self) -> str:
        """The id of the feed that articles are said to come from, if there is no such feed."""
        return f"push-{self.id}"


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one article."""

    index: int
    """Its place in the request, from 0."""
    outcome: Outcome
    id: str = ""
    url: str = ""
    """Its canonical URL."""
    reason: str = ""
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """What became of a push."""

    batch: int | None
    """The number of its batch; None: nothing of it could be used."""
    items: tuple[Received, ...]
    created: int = 0
    updated: int = 0
    known: int = 0
    refused: int = 0


@job("push")
def push(context: Context, items: Sequence[Any], pusher: Pusher) -> PushReport:
    """Take the articles in; what is wrong with one costs only itself.

    Raises:
        ConfigError: the taxonomy can't be used.
        StoreError: Elasticsearch is unavailable: send it again.
    """
    walls, feed, enriched = context.bulkhead("push"), _feed(context, pusher.name), enricher_of(context)
    refused: dict[int, Received] = {}
    articles: dict[int, Article] = {}
    for index, item in enumerate(items):
        try:
            article = _article(item, pusher, feed, enriched, walls, context.clock())
        except GivenError as error:
            refused[index] = Received(index, "refused", reason=str(error))
            continue
        if article is None:
            refused[index] = Received(index, "refused", reason="a fault of newswatch; it is among the problems")
        else:
            articles[index] = article
    given = [(article, items[index]["url"]) for index, article in articles.items()]
    known = known_as(ArticleStore(context.es, context.names), given)
    articles = dict(zip(articles, known, strict=True))
    batch, outcomes = (
        _written(context, articles, feed.id if feed else pusher.feed_id, enriched, walls) if articles else (None, {})
    )
    context.keep_problems(walls)
    received = tuple((refused | outcomes)[index] for index in range(len(items)))
    return PushReport(batch, received, **Counter(str(item.outcome) for item in received))


def _article(
    item: Any, pusher: Pusher, feed: Feed | None, enriched: _Enrich, walls: Bulkhead, now: datetime
) -> Article | None:
    """The article, tagged; None: our own code failed on it.

    Raises:
        GivenError: it can't be used.
    """
    url = item.get("url") if isinstance(item, Mapping) else None
    domain = domain_of(url) if isinstance(url, str) and is_address(url) else ""
    source = source_of(feed, url) if feed and domain and url else Source(pusher.feed_id, pusher.name, domain)
    article = pushed(item, source, now=now)
    return walls.attempt("article", article.id, partial(enriched, article), url=article.url, feed_id=source.feed_id)


def _feed(context: Context, feed_id: str) -> Feed | None:
    try:
        record = FeedStore(context.es, context.names).get(feed_id)
    except DocumentError:
        return None
    return record.feed if record else None


def _written(
    context: Context, articles: Mapping[int, Article], feed_id: str, enriched: _Enrich, walls: Bulkhead
) -> tuple[int, dict[int, Received]]:
    """Write the articles as a batch, and have it matched."""
    batches, now = BatchStore(context.es, context.names), context.clock()
    batch = batches.begin(batches.open([feed_id], now=now, lease_s=LEASE_S).number)
    store = ArticleStore(context.es, context.names, retag=enriched)
    left, seq, total = dict(articles), batch.seq_of_attempt, WriteReport()
    outcomes: dict[int, Received] = {}
    while left:  # of several with one address, one after the other: each is judged by what the one before has made
        once = {article.id: index for index, article in reversed(left.items())}
        now_written = {index: left.pop(index) for index in sorted(once.values())}
        written = store.write(list(now_written.values()), batch, seq, now=now)
        seq, total = written.next_seq, total.plus(written)
        outcomes |= {index: _received(index, article, written) for index, article in now_written.items()}
    for one in total.refused:
        walls.note(article_problem(one.article, one.reason, stage="push"))
    counts = {"new": len(total.new), "updated": len(total.updated), "known": len(total.known)}
    batches.mark_indexed(batch.number, counts=counts, now=context.clock(), months=total.months)
    return batch.number, outcomes


def _received(index: int, article: Article, written: WriteReport) -> Received:
    reasons = {one.article.id: one.reason for one in written.refused}
    if why := reasons.get(article.id):
        return Received(index, "refused", article.id, article.url, why)
    is_new, is_updated = article.id in written.new, article.id in written.updated
    return Received(index, "created" if is_new else "updated" if is_updated else "known", article.id, article.url)
