"""Enqueues digests without stories: a slot of a digest passed, and what its search watches was not seen (`is_poor`).

It is decided at each slot, from the slot before. A digest that has stories carries the same notice in the same mail, so
nobody has to know here whether there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from alerts import schedule
from alerts.coverage import coverage, is_poor
from alerts.failing import is_on
from alerts.saved import read_search
from delivery.kinds import COVERAGE
from delivery.made import notice_delivery
from delivery.outbox import Outbox
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery
from newswatch.problems import Bulkhead
from store.elastic.client import Client
from store.elastic.compare_and_set import put
from store.elastic.documents import Stored, dump, load, values
from store.elastic.reading import every, get_one
from store.elastic.turns import BRIEF_S, OWING, turn
from store.names import Names
from store.watched import Watched, read_watched

_SCHEDULES: Final = 10_000
"""Different schedules that are looked at. There are as many slots a week in steps of a minute."""


def enqueue_coverage(es: Client, names: Names, now: datetime, *, bulkhead: Bulkhead | None = None) -> int:
    """Enqueue a digest without stories for each saved search whose slot has passed with a poor watch; their number.

    The first call only notes the time, because nothing is known of what was before.

    Raises:
        StoreError: Elasticsearch did not accept all, or another did this for long; call it again.
    """
    walls, clock = bulkhead or Bulkhead("owe"), _Looked(es, names)
    before = clock.read()
    looked_at = min(before.value.looked_at, now) if before else now
    passed = {text for text in _schedules(es, names) if _slot(text, looked_at, now)} if looked_at < now else set()
    created = 0
    if passed:
        watched = read_watched(es, names, now)
        with turn(es, names, OWING, most_s=BRIEF_S) as hold:
            searches = [search for search in _with(es, names, passed) if is_on(search, now)]
            poor = list(_poor(searches, watched, looked_at, walls))
            hold()
            created = Outbox(es, names).add(poor, bulkhead=walls).created
    if passed or before is None:
        clock.write(before, now)
    return created


def _schedules(es: Client, names: Names) -> list[str]:
    """The schedules that saved searches have, each once."""
    es.indices.refresh(index=names.searches)
    aggs = {"schedules": {"terms": {"field": "schedule", "size": _SCHEDULES}}}
    answer = es.search(index=names.searches, size=0, query={"term": {"enabled": True}}, aggs=aggs)
    return [str(bucket["key"]) for bucket in answer["aggregations"]["schedules"]["buckets"]]


def _slot(text: str, looked_at: datetime, now: datetime) -> datetime | None:
    """The last slot of a digest after `looked_at`; None if none has passed."""
    try:
        times = schedule.parse(text)
    except ValueError:
        return None  # edited by hand; whoever reads the search reports it
    slot = schedule.previous_due(times, now)
    return slot if times.digest and slot > looked_at else None


def _with(es: Client, names: Names, schedules: set[str]) -> Sequence[SavedSearch]:
    es.indices.refresh(index=names.searches)
    return values(every(es, names.searches, {"terms": {"schedule": sorted(schedules)}}), read_search)


def _poor(
    searches: Iterable[SavedSearch], watched: Watched, looked_at: datetime, walls: Bulkhead
) -> Iterator[Delivery]:
    for search in searches:
        made = walls.attempt("mail", f"{search.id} coverage", partial(_digest, search, watched, looked_at))
        if made:
            yield made


def _digest(search: SavedSearch, watched: Watched, looked_at: datetime) -> Delivery | None:
    """The digest without stories of the last slot; None if there was none, or all was seen before it. Pure."""
    slot = _slot(search.schedule, looked_at, watched.at)
    if slot is None:
        return None
    before = schedule.previous_due(schedule.parse(search.schedule), looked_at)
    # As of the slot: what comes after it is the next one's.
    if not is_poor(coverage(replace(watched, at=slot), [search], before), search):
        return None
    about = f"coverage-{slot.astimezone(UTC):%Y%m%dT%H%M%S}"
    return notice_delivery(search, COVERAGE, about, "What was watched, and what was not", watched.at, slot)


# ── up to when it was decided ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _LookedAt:
    looked_at: datetime


class _Looked:
    """Up to when the slots were decided; beside the outages, of which it is told."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._index, self._id = es, names.outages, "digests"

    def read(self) -> Stored[_LookedAt] | None:
        return get_one(self._es, self._index, self._id, _read)

    def write(self, was: Stored[_LookedAt] | None, now: datetime) -> None:
        """Another worker that was first has decided the same slots."""
        value = _LookedAt(now)
        put(self._es, self._index, self._id, value, dump(value), was)


def _read(_id: str, document: Mapping[str, Any]) -> _LookedAt:
    return load(_LookedAt, document)
