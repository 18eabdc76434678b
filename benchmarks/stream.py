"""What placing, joining and matching cost an article: `python -m benchmarks.stream [--articles N] [--searches N]`.

    day      batches of 50 articles of one day, a tenth of them tagged and so with vectors
    burst    the same number of articles in batches of 500, all of an hour and all tagged

Each part runs on an embedded Elasticsearch of its own. The articles are the newsroom's, recombined, without what their
making says of stories; vectors are invented (a direction for each headline that they are made from, and noise), as
encoding is measured by `benchmarks.across`. Prints milliseconds of our processor and of the clock for each article.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

from alerts.match import match_batch
from benchmarks.growth import installation
from benchmarks.match import TextGenerator
from benchmarks.synthetic_articles import Synthesizer
from jobs.context import Context
from jobs.uniting import join_across
from newswatch.article import Article, Meaning, Tag
from newswatch.batch import Batch
from store.articles import ArticleStore
from store.batches import BatchStore
from store.stories import Stories
from transforms.encoder import DIMENSIONS, Vector, packed, unit

ENCODER = SimpleNamespace(name="invented", encode=lambda texts: [None for _ in texts])
NOW = datetime(2026, 3, 4, tzinfo=UTC)
LANGUAGES = ("en", "fr", "de", "es", "ru", "tr")
PARTS = {"day": (50, timedelta(days=1), 0.1), "burst": (500, timedelta(hours=1), 1.0)}
"""Part → articles in a batch, the time in which they appear, the share that is tagged."""
STEPS = ("place", "join", "match")


class Invented:
    """Articles with vectors."""

    def __init__(self, tagged: float) -> None:
        self._synthesizer, self._dice, self._tagged = Synthesizer(), random.Random(1), tagged
        self._directions: dict[str, Vector] = {}

    def articles(self, count: int, span: timedelta) -> Iterator[Article]:
        """`count` articles within `span`, in that order."""
        for article in self._synthesizer.articles(count, NOW, NOW + span):
            language = self._dice.choice(LANGUAGES)
            title, text = (said.translate(_SPELT[language]) for said in (article.title, article.text))
            plain = replace(article, title=title, text=text, summary="", language=language)
            plain = replace(plain, story_id="", duplicate_of=None, placed_at=None)
            is_tagged = self._dice.random() < self._tagged
            yield (
                replace(plain, tags=_TAGS, meaning=self._meaning(article.title))
                if is_tagged
                else replace(plain, tags=())
            )

    def _meaning(self, title: str) -> Meaning:
        of = title.split(": ")[-1].split(" in ")[0]
        base = self._directions.setdefault(of, self._noise())
        vector = unit([0.8 * x + 0.6 * y for x, y in zip(base, self._noise(), strict=True)])
        return Meaning(ENCODER.name, "", packed(vector or base))

    def _noise(self) -> Vector:
        return unit([self._dice.gauss(0, 1) for _ in range(DIMENSIONS)]) or ()


def _spelling(by: int) -> dict[int, int]:
    """Another language's spelling, as words would be found alike otherwise: each letter is one further on."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    further = letters[by:] + letters[:by]
    return str.maketrans(letters + letters.upper(), further + further.upper())


_SPELT = {language: _spelling(by) for by, language in enumerate(LANGUAGES)}
_TAGS = (Tag("nato", "main", 0.9, ()),)


def batches(context: Context, articles: Iterator[Article], size: int, now: datetime = NOW) -> Iterator[Batch]:
    """Batches of these articles, indexed one by one."""
    store, kept = ArticleStore(context.es, context.names), BatchStore(context.es, context.names)
    while page := list(islice(articles, size)):
        batch = kept.begin(kept.open([], now=now, lease_s=600).number)
        store.write(page, batch, batch.seq_of_attempt, now=now)
        yield kept.mark_indexed(batch.number, counts={"new": len(page)}, now=now)


def measure(part: str, count: int, searches: int) -> str:
    """The row of a part."""
    size, span, tagged = PARTS[part]
    writer = TextGenerator(1)
    saved = [writer.search(n, "simple") for n in range(searches)]
    cpu, wall = dict.fromkeys(STEPS, 0.0), dict.fromkeys(STEPS, 0.0)
    with TemporaryDirectory() as folder, installation(Path(folder)) as context:
        stories = Stories(context.es, context.names, window=timedelta(days=7), encoder=ENCODER)
        kept, joined = BatchStore(context.es, context.names), 0
        for batch in batches(context, Invented(tagged).articles(count, span), size):
            work: tuple[Callable[[], object], ...] = (
                partial(stories.place, batch, now=NOW),
                partial(join_across, context, kept.get(batch.number), lambda: None),
                partial(match_batch, context.es, context.names, batch, saved),
            )
            for step, one in zip(STEPS, work, strict=True):
                began, clock = time.process_time(), time.perf_counter()
                one()
                cpu[step] += time.process_time() - began
                wall[step] += time.perf_counter() - clock
            joined += len(kept.get(batch.number).value.joined)
            kept.mark_matched(kept.get(batch.number), now=NOW)
    each = " | ".join(f"{1_000 * cpu[step] / count:.1f} / {1_000 * wall[step] / count:.1f}" for step in STEPS)
    return f"| {part} | {count:,} | {joined:,} | {each} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all by default")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--searches", type=int, default=1_000)
    options = parser.parse_args(arguments)
    print(f"| part | articles | stories joined | {' | '.join(f'{step}, ms CPU / clock' for step in STEPS)} |")
    print("|---|---:|---:|---:|---:|---:|")
    with patch("jobs.uniting.encoder_of", lambda _: ENCODER):
        for part in options.parts or PARTS:
            print(measure(part, options.articles, options.searches), flush=True)


if __name__ == "__main__":
    main()
