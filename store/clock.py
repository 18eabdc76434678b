"""Elasticsearch's clock: the one that all workers go by, whatever their own machines say."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from elasticsearch import ApiError, Elasticsearch, TransportError

from newswatch.clock import SharedClock

log = logging.getLogger(__name__)

_NOT_OFFERED = (400, 403, 404, 405, 410)
"""Answers of an Elasticsearch that gives nobody its nodes' statistics: Serverless, or rights that are too few."""


def store_clock(es: Elasticsearch) -> SharedClock:
    """A clock that shows the time of Elasticsearch's master node. Nothing is sent before it is first asked."""
    return SharedClock(lambda: store_time(es))


def store_time(es: Elasticsearch) -> datetime | None:
    """The time of the master node, to the millisecond; of any node, to the second, where that can't be had.

    None: Elasticsearch can't be asked now.
    """
    try:
        return _of_master(es) or _of_any(es)
    except (ApiError, TransportError) as error:
        log.warning("Elasticsearch's clock can't be read, so this machine's goes on: %s", error)
        return None


def _of_master(es: Elasticsearch) -> datetime | None:
    """A cluster has many nodes and one master: whichever node answers, it is one clock."""
    answer = es.options(ignore_status=_NOT_OFFERED).nodes.stats(
        node_id="_master", metric="process", filter_path="nodes.*.timestamp"
    )
    moments = [int(node["timestamp"]) for node in answer.body.get("nodes", {}).values()]
    return datetime.fromtimestamp(moments[0] / 1000, UTC) if moments else None


def _of_any(es: Elasticsearch) -> datetime | None:
    answer = es.options(ignore_status=_NOT_OFFERED).cat.health(format="json", h="epoch")
    rows = answer.body
    return datetime.fromtimestamp(int(rows[0]["epoch"]), UTC) if isinstance(rows, list) and rows else None
