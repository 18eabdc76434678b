"""Back-off for failing saved searches: each failure doubles the time until the search is run again.

A search that runs into the time-out (`alerts.match.PATIENCE_S`) once a minute, and for each batch that waits for it,
would cost more than all other searches together. The quarantine records how often it failed and when. A search that
was saved since its last failure does not rest.
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
from store.quarantine import FAILED_IN_MATCHING, LATEST_FIRST, Quarantine, moment

log = logging.getLogger(__name__)

FIRST_REST: Final = timedelta(minutes=1)
"""Rest after the first failure."""
LONGEST_REST: Final = timedelta(hours=2)
"""A batch waits a day for a failed search, so that the search is tried at least a dozen times."""
_PAGE: Final = 1_000
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rests:
    """The saved searches that rest, and those that are tried again after a failure."""

    resting: Mapping[str, str] = field(default_factory=dict)
    """Id → why the search failed, and until when it rests."""
    tried_again: frozenset[str] = frozenset()


def rests(es: Elasticsearch, names: Names, searches: Iterable[SavedSearch], now: datetime) -> Rests:
    """The searches that failed in matching: resting, or tried again. One saved since its failure is tried again.

    If the quarantine can't be read, no search rests, so that matching goes on.
    """
    try:
        return _rests(es, names, searches, now)
    except ApiError as error:
        log.warning("The quarantine can't be read, so no search rests: %s", error)
        return Rests({}, frozenset())


def _rests(es: Elasticsearch, names: Names, searches: Iterable[SavedSearch], now: datetime) -> Rests:
    wanted = {Problem("search", search.id, "").id: search.id for search in searches}
    es.indices.refresh(index=names.quarantine)
    hits = es.search(
        index=names.quarantine,
        query=FAILED_IN_MATCHING,
        size=_PAGE,
        sort=LATEST_FIRST,
    )["hits"]["hits"]
    known = {wanted[hit["_id"]]: _until(hit["_source"]) for hit in hits if hit["_id"] in wanted}
    changed = _changed(es, names, list(known))
    resting = {
        search_id: f"{why} It rests until {end:%Y-%m-%d %H:%M} UTC, and is then run on what came in meanwhile."
        for search_id, (failed_at, end, why) in known.items()
        if end > now and changed.get(search_id, failed_at) <= failed_at
    }
    return Rests(resting, frozenset(known.keys() - resting.keys()))


def recovered(es: Elasticsearch, names: Names, ids: Iterable[str]) -> None:
    """Delete the problems of these searches, which ran without a failure."""
    quarantine = Quarantine(es, names)
    for search_id in ids:
        quarantine.dismiss(Problem("search", search_id, "").id)


def _until(document: Mapping[str, Any]) -> tuple[datetime, datetime, str]:
    """When the search failed last, when its rest ends, and why; long ago if the document can't be read."""
    try:
        failed_at, count = moment(document["at"]), int(document.get("count", 1))
        return failed_at, failed_at + rest_after(count), str(document.get("reason", ""))
    except (KeyError, TypeError, ValueError, OverflowError):
        return _LONG_AGO, _LONG_AGO, ""


def rest_after(failures: int) -> timedelta:
    """How long a search rests after that many failures. Pure."""
    doublings = min(max(failures - 1, 0), 20)
    return min(timedelta(seconds=FIRST_REST.total_seconds() * 2**doublings), LONGEST_REST)


def _changed(es: Elasticsearch, names: Names, ids: list[str]) -> dict[str, datetime]:
    """Id of a saved search → when it was last saved."""
    if not ids:
        return {}
    changed: dict[str, datetime] = {}
    for doc in es.mget(index=names.searches, ids=ids, source_includes=["changed_at"])["docs"]:
        try:
            changed[doc["_id"]] = moment(doc["_source"]["changed_at"])
        except (KeyError, TypeError, ValueError):
            continue
    return changed
