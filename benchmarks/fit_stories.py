"""Fits what decides on stories: how common words are, and the model of a pair of articles.

`python -m benchmarks.fit_stories [--news FOLDER] [--keep-counts]` writes `transforms/data/stem_counts.json` and
`story_model.json`.

The words are counted in the news of FOLDER (`../shared/data/news`) without what is judged (`count_words.py`). The model
is a ridge logistic regression on pairs of articles in one language, without negative weights. Some pairs were read:
those of half of the events of `stories_dev` and of the earlier ones (`seen`), the pairs of `story_pairs.csv`, and the
seen halves of `story_pairs_near.csv` (articles of at most three days that are about one of our topics, or of one
outlet, and look alike) and of `story_pairs_stream.csv` (what the model before joined and nearly joined). The others are
articles of different weeks that look alike, which are on different events without being read: those about our topics,
which share their subject, and as many others. The other half of the events is never read;
`python -m benchmarks.evaluate --only stories` reports it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.count_words import TAGGED, counted_texts, stem_counts, tagged_texts
from benchmarks.evaluate.labels import LABELS, ROOT, json_lines, texts
from benchmarks.evaluate.stories import EARLIER, RECENT, earlier_events, recent_truth, report_of, seen
from benchmarks.regression import TrainingExample, fit
from transforms import background, likeness
from transforms.background import Background
from transforms.likeness import FEATURES, Weighed, days_between, features, weigh
from transforms.profile import Profile
from transforms.story import telling_terms
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

NEWS = Path(__file__).parents[2] / "shared" / "data" / "news"
TAXONOMY = ROOT / "config" / "taxonomy.yaml"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
PAIRS = {
    "pairs": LABELS / "story_pairs.csv",
    "near": LABELS / "story_pairs_near.csv",
    "stream": LABELS / "story_pairs_stream.csv",
}
WEIGHTS = {"recent": 1.5, "earlier": 0.7, "pairs": 1.0, "near": 1.5, "stream": 4.0, "weeks apart": 0.1}
"""The pairs of the stream are few, and the only ones about which the model is asked in that mixture."""
WINDOW_DAYS = 7
LEAST_COSINE = 0.03
"""Pairs on different events that share less teach nothing."""
RIDGE = 1.0
MOVED = 0.85
"""What is added to the bias: pairs weeks apart are more frequent among the examples than among candidates.

So `SAME_STORY` stands where precision on the stream's seen pairs rises while B³ of the seen events does not fall, among
the places at which the newsroom's pages are parted.
"""
FITTED = 4.8 / likeness.WHOLE_REPORT
"""The part of what whole reports must make up for that the fit knows of; the rest parts the newsroom further."""
APART = timedelta(days=14)
"""Articles so far apart are taken to be on different events."""
TOPICAL_NEAREST, TOPICAL_OTHERS, OTHER_NEAREST, OTHERS = 8, 4, 3, 2_500
"""Of an article about our topics: the most alike ones, and random ones about our topics; of so many other articles: the
most alike ones."""
Row = Mapping[str, Any]


def main() -> None:
    """Count, fit and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, default=NEWS)
    parser.add_argument("--keep-counts", action="store_true", help="Fit the model alone, with the counts in force.")
    options = parser.parse_args()
    news: Path = options.news
    if not options.keep_counts:
        _write(background.BASE, stem_counts(news))
        background.base.cache_clear()
    examples = [example for kind in (_recent, _earlier, _pairs, _weeks_apart) for example in kind(news)]
    model = fitted(examples)
    _write(likeness.MODEL, model | {"pairs": len(examples), "labels": _labels_hash(news)})
    print(json.dumps(model, indent=2))


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def _labels_hash(news: Path) -> str:
    """A hash of the labels that the model was fitted to."""
    folder = news / "stories_dev"
    files = (folder / "events.csv", folder / "hard.csv", LABELS / "events.csv", *PAIRS.values())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


# ── pairs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _recent(news: Path) -> Iterator[TrainingExample]:
    folder = news / "stories_dev"
    rows = [row for name in RECENT[:2] for row in json_lines((folder / name).read_bytes())]
    truth = recent_truth(folder, {row["id"]: row["language"] for row in rows})
    profiles = {row["id"]: report_of(row).profile() for row in rows if row["id"] in truth.events}
    yield from _of_events("recent", profiles, truth.events, truth.skip)


def _earlier(news: Path) -> Iterator[TrainingExample]:
    events = earlier_events()
    rows = [row for name in EARLIER for row in texts(news, name).values() if row["id"] in events]
    profiles = {row["id"]: report_of(row).profile() for row in rows if len(row["date"]) >= 10}
    yield from _of_events("earlier", profiles, events, frozenset())


def _pairs(news: Path) -> Iterator[TrainingExample]:
    rows = {id: row for name in ("recent", *EARLIER) for id, row in texts(news, name).items()}
    rows |= {row["id"]: row for row in json_lines((news / "stories_dev" / "background.jsonl").read_bytes())}
    for kind, path in PAIRS.items():
        with path.open(encoding="utf-8", newline="") as file:
            for pair in csv.DictReader(file):
                if pair.get("half", "seen") != "seen" or pair["same"] == "open":
                    continue
                one, other = (weigh(report_of(rows[pair[side]]).profile(), _background()) for side in "ab")
                if one.profile.language == other.profile.language:
                    yield _example(kind, one, other, pair["same"] == "yes")


def _example(kind: str, one: Weighed, other: Weighed, same: bool) -> TrainingExample:
    return TrainingExample(kind, features(one, other), same, WEIGHTS[kind], FITTED * likeness.made_up_for(one, other))


def _of_events(
    kind: str, profiles: Mapping[str, Profile], events: Mapping[str, str], skip: frozenset[frozenset[str]]
) -> Iterator[TrainingExample]:
    """The pairs of the seen half that the model would be asked about."""
    weighed = [weigh(profiles[id], _background()) for id in sorted(profiles) if seen(events[id])]
    for one, other in combinations(weighed, 2):
        ids = frozenset((one.profile.id, other.profile.id))
        same = len({events[id] for id in ids}) == 1
        if ids not in skip and _comparable(one, other, same):
            yield _example(kind, one, other, same)


def _weeks_apart(news: Path) -> Iterator[TrainingExample]:
    """Articles that look alike but appeared weeks apart, as if they had appeared within a story's window."""
    rng = random.Random(0)
    rows = {row["id"]: row for name in TAGGED for row in texts(news, name).values()}
    dated = {one.id for one in counted_texts(news) if one.set in TAGGED and _DAY.fullmatch(rows[one.id]["date"])}
    dated -= {id for id, event in earlier_events().items() if not seen(event)}
    topical = {one.id for one in tagged_texts(news, Tagger(load_taxonomy(TAXONOMY)))} & dated
    weighed = {id: weigh(report_of(rows[id]).profile(), _background()) for id in sorted(dated)}
    alike = _Alike(weighed.values())
    pairs: set[tuple[str, str]] = set()
    for id in sorted(topical):
        others = sorted(other for other in topical if alike.comparable(weighed[id], weighed[other]))
        found = alike.nearest(weighed[id], TOPICAL_NEAREST) + rng.sample(others, min(TOPICAL_OTHERS, len(others)))
        pairs.update((min(id, other), max(id, other)) for other in found)
    for id in rng.sample(sorted(dated - topical), OTHERS):
        pairs.update((min(id, other), max(id, other)) for other in alike.nearest(weighed[id], OTHER_NEAREST))
    for one, other in sorted(pairs):
        example = _example("weeks apart", weighed[one], weighed[other], False)
        yield replace(example, row=(*example.row[:-1], -float(rng.randint(0, WINDOW_DAYS))))


class _Alike:
    """Finds the articles that share the most telling stems with another."""

    def __init__(self, weighed: Iterable[Weighed]) -> None:
        self._by_stem: dict[tuple[str, str], list[Weighed]] = defaultdict(list)
        for one in weighed:
            for stem in one.profile.terms:
                self._by_stem[one.profile.language, stem].append(one)

    def nearest(self, one: Weighed, most: int) -> list[str]:
        votes: dict[str, float] = defaultdict(float)
        for stem in telling_terms(one):
            for other in self._by_stem[one.profile.language, stem]:
                if self.comparable(one, other):
                    votes[other.profile.id] += one.vector[stem]
        return sorted(votes, key=lambda id: (-votes[id], id))[:most]

    @staticmethod
    def comparable(one: Weighed, other: Weighed) -> bool:
        a, b = one.profile, other.profile
        return a.language == b.language and abs(a.published - b.published) >= APART


def _background() -> Background:
    return Background()


def _comparable(one: Weighed, other: Weighed, same: bool) -> bool:
    a, b = one.profile, other.profile
    near = a.language == b.language and days_between(a.published, b.published) <= WINDOW_DAYS
    return near and (same or likeness.cosine(one.vector, other.vector) >= LEAST_COSINE)


def fitted(examples: Sequence[TrainingExample]) -> dict[str, Any]:
    """The bias and the weight of each feature."""
    columns = list(zip(*(example.row for example in examples), strict=True))
    middle = [statistics.fmean(column) for column in columns]
    spread = [statistics.pstdev(column) or 1.0 for column in columns]
    scaled = [
        TrainingExample(
            example.kind,
            [(v - m) / s for v, m, s in zip(example.row, middle, spread, strict=True)],
            example.wanted,
            example.weight,
            example.offset,
        )
        for example in examples
    ]
    bias, *slopes = fit(scaled, FEATURES, frozenset(FEATURES), RIDGE).coefficients
    weights = [slope / s for slope, s in zip(slopes, spread, strict=True)]
    moved = bias - sum(w * m for w, m in zip(weights, middle, strict=True))
    return {
        "bias": round(moved + MOVED, 4),
        "weights": {n: round(w, 4) for n, w in zip(FEATURES, weights, strict=True)},
    }


if __name__ == "__main__":
    main()
