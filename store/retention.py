"""Deletes what is old: whole monthly slices of articles, and single documents of the other indices.

Some Elasticsearch offerings lack delete-by-query. Old documents are therefore searched first, and deleted by
compare-and-set, so that a document that somebody writes meanwhile stays.
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
"""How long a replaced generation stays, for searches that still read it."""
_SETTLED = timedelta(days=2)
_LONGEST_MONTH = timedelta(days=31)
_NOT_OFFERED = (400, 404, 410)

Query = dict[str, Any]


def drop_old_slices(es: Elasticsearch, names: Names, before: datetime) -> list[str]:
    """Drop the slices, in every generation, whose whole month is before `before`; their names."""
    old = [slice_.index for slice_ in all_slices(es, names) if month_end(slice_.month) <= before]
    return _drop(es, old)


def drop_superseded(es: Elasticsearch, names: Names, now: datetime) -> list[str]:
    """Drop the generations that were replaced more than a day ago; their names.

    A generation above the one in force stays: an upgrade is filling it, or will resume after an interruption.
    """
    slices = all_slices(es, names)
    live = {slice_.month: slice_ for slice_ in slices if slice_.live}
    replaced = [old for old in slices if old.month in live and old.generation < live[old.month].generation]
    return _drop(es, [old.index for old in replaced if _created(es, live[old.month]) <= now - SUPERSEDED_FOR])


def month_end(month: str) -> datetime:
    """The first moment after a month such as "2026.03"."""
    start = datetime.strptime(month, "%Y.%m").replace(tzinfo=UTC)
    return (start + timedelta(days=32)).replace(day=1)


def _created(es: Elasticsearch, slice_: Slice) -> datetime:
    settings = es.indices.get_settings(index=slice_.index)[slice_.index]["settings"]
    return datetime.fromtimestamp(int(settings["index"]["creation_date"]) / 1000, UTC)


def _drop(es: Elasticsearch, indices: list[str]) -> list[str]:
    for index in indices:
        es.options(ignore_status=404).indices.delete(index=index)
    return indices


def forget_entries(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the records of feed entries unchanged since `before`; their number.

    A record stays as long as its feed shows the entry, because the next poll would index the entry as new.
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
    """Delete the batches matched before `before`; their number.

    The last batch always stays, because the next one derives its number from it, and numbers are never reused.
    """
    es.indices.refresh(index=names.batches)
    last = es.search(index=names.batches, size=1, sort=[{"number": "desc"}], source=False)["hits"]["hits"]
    matched = [{"term": {"state": BatchState.MATCHED}}, {"range": {"matched_at": {"lt": before.isoformat()}}}]
    old = _find(es, names.batches, {"bool": {"filter": matched}})
    return _delete(es, (batch for batch in old if batch.id != last[0]["_id"]))


def forget_quarantine(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the problems that last occurred before `before`; their number."""
    return _delete(es, _find(es, names.quarantine, {"range": {"at": {"lt": before.isoformat()}}}))


def forget_deliveries(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the deliveries that were matched before `before` and for which nobody waits; their number.

    `before` must be older than any batch that may be matched again, which would enqueue its stories anew.
    """
    return _delete(es, _find(es, names.deliveries, _over(before)))


def forget_outcomes(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the outcomes of deliveries that were matched before `before`, except those that wait; their number.

    Later mails on their stories are no replies any more, and say again what these said.
    """
    return _delete(es, _find(es, names.outcomes, _over(before)))


def _over(before: datetime) -> Query:
    old = {"range": {"created_at": {"lt": before.isoformat()}}}
    return {"bool": {"filter": [old], "must_not": {"term": {"state": "pending"}}}}


def forget_readers(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the marks and handovers of articles that `drop_old_slices` has dropped for `before`; their number.

    Forgets readers who have not looked for as long, too. An article is dropped with its whole month, so up to a month
    later than `before`; a mark on it is no older than the article.
    """
    unchanged = {"range": {"changed_at": {"lt": (before - _LONGEST_MONTH).isoformat()}}}
    return _delete(es, _find(es, names.readers, unchanged))


def _find(es: Elasticsearch, index: str, query: Query) -> Iterator[Stored[None]]:
    es.indices.refresh(index=index)
    return (stored(None, hit) for hit in every(es, index, query, source=False, seq_no_primary_term=True))


def _delete(es: Elasticsearch, documents: Iterable[Stored[None]]) -> int:
    return sum(bulk.won(result) for result in bulk.write(es, (bulk.delete(document) for document in documents)))


def merge_settled(es: Elasticsearch, names: Names, now: datetime) -> list[str]:
    """Merge the slices of past months into one segment each, once, which makes them faster and smaller; their names.

    Does nothing if Elasticsearch manages segments by itself and does not offer the request.
    """
    merged = []
    for slice_ in all_slices(es, names):
        if not slice_.live or month_end(slice_.month) > now - _SETTLED:
            continue
        try:
            if _segments(es, slice_.index) > _shards(es, slice_.index):
                es.options(request_timeout=3_600).indices.forcemerge(index=slice_.index, max_num_segments=1)
                merged.append(slice_.index)
        except ApiError as error:
            if error.meta.status not in _NOT_OFFERED:
                raise
            return merged
    return merged


def _segments(es: Elasticsearch, index: str) -> int:
    return int(es.indices.stats(index=index, metric="segments")["indices"][index]["primaries"]["segments"]["count"])


def _shards(es: Elasticsearch, index: str) -> int:
    return int(es.indices.get_settings(index=index)[index]["settings"]["index"]["number_of_shards"])
