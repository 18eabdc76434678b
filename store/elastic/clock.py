"""Elasticsearch's clock, which all workers use in place of their machines' own."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from elasticsearch import ApiError, Elasticsearch, TransportError

from newswatch.clock import SharedClock

log = logging.getLogger(__name__)

_NOT_OFFERED = (400, 403, 404, 405, 410)
"""Status codes of an Elasticsearch that does not offer node statistics: Serverless, or too few privileges."""


def store_clock(es: Elasticsearch) -> SharedClock:
    """A clock that shows the time of Elasticsearch's master node. It sends nothing before its first use."""
    return SharedClock(lambda: store_time(es))


def store_time(es: Elasticsearch) -> datetime | None:
    """The master node's time, to the millisecond; if that is not offered, any node's, to the second.

    None: Elasticsearch does not answer.
    """
    try:
        return _of_master(es) or _of_any(es)
    except (ApiError, TransportError) as error:
        log.warning("Elasticsearch's clock can't be read; this machine's clock is used until it can: %s", error)
        return None


def _of_master(es: Elasticsearch) -> datetime | None:
    """The master's time: a cluster has many nodes and one master, so all workers get the same clock."""
    answer = es.options(ignore_status=_NOT_OFFERED).nodes.stats(
        node_id="_master", metric="process", filter_path="nodes.*.timestamp"
    )
    moments = [int(node["timestamp"]) for node in answer.body.get("nodes", {}).values()]
    return datetime.fromtimestamp(moments[0] / 1000, UTC) if moments else None


def _of_any(es: Elasticsearch) -> datetime | None:
    answer = es.options(ignore_status=_NOT_OFFERED).cat.health(format="json", h="epoch")
    rows = answer.body
    return datetime.fromtimestamp(int(rows[0]["epoch"]), UTC) if isinstance(rows, list) and rows else None
