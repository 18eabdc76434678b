"""Deletes what is old: whole monthly slices of articles, and single documents of the other indices.

Some Elasticsearch offerings lack delete-by-query. Old documents are therefore searched first, and deleted by
compare-and-set, so that a document that somebody writes meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from newswatch.batch import BatchState
from newswatch.delivery import DeliveryState
from store import pushes
from store.audit import AuditLog
from store.elastic import bulk
from store.elastic.documents import Hit, Stored, stored, values
from store.elastic.index_facts import created_at
from store.elastic.reading import every, get_hits, pages
from store.entries import entry_key
from store.feeds import read_feed
from store.generations import Slice, all_slices
from store.milestones import HEAD, micros
from store.names import Names, month_end

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


def drop_old_audit(log: AuditLog, names: Names, before: datetime) -> None:
    """Drop the months of the audit log that ended before `before`; each is recorded in it."""
    months = {index: index.removeprefix(f"{names.audit}-") for index in log.months()}
    log.drop([index for index, month in months.items() if month_end(month) <= before])


def drop_superseded(es: Elasticsearch, names: Names, now: datetime) -> list[str]:
    """Drop the generations that were replaced more than a day ago; their names.

    A generation above the one in force stays: an upgrade is filling it, or will resume after an interruption.
    """
    slices = all_slices(es, names)
    live = {slice_.month: slice_ for slice_ in slices if slice_.live}
    replaced = [old for old in slices if old.month in live and old.generation < live[old.month].generation]
    return _drop(es, [old.index for old in replaced if _created(es, live[old.month]) <= now - SUPERSEDED_FOR])


def _created(es: Elasticsearch, slice_: Slice) -> datetime:
    return created_at(es, [slice_.index])[slice_.index]


def _drop(es: Elasticsearch, indices: list[str]) -> list[str]:
    for index in indices:
        es.options(ignore_status=404).indices.delete(index=index)
    return indices


def forget_entries(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the records of feed entries unchanged since `before`; their number.

    A record stays as long as its feed shows the entry, because the next poll would index the entry as new. The feeds
    are read beside each page of records, so that no more is in memory than those.
    """
    es.indices.refresh(index=[names.entries, names.feeds])
    old = {"range": {"last_changed": {"lt": before.isoformat()}}}
    found = pages(es, names.entries, old, sort=["feed_id", "_shard_doc"], source=["feed_id"], seq_no_primary_term=True)
    with closing(found):
        return sum(_delete(es, _not_shown(es, names, page)) for page in found)


def _not_shown(es: Elasticsearch, names: Names, page: Sequence[Hit]) -> Iterator[Stored[None]]:
    """The records of a page whose feeds don't show their entries any more, or are disabled or gone.

    The entries of a feed that can't be read are all kept.
    """
    of = {str(hit["_source"].get("feed_id", "")) for hit in page} - {""}
    hits = get_hits(es, names.feeds, of)
    feeds = {feed.feed.id: feed for feed in values(hits, read_feed)}
    unreadable = {hit["_id"] for hit in hits} - feeds.keys()
    shown = {
        entry_key(feed_id, entry)
        for feed_id, record in feeds.items()
        if record.feed.enabled
        for entry in record.state.entry_ids
    }
    return (
        stored(None, hit)
        for hit in page
        if hit["_id"] not in shown and hit["_source"].get("feed_id", "") not in unreadable
    )


def forget_deliveries(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the deliveries made before `before` that wait for nobody and whose story has no article any more.

    Their outcomes go first, so that none is left without its delivery. A delivery is the promise that its saved search
    mails its story once. The story may match again as long as it has an article: another one may join it, and its
    outlet may edit it.
    """
    es.indices.refresh(index=names.deliveries)
    made = {"range": {"created_at": {"lt": before.isoformat()}}}
    waits = [{"exists": {"field": "waiting"}}, {"term": {"state": DeliveryState.PENDING}}]
    query = {"bool": {"filter": [made], "must_not": waits}}
    found = pages(es, names.deliveries, query, source=["story_id"], seq_no_primary_term=True)
    with closing(found):
        return sum(_forget_with_outcomes(es, names, list(_without_story(es, names, page))) for page in found)


def _forget_with_outcomes(es: Elasticsearch, names: Names, gone: Sequence[Stored[None]]) -> int:
    if gone:
        _delete(es, _find(es, names.outcomes, {"terms": {"delivery_id": [delivery.id for delivery in gone]}}))
    return _delete(es, gone)


def _without_story(es: Elasticsearch, names: Names, page: Sequence[Hit]) -> Iterator[Stored[None]]:
    stories = sorted({str(hit["_source"].get("story_id", "")) for hit in page})
    answer = es.search(
        index=names.articles,
        ignore_unavailable=True,
        allow_partial_search_results=False,
        size=0,
        query={"terms": {"story_id": stories}},
        aggs={"there": {"terms": {"field": "story_id", "size": len(stories)}}},
    )
    found = answer.get("aggregations", {}).get("there", {}).get("buckets", [])
    there = {str(bucket["key"]) for bucket in found}
    return (stored(None, hit) for hit in page if str(hit["_source"].get("story_id", "")) not in there)


def forget_rechecks(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete what is noted of articles mailed before `before` that are not read again any more; their number."""
    mailed = {"range": {"mailed_at": {"lt": before.isoformat()}}}
    query = {"bool": {"filter": [mailed], "must_not": [{"exists": {"field": "due_at"}}]}}
    return _delete(es, _find(es, names.rechecks, query))


def forget_labels(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete readers' verdicts on articles that `drop_old_slices` has dropped for `before`; their number."""
    given = {"range": {"at": {"lt": (before - _LONGEST_MONTH).isoformat()}}}
    return _delete(es, _find(es, names.labels, given))


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


def forget_readers(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the marks and handovers of articles that `drop_old_slices` has dropped for `before`; their number.

    Forgets readers who have not looked for as long, too. An article is dropped with its whole month, so up to a month
    later than `before`; a mark on it is no older than the article.
    """
    unchanged = {"range": {"changed_at": {"lt": (before - _LONGEST_MONTH).isoformat()}}}
    return _delete(es, _find(es, names.readers, unchanged))


def forget_pushes(es: Elasticsearch, names: Names, now: datetime) -> int:
    """Delete the answers to pushes that are no longer given again; their number."""
    old = [{"term": {"kind": pushes.KIND}}, {"range": {"changed_at": {"lt": (now - pushes.KEPT).isoformat()}}}]
    return _delete(es, _find(es, names.imports, {"bool": {"filter": old}}))


def forget_milestones(es: Elasticsearch, names: Names, before: datetime) -> int:
    """Delete the milestones of articles that `drop_old_slices` has dropped for `before`; their number.

    The last of them stays: from it on, the time is interpolated.
    """
    past = {"range": {"at_us": {"lt": micros(before - 2 * _LONGEST_MONTH)}}}
    query = {"bool": {"filter": [past], "must_not": [{"ids": {"values": [HEAD]}}]}}
    es.indices.refresh(index=names.milestones)
    hits = es.search(index=names.milestones, query=query, size=1, sort=[{"at_us": "desc"}], source=False)["hits"][
        "hits"
    ]
    last = {hit["_id"] for hit in hits}
    return _delete(es, (stone for stone in _find(es, names.milestones, query) if stone.id not in last))


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
    return int(es.indices.get_settings(index=index)[index]["settings"]["index"].get("number_of_shards", 1))
