"""The newsroom's articles are grouped as its content says: copies, two reports of one event, and all others apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from embedded.newsroom_site.content import Story, load_stories
from transforms.background import Background
from transforms.likeness import Weighed, likeness, weigh
from transforms.profile import Profile, profile
from transforms.story import FITS, SAME_STORY, placed_in_order

OPENED = datetime(2017, 5, 25, 18, tzinfo=UTC)
STORIES = {story.slug: story for story in load_stories()}
ALSO_ONE = {"coordinator-holmgaard": "coordinator-named"}
"""The demo's digest says of these that two independent outlets report one event."""


def written(story: Story, moment: datetime) -> Profile:
    return profile(
        id=story.slug, title=story.title, text=story.body, summary=story.summary, published=moment,
        source=story.outlet, language=story.language,
    )  # fmt: skip


def event(slug: str) -> str:
    return STORIES[slug].copy_of or ALSO_ONE.get(slug, slug)


@pytest.fixture(scope="module")
def weighed() -> dict[str, Weighed]:
    return {slug: weigh(written(story, OPENED), Background()) for slug, story in STORIES.items()}


def test_every_pair_is_on_one_event_exactly_if_the_content_says_so(weighed: dict[str, Weighed]) -> None:
    wrong = {}
    for one, other in combinations(weighed.values(), 2):
        if one.profile.language == other.profile.language:
            probability = likeness(one, other).probability()
            wanted = event(one.profile.id) == event(other.profile.id)
            if not (probability >= 2 * SAME_STORY if wanted else probability < FITS):
                wrong[one.profile.id, other.profile.id] = probability
    assert not wrong


@pytest.mark.parametrize("backwards", [False, True])
def test_each_event_is_one_story_in_either_order(backwards: bool) -> None:
    way = -1 if backwards else 1
    profiles = [written(s, OPENED - way * timedelta(minutes=s.minutes_ago)) for s in STORIES.values()]
    placed = placed_in_order(profiles)
    assert _groups({slug: place.story_id for slug, place in placed.items()}) == _groups({s: event(s) for s in placed})


def _groups(of: dict[str, str]) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for slug, group in of.items():
        found.setdefault(group, set()).add(slug)
    return {frozenset(group) for group in found.values()}
