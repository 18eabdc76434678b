"""What became of one feed: its state, what it brought, what went wrong, and asking for it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from ingest.schedule import retried
from newswatch.article import Article
from newswatch.errors import NewswatchError
from store import bulk
from store.compare_and_set import until_written
from store.documents import Stored, feed_document, from_document, values
from store.feeds import FeedRecord, read_feed
from store.names import Names
from store.quarantine import Kept, Quarantine
from store.reading import get_one

PROBLEMS = 10
"""Problems of a feed that its history lists."""


@dataclass(frozen=True, slots=True)
class FeedHistory:
    """A feed with what it did of late."""

    record: FeedRecord
    days: Mapping[date, int]
    """Articles first seen on each day, the days without any too."""
    articles: int
    """In the index, carried by other feeds as well or not."""
    newest: tuple[Article, ...]
    refused: int
    """How many problems there are with what it brought, and with the feed itself."""
    problems: tuple[Kept, ...]
    """The last `PROBLEMS` of them."""


def read_history(es: Elasticsearch, names: Names, feed_id: str, *, days: int, now: datetime) -> FeedHistory:
    """The feed's history over the last `days` days.

    Raises:
        NewswatchError: there is no such feed, or its document can't be read.
    """
    record = _read(es, names, feed_id).value
    carried = {"term": {"feeds": feed_id}}
    since = (now - timedelta(days=days - 1)).date()
    daily = {"date_histogram": {"field": "first_seen", "calendar_interval": "day"}}
    until = (now + timedelta(days=1)).date()  # what lies later was written by hand, and may be of any year
    within = {"range": {"first_seen": {"gte": since.isoformat(), "lt": until.isoformat()}}}
    aggs = {"recent": {"filter": within, "aggs": {"days": daily}}}
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
        counts[datetime.fromisoformat(bucket["key_as_string"]).date()] = bucket["doc_count"]
    newest = tuple(values(answer["hits"]["hits"], from_document))
    set_aside = Quarantine(es, names).listed(feed_id=feed_id, size=PROBLEMS)
    total = answer["hits"]["total"]["value"]
    return FeedHistory(record, counts, total, newest, set_aside.total, set_aside.problems)


def retry(es: Elasticsearch, names: Names, feed_id: str) -> None:
    """Make the feed due at once, whatever kept it waiting; the next poll takes it. Harmless while it is being polled.

    Raises:
        NewswatchError: there is no such feed.
        DocumentError: its document can't be read.
        StoreError: somebody else keeps writing it, or the index can't be written to.
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
    found = get_one(es, names.feeds, feed_id, read_feed)
    if found is None:
        raise NewswatchError(f"There is no feed {feed_id!r}.")
    return found
