"""What came in while a saved search was switched off, for whoever wants it told after all.

A search that is switched off is not matched, and switching it on again mails nothing of what came meanwhile. On request
that is looked for in the archive and owed; the outbox takes each story once, so that asking again repeats nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from elasticsearch import Elasticsearch

from alerts.hits import SOURCE, all_found
from alerts.query import to_query
from alerts.saved import Change
from newswatch.alert import Match, SavedSearch
from search.asking import answering, impatient
from search.story_view import independent_sources
from store.names import Names
from store.reading import every


def off_since(history: Sequence[Change]) -> datetime | None:
    """When the search was last switched off; None: never."""
    return next((c.replaced_at for c in reversed(history) if c.search.enabled and "enabled" in c.fields), None)


def missed(es: Elasticsearch, names: Names, search: SavedSearch, since: datetime) -> tuple[Match, ...]:
    """What `search` matches of what came in or was edited since then, in ingest order.

    Raises:
        QueryError: its query can't be run, takes too long or needs too much.
        StoreError: Elasticsearch can't search now.
    """
    es.indices.refresh(index=names.articles)
    numbered = sorted(_numbered(es, names, search, since), key=lambda one: one[0])
    if search.min_sources > 1:
        counts = independent_sources(es, names.articles, sorted({match.story_id for _, match in numbered}))
        numbered = [one for one in numbered if counts.get(one[1].story_id, 0) >= search.min_sources]
    return tuple(match for _, match in numbered)


def _numbered(es: Elasticsearch, names: Names, search: SavedSearch, since: datetime) -> Iterator[tuple[int, Match]]:
    recent = {"range": {"indexed_at": {"gte": since.isoformat()}}}
    query = {"bool": {"filter": [to_query(search), recent]}}
    with answering(es, names.articles, search.query):
        hits = list(every(impatient(es), names.articles, query, source=SOURCE))
    for seq, found in all_found(hits):
        yield seq, found.matches(search.id)
