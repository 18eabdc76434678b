"""An entity's page: how often it is named, with what, by whom, its latest stories, and its names in all languages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import RedirectResponse, Response

from jobs.context import Context
from newswatch.article import Article, Entity
from newswatch.errors import ConfigError
from search.entity_view import Beside, Trend, as_tagged, outlets, query_of, read_trend, related
from search.gazetteer import entities, names_of
from search.query import find
from search.usual import Window
from store.elastic.times import midnight
from web.boxes import Boxes
from web.charts import bars
from web.render import render
from web.security import Here
from web.zones import zone_of

if TYPE_CHECKING:
    from transforms.taxonomy import GazetteerEntity

log = logging.getLogger(__name__)

STORIES = 8
NAMES = 12
"""Names of a language that are shown at once; the others are folded."""
EntityId = Annotated[str, Path(max_length=200)]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of an entity, apart from the news."""

    id: str
    name: str
    type: str
    wikidata: str | None
    names: Mapping[str, tuple[str, ...]]
    """Language ("any": the same in all) → its names there."""
    entity: GazetteerEntity | None
    """As the taxonomy has it; None: it no longer does, and the rest is what articles carry."""


@router.get("/entities/{entity_id}")
def show_entity(request: Request, here: Here, entity_id: EntityId) -> Response:
    if (known := id_of(entity_id, gazetteer(here))) != entity_id:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/entities/{quote(known, safe='')}", 303)
    now, zone, boxes = here.clock(), zone_of(request), Boxes()
    profile = boxes.fill("profile", lambda s: _profile(here, entity_id, s))
    if profile.value is None and not profile.fault:
        raise HTTPException(404, "The taxonomy has no such entity, and no article names one.")
    query = query_of(entity_id)
    trend = boxes.fill("trend", lambda s: read_trend(here.es, here.names, entity_id, now, seconds=s, zone=zone))
    values = {
        "profile": profile,
        "trend": trend,
        "stories": boxes.fill(
            "stories",
            lambda _: find(
                here.es, here.names, query, size=STORIES, sort="time", by_story=True, with_story=True, now=now
            ),
        ),
        "related": boxes.fill(
            "related", lambda s: with_names(here, related(here.es, here.names, entity_id, now, seconds=s))
        ),
        "outlets": boxes.fill("outlets", lambda s: outlets(here.es, here.names, entity_id, now, seconds=s)),
    }
    days = day_links(query, trend.value, zone)
    return render(
        request,
        "entity.html.j2",
        now=now,
        entity_id=entity_id,
        q=query,
        days=days,
        zone=zone,
        most=NAMES,
        times=times_as_often,
        **values,
    )


def _profile(here: Context, entity_id: str, seconds: float) -> Profile | None:
    known = gazetteer(here).get(entity_id)
    if known is not None:
        return Profile(entity_id, known.name, known.type, known.wikidata, names_of(known), known)
    tagged = as_tagged(here.es, here.names, entity_id, seconds=seconds)
    if tagged is None:
        return None
    return Profile(entity_id, tagged.name, tagged.type, tagged.wikidata, {"any": tagged.aliases}, None)


def id_of(called: str, known: Mapping[str, GazetteerEntity]) -> str:
    """The id of the entity that is called so, by id or by name, as facets call it; `called` itself if none is. Pure."""
    if called in known:
        return called
    return next((key for key, entity in known.items() if entity.name == called), called)


def named_in(articles: Sequence[Article]) -> list[tuple[Entity, int]]:
    """The entities that articles name, each with the number of articles, most frequent first. Pure."""
    named = {entity.id: entity for article in articles for entity in article.entities}
    times = Counter(entity.id for article in articles for entity in article.entities)
    return [(named[key], count) for key, count in times.most_common()]


def gazetteer(here: Context) -> Mapping[str, GazetteerEntity]:
    """The entities of the taxonomy in force; none while it can't be read: the log says why, and the page goes on."""
    try:
        return entities(here.names.taxonomy_in_force())
    except (ConfigError, OSError) as error:
        log.warning("Entities are shown by their ids: %s", error)
        return {}


def with_names(here: Context, found: Iterable[Beside]) -> list[Beside]:
    """The entities with what the taxonomy calls them; one that it no longer has, by its id."""
    known = gazetteer(here)
    return [replace(one, name=known[one.key].name if one.key in known else one.key.replace("-", " ")) for one in found]


def times_as_often(times: float) -> str:
    """A ratio from a sample, as exactly as that is: "2.5×", "13×", "over 100×". Pure."""
    if times >= 100:
        return "over 100×"
    return f"{times:.0f}×" if times >= 10 else f"{times:.1f}×"


@dataclass(frozen=True, slots=True)
class DayLink:
    """A day of the chart, and the search for it."""

    label: str
    count: int
    height: float
    """In percent of the highest."""
    query: str


def day_links(query: str, trend: Trend | None, zone: tzinfo) -> list[DayLink]:
    """The days of a trend, in order, with the searches for them. Pure."""
    if trend is None:
        return []
    return [
        DayLink(
            f"{bar.day:%a} {bar.day.day} {bar.day:%b}",
            bar.count,
            bar.height,
            f"{query} {Window(midnight(bar.day, zone), midnight(bar.day + timedelta(1), zone)).filters}",
        )
        for bar in bars(trend.days)
    ]
