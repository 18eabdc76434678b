"""Deliveries as a user looks through them."""

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
    """How many there are in each state, of the saved search and recipient asked for."""


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
    """The deliveries that fit, as of this moment; an empty string asks for any."""
    es.indices.refresh(index=names.deliveries)
    given = {"alert_id": alert_id, "recipients": recipient, "story_id": story_id}
    answer = es.search(
        index=names.deliveries,
        query={"bool": {"filter": [{"term": {field: value}} for field, value in given.items() if value]}},
        post_filter={"term": {"state": state}} if state else {"match_all": {}},
        size=size,
        from_=offset,
        sort=[{"created_at": "desc"}],
        track_total_hits=True,
        aggs={"states": {"terms": {"field": "state"}}},
    )
    states = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["states"]["buckets"]}
    found = tuple(values(answer["hits"]["hits"], read_delivery))
    return Deliveries(found, answer["hits"]["total"]["value"], states)
