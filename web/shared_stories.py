"""A story's page for readers of mails without an account: its articles in short, by a link that is signed for it alone.

It shows headlines, first sentences and where to read on, as the mails do, and not the publishers' texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from delivery.corrections import announced
from delivery.links import STORY, Links, SharedStory
from delivery.message import TopicView
from delivery.story_views import lead_of, page_url, shown_title, topic_views
from delivery.words import one_line, safe_url, when
from jobs.context import Context
from newswatch import languages, names_in_english
from newswatch.article import Article
from newswatch.topics import Topics
from search.story_view import StoryReports, published, read_story
from web.budget import RateBudget
from web.mail_page import page, too_many

SHOWN: Final = 60
"""Maximum articles on the page; the others are counted."""
EACH: Final = 30
OVERALL: Final = 600
"""Maximum requests a minute for one link, and for all links."""
_LEAD: Final = 280
"""Maximum columns of an article's first sentences."""


@dataclass(frozen=True, slots=True)
class SharedArticle:
    """An article as the page shows it."""

    id: str
    headline: str
    url: str | None
    language: str
    direction: str
    outlet: str
    place: str
    grade: str
    time: str
    lead: str
    is_copy: bool
    notice: str
    """What the outlet says of its own article: "Correction"; empty if nothing."""
    topics: tuple[TopicView, ...]


def routes(context: Callable[[], Context], links: Callable[[], Links]) -> APIRouter:
    """The route of the page."""
    router, budget = APIRouter(), RateBudget(EACH, OVERALL)

    @router.get(f"/{STORY}/{{token}}")
    def story(token: str) -> HTMLResponse:
        shared = links().read_story(token)
        if wait := budget.wait_s(shared.story_id):
            return too_many(wait)
        here = context()
        found = read_story(here.es, here.names, shared.story_id)
        if found is None:
            raise HTTPException(404, "There is no such story, or it is older than what is kept.")
        return _page(found, shared, here)

    return router


def _page(found: StoryReports, shared: SharedStory, here: Context) -> HTMLResponse:
    zone, articles = ZoneInfo(here.settings.time_zone), found.articles
    # The lead report comes first, then the newest.
    order = (found.lead, *(a for a in reversed(articles) if a.id != found.lead.id))
    topics = here.names.shown_topics()
    return page(
        "shared_story.html.j2",
        wide=True,
        title=shown_title(found.lead.title),
        reports=[_article(article, topics, zone) for article in order[:SHOWN]],
        missing=found.missing,
        left_out=found.total - len(order[:SHOWN]),
        total=found.total,
        sources="One source" if found.independent == 1 else f"{found.independent} independent sources",
        credibility=f", credibility {found.credibility.number} of 6, {found.credibility.meaning}"
        if found.credibility.is_known
        else "",
        zone=here.settings.time_zone,
        until=when(shared.until, zone),
        full_url=page_url("story", found.id, here.settings, ""),
    )


def _article(article: Article, topics: Topics, zone: tzinfo) -> SharedArticle:
    told = announced(article)
    return SharedArticle(
        id=article.id,
        headline=shown_title(article.title),
        url=safe_url(article.address),
        language=article.language or "",
        direction=languages.direction(article.language),
        outlet=one_line(article.source.name),
        place=names_in_english.country(article.source.country),
        grade=article.source.reliability or "",
        time=when(published(article), zone),
        lead=lead_of(article, _LEAD),
        is_copy=article.duplicate_of is not None,
        notice=told.kind.title() if told else "",
        topics=topic_views(article.tags, topics),
    )
