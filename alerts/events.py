"""Events of saved searches that concern no single article, such as a spike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial

from elasticsearch import Elasticsearch

from alerts.bounds import unusable
from alerts.kinds import KINDS
from alerts.kinds.kind import Event, Look
from newswatch.alert import SavedSearch
from newswatch.errors import QueryError
from newswatch.problems import Bulkhead
from store.names import Names


def events(
    es: Elasticsearch,
    names: Names,
    searches: Iterable[SavedSearch],
    now: datetime,
    *,
    bulkhead: Bulkhead | None = None,
    resting: Collection[str] = (),
) -> list[Event]:
    """The events at `now` of the searches that are not matched batch by batch.

    A search that can't be run becomes a problem in `bulkhead`, and the others are run. One in `resting` is not run.
    """
    walls = bulkhead or Bulkhead("match")
    looks = ((search, KINDS[search.kind].look) for search in searches if search.id not in resting)
    watching = [(search, look) for search, look in looks if look]
    if not watching or not es.indices.exists_alias(name=names.alias):
        return []
    es.indices.refresh(index=names.articles)
    results = (walls.attempt("search", s.id, partial(_event, es, names, s, look, now)) for s, look in watching)
    return [event for event in results if event]


def _event(es: Elasticsearch, names: Names, search: SavedSearch, look: Look, now: datetime) -> Event | None:
    if why := unusable(search):
        raise QueryError(why)
    return look(es, names, search, now)
