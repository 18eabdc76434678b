"""Searches deliveries for the News page and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.outbox import read_delivery
from newswatch.delivery import Delivery
from store.client import Client
from store.documents import values
from store.names import Names


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One page of deliveries, newest first."""

    page: tuple[Delivery, ...]
    total: int
    states: Mapping[str, int]
    """State → number of matching deliveries, whatever state was asked for."""


def deliveries(
    es: Client,
    names: Names,
    *,
    state: str = "",
    alert_id: str = "",
    recipient: str = "",
    story_id: str = "",
    size: int = 50,
    offset: int = 0,
) -> Deliveries:
    """The deliveries that match every non-empty parameter, up to date."""
    es.indices.refresh(index=names.deliveries)
    wanted = {"alert_id": alert_id, "recipients": recipient, "story_id": story_id}
    answer = es.search(
        index=names.deliveries,
        query={"bool": {"filter": [{"term": {field: value}} for field, value in wanted.items() if value]}},
        post_filter={"term": {"state": state}} if state else {"match_all": {}},
        size=size,
        from_=offset,
        sort=[{"created_at": "desc"}],
        track_total_hits=True,
        aggs={"states": {"terms": {"field": "state"}}},
    )
    states = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["states"]["buckets"]}
    page = tuple(values(answer["hits"]["hits"], read_delivery))
    return Deliveries(page, answer["hits"]["total"]["value"], states)
