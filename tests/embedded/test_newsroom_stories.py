"""The newsroom's pages, as they are extracted and stored, are grouped as its content says, and not by a hair's breadth.

A wrong join mails a story to nobody, so every pair of pages must be clear of the threshold.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from urllib.parse import urlsplit

import pytest

from embedded.newsroom_site.content import load_outlets, load_stories, load_world
from embedded.newsroom_site.printing import Press
from embedded.newsroom_site.site import Site, open_site, publish
from ingest.assemble import assemble, wants_page
from ingest.pages.extract import extract
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from newswatch.article import Article
from store.article_documents import profile_of
from tests.placing import placed_in_order
from tests.taxonomies import shipped_tagger
from transforms.across import Encoded, apart_from, domain, joins
from transforms.background import Background
from transforms.encoder import Encoder
from transforms.enrich import enrich
from transforms.likeness import Weighed, contradicts, likeness, weigh
from transforms.meaning import vector_of, with_meaning
from transforms.story import SAME_STORY

pytestmark = pytest.mark.slow

OPENED = datetime(2017, 5, 25, 18, 0, 30, tzinfo=UTC)
BASE = "http://newsroom.example"
STORIES = {story.slug: story for story in (*load_stories(), *load_world())}
ALSO_ONE = {
    "coordinator-holmgaard": "coordinator-named",
    "plot-fifth-suspect": "plot-arrests",
    "quake-arda-ledger": "quake-arda",
}
"""The demo's digest says that two outlets report the one; its update says that the other goes on."""
MINE = frozenset({"mine-en", "mine-de", "mine-fr", "mine-it"})
"""One event in four languages."""
MARGIN = 0.1


def event(slug: str) -> str:
    return STORIES[slug].copy_of or ALSO_ONE.get(slug, slug)


def whole_site() -> Site:
    site = open_site(load_outlets(), STORIES.values(), OPENED)
    for slug in list(site.held):
        site = publish(site, slug, OPENED)
    return site


@pytest.fixture(scope="module")
def articles() -> dict[str, Article]:
    """Slug → the article that `pull` would store, by the stages that it runs."""
    site, press, tagger = whole_site(), Press(BASE), shipped_tagger()
    slugs = {story.title: slug for slug, story in STORIES.items()}
    found: dict[str, Article] = {}
    for outlet in site.outlets.values():
        if not outlet.format:
            continue
        feed, document = outlet.as_feed(BASE), press.document(site, outlet.feed)
        parsed = parse(document.body, url=feed.url, content_type=document.content_type, now=OPENED)
        assert isinstance(parsed, ParsedFeed)
        for entry in parsed.entries:
            page, asked = None, urlsplit(entry.url or "")
            if wants_page(entry, feed):
                got = press.document(site, f"{asked.path}?{asked.query}" if asked.query else asked.path)
                kind = f"{got.content_type}; charset={got.charset}"
                page = (
                    extract(got.body, url=entry.url or "", content_type=kind, now=OPENED) if got.status == 200 else None
                )
            found[slugs[entry.title]] = enrich(assemble(entry, page, feed, now=OPENED), tagger)
    assert found.keys() == STORIES.keys()
    return found


@pytest.fixture(scope="module")
def weighed(articles: dict[str, Article]) -> dict[str, Weighed]:
    return {slug: weigh(profile_of(article), Background()) for slug, article in articles.items()}


def test_every_pair_of_pages_is_clear_of_the_threshold(weighed: dict[str, Weighed]) -> None:
    near = {}
    for (slug, one), (other_slug, other) in combinations(weighed.items(), 2):
        if one.profile.language == other.profile.language:
            probability = likeness(one, other).probability(days=0)
            wanted = event(slug) == event(other_slug)
            if not wanted and contradicts(one.profile, other.profile):
                continue
            if not (probability >= SAME_STORY + MARGIN if wanted else probability <= SAME_STORY - MARGIN):
                near[slug, other_slug] = probability
    assert not near


@pytest.mark.parametrize("backwards", [False, True])
def test_each_event_is_one_story_in_either_order(articles: dict[str, Article], backwards: bool) -> None:
    way = -1 if backwards else 1
    profiles = [
        replace(profile_of(article), id=slug, published=OPENED - way * timedelta(minutes=STORIES[slug].minutes_ago))
        for slug, article in articles.items()
        if slug not in MINE  # words may find translations, too
    ]
    placed = placed_in_order(profiles)
    assert _groups({slug: place.story_id for slug, place in placed.items()}) == _groups({s: event(s) for s in placed})


def test_one_event_in_four_languages_is_one_story_and_nothing_else_is_joined(
    articles: dict[str, Article], encoder: Encoder
) -> None:
    tagged = {slug: with_meaning(article, encoder) for slug, article in articles.items() if article.tags}
    said = [
        Encoded(slug, article.language or "", OPENED, vector, event(slug))
        for slug, article in tagged.items()
        if (vector := vector_of(article, encoder.name))
    ]
    assert len(said) > len(MINE) + 15
    common = domain([one.vector for one in said])
    found = joins([apart_from(common, one) for one in said], {one.story_id for one in said})
    assert {story for join in found for story in (join.story_id, join.other_id)} == MINE
    assert len(found) == len(MINE) - 1
    few = [apart_from(domain([]), one) for one in said if one.id in MINE or one.id.startswith("coordinator")]
    assert len(joins(few, {one.story_id for one in few})) == len(MINE) - 1, "a young installation knows it as well"


def _groups(of: dict[str, str]) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for slug, group in of.items():
        found.setdefault(group, set()).add(slug)
    return {frozenset(group) for group in found.values()}
