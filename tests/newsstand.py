"""The newsroom's stories as articles in an index, without the way there: for tests of searching and of pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from elasticsearch import Elasticsearch

from embedded.newsroom_site.content import Story, load_outlets, load_stories
from newswatch.article import Article, Source
from store.articles import ArticleStore
from store.batches import BatchStore
from store.names import Names
from tests.factories import NOW, an_article
from tests.taxonomies import shipped_tagger
from transforms.enrich import enrich

CANONICAL = "nato-joins-coalition"


def url_of(slug: str) -> str:
    """Where a story stands."""
    return f"https://newsroom.example/{slug}"


def stories() -> list[Article]:
    """Every story of the newsroom, tagged by the default taxonomy; copies share the story of what they copy."""
    tagger = shipped_tagger()
    made = {story.slug: enrich(_article(story), tagger) for story in load_stories()}
    for story in load_stories():
        if story.copy_of:
            original = made[story.copy_of]
            made[story.slug] = replace(
                made[story.slug], story_id=original.id, duplicate_of=original.id, agency=story.credit
            )
        else:
            made[story.slug] = replace(made[story.slug], story_id=made[story.slug].id, duplicate_of=None)
    return list(made.values())


def _article(story: Story) -> Article:
    outlet = next(outlet for outlet in load_outlets() if outlet.id == story.outlet)
    source = Source(outlet.id, outlet.name, outlet.domain, outlet.country, outlet.kind, outlet.owner)
    published = NOW - timedelta(minutes=story.minutes_ago)
    return an_article(
        url_of(story.slug),
        title=story.title,
        summary=story.summary,
        text=_plain(story.body),
        source=source,
        published=published,
        first_seen=published,
        language=story.language,
        tags=(),
        entities=(),
        feeds=(outlet.id,),
    )


def _plain(markdown: str) -> str:
    """A paragraph a line, as extraction gives it."""
    return "\n".join(" ".join(block.lstrip("# ").split()) for block in re.split(r"\n\s*\n", markdown.strip()))


def stock(es: Elasticsearch, names: Names, articles: Iterable[Article], *, now: datetime = NOW) -> None:
    """Write the articles as one batch that is done, and make them searchable."""
    batches = BatchStore(es, names)
    batch = batches.begin(batches.open(["newsroom"], now=now, lease_s=600).number)
    report = ArticleStore(es, names).write(list(articles), batch, batch.seq_of_attempt, now=now)
    assert not report.refused
    batches.mark_indexed(batch.number, counts={}, now=now)
    es.indices.refresh(index=names.articles)
