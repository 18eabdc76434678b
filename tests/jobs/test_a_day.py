"""A day of polling by a fake clock, over feeds that evolve, with the process killed at random: nothing lost or twice.

The seeds are stated: a failure can be played again. What the suite plays is small; a whole day over every captured
feed is played, for the seeds named, by

    A_DAY_SEEDS='11 12 13' pytest -s tests/jobs/test_a_day.py -k captured
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.context import Context
from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from jobs.tagger import tagger_of
from newswatch.article import Article
from newswatch.feed import FullText
from store.article_documents import from_document
from tests.jobs.conftest import World, configure
from tests.jobs.newsstand import SYLLABLES, Newsstand, identity
from tests.jobs.test_crash import dies, poll_only
from tests.press import Story

pytestmark = pytest.mark.slow

SEEDS = (1,)
FEEDS = ("one", "two", "three")
STEPS = 12
STEP_MIN = 90
DEATHS_IN_A_ROW = 3
WRITES = 12
"""Of a poll that brings something, about: each is a step to die after."""
WHOLE_DAY = [int(seed) for seed in os.environ.get("A_DAY_SEEDS", "").split()]
CAPTURED = (
    "greatfire/bbc.xml", "greatfire/dw.xml", "greatfire/cdt.rss", "greatfire/paopao.xml", "greatfire/programthink.rss",
    "fast-news-reader/tests/fixtures/bbc.xml", "egfedorov-en/outputs/gq.xml", "egfedorov-en/outputs/gq_1.xml",
    "egfedorov-en/wapo_inv.xml", "egfedorov-en/reuters.xml",
)  # fmt: skip
"""One of each kind: RSS 1.0 and 2.0, Atom, by FeedBurner, with and without ids, whole texts, a twin, an empty one."""


class Fate:
    """Kills polls at random, but not for so long that entries would come and go unseen."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._in_a_row = 0
        self.deaths = 0

    def poll(self, context: Context) -> None:
        """Poll, in a process that may die after any of its writes."""
        steps = self._rng.randint(1, WRITES)
        if self._in_a_row == DEATHS_IN_A_ROW:
            steps = 1_000_000
        died = dies(poll_only, context, steps)
        self._in_a_row = self._in_a_row + 1 if died else 0
        self.deaths += died


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_loses_nothing_and_repeats_nothing(world: World, seed: int) -> None:
    rng, context, press = random.Random(seed), world.context, world.press
    press.feeds = {name: [] for name in FEEDS}
    configure(context.settings.config_dir, press)
    tagger_of(context)  # the processes that die inherit it
    published: set[str] = set()
    fate = Fate(rng)
    for at in range(STEPS):
        evolve(world, rng, published, at)
        fate.poll(context)
        world.wait(minutes=STEP_MIN)
    press.broken.clear()
    settle(world)
    assert fate.deaths >= STEPS // 4, "hardly anything was killed"
    found = sorted(article.url.rpartition("/")[2] for article in articles(world))
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


# ── captured feeds ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def newsstand(world: World) -> Iterator[Newsstand]:
    """An empty newsstand in the place of the press."""
    stand = Newsstand()
    with stand:
        stand.feeds.clear()
        settings = world.context.settings.model_copy(update={"fetch_allow_hosts": (stand.host,)})
        world.context = replace(world.context, settings=settings)
        yield stand


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", WHOLE_DAY or (3,))
def test_a_day_of_captured_feeds_loses_nothing_and_repeats_nothing(
    world: World, newsstand: Newsstand, shared_data: Path, seed: int
) -> None:
    folder = shared_data / "feeds" / "captured"
    whole = sorted(path for path in folder.rglob("*") if path.is_file())
    newsstand.load(whole if WHOLE_DAY else [folder / name for name in CAPTURED])
    configure(
        world.context.settings.config_dir, newsstand, full_text={name: text_from(name) for name in newsstand.sheets}
    )
    tagger_of(world.context)
    rng = random.Random(seed)
    fate = Fate(rng)
    steps, minutes = (96, 15) if WHOLE_DAY else (20, 60)
    for at in range(steps):
        newsstand.evolve(rng, at, steps)
        fate.poll(world.context)
        world.wait(minutes=minutes)
    newsstand.finish(steps)
    settle(world)
    told(newsstand, fate, seed)
    assert newsstand.is_sold_out
    assert fate.deaths >= steps // 4, "hardly anything was killed"
    assert {status for _, status in newsstand.asked} >= {200, 301, 304, 500}, "a dull day"
    found = Counter(identity(article.url.removesuffix("-renamed")) for article in articles(world))
    assert sorted(newsstand.links - set(found)) == [], f"seed {seed}: lost"
    assert sorted(set(found) - newsstand.links) == [], f"seed {seed}: never published"
    assert [url for url, count in found.items() if count > 1] == [], f"seed {seed}: twice"
    edited = {identity(article.url.removesuffix("-renamed")) for article in articles(world) if article.version > 1}
    assert edited <= newsstand.touched, f"seed {seed}: another version of what nobody has edited"


def text_from(name: str) -> FullText:
    """A third of the feeds have their pages read."""
    return "auto" if sum(name.encode()) % 3 == 0 else "feed"


def settle(world: World) -> None:
    """Let everything that waits come due, without deaths; then a poll finds nothing to do."""
    for _ in range(3):
        world.wait(hours=30)
        poll(world.context)
    world.wait(hours=30)
    report = poll(world.context)
    assert (report.new, report.updated, report.quarantined, report.failed) == (0, 0, 0, 0)


def poll(context: Context) -> PullReport:
    """One poll, and what it brought."""
    total = PullReport(0)
    for number in plan(context).batches:
        total = total.plus(**pull(context, number).counts())
    return total


def articles(world: World) -> list[Article]:
    """All there are."""
    world.context.es.indices.refresh(index=world.context.names.articles)
    answer = world.context.es.search(index=world.context.names.articles, size=10_000, track_total_hits=True)["hits"]
    assert len(answer["hits"]) == answer["total"]["value"]
    return [from_document(hit["_id"], hit["_source"]) for hit in answer["hits"]]


def told(newsstand: Newsstand, fate: Fate, seed: int) -> None:
    """What kind of a day it was, for `pytest -s`."""
    statuses = Counter(status for _, status in newsstand.asked)
    print(
        f"\nseed {seed}: {len(newsstand.sheets)} feeds, {len(newsstand.links)} articles, {fate.deaths} deaths, "
        f"{len(newsstand.touched)} edited, answers {dict(sorted(statuses.items()))}"
    )
