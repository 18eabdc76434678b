"""How saved searches are shown, on their list and each on its own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts.bounds import unusable
from alerts.counts import Counts, counts
from alerts.kinds import KINDS
from alerts.resting import rests
from alerts.saved import SavedSearches
from jobs.context import Context
from newswatch.alert import SavedSearch
from newswatch.errors import NewswatchError, QueryError
from newswatch.topics import Topics
from search.extract_filters import as_typed
from search.filters import lists_of
from search.personal import new_now
from search.syntax import parse
from store.desk import DeskStore
from store.elastic.faults import REFUSALS, our_error
from web.drafts import spoken


def problems_of(here: Context, searches: Sequence[SavedSearch]) -> dict[str, str]:
    """Id of each of the searches that can't be run, or is not run now → why."""
    broken = {search.id: why for search in searches if (why := unusable(search))}
    resting = rests(here.es, here.names, searches, here.clock()).resting
    return {**resting, **broken, **SavedSearches(here.es, here.names).problems()}


def state_of(search: SavedSearch, now: datetime) -> str:
    """In force, or what keeps it from mailing."""
    if not search.enabled:
        return "off"
    if search.expires_at and search.expires_at <= now:
        return "expired"
    return "muted" if search.mute_until and search.mute_until > now else "on"


def watched(search: SavedSearch, topics: Topics) -> list[str]:
    """What it asks for, part by part."""
    watches = KINDS[search.kind].watches.format(silence=spoken(search.silence_s))
    parts = [watches] if watches else []
    parts += [search.query.strip()] if search.query.strip() else []
    parts += [topics.path(tag.tag) + (" (main subject)" if tag.level == "main" else "") for tag in search.tags]
    parts += lists_of(search)
    parts += [f"at least {search.min_sources} independent sources"] if search.min_sources > 1 else []
    parts += [f"score of at least {search.min_score:g}"] if search.min_score else []
    return parts or ["every article"]


def counted(here: Context, user: str, searches: Sequence[SavedSearch]) -> tuple[Mapping[str, Counts], str]:
    """What each has found lately, and why that can't be told; the page is shown all the same."""
    if not searches:
        return {}, ""
    now, desk = here.clock(), DeskStore(here.es, here.names)
    try:
        desk.refresh()
        return counts(here.es, here.names, searches, new_now(desk, user, now), now), ""
    except (NewswatchError, *REFUSALS) as error:
        return {}, f"What they find can't be counted now: {our_error(error)}"


def finds(search: SavedSearch, *more: str) -> str | None:
    """The query of the search page for what it finds, with `more` filters; None if it can't be typed."""
    query = " ".join((as_typed(search), *more)).strip()
    try:
        parse(query)
    except QueryError:
        return None
    return query
