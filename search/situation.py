"""What is going on: the last 24 hours against the usual by topic and country, new stories, changed articles.

Each number is of articles by their time of publication, and has the search that finds exactly them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.article import Article
from search.asking import impatient
from search.counts import Answer, answer_to, windowed, within
from search.editing import with_value
from search.story_view import independent_sources
from search.syntax import parse
from search.usual import Basis, Compared, Window
from store.article_documents import from_document
from store.elastic.documents import values
from store.elastic.times import moment_at
from store.names import Names

TAGGED: Final = "level:mention"
"""The short filter for articles with any tag."""
_TAGGED: Final = {"exists": {"field": "tags"}}
_OWN: Final = {"exists": {"field": "duplicate_of"}}
_TAGS: Final = 1_000
_COUNTRIES: Final = 300
"""There are about 250, so that none is left out."""
STORIES: Final = 10
_CANDIDATES: Final = 200
"""Stories with the most reports of the day, of which the new ones are shown; one further down has fewer sources."""
CHANGED: Final = 100
"""Articles with a new version that are looked at for a correction, the latest first."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The last 24 hours against the usual."""

    window: Window
    basis: Basis
    every: Compared
    """All articles."""
    tagged: Compared
    """Those with a tag."""
    topics: tuple[Compared, ...]
    """One for each tag that any of the articles has, by its name."""
    countries: tuple[Compared, ...]
    """Tagged articles by their outlets' country: what stands out first, then by number."""
    pairs: tuple[tuple[str, Compared], ...]
    """(country, tag): topics that stand out in a country, the most surprising first."""


def read_situation(es: Elasticsearch, names: Names, window: Window, *, seconds: float) -> Situation:
    """The situation in `window`, within about `seconds`.

    Raises:
        QueryError: it takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    by_country: dict[str, Any] = {"terms": {"field": "source.country", "size": _COUNTRIES}}
    by_tag: dict[str, Any] = {"terms": {"field": "tags", "size": _TAGS}, "aggs": {"countries": by_country}}
    tagged = {"filter": _TAGGED, "aggs": {"countries": by_country, "tags": by_tag}}
    compared, buckets = windowed(es, names, window, query={"match_all": {}}, seconds=seconds, tagged=tagged)
    whole = [bucket.get("tagged", {"doc_count": 0}) for bucket in buckets]
    tags, countries = _by_key(whole, "tags"), _by_key(whole, "countries")
    pairs = [
        (country, _compared(tag, found, with_value(parse(f"tag:{tag}"), "country", country), window))
        for tag, own in tags.items()
        if "/" not in tag
        for country, found in _by_key(own, "countries").items()
    ]
    return Situation(
        window,
        compared,
        _compared("", buckets, "", window),
        _compared("", whole, TAGGED, window),
        tuple(_compared(tag, found, with_value(parse(""), "tag", tag), window) for tag, found in sorted(tags.items())),
        _surprising_first(
            _compared(country, found, with_value(parse(TAGGED), "country", country), window)
            for country, found in countries.items()
        ),
        tuple(sorted((pair for pair in pairs if pair[1].surprise), key=lambda pair: -pair[1].surprise)),
    )


_NONE: Final[Answer] = {"doc_count": 0}


def _by_key(buckets: Sequence[Answer], name: str) -> dict[str, list[Answer]]:
    """Value → its bucket in each window, for all values that any window has."""
    listed = [{b["key"]: b for b in bucket.get(name, {}).get("buckets", ())} for bucket in buckets]
    keys = dict.fromkeys(key for window in listed for key in window)
    return {key: [window.get(key, _NONE) for window in listed] for key in keys}


def _compared(key: str, buckets: Sequence[Answer], query: str, window: Window) -> Compared:
    now, *before = [int(bucket["doc_count"]) for bucket in buckets]
    return Compared(key, now, tuple(before), f"{query} {window.filters}".strip())


def _surprising_first(rows: Iterable[Compared]) -> tuple[Compared, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.surprise, -row.now, -sum(row.before), row.key)))


# ── stories ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NewStory:
    """A story whose first report is of the last 24 hours."""

    lead: Article
    """The first report."""
    independent: int
    """Number of owners (outlets, if the owner is unknown) with original reports."""
    articles: int
    languages: tuple[str, ...]
    """Of its articles, the most frequent first."""


def new_stories(es: Elasticsearch, names: Names, window: Window, *, seconds: float) -> tuple[NewStory, ...]:
    """The `STORIES` stories on any topic that began in `window` and have the most independent sources.

    Raises the errors of `read_situation`.
    """
    asked = {"bool": {"filter": [_TAGGED, within(window)], "must_not": [_OWN]}}
    # By hash: ordinals over all stories of the index would be built anew after each refresh.
    most = {"terms": {"field": "story_id", "size": _CANDIDATES, "execution_hint": "map"}}
    answer = answer_to(es, names, seconds, query=asked, size=0, track_total_hits=False, aggs={"stories": most})
    if answer is None:
        return ()
    ids = [bucket["key"] for bucket in answer["aggregations"]["stories"]["buckets"]]
    begun = {
        key: found
        for key, found in _sizes(es, names, ids, seconds).items()
        if moment_at(found["first"]["value"]) >= window.start
    }
    sources = independent_sources(impatient(es, seconds), names.articles, [*begun])
    best = sorted(begun, key=lambda key: (-sources[key], -begun[key]["doc_count"], -begun[key]["first"]["value"]))
    leads = _leads(es, names, best[:STORIES], seconds)
    return tuple(
        NewStory(
            leads[key],
            sources[key],
            begun[key]["doc_count"],
            tuple(b["key"] for b in begun[key]["languages"]["buckets"]),
        )
        for key in best[:STORIES]
        if key in leads
    )


def _sizes(es: Elasticsearch, names: Names, ids: Sequence[str], seconds: float) -> Mapping[str, Answer]:
    """Story → its first time, number of articles and languages, over all time."""
    if not ids:
        return {}
    aggs = {
        "stories": {
            "terms": {"field": "story_id", "size": len(ids), "execution_hint": "map"},
            "aggs": {"first": {"min": {"field": "time"}}, "languages": {"terms": {"field": "language", "size": 50}}},
        }
    }
    these = {"bool": {"filter": [{"terms": {"story_id": [*ids]}}]}}
    answer = answer_to(es, names, seconds, query=these, size=0, track_total_hits=False, aggs=aggs)
    return {b["key"]: b for b in answer["aggregations"]["stories"]["buckets"]} if answer else {}


def _leads(es: Elasticsearch, names: Names, ids: Sequence[str], seconds: float) -> Mapping[str, Article]:
    """Story → its first report."""
    if not ids:
        return {}
    answer = answer_to(
        es,
        names,
        seconds,
        query={"bool": {"filter": [{"terms": {"story_id": [*ids]}}], "must_not": [_OWN]}},
        collapse={"field": "story_id"},
        sort=[{"time": "asc"}, {"seq": "asc"}],
        size=len(ids),
        track_total_hits=False,
    )
    return {article.story_id: article for article in values(answer["hits"]["hits"], from_document)} if answer else {}


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Changed:
    """Articles with a new version, the latest first."""

    articles: tuple[Article, ...]
    is_whole: bool
    """Whether these are all; if not, they are the latest `CHANGED`."""


def changed_articles(es: Elasticsearch, names: Names, since: datetime, *, seconds: float) -> Changed:
    """The articles of which a later version was read since then. Raises the errors of `read_situation`."""
    later = {"range": {"version": {"gte": 2}}}
    answer = answer_to(
        es,
        names,
        seconds,
        query={"bool": {"filter": [later, {"range": {"indexed_at": {"gte": since.isoformat()}}}]}},
        sort=[{"indexed_at": "desc"}],
        size=CHANGED,
        track_total_hits=CHANGED + 1,
    )
    if answer is None:
        return Changed((), is_whole=True)
    return Changed(tuple(values(answer["hits"]["hits"], from_document)), answer["hits"]["total"]["value"] <= CHANGED)
