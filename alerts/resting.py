"""Saved searches that failed lately and rest: each failure doubles the time until the search is run again.

A search that takes Elasticsearch's patience (`alerts.match.PATIENCE_S`) at every run, once a minute and for each batch
that waits for it, would cost more than all the others together. The quarantine holds how often it failed and when. A
search that was saved anew since then does not rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch

from newswatch.alert import SavedSearch
from newswatch.problems import Problem
from store.names import Names
from store.quarantine import Quarantine, moment

log = logging.getLogger(__name__)

FIRST_REST: Final = timedelta(minutes=1)
"""After the first failure."""
LONGEST_REST: Final = timedelta(hours=2)
"""A batch waits a day for a search that failed, so that it is tried a dozen times at least."""
_PAGE: Final = 1_000
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rests:
    """Which saved searches rest, and which are tried again after a failure."""

    resting: Mapping[str, str] = field(default_factory=dict)
    """Id → why it failed, and until when it rests."""
    tried_again: frozenset[str] = frozenset()


def rests(es: Elasticsearch, names: Names, searches: Iterable[SavedSearch], now: datetime) -> Rests:
    """Those of the searches that failed while they were matched; one that was saved anew since is tried again.

    Where the quarantine can't be read, nobody rests: it must not keep the searches from being matched.
    """
    try:
        return _rests(es, names, searches, now)
    except ApiError as error:
        log.warning("No search rests, as the quarantine can't be read: %s", error)
        return Rests({}, frozenset())


def _rests(es: Elasticsearch, names: Names, searches: Iterable[SavedSearch], now: datetime) -> Rests:
    wanted = {Problem("search", search.id, "").id: search.id for search in searches}
    failed: list[dict[str, Any]] = [{"term": {"what": "search"}}, {"term": {"stage": "match"}}]
    es.indices.refresh(index=names.quarantine)
    hits = es.search(
        index=names.quarantine,
        query={"bool": {"filter": failed}},
        size=_PAGE,
        sort=[{"at": {"order": "desc", "unmapped_type": "date"}}],
    )["hits"]["hits"]
    known = {wanted[hit["_id"]]: _until(hit["_source"]) for hit in hits if hit["_id"] in wanted}
    changed = _changed(es, names, list(known))
    resting = {
        search_id: f"{why} It rests until {end:%Y-%m-%d %H:%M} UTC, and is then tried on what came meanwhile."
        for search_id, (failed_at, end, why) in known.items()
        if end > now and changed.get(search_id, failed_at) <= failed_at
    }
    return Rests(resting, frozenset(known.keys() - resting.keys()))


def recovered(es: Elasticsearch, names: Names, ids: Iterable[str]) -> None:
    """Forget that these searches ever failed: they were run without fault."""
    quarantine = Quarantine(es, names)
    for search_id in ids:
        quarantine.dismiss(Problem("search", search_id, "").id)


def _until(document: Mapping[str, Any]) -> tuple[datetime, datetime, str]:
    """When it failed last, when its rest ends, and why; long ago for a document that doesn't say."""
    try:
        at, count = moment(document["at"]), int(document.get("count", 1))
        return at, at + rest_after(count), str(document.get("reason", ""))
    except (KeyError, TypeError, ValueError, OverflowError):
        return _LONG_AGO, _LONG_AGO, ""


def rest_after(failures: int) -> timedelta:
    """How long a search rests after it has failed so often. Pure."""
    doublings = min(max(failures - 1, 0), 20)
    return min(timedelta(seconds=FIRST_REST.total_seconds() * 2**doublings), LONGEST_REST)


def _changed(es: Elasticsearch, names: Names, ids: list[str]) -> dict[str, datetime]:
    """Id of a saved search → when it was saved last."""
    if not ids:
        return {}
    found: dict[str, datetime] = {}
    for doc in es.mget(index=names.searches, ids=ids, source_includes=["changed_at"])["docs"]:
        try:
            found[doc["_id"]] = moment(doc["_source"]["changed_at"])
        except (KeyError, TypeError, ValueError):
            continue
    return found
