"""Finds what a saved search missed while it was disabled, on request.

A disabled search is not matched, and enabling it again mails nothing that came in meanwhile. On request, those articles
are searched in the archive and enqueued. The outbox accepts each story once, so that a second request repeats nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from elasticsearch import Elasticsearch

from alerts.hits import SOURCE, matched_articles
from alerts.query import to_query
from alerts.saved import Change
from newswatch.alert import Match, SavedSearch
from search.asking import answering, impatient
from search.story_view import independent_sources
from store.elastic.reading import every
from store.names import Names


def off_since(history: Sequence[Change]) -> datetime | None:
    """When the search was last disabled; None: never."""
    return next((c.replaced_at for c in reversed(history) if c.search.enabled and "enabled" in c.fields), None)


def missed(es: Elasticsearch, names: Names, search: SavedSearch, since: datetime) -> tuple[Match, ...]:
    """The matches of `search` among articles that were indexed or edited since `since`, in ingest order.

    Raises:
        QueryError: its query can't be run, takes too long or needs too much.
        StoreError: Elasticsearch can't search now.
    """
    es.indices.refresh(index=names.articles)
    matches = [match for _, match in sorted(_numbered(es, names, search, since), key=lambda pair: pair[0])]
    if search.min_sources > 1:
        counts = independent_sources(es, names.articles, sorted({match.story_id for match in matches}))
        matches = [match for match in matches if counts.get(match.story_id, 0) >= search.min_sources]
    return tuple(matches)


def _numbered(es: Elasticsearch, names: Names, search: SavedSearch, since: datetime) -> Iterator[tuple[int, Match]]:
    recent = {"range": {"indexed_at": {"gte": since.isoformat()}}}
    query = {"bool": {"filter": [to_query(search), recent]}}
    with answering(es, names.articles, search.query):
        hits = list(every(impatient(es), names.articles, query, source=SOURCE))
    for seq, article in matched_articles(hits):
        yield seq, article.match(search.id)
