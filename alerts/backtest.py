"""Backtests: what a saved search would have mailed, searched in the archive before it is saved."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from elasticsearch import Elasticsearch

from alerts.query import Query, to_query
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.reliability import LEAST, at_least
from search.asking import SlowSearchError, ask, count
from search.limits import shown
from search.story_view import independent_sources
from store.article_documents import from_document
from store.elastic.documents import values
from store.names import Names

BACKTEST_S = 30
"""Maximum number of seconds for counting the stories."""
MANY = 30
"""Stories a day above which saving needs a confirmation, because nobody reads so many mails."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a saved search matches in the archive."""

    days: Mapping[date, int]
    """Day → number of new stories; includes days without any."""
    articles: int
    examples: tuple[Article, ...]
    """The newest articles, one for each story."""
    story_ids: tuple[str, ...]
    """The stories, unordered."""
    left_out: int = 0
    """Articles that match but for `min_reliability`."""
    unrated: int = 0
    """Those of them whose outlet is not rated, or cannot be judged."""

    @property
    def stories(self) -> int:
        """The number of stories, so of mails without grouping."""
        return sum(self.days.values())

    @property
    def per_day(self) -> float:
        """Mails a day on average."""
        return self.stories / len(self.days)


def backtest(
    es: Elasticsearch,
    names: Names,
    search: SavedSearch,
    *,
    days: int,
    now: datetime,
    examples: int = 5,
    zone: tzinfo = UTC,
) -> Backtest:
    """Run `search` on the articles of the last `days` days, which are counted by day of `zone`.

    A story counts on the day of its first matching article in the period, even if it matched before the period.

    Raises:
        QueryError: it can't be run, takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    since = now - timedelta(days=days)
    query = {"bool": {"filter": [to_query(search), {"range": {"first_seen": {"gte": since.isoformat()}}}]}}
    es.indices.refresh(index=names.articles)
    firsts = _firsts(es, names, search.query, query)
    if search.min_sources > 1:
        counts = independent_sources(es, names.articles, sorted(firsts))
        firsts = {story: first for story, first in firsts.items() if counts[story] >= search.min_sources}
    by_day = dict.fromkeys((since.astimezone(zone).date() + timedelta(days=n) for n in range(1, days + 1)), 0)
    earliest = min(by_day)
    for first in firsts.values():
        by_day[max(first.astimezone(zone).date(), earliest)] += 1
    articles = count(es, names.articles, search.query, query)
    newest = _examples(es, names, search.query, query, examples)
    left_out = _left_out(es, names, search, since) if search.min_reliability else (0, 0)
    return Backtest(by_day, articles, newest, tuple(firsts), *left_out)


def _left_out(es: Elasticsearch, names: Names, search: SavedSearch, since: datetime) -> tuple[int, int]:
    """The articles that only `min_reliability` keeps from matching, and those of them without a grade."""
    any_source = to_query(replace(search, min_reliability=""))
    recent = {"range": {"first_seen": {"gte": since.isoformat()}}}
    rated = {"terms": {"source.reliability": [*LEAST]}}
    reliable = {"terms": {"source.reliability": [*at_least(search.min_reliability)]}}
    left: Query = {"bool": {"filter": [any_source, recent], "must_not": [reliable]}}
    unrated: Query = {"bool": {"filter": [any_source, recent], "must_not": [rated]}}
    return count(es, names.articles, search.query, left), count(es, names.articles, search.query, unrated)


def _firsts(es: Elasticsearch, names: Names, typed: str, query: Query) -> dict[str, datetime]:
    """Story → when its first matching article came in."""
    firsts: dict[str, datetime] = {}
    after: dict[str, Any] = {}
    end = time.monotonic() + BACKTEST_S
    while True:
        if time.monotonic() > end:
            raise SlowSearchError(
                f"{shown(typed, 100)} matches too many stories for a backtest: {len(firsts):,} were counted in "
                f"{BACKTEST_S} seconds. Narrow it by further words, topics or outlets."
            )
        composite = {"size": 1_000, "sources": [{"story": {"terms": {"field": "story_id"}}}], **after}
        aggs = {"stories": {"composite": composite, "aggs": {"first": {"min": {"field": "first_seen"}}}}}
        page = ask(es, names.articles, typed, size=0, query=query, aggs=aggs)["aggregations"]["stories"]
        for bucket in page["buckets"]:
            firsts[bucket["key"]["story"]] = datetime.fromisoformat(bucket["first"]["value_as_string"])
        if "after_key" not in page:
            return firsts
        after = {"after": page["after_key"]}


def _examples(es: Elasticsearch, names: Names, typed: str, query: Query, size: int) -> tuple[Article, ...]:
    newest = [{"first_seen": "desc"}]
    answer = ask(es, names.articles, typed, query=query, size=size, sort=newest, collapse={"field": "story_id"})
    return tuple(values(answer["hits"]["hits"], from_document))


@dataclass(frozen=True, slots=True)
class Difference:
    """How the articles matched by two versions of a saved search differ."""

    only_new: int
    only_old: int
    both: int
    gained: tuple[Article, ...]
    lost: tuple[Article, ...]


def compare(
    es: Elasticsearch, names: Names, new: SavedSearch, old: SavedSearch, *, days: int, now: datetime
) -> Difference:
    """The difference between both versions' matches in the last `days` days."""
    recent: Query = {"range": {"first_seen": {"gte": (now - timedelta(days=days)).isoformat()}}}
    es.indices.refresh(index=names.articles)

    def matching(yes: Sequence[SavedSearch], no: Sequence[SavedSearch]) -> Query:
        return {"bool": {"filter": [recent, *map(to_query, yes)], "must_not": [to_query(search) for search in no]}}

    def counted(query: Query) -> int:
        return count(es, names.articles, new.query, query)

    gained, lost = matching([new], [old]), matching([old], [new])
    return Difference(
        counted(gained),
        counted(lost),
        counted(matching([new, old], [])),
        _examples(es, names, new.query, gained, 5),
        _examples(es, names, old.query, lost, 5),
    )
