"""Finds the saved searches that can't be run, since when and why: their owners are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.bounds import unusable
from alerts.saved import SavedSearches
from newswatch.alert import SavedSearch
from store.elastic.client import Client
from store.elastic.documents import Hit
from store.elastic.reading import every
from store.names import Names
from store.quarantine import FAILED_IN_MATCHING, LATEST_FIRST, moment

_MOST: Final = 1_000
"""Failing searches that are looked at in one run, those that failed last first; the next runs look at the others."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A saved search that can't be run."""

    search: SavedSearch
    since: datetime
    """When it failed first, without having been run since."""
    why: str
    needs_edit: bool = False
    """It can only be run once somebody has changed it; otherwise it is tried again by itself."""


def failing(es: Client, names: Names, now: datetime) -> dict[str, Failing]:
    """Id → each saved search that is on and can't be run.

    One that failed for a moment counts until it has been run without a failure.

    Raises:
        StoreError, elasticsearch's errors: an index can't be read.
    """
    found = {**_failed(es, names), **_wrong(es, names)}
    searches = SavedSearches(es, names).of(found)
    return {
        search_id: Failing(search, since, why, needs_edit or unusable(search) is not None)
        for search_id, (since, why, needs_edit) in found.items()
        if (search := searches.get(search_id)) and is_on(search, now)
    }


def is_on(search: SavedSearch, now: datetime) -> bool:
    """Whether the search is to be run: enabled and not expired. Pure."""
    return search.enabled and (search.expires_at is None or search.expires_at > now)


_Found = dict[str, tuple[datetime, str, bool]]
"""Id → since when, why, and whether it must be changed."""


def _failed(es: Client, names: Names) -> _Found:
    """The searches that failed in matching, by the quarantine."""
    es.indices.refresh(index=names.quarantine)
    hits = es.search(
        index=names.quarantine,
        query=FAILED_IN_MATCHING,
        size=_MOST,
        sort=LATEST_FIRST,
        source_includes=["id", "first_at", "at", "reason"],
    )["hits"]["hits"]
    return _read(hits, ("first_at", "at"), "reason", needs_edit=False)


def _wrong(es: Client, names: Names) -> _Found:
    """The searches that were saved although they can't be run, as `alerts.yaml` may have them."""
    es.indices.refresh(index=names.searches)
    hits = every(es, names.searches, {"exists": {"field": "problem"}}, source=["id", "changed_at", "problem"])
    return _read(hits, ("changed_at",), "problem", needs_edit=True)


def _read(hits: Iterable[Hit], since: tuple[str, ...], why: str, *, needs_edit: bool) -> _Found:
    """Those that can be read; `since` are the fields that may have the time, the best first."""
    found: _Found = {}
    for hit in hits:
        document = hit["_source"]
        try:
            began = moment(next(document[name] for name in since if document.get(name)))
            found[str(document["id"])] = (began, str(document[why]), needs_edit)
        except (KeyError, TypeError, ValueError, OverflowError, StopIteration):
            continue  # edited by hand: the list of problems shows it
    return found
