"""What a saved search would have mailed, tried on the archive before it counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.article import Article
from search.asking import SlowSearchError, ask, count
from search.limits import shown
from search.story_view import independent_sources
from store.documents import from_document, values
from store.names import Names

TRIAL_S = 30
"""Seconds that counting the stories may take."""
MANY = 30
"""More stories a day than this are saved only when confirmed: nobody reads so many mails."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a saved search finds in the archive."""

    days: Mapping[date, int]
    """New stories on each day, the days without any too."""
    articles: int
    examples: tuple[Article, ...]
    """The newest, one for each story."""
    story_ids: tuple[str, ...]
    """The stories, in no order."""

    @property
    def stories(self) -> int:
        """Mails it would have sent, if each had gone alone."""
        return sum(self.days.values())

    @property
    def per_day(self) -> float:
        """Mails a day on average."""
        return self.stories / len(self.days)


def trial(
    es: Elasticsearch, names: Names, search: SavedSearch, *, days: int, now: datetime, examples: int = 5
) -> Trial:
    """Try `search` on what came in during the last `days` days.

    A story counts on the day its first matching article came in; one that had matched before the period counts too.

    Raises:
        QueryError: it can't be run, takes too long or needs too much.
        StoreError: Elasticsearch is in trouble of its own.
    """
    since = now - timedelta(days=days)
    query = {"bool": {"filter": [to_query(search), {"range": {"first_seen": {"gte": since.isoformat()}}}]}}
    es.indices.refresh(index=names.articles)
    firsts = _firsts(es, names, search.query, query)
    if search.min_sources > 1:
        counts = independent_sources(es, names.articles, sorted(firsts))
        firsts = {story: first for story, first in firsts.items() if counts[story] >= search.min_sources}
    told = dict.fromkeys((since.date() + timedelta(days=n) for n in range(1, days + 1)), 0)
    for first in firsts.values():
        told[max(first.date(), min(told))] += 1
    articles = count(es, names.articles, search.query, query)
    newest = _examples(es, names, search.query, query, examples)
    return Trial(told, articles, newest, tuple(firsts))


def _firsts(es: Elasticsearch, names: Names, typed: str, query: Query) -> dict[str, datetime]:
    """Story → when its first matching article came in."""
    firsts: dict[str, datetime] = {}
    after: dict[str, Any] = {}
    end = time.monotonic() + TRIAL_S
    while True:
        if time.monotonic() > end:
            told = f"{shown(typed, 100)} finds too many stories to be tried: after {TRIAL_S} seconds, {len(firsts):,}"
            raise SlowSearchError(f"{told} were counted. Narrow it by further words, topics or outlets.")
        composite = {"size": 1_000, "sources": [{"story": {"terms": {"field": "story_id"}}}], **after}
        aggs = {"stories": {"composite": composite, "aggs": {"first": {"min": {"field": "first_seen"}}}}}
        found = ask(es, names.articles, typed, size=0, query=query, aggs=aggs)["aggregations"]["stories"]
        for bucket in found["buckets"]:
            firsts[bucket["key"]["story"]] = datetime.fromisoformat(bucket["first"]["value_as_string"])
        if "after_key" not in found:
            return firsts
        after = {"after": found["after_key"]}


def _examples(es: Elasticsearch, names: Names, typed: str, query: Query, size: int) -> tuple[Article, ...]:
    newest = {"sort": [{"first_seen": "desc"}], "collapse": {"field": "story_id"}}
    answer = ask(es, names.articles, typed, query=query, size=size, **newest)
    return tuple(values(answer["hits"]["hits"], from_document))


@dataclass(frozen=True, slots=True)
class Difference:
    """What two versions of a saved search find, and the other does not."""

    only_new: int
    only_old: int
    both: int
    gained: tuple[Article, ...]
    lost: tuple[Article, ...]


def compare(
    es: Elasticsearch, names: Names, new: SavedSearch, old: SavedSearch, *, days: int, now: datetime
) -> Difference:
    """The articles of the last `days` days that only one of the two versions finds."""
    recent: Query = {"range": {"first_seen": {"gte": (now - timedelta(days=days)).isoformat()}}}
    es.indices.refresh(index=names.articles)

    def found(yes: Sequence[SavedSearch], no: Sequence[SavedSearch]) -> Query:
        return {"bool": {"filter": [recent, *map(to_query, yes)], "must_not": [to_query(search) for search in no]}}

    def counted(query: Query) -> int:
        return count(es, names.articles, new.query, query)

    gained, lost = found([new], [old]), found([old], [new])
    return Difference(
        counted(gained),
        counted(lost),
        counted(found([new, old], [])),
        _examples(es, names, new.query, gained, 5),
        _examples(es, names, old.query, lost, 5),
    )
