"""Which months of the articles are out of reach, and by which others a batch can be matched meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from ingest.dates import LEEWAY
from newswatch.batch import Batch
from store.generations import live_slices
from store.names import Names, month_end
from transforms.across import LOOK_BACK


def lost_slices(es: Elasticsearch, names: Names) -> list[str]:
    """The slices in force that can't be searched now: a node is away, or somebody has closed them."""
    live = live_slices(es, names)
    if not live:
        return []
    searches: list[dict[str, Any]] = []
    for index in live:
        searches += [{"index": index, "allow_partial_search_results": False}, {"size": 0, "terminate_after": 1}]
    answers = es.msearch(searches=searches)["responses"]
    return [index for index, answer in zip(live, answers, strict=True) if "error" in answer]


def names_without(
    es: Elasticsearch, names: Names, batch: Batch, lost: Collection[str], *, window: timedelta
) -> Names | None:
    """The names by which the batch can be matched without the slices `lost`; None: it needs one of them.

    It does if one of its articles is there (`Batch.months`), or may share its story with one there. An article's time
    is hardly later than the month that it was first seen in, and stories reach back for `window`.
    """
    months = {parsed[0] for index in lost if (parsed := names.parse_slice(index))}
    if not batch.months or months & set(batch.months):
        return None
    here = replace(names, searched=tuple(index for index in live_slices(es, names) if index not in lost))
    first = _first_time(es, here, batch)
    if first and any(month_end(month) + LEEWAY >= first - max(window, LOOK_BACK) for month in months):
        return None
    return here


def _first_time(es: Elasticsearch, here: Names, batch: Batch) -> datetime | None:
    """The earliest time of the batch's articles; None without one."""
    es.indices.refresh(index=here.articles)
    ours = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    first = {"first": {"min": {"field": "time"}}}
    answer = es.search(index=here.articles, size=0, query=ours, aggs=first, allow_partial_search_results=False)
    value = answer["aggregations"]["first"]["value"]
    return None if value is None else datetime.fromtimestamp(value / 1_000, UTC)
