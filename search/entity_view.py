"""An entity in the news: how often it is named, with what else, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.article import Entity
from search.counts import Json, answer_to, clause, counts, windowed, within
from search.editing import with_value, written
from search.syntax import parse
from search.usual import Basis, Compared, Window, last_day
from store.article_documents import from_document
from store.elastic.documents import values
from store.elastic.times import daily, midnight, moment_at
from store.names import Names

TREND_DAYS: Final = 56
RELATED: Final = 12
OUTLETS: Final = 12
_SAMPLE: Final = 1_000
"""Articles of each slice that are read for related entities: the latest, and one of each story."""
_SAMPLE_OF_DAY: Final = 5_000
"""Articles of each slice that are read for what is named in a day: the latest."""
_FAR_MORE: Final = 2.0
"""How many times as often as elsewhere an entity must be named to be shown: what is named everywhere says nothing."""
_TOGETHER: Final = 3
"""Minimum number of them that name both."""


def query_of(entity_id: str) -> str:
    """The search for articles that name the entity."""
    return written("entity", entity_id)


@dataclass(frozen=True, slots=True)
class Trend:
    """How often an entity is named."""

    total: int
    """Articles in the index."""
    days: Mapping[date, int]
    """Day → articles; the last `TREND_DAYS`, also those without any."""
    compared: Compared
    """The last 24 hours."""
    basis: Basis


def read_trend(
    es: Elasticsearch, names: Names, entity_id: str, now: datetime, *, seconds: float, zone: tzinfo = UTC
) -> Trend:
    """How often the entity is named; the days are those of `zone`.

    Raises:
        QueryError: it takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    asked, window = clause(query_of(entity_id), now), last_day(now)
    today = now.astimezone(zone).date()
    since = today - timedelta(days=TREND_DAYS - 1)
    start, end = midnight(since, zone), midnight(today + timedelta(days=1), zone)
    recent = {"range": {"time": {"gte": start.isoformat(), "lt": end.isoformat()}}}
    aggs = {"recent": {"filter": recent, "aggs": {"days": daily("time", zone)}}}
    answer = answer_to(es, names, seconds, query=asked, size=0, track_total_hits=True, aggs=aggs)
    days = dict.fromkeys((since + timedelta(days=n) for n in range(TREND_DAYS)), 0)
    if answer:
        buckets = answer["aggregations"]["recent"]["days"]["buckets"]
        days |= {moment_at(bucket["key"]).astimezone(zone).date(): bucket["doc_count"] for bucket in buckets}
    basis, windows = windowed(es, names, window, query=asked, seconds=seconds)
    count, *before = [int(bucket["doc_count"]) for bucket in windows]
    compared = Compared(entity_id, count, tuple(before), f"{query_of(entity_id)} {window.filters}")
    return Trend(answer["hits"]["total"]["value"] if answer else 0, days, compared, basis)


@dataclass(frozen=True, slots=True)
class Beside:
    """An entity, an outlet: what stands out in some articles, and the search for it."""

    key: str
    name: str
    """Empty: only its key is known."""
    count: int
    """Articles that `query` finds."""
    query: str
    times: float | None = None
    """How many times as often it is named there as in all articles; from a sample."""


def related(es: Elasticsearch, names: Names, entity_id: str, now: datetime, *, seconds: float) -> tuple[Beside, ...]:
    """The entities that are named beside this one far more often than elsewhere, the most significant first.

    Raises the errors of `read_trend`.
    """
    query = query_of(entity_id)
    # One article of each story: a report that forty outlets copied is one witness.
    by_story = {"field": "story_id", "max_docs_per_value": 1, "shard_size": _SAMPLE, "execution_hint": "map"}
    sampler = {"diversified_sampler": by_story}
    found = _significant(es, names, clause(query, now), sampler, now, seconds, exclude=[entity_id])
    return _beside(es, names, query, found, now, seconds)


def named_more(es: Elasticsearch, names: Names, window: Window, now: datetime, *, seconds: float) -> tuple[Beside, ...]:
    """The entities that are named in `window` far more often than otherwise, the most significant first.

    Raises the errors of `read_trend`.
    """
    sampler = {"sampler": {"shard_size": _SAMPLE_OF_DAY}}
    found = _significant(es, names, within(window), sampler, now, seconds)
    return _beside(es, names, window.filters, found, now, seconds)


def _significant(
    es: Elasticsearch,
    names: Names,
    asked: Json,
    sampler: Json,
    now: datetime,
    seconds: float,
    *,
    exclude: list[str] | None = None,
) -> dict[str, float]:
    """Entity → how many times as often it is named in a sample of the articles asked for as in all articles.

    Those are the most significant by Elasticsearch's JLH score, which weighs rare ones against frequent ones.
    """
    terms: dict[str, Any] = {"field": "entity_ids", "size": RELATED, "min_doc_count": _TOGETHER}
    significant = {"significant_terms": terms | ({"exclude": exclude} if exclude else {})}
    latest = {"distance_feature": {"field": "time", "origin": now.isoformat(), "pivot": "30d"}}
    answer = answer_to(
        es,
        names,
        seconds,
        query={"bool": {"filter": [asked], "should": [latest]}},
        size=0,
        track_total_hits=False,
        aggs={"sample": sampler | {"aggs": {"entities": significant}}},
    )
    if answer is None:
        return {}
    found = answer["aggregations"]["sample"]["entities"]
    size, buckets = found["doc_count"] or 1, {b["key"]: b["doc_count"] for b in found["buckets"]}
    whole, named = _everywhere(es, names, [*buckets], seconds)
    times = {key: (count / size) / (max(1, named.get(key, 0)) / whole) for key, count in buckets.items()}
    return {key: ratio for key, ratio in times.items() if ratio >= _FAR_MORE}


def _everywhere(es: Elasticsearch, names: Names, keys: list[str], seconds: float) -> tuple[int, dict[str, int]]:
    """The number of all articles, and entity → the number of those that name it.

    What significant_terms tells of them is of the slices in which it found something: a month may be left out.
    """
    if not keys:
        return 1, {}
    aggs = {"entities": {"terms": {"field": "entity_ids", "include": keys, "size": len(keys)}}}
    answer = answer_to(es, names, seconds, query={"match_all": {}}, size=0, track_total_hits=True, aggs=aggs)
    if answer is None:
        return 1, {}
    buckets = answer["aggregations"]["entities"]["buckets"]
    return max(1, answer["hits"]["total"]["value"]), {b["key"]: b["doc_count"] for b in buckets}


def _beside(
    es: Elasticsearch, names: Names, query: str, found: Mapping[str, float], now: datetime, seconds: float
) -> tuple[Beside, ...]:
    queries = {key: with_value(parse(query), "entity", key) for key in found}
    numbers = counts(es, names, [*queries.values()], now, seconds=seconds)
    return tuple(
        Beside(key, "", number, queries[key], found[key]) for key, number in zip(queries, numbers, strict=True)
    )


def outlets(es: Elasticsearch, names: Names, entity_id: str, now: datetime, *, seconds: float) -> tuple[Beside, ...]:
    """The outlets that name the entity most often. Raises the errors of `read_trend`."""
    query = query_of(entity_id)
    aggs = {
        "outlets": {
            "terms": {"field": "source.domain", "size": OUTLETS},
            "aggs": {"name": {"terms": {"field": "source.name", "size": 1}}},
        }
    }
    answer = answer_to(es, names, seconds, query=clause(query, now), size=0, track_total_hits=False, aggs=aggs)
    if answer is None:
        return ()
    buckets = {b["key"]: b["name"]["buckets"] for b in answer["aggregations"]["outlets"]["buckets"]}
    queries = {domain: with_value(parse(query), "source", domain) for domain in buckets}
    # Counted anew: the search for an outlet finds its sub-domains too.
    numbers = counts(es, names, [*queries.values()], now, seconds=seconds)
    return tuple(
        Beside(domain, str(named[0]["key"]) if named else domain, number, queries[domain])
        for (domain, named), number in zip(buckets.items(), numbers, strict=True)
    )


def as_tagged(es: Elasticsearch, names: Names, entity_id: str, *, seconds: float) -> Entity | None:
    """The entity as the latest article that names it carries it, for one that the taxonomy no longer has."""
    answer = answer_to(
        es,
        names,
        seconds,
        query={"term": {"entity_ids": entity_id}},
        sort=[{"seq": "desc"}],
        size=1,
        track_total_hits=False,
    )
    articles = values(answer["hits"]["hits"], from_document) if answer else []
    return next((entity for article in articles for entity in article.entities if entity.id == entity_id), None)
