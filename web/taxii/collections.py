"""The collections of the TAXII server, and pages of their objects.

A page is made of whole articles in ingest order, up to the horizon below which nothing comes late. An article's objects
have the moment at which it became visible (`store.milestones`). If a page ends within an article, or within one
moment, the moment that it names as its last is the one before: a client that goes on by `added_after` gets some objects
twice and none too few. `next` goes on exactly.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from alerts.bounds import unusable
from alerts.query import to_query
from alerts.saved import SavedSearches
from jobs.context import Context
from newswatch.article import Article
from newswatch.errors import NewswatchError
from search.ingest_pages import articles_between
from search.stix import NAMESPACE, article_ids, objects_of
from store.ingest_order import Horizons
from store.milestones import Line, Milestones, micros, moment_of, steady

Json = dict[str, Any]

ALL: Final = "all"
SCANNED: Final = 400
"""Articles that one request goes through at most; if few objects fit its filters, the page is short and more follow."""
_AT_ONCE: Final = 100
_NEXT: Final = re.compile(r"(\d{1,18})\.(\d{1,4})")


class NextError(NewswatchError):
    """`next` is none that this server has given."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What a client may poll: all articles, or those that a saved search finds."""

    id: str
    title: str
    description: str
    alias: str
    query: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """What of a collection is asked for."""

    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    spec_versions: tuple[str, ...] = ()

    def fit(self, objects: Iterable[Json]) -> list[Json]:
        """The objects that are asked for. Each is there in one version, its latest."""
        return [one for one in objects if self._fits(one)]

    def _fits(self, one: Json) -> bool:
        if self.ids and one["id"] not in self.ids:
            return False
        if self.types and one["type"] not in self.types:
            return False
        if self.spec_versions and "2.1" not in self.spec_versions:
            return False
        wanted = {version for version in self.versions if version not in ("all", "first", "last")}
        return not self.versions or len(wanted) < len(self.versions) or one["modified"] in wanted

    @property
    def articles(self) -> list[str] | None:
        """The articles that may have the reports asked for; None: any article may have what is asked for."""
        found = [article_ids(one) for one in self.ids]
        return [one for ids in found for one in ids] if found and all(found) else None


@dataclass(frozen=True, slots=True)
class Added:
    """An object, and when it was added."""

    object: Json
    at: datetime


@dataclass(frozen=True, slots=True)
class TaxiiPage:
    """A page of a collection."""

    items: tuple[Added, ...] = ()
    more: bool = False
    next: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    """What a client that goes on by `added_after` names: all that was added until then was given."""


@dataclass(slots=True)
class _Filling:
    """A page while it is filled."""

    items: list[Added] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)
    complete_us: int | None = None
    """The moment until which everything was given."""


def collections(here: Context) -> list[Collection]:
    """All articles, and each saved search that can be run."""
    every = Collection(
        _id(ALL), "All articles", "Every article, as reports, sources, groups and sightings.", ALL, {"match_all": {}}
    )
    saved = sorted(SavedSearches(here.es, here.names).enabled(now=here.clock()), key=lambda search: search.id)
    found = [
        Collection(_id(f"search {one.id}"), one.name, f"What the saved search {one.id} finds.", one.id, to_query(one))
        for one in saved
        if not unusable(one)
    ]
    return [every, *found]


def _id(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"collection {name}"))


def page_of(
    here: Context,
    collection: Collection,
    filters: Filters,
    horizons: Horizons,
    *,
    added_after: datetime | None,
    after: str,
    limit: int,
) -> TaxiiPage:
    """The page after `after` (`next` of the page before), or else of what was added after a moment.

    Raises:
        NextError: `after` is none.
        QueryError: the collection's search can't be run, or takes too long.
        StoreError, elasticsearch's errors: Elasticsearch is unavailable.
    """
    end = steady(horizons.now(here.es, here.names, here.clock()))
    stones = Milestones(here.es, here.names)
    end = min(end, stones.reach(end, here.clock()).seq)
    begin, skipped = _next(after) if after else (0, 0)
    asked_us = micros(added_after) if added_after and not after else None
    line = stones.around(begin, asked_us)
    if asked_us is not None:
        begin = line.first_after(asked_us)
    near = min(end, line.stones[-1].seq)  # a line has its bounds: the rest comes with the next page
    return _filled(here, collection, filters, line, (begin, near, skipped, end), limit)


def _next(text: str) -> tuple[int, int]:
    parts = _NEXT.fullmatch(text)
    if parts is None:
        raise NextError("This `next` is none that this server has given.")
    return int(parts[1]), int(parts[2])


def _filled(
    here: Context,
    collection: Collection,
    filters: Filters,
    line: Line,
    where: tuple[int, int, int, int],
    limit: int,
) -> TaxiiPage:
    begin, end, skipped, horizon = where
    page, scanned, at = _Filling(), 0, begin
    ids = filters.articles
    clauses = [collection.query, *([{"ids": {"values": ids}}] if ids is not None else [])]
    query = {"bool": {"filter": clauses}}
    while at < end:
        found = articles_between(here.es, here.names, query, at, end, size=_AT_ONCE + 1, typed=collection.alias)
        following = [seq for seq, _ in found[1:]]
        for number, (seq, article) in enumerate(found[:_AT_ONCE]):
            objects = filters.fit(_objects(here, article)) if article else []
            place = _take(page, objects, skipped, limit, moment_of(line.moment(seq)))
            if place is not None:
                return _ended(page, f"{seq}.{place}")
            skipped, at = 0, seq + 1
            if number >= len(following) or line.moment(following[number]) > line.moment(seq):
                page.complete_us = line.moment(seq)
        scanned += len(found)
        if len(found) <= _AT_ONCE:
            break
        if scanned >= SCANNED:
            return _ended(page, f"{at}.0")
    return _ended(page, f"{end}.0" if end < horizon else "")


def _objects(here: Context, article: Article) -> list[Json]:
    return objects_of(article, base=here.settings.public_url, tlp=here.settings.stix_tlp)


def _take(page: _Filling, objects: Sequence[Json], skipped: int, limit: int, at: datetime) -> int | None:
    """Put an article's objects on the page; if it gets full, the place of the first one that is left out."""
    for place, one in enumerate(objects):
        key = one["id"], one["modified"]
        if place < skipped or key in page.told:
            continue
        if len(page.items) == limit:
            return place
        page.told.add(key)
        page.items.append(Added(one, at))
    return None


def _ended(page: _Filling, following: str) -> TaxiiPage:
    items = tuple(page.items)
    first = items[0].at if items else None
    last = moment_of(page.complete_us) if page.complete_us is not None else None
    if last is None and first is not None:
        last = moment_of(micros(first) - 1)
    return TaxiiPage(items, bool(following), following, first, last)
