"""Articles, feeds and batches for tests: whole and plausible, with what a test cares about set by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ingest.urls import article_id
from newswatch.article import Article, Entity, Evidence, Provenance, Source, Tag, Version
from newswatch.batch import Batch, BatchState
from newswatch.feed import Feed
from transforms.fingerprint import text_hash

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

TITLE = "Allies agree on a plan for the eastern flank"
TEXT = "NATO ministers met in Brussels on Wednesday.\nThey agreed on a plan for the eastern flank, officials said."


def a_source(**changes: Any) -> Source:
    """A source."""
    whole = Source("herald", "The Herald", "herald.example", country="BE", kind="press", owner="Herald Group")
    return replace(whole, **changes)


def an_article(url: str = "https://herald.example/flank", **changes: Any) -> Article:
    """An article as `enrich` leaves it, unless said otherwise."""
    title, text = changes.get("title", TITLE), changes.get("text", TEXT)
    whole = Article(
        id=article_id(url),
        url=url,
        title=title,
        summary="Ministers met in Brussels.",
        text=text,
        text_status="full",
        source=a_source(),
        first_seen=NOW,
        provenance=Provenance(NOW, page_fetched=True, extractor="test 1", taxonomy="test"),
        published=NOW,
        language="en",
        tags=(Tag("nato", "main", 0.9, (Evidence("text", 0, 4, text[:4]),)),),
        entities=(Entity("nato", "NATO", "alliance", 1, aliases=("OTAN",)),),
        text_hash=text_hash(title, text),
        story_id=article_id(url),
        feeds=("herald",),
    )
    return replace(whole, **changes)


def stored_article(**changes: Any) -> Article:
    """An article as it comes back from the index: with its first version noted, and its story decided on."""
    article = an_article(**changes)
    return replace(article, placed_at=NOW, versions=(Version(NOW, article.title, article.text_hash, ()),))


def a_feed(name: str = "herald", **changes: Any) -> Feed:
    """A feed."""
    whole = Feed(name, f"https://{name}.example/rss", f"The {name.title()}", country="BE", language="en")
    return replace(whole, **changes)


def a_batch(number: int = 7, **changes: Any) -> Batch:
    """A batch that a worker has begun."""
    whole = Batch(number, ("herald",), BatchState.PLANNED, NOW, NOW.replace(hour=6), attempts=1)
    return replace(whole, **changes)
