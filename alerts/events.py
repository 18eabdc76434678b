"""What saved searches have to tell that is about no article, such as that far more is written than usual."""

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
    """What those of the searches that aren't matched batch by batch have to tell at this moment.

    A search that can't be run is set aside in `bulkhead`, the others are worked on; one that is `resting` is not run.
    """
    walls = bulkhead or Bulkhead("match")
    watching = [(search, look) for search in searches if search.id not in resting and (look := KINDS[search.kind].look)]
    if not watching or not es.indices.exists_alias(name=names.articles):
        return []
    es.indices.refresh(index=names.articles)
    found = (walls.attempt("search", s.id, partial(_event, es, names, s, look, now)) for s, look in watching)
    return [event for event in found if event]


def _event(es: Elasticsearch, names: Names, search: SavedSearch, look: Look, now: datetime) -> Event | None:
    if why := unusable(search):
        raise QueryError(why)
    return look(es, names, search, now)
