"""Searches deliveries for the News page and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from delivery.outbox import read_delivery
from newswatch.delivery import Delivery
from store.client import Client
from store.documents import values
from store.names import Names

RECIPIENTS = 100
"""Recipients that are offered to choose from."""
ANSWER_S = 10
"""Seconds for one search of deliveries."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One page of deliveries, newest first."""

    page: tuple[Delivery, ...]
    total: int
    states: Mapping[str, int]
    """State → number of matching deliveries, whatever state was asked for."""
    recipients: tuple[str, ...] = ()
    """Those of the matching deliveries, the most frequent first, at most `RECIPIENTS`."""


def deliveries(
    es: Client,
    names: Names,
    *,
    state: str = "",
    alert_id: str = "",
    recipient: str = "",
    story_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    size: int = 50,
    offset: int = 0,
) -> Deliveries:
    """The deliveries that match every given parameter, up to date; `since` and `until` are of when they were matched.

    `until` itself is not in the time.
    """
    es.indices.refresh(index=names.deliveries)
    wanted = {"alert_id": alert_id, "recipients": recipient, "story_id": story_id}
    filters: list[dict[str, Any]] = [{"term": {field: value}} for field, value in wanted.items() if value]
    bounds = {name: moment.isoformat() for name, moment in (("gte", since), ("lt", until)) if moment}
    filters += [{"range": {"created_at": bounds}}] if bounds else []
    answer = es.options(request_timeout=ANSWER_S).search(
        index=names.deliveries,
        query={"bool": {"filter": filters}},
        post_filter={"term": {"state": state}} if state else {"match_all": {}},
        size=size,
        from_=offset,
        sort=[{"created_at": "desc"}],
        track_total_hits=True,
        aggs={
            "states": {"terms": {"field": "state"}},
            "recipients": {"terms": {"field": "recipients", "size": RECIPIENTS}},
        },
    )
    found = answer["aggregations"]
    states = {bucket["key"]: bucket["doc_count"] for bucket in found["states"]["buckets"]}
    recipients = tuple(str(bucket["key"]) for bucket in found["recipients"]["buckets"])
    page = tuple(values(answer["hits"]["hits"], read_delivery))
    return Deliveries(page, answer["hits"]["total"]["value"], states, recipients)
