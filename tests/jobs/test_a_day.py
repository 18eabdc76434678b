"""A day of polling by a fake clock, over feeds that evolve, with the process killed at random: nothing lost or twice.

The seeds are stated: a failure can be played again.
"""

from __future__ import annotations

import random
import time

import pytest

from tests.jobs.conftest import World, configure
from tests.jobs.test_crash import SYLLABLES, dies, poll_only
from tests.press import Story

pytestmark = pytest.mark.slow

SEEDS = (1, 2)
FEEDS = ("one", "two", "three")
STEP_MIN = 45
BUDGET_S = 25.0
"""Of real time a seed; the day is cut short, and says so, only on a machine that can't do 12 steps in it."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_loses_nothing_and_repeats_nothing(world: World, seed: int) -> None:
    rng, context, press = random.Random(seed), world.context, world.press
    press.feeds = {name: [] for name in FEEDS}
    configure(context.settings.config_dir, press)
    published: set[str] = set()
    began, killed, steps = time.monotonic(), 0, 0
    for at in range(24 * 60 // STEP_MIN):
        if time.monotonic() - began > BUDGET_S:
            break
        evolve(world, rng, published, at)
        killed += dies(poll_only, context, rng.randint(1, 40))
        world.wait(minutes=STEP_MIN)
        steps += 1
    press.broken.clear()
    for _ in range(2):
        world.wait(hours=30)
        poll_only(context)
    assert steps >= 12, "too slow a machine to tell"
    assert killed >= 3, "nothing was killed"
    context.es.indices.refresh(index=context.names.articles)
    hits = context.es.search(index=context.names.articles, size=1000)["hits"]["hits"]
    found = sorted(hit["_source"]["url"].rpartition("/")[2] for hit in hits)
    assert found == sorted(published), f"seed {seed}: lost or twice"


def evolve(world: World, rng: random.Random, published: set[str], at: int) -> None:
    """What publishers do between two polls: publish, edit, share, drop what is old, and break for a while."""
    press = world.press
    for name in FEEDS:
        for number in range(rng.randint(0, 2)):
            slug = f"{name}-{at}-{number}"
            words = ["".join(rng.choices(SYLLABLES, k=4)) for _ in range(40)]
            story = Story(slug, " ".join(words[:5]), (" ".join(words[5:25]) + ".", " ".join(words[25:]) + "."))
            published.add(slug)
            for feed in {name, rng.choice(FEEDS)}:
                press.feeds[feed].insert(0, story)
        if press.feeds[name] and rng.random() < 0.3:
            rng.choice(press.feeds[name]).title += " (edited)"
        if not press.broken and rng.random() < 0.2:
            rng.shuffle(press.feeds[name])
    broken = [path for path in press.broken if rng.random() < 0.6]
    for path in broken:
        del press.broken[path]
    if rng.random() < 0.3:
        some = rng.choice([f"/{rng.choice(FEEDS)}.xml", *(f"/articles/{slug}" for slug in sorted(published)[-3:])])
        press.broken[some] = rng.choice([503, 500])
