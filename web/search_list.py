"""The list of saved searches, with what each has found lately."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from alerts.counts import DAYS, MOST
from alerts.saved import SavedSearches
from delivery.feedback import quality
from jobs.applied import alerts_if_usable, seed_searches, taken_out
from web.render import pages, render
from web.search_shown import counted, finds, problems_of, state_of, watched
from web.security import Here, UserName

router = APIRouter()


@router.get("/searches")
def list_searches(
    request: Request,
    here: Here,
    user: UserName,
    done: Annotated[str, Query(max_length=100)] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    saved, seeding = SavedSearches(here.es, here.names), here.bulkhead("seed")
    # What the file lists is there before the first match has run.
    seed_searches(here, seeding)
    trouble = "\n".join(problem.reason for problem in seeding.problems)
    every = sorted(saved.all(), key=lambda search: search.name.casefold())
    searches = every[offset : offset + MOST]
    qualities = {q.alert_id: q for q in quality(here.es, here.names, [search.id for search in searches])}
    found, uncounted = counted(here, user, searches)
    values = {
        "searches": searches,
        "total": len(every),
        "pages": pages(offset, MOST, len(every), len(every) + MOST),
        "quality": qualities,
        "counts": found,
        "uncounted": uncounted,
        "problems": problems_of(here, searches),
        "trouble": trouble,
        "taken_out": taken_out(here, alerts_if_usable(here)).values(),
    }
    shown = {"state_of": state_of, "watched": watched, "finds": finds, "done": done, "count_days": DAYS}
    return render(request, "searches.html.j2", now=here.clock(), **shown, **values)
