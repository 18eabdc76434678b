"""The history of one feed: its state, its articles, its problems; and making it due at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from ingest.polling.schedule import retried
from newswatch.article import Article
from newswatch.errors import NewswatchError
from store.article_documents import from_document
from store.elastic import bulk
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Stored, values
from store.elastic.reading import get_one
from store.elastic.times import daily, midnight, moment_at
from store.feed_documents import feed_document
from store.feeds import FeedRecord, read_feed
from store.names import Names
from store.quarantine import Kept, Quarantine

PROBLEMS = 10
"""Maximum number of problems in a feed's history."""


@dataclass(frozen=True, slots=True)
class FeedHistory:
    """A feed with its recent articles and problems."""

    record: FeedRecord
    days: Mapping[date, int]
    """Day → number of articles first seen on it; includes days without any."""
    articles: int
    """Articles in the index that this feed carries, whether or not others carry them too."""
    newest: tuple[Article, ...]
    refused: int
    """Number of problems with the feed and its entries."""
    problems: tuple[Kept, ...]
    """The `PROBLEMS` most recent of them."""


def read_history(
    es: Elasticsearch, names: Names, feed_id: str, *, days: int, now: datetime, zone: tzinfo = UTC
) -> FeedHistory:
    """The feed's history over the last `days` days of `zone`.

    Raises:
        NewswatchError: the feed does not exist, or its document can't be read.
    """
    record = _read(es, names, feed_id).value
    carried = {"term": {"feeds": feed_id}}
    today = now.astimezone(zone).date()
    since = today - timedelta(days=days - 1)
    # A date from tomorrow on was written by hand, and may be in any year.
    start, end = midnight(since, zone), midnight(today + timedelta(days=1), zone)
    within = {"range": {"first_seen": {"gte": start.isoformat(), "lt": end.isoformat()}}}
    aggs = {"recent": {"filter": within, "aggs": {"days": daily("first_seen", zone)}}}
    try:
        answer: Mapping[str, Any] = es.search(
            index=names.articles,
            query=carried,
            size=10,
            sort=[{"first_seen": "desc"}],
            track_total_hits=True,
            aggs=aggs,
        ).body
    except NotFoundError:  # before the first article
        answer = {"hits": {"hits": [], "total": {"value": 0}}, "aggregations": {"recent": {"days": {"buckets": []}}}}
    counts = dict.fromkeys((since + timedelta(days=n) for n in range(days)), 0)
    for bucket in answer["aggregations"]["recent"]["days"]["buckets"]:
        counts[moment_at(bucket["key"]).astimezone(zone).date()] = bucket["doc_count"]
    newest = tuple(values(answer["hits"]["hits"], from_document))
    quarantined = Quarantine(es, names).listed(feed_id=feed_id, size=PROBLEMS)
    total = answer["hits"]["total"]["value"]
    return FeedHistory(record, counts, total, newest, quarantined.total, quarantined.problems)


def retry(es: Elasticsearch, names: Names, feed_id: str) -> None:
    """Make the feed due for the next poll, whatever it waits for. Does nothing while the feed is being polled.

    Raises:
        NewswatchError: the feed does not exist.
        DocumentError: its document can't be read.
        StoreError: others keep writing it, or the index can't be written to.
    """

    def attempt() -> bool | None:
        was = _read(es, names, feed_id)
        if was.value.lease_batch is not None:
            return True
        document = feed_document(was.value.feed, retried(was.value.state))
        (result,) = bulk.write(es, [bulk.replace(was, document)])
        if not bulk.require(result):
            return None
        es.indices.refresh(index=names.feeds)
        return True

    until_written(attempt, lambda: f"Feed {feed_id} keeps being changed by others: try again.")


def _read(es: Elasticsearch, names: Names, feed_id: str) -> Stored[FeedRecord]:
    record = get_one(es, names.feeds, feed_id, read_feed)
    if record is None:
        raise NewswatchError(f"There is no feed {feed_id!r}.")
    return record
