"""Fits what decides on stories: how common words are, and the model of a pair of articles.

`python -m benchmarks.fit_stories [--news FOLDER]` writes `transforms/data/stem_counts.json` and `story_model.json`.

The words are counted in the news of FOLDER (`../shared/data/news`) without what is judged; only numbers are kept. The
model is a ridge logistic regression on pairs of articles in one language that were read: those of half of the
events of `stories_dev` and of the earlier ones (`seen`), and the pairs of `tests/transforms/data/story_pairs.csv`. The
other half of the events is never read; `python -m benchmarks.evaluate --only stories` reports it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.calibrate import TrainingExample, fit
from benchmarks.evaluate.labels import LABELS, json_lines, texts
from benchmarks.evaluate.stories import EARLIER, RECENT, earlier_events, recent_truth, report_of, seen
from transforms import background, likeness
from transforms.background import Background
from transforms.likeness import FEATURES, Weighed, days_between, features, weigh
from transforms.profile import Profile, stems

NEWS = Path(__file__).parents[2] / "shared" / "data" / "news"
COUNTED = {"recent": 1, "abp": 3, "ant_multi": 3}
"""Set → every which article is counted: old news must not outweigh recent ones."""
LANGUAGES = {"abp": "en", "ant_multi": "ar"}
COUNTED_CHARS = 1_200
LEAST_DOCUMENTS = 100
"""A language with fewer articles has no base."""
LEAST_COUNT = 4
"""Stems of fewer articles weigh as unknown ones nearly do; leaving them out keeps the file small."""
PAIRS = LABELS / "story_pairs.csv"
WEIGHTS = {"recent": 1.5, "earlier": 0.7, "pairs": 1.0}
WINDOW_DAYS = 7
LEAST_COSINE = 0.03
"""Pairs on different events that share less teach nothing."""
RIDGE = 10.0
Row = Mapping[str, Any]


def main() -> None:
    """Count, fit and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, default=NEWS)
    news: Path = parser.parse_args().news
    _write(background.BASE, stem_counts(news))
    background.base.cache_clear()
    examples = [example for kind in (_recent, _earlier, _pairs) for example in kind(news)]
    model = fitted(examples)
    _write(likeness.MODEL, model | {"pairs": len(examples), "labels": _labels_hash(news)})
    print(json.dumps(model, indent=2))


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def _labels_hash(news: Path) -> str:
    """A hash of the labels that the model was fitted to."""
    folder = news / "stories_dev"
    files = (folder / "events.csv", folder / "hard.csv", LABELS / "events.csv", PAIRS)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stem_counts(news: Path) -> dict[str, dict[str, Any]]:
    """Language → the number of articles and, for each count, the stems that so many of them have."""
    judged = {row["title"] for name in RECENT[:2] for row in json_lines((news / "stories_dev" / name).read_bytes())}
    documents: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, every in COUNTED.items():
        for row in list(texts(news, name).values())[::every]:
            if row["title"] not in judged:
                language = row.get("lang") or LANGUAGES[name]
                documents[language] += 1
                counts[language].update(set(stems(f"{row['title']}\n{row['text'][:COUNTED_CHARS]}")))
    return {
        language: {"documents": total, "stems": _by_count(counts[language])}
        for language, total in documents.items()
        if total >= LEAST_DOCUMENTS
    }


def _by_count(counts: Mapping[str, int]) -> dict[str, str]:
    """Count → its stems, the shortest form of the file."""
    found: dict[int, list[str]] = defaultdict(list)
    for stem, count in sorted(counts.items()):
        if count >= LEAST_COUNT:
            found[count].append(stem)
    return {str(count): " ".join(found[count]) for count in sorted(found)}


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
    rows = texts(news, "recent")
    with PAIRS.open(encoding="utf-8", newline="") as file:
        for pair in csv.DictReader(file):
            one, other = (weigh(report_of(rows[pair[side]]).profile(), _background()) for side in "ab")
            yield TrainingExample("pairs", features(one, other), pair["same"] == "yes", WEIGHTS["pairs"])


def _of_events(
    kind: str, profiles: Mapping[str, Profile], events: Mapping[str, str], skip: frozenset[frozenset[str]]
) -> Iterator[TrainingExample]:
    """The pairs of the seen half that the model would be asked about."""
    weighed = [weigh(profiles[id], _background()) for id in sorted(profiles) if seen(events[id])]
    for one, other in combinations(weighed, 2):
        ids = frozenset((one.profile.id, other.profile.id))
        same = len({events[id] for id in ids}) == 1
        if ids not in skip and _comparable(one, other, same):
            yield TrainingExample(kind, features(one, other), same, WEIGHTS[kind])


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
        )
        for example in examples
    ]
    bias, *slopes = fit(scaled, FEATURES, frozenset(), RIDGE).coefficients
    weights = [slope / s for slope, s in zip(slopes, spread, strict=True)]
    moved = bias - sum(w * m for w, m in zip(weights, middle, strict=True))
    return {"bias": round(moved, 4), "weights": {n: round(w, 4) for n, w in zip(FEATURES, weights, strict=True)}}


if __name__ == "__main__":
    main()
