"""Searches deliveries for the News page and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from delivery.documents import read_delivery, read_outcome
from delivery.made import first_outcomes
from newswatch.delivery import Delivery, DeliveryState, Outcome
from store.elastic.client import Client
from store.elastic.documents import values
from store.names import Names

RECIPIENTS = 100
"""Recipients that are offered to choose from."""
SHOWN = 20
"""Recipients of a delivery that are shown; Elasticsearch gives at most 100."""
ANSWER_S = 10
"""Seconds for one search of deliveries."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One page of deliveries, newest first."""

    page: tuple[Delivery, ...]
    """Each with the outcomes of the recipient that was asked for, or of at most `SHOWN`, those without a mail first."""
    total: int
    states: Mapping[str, int]
    """State → number of matching deliveries, whatever state was asked for."""
    recipients: tuple[str, ...] = ()
    """Those of the matching deliveries, the most frequent first, at most `RECIPIENTS`."""
    reached: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Id of each delivery on the page → state → number of its recipients."""


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

    `until` itself is not in the time. It costs two searches, however many recipients there are.
    """
    es.indices.refresh(index=[names.deliveries, names.outcomes])
    wanted = {"alert_id": alert_id, "recipients": recipient, "story_id": story_id}
    filters: list[dict[str, Any]] = [{"term": {name: value}} for name, value in wanted.items() if value]
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
    page = values(answer["hits"]["hits"], read_delivery)
    shown, reached = _outcomes(es, names, [delivery.id for delivery in page], recipient)
    whole = tuple(replace(each, outcomes=shown.get(each.id) or first_outcomes(each)[:SHOWN]) for each in page)
    return Deliveries(whole, answer["hits"]["total"]["value"], states, recipients, reached)


def _outcomes(
    es: Client, names: Names, ids: Sequence[str], recipient: str
) -> tuple[dict[str, tuple[Outcome, ...]], dict[str, dict[str, int]]]:
    """For each delivery the outcomes to show, and how many recipients are in each state."""
    if not ids:
        return {}, {}
    first = [{"sent_at": {"order": "asc", "missing": "_first"}}, {"state": "asc"}, {"recipient": "asc"}]
    top = {"top_hits": {"size": SHOWN, "sort": first}}
    inner = {"states": {"terms": {"field": "state", "size": len(DeliveryState)}}, "top": top}
    filters: list[dict[str, Any]] = [{"terms": {"delivery_id": list(ids)}}]
    filters += [{"term": {"recipient": recipient}}] if recipient else []
    answer = es.options(request_timeout=ANSWER_S).search(
        index=names.outcomes,
        size=0,
        query={"bool": {"filter": filters}},
        aggs={"of": {"terms": {"field": "delivery_id", "size": len(ids)}, "aggs": inner}},
    )
    buckets = answer["aggregations"]["of"]["buckets"]
    shown = {each["key"]: values(each["top"]["hits"]["hits"], read_outcome) for each in buckets}
    reached = {each["key"]: {one["key"]: one["doc_count"] for one in each["states"]["buckets"]} for each in buckets}
    return {name: tuple(each.outcome for each in found) for name, found in shown.items()}, reached
