"""What is old goes: whole monthly slices of articles, and one by one what has no slices.

Deleting by query is not to be had on every Elasticsearch: what is to go is found first and deleted by compare-and-set,
so that what somebody writes meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from newswatch.batch import BatchState
from store import bulk
from store.documents import Stored, stored
from store.entries import entry_key
from store.feeds import FeedStore
from store.generations import Slice, all_slices
from store.names import Names
from store.reading import every

SUPERSEDED_FOR = timedelta(days=1)
"""How long a generation stays that another has replaced: searches that were under way still read it."""
_SETTLED = timedelta(days=2)
_NOT_OFFERED = (400, 404, 410)

Query = dict[str, Any]


def drop_old_slices(es: Elasticsearch, names: Names, before: datetime) -> list[str]:
    """Drop the slices, in every generation, whose whole month lies before `before`; their names."""
    old = [one.index for one in all_slices(es, names) if month_end(one.month) <= before]
    return _drop(es, old)


def drop_superseded(es: Elasticsearch, names: Names, now: datetime) -> list[str]:
    """Drop the generations that another replaced more than a day ago; their names.

    One that is higher than the one in force stays: an upgrade is filling it, or will go on where it was broken off.
    """
    slices = all_slices(es, names)
    live = {one.month: one for one in slices if one.live}
    replaced = [one for one in slices if one.month in live and one.generation < live[one.month].generation]
    return _drop(es, [one.index for one in replaced if _created(es, live[one.month]) <= now - SUPERSEDED_FOR])


def month_end(month: str) -> datetime:
    """The first moment after a month such as "2026.03"."""
    start = datetime.strptime(month, "%Y.%m").replace(tzinfo=UTC)
    return (start + timedelta(days=32)).replace(day=1)


def _created(es: Elasticsearch, one: Slice) -> datetime:
    settings = es.indices.get_settings(index=one.index)[one.index]["settings"]
    return datetime.fromtimestamp(int(settings["index"]["creation_date"]) / 1000, UTC)


def _drop(es: Elasticsearch, indices: list[str]) -> list[str]:
    for index in indices:
        es.options(ignore_status=404).indices.delete(index=index)
    return indices


def forget_entries(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Forget the feed entries that did not change since `before`; how many those were.

    What its feed still shows is kept however old it is: forgotten, it would be news again at the next poll.
    """
    shown = {
        entry_key(record.feed.id, entry)
        for record in FeedStore(es, names).all()
        if record.feed.enabled
        for entry in record.state.entry_ids
    }
    old = _find(es, names.entries, {"range": {"last_changed": {"lt": before.isoformat()}}})
    return _delete(es, (entry for entry in old if entry.id not in shown))


def forget_batches(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Forget the batches that were matched before `before`; how many those were.

    The last one stays however old it is: the next takes its number from it, and a number must never come again.
    """
    es.indices.refresh(index=names.batches)
    last = es.search(index=names.batches, size=1, sort=[{"number": "desc"}], source=False)["hits"]["hits"]
    matched = [{"term": {"state": BatchState.MATCHED}}, {"range": {"matched_at": {"lt": before.isoformat()}}}]
    old = _find(es, names.batches, {"bool": {"filter": matched}})
    return _delete(es, (batch for batch in old if batch.id != last[0]["_id"]))


def forget_quarantine(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Forget what was last refused before `before`; how much that was."""
    return _delete(es, _find(es, names.quarantine, {"range": {"at": {"lt": before.isoformat()}}}))


def _find(es: Elasticsearch, index: str, query: Query) -> Iterator[Stored[None]]:
    es.indices.refresh(index=index)
    return (stored(None, hit) for hit in every(es, index, query, source=False, seq_no_primary_term=True))


def _delete(es: Elasticsearch, documents: Iterable[Stored[None]]) -> int:
    return sum(bulk.won(result) for result in bulk.write(es, (bulk.delete(one) for one in documents)))


def merge_settled(es: Elasticsearch, names: Names, now: datetime) -> list[str]:
    """Merge the slices of past months into one segment each, once: faster to search and smaller; their names.

    Where Elasticsearch manages segments by itself and offers no such request, nothing is done.
    """
    merged = []
    for one in all_slices(es, names):
        if not one.live or month_end(one.month) > now - _SETTLED:
            continue
        try:
            if _segments(es, one.index) > _shards(es, one.index):
                es.options(request_timeout=3_600).indices.forcemerge(index=one.index, max_num_segments=1)
                merged.append(one.index)
        except ApiError as error:
            if error.meta.status not in _NOT_OFFERED:
                raise
            return merged
    return merged


def _segments(es: Elasticsearch, index: str) -> int:
    return int(es.indices.stats(index=index, metric="segments")["indices"][index]["primaries"]["segments"]["count"])


def _shards(es: Elasticsearch, index: str) -> int:
    return int(es.indices.get_settings(index=index)[index]["settings"]["index"]["number_of_shards"])
