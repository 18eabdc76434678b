"""The list of saved searches, with what each has found lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from alerts.counts import DAYS, MOST, Counts, counts
from alerts.saved import SavedSearches
from delivery.feedback import quality
from jobs.configuration import seed_searches
from jobs.context import Context
from newswatch.alert import SavedSearch
from newswatch.errors import NewswatchError, QueryError
from search.extract_filters import as_typed
from search.personal import new_now
from search.syntax import parse
from store.desk import DeskStore
from store.faults import REFUSALS, our_error
from web.render import pages, render
from web.saved_pages import Done, problems_of, state_of, watched
from web.security import Here, UserName

router = APIRouter()


@router.get("/searches")
def list_searches(
    request: Request, here: Here, user: UserName, done: Done = "", offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
    saved, seeding = SavedSearches(here.es, here.names), here.bulkhead("seed")
    # What the file lists is there before the first match has run.
    seed_searches(here, seeding)
    trouble = "\n".join(problem.reason for problem in seeding.problems)
    every = sorted(saved.all(), key=lambda search: search.name.casefold())
    searches = every[offset : offset + MOST]
    qualities = {q.alert_id: q for q in quality(here.es, here.names, [search.id for search in searches])}
    found, uncounted = _counted(here, user, searches)
    values = {
        "searches": searches,
        "total": len(every),
        "pages": pages(offset, MOST, len(every), len(every) + MOST),
        "quality": qualities,
        "counts": found,
        "uncounted": uncounted,
        "problems": problems_of(here, searches),
        "trouble": trouble,
    }
    shown = {"state_of": state_of, "watched": watched, "finds": finds, "done": done, "count_days": DAYS}
    return render(request, "searches.html.j2", now=here.clock(), **shown, **values)


def _counted(here: Context, user: str, searches: Sequence[SavedSearch]) -> tuple[Mapping[str, Counts], str]:
    """What each has found lately, and why that can't be told; the list is shown all the same."""
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
