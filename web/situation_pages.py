"""The Situation page: the last 24 hours against the usual, new stories, corrections, and what was not reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from delivery.corrections import Announcement, announced, was_edited
from delivery.coverage_text import CoverageText
from delivery.watching import watching
from jobs.context import Context
from newswatch.article import Article
from search.asking import impatient
from search.entity_view import Beside, named_more
from search.situation import Changed, changed_articles, new_stories, read_situation
from search.usual import Compared, last_day
from web.boxes import Boxes
from web.entity_pages import times_as_often, with_names
from web.render import render
from web.security import Here
from web.zones import zone_of

COUNTRIES = 12
"""Countries that are shown at once; the others are folded."""
WATCHED_DAYS = 1

router = APIRouter()


@router.get("/situation")
def situation(request: Request, here: Here) -> Response:
    now = here.clock()
    window, boxes = last_day(now), Boxes()
    values = {
        "window": window,
        "counts": boxes.fill("counts", lambda s: read_situation(here.es, here.names, window, seconds=s)),
        "stories": boxes.fill("stories", lambda s: new_stories(here.es, here.names, window, seconds=s)),
        "named": boxes.fill("named", lambda s: _named(here, now, s)),
        "corrections": boxes.fill("corrections", lambda s: _corrections(here, window.start, s)),
        "watch": boxes.fill("watch", lambda s: _watch(here, now, s, zone_of(request))),
    }
    return render(request, "situation.html.j2", now=now, parted=parted, scale=scale, times=times_as_often, **values)


def parted(rows: Sequence[Compared]) -> tuple[list[Compared], list[Compared]]:
    """The countries that are shown at once; and the folded ones, most of which have nothing, as usual. Pure."""
    told = [row for row in rows if row.now or row.surprise or (row.usual and row.usual.median >= 1)][:COUNTRIES]
    return told, [row for row in rows if row not in told]


def _named(here: Context, now: datetime, seconds: float) -> list[Beside]:
    found = named_more(here.es, here.names, last_day(now), now, seconds=seconds)
    return with_names(here, found)


def _watch(here: Context, now: datetime, seconds: float, zone: tzinfo) -> CoverageText:
    return watching(impatient(here.es, seconds), here.names, (), days=WATCHED_DAYS, now=now, zone=zone)


@dataclass(frozen=True, slots=True)
class Corrected:
    """An article that its outlet corrected or retracted."""

    article: Article
    announcement: Announcement
    at: datetime
    """When the version that says so was read."""


def _corrections(here: Context, since: datetime, seconds: float) -> tuple[list[Corrected], Changed]:
    """The corrections of the last 24 hours, the latest first, and what was looked at for them."""
    changed = changed_articles(here.es, here.names, since, seconds=seconds)
    return [found for article in changed.articles if (found := _corrected(article, since))], changed


def _corrected(article: Article, since: datetime) -> Corrected | None:
    if not article.versions or article.versions[-1].seen_at < since or not was_edited(article):
        return None
    announcement = announced(article)
    return Corrected(article, announcement, article.versions[-1].seen_at) if announcement else None


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a count and what is usual stand on a line, in percent of its length."""

    low: float
    high: float
    median: float
    now: float


def scale(row: Compared) -> Scale | None:
    """The line of a comparison, from nothing to the larger of the count and the most that is usual. Pure."""
    usual = row.usual
    if usual is None:
        return None
    most = max(row.now, usual.high) or 1
    low, high, middle, now = (100 * n / most for n in (usual.low, usual.high, usual.median, row.now))
    return Scale(low, high, middle, now)
