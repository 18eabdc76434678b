"""Our types as what the API answers (`newswatch.api`). Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from delivery.corrections import announced
from newswatch.alert import SavedSearch
from newswatch.api import ArticleShape, Correction, FeedShape, Found, Me, Outlet, SavedSearchShape, StoryShape
from newswatch.api_key import ApiKey
from newswatch.article import Article
from newswatch.reliability import grade_of
from newswatch.settings import Settings
from newswatch.texts import without_logins
from search.ingest_pages import Numbered
from search.query import Hit
from search.story_view import StoryReports
from store.feeds import FeedRecord

NEWS: Final = "/news"
"""Where the News page is below `Settings.public_url`."""


def article_shape(
    article: Article,
    settings: Settings,
    *,
    seq: int | None = None,
    indexed_at: datetime | None = None,
    with_text: bool = False,
) -> ArticleShape:
    """The article as the API tells it."""
    source, told = article.source, announced(article)
    return ArticleShape(
        id=article.id,
        seq=seq,
        version=article.version,
        url=article.address,
        title=article.title,
        summary=article.summary,
        text=article.text if with_text else None,
        text_status=article.text_status,
        language=article.language,
        authors=article.authors,
        published=article.published,
        updated=article.updated,
        first_seen=article.first_seen,
        indexed_at=indexed_at,
        outlet=Outlet(
            source.feed_id,
            source.name,
            source.domain,
            source.country,
            source.kind,
            source.owner,
            grade_of(source.reliability),
            source.state_media,
        ),
        tags=article.tags,
        entities=article.entities,
        story=article.story_id,
        placed=article.placed_at is not None,
        copy_of=article.duplicate_of,
        correction=Correction(told.kind, told.line) if told else None,
        versions=article.versions,
        news_page=news_page(settings, f"article/{article.id}"),
    )


def numbered_shape(one: Numbered, settings: Settings, *, with_text: bool) -> ArticleShape:
    """An article with its ingest number."""
    return article_shape(one.article, settings, seq=one.seq, indexed_at=one.indexed_at, with_text=with_text)


def found_shape(hit: Hit, settings: Settings) -> Found:
    """A row of a search."""
    article = article_shape(hit.article, settings, seq=hit.seq, indexed_at=hit.indexed_at)
    return Found(article, hit.score, hit.highlights, hit.matching)


def story_shape(story: StoryReports, settings: Settings) -> StoryShape:
    """A story."""
    articles = tuple(article_shape(article, settings) for article in story.articles)
    page = news_page(settings, f"story/{story.id}")
    missing = str(story.missing or "")
    return StoryShape(story.id, story.total, story.independent, story.credibility, articles, page, missing)


def saved_search_shape(search: SavedSearch, problem: str) -> SavedSearchShape:
    """A saved search."""
    told = {name: getattr(search, name) for name in SavedSearchShape.__dataclass_fields__ if name != "problem"}
    return SavedSearchShape(**told, problem=problem)


def feed_shape(record: FeedRecord, health: str) -> FeedShape:
    """A feed."""
    feed, state = record.feed, record.state
    own = ("id", "title", "country", "language", "kind", "owner", "state_media", "enabled")
    of_state = (
        *("health_since", "failures", "last_poll_at", "last_success_at", "last_new_at"),
        *("interval_s", "new_articles"),
    )
    return FeedShape(
        **{name: getattr(feed, name) for name in own},
        **{name: getattr(state, name) for name in of_state},
        url=without_logins(state.url),
        health_why=without_logins(state.health_why),
        reliability=grade_of(feed.reliability.grade if feed.reliability else None),
        health=health,
    )


def me(key: ApiKey) -> Me:
    """The key, without its hash."""
    return Me(key.id, key.name, key.owner, key.scopes, key.expires_at, key.per_minute)


def news_page(settings: Settings, place: str) -> str:
    """The address of a page of the News page."""
    return f"{settings.public_url.rstrip('/')}{NEWS}/{place}"
