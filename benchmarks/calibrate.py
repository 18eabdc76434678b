"""Fits the scoring in config/taxonomy.yaml to labelled articles.

`python benchmarks/calibrate.py LABELLED [--read CSV --news FOLDER]`

LABELLED holds JSON lines with title, text and labels ({topic: 0, 1 or 2}). `--read` adds grades of single articles
(topic, id, grade) of the `*.jsonl.gz` in `--news`; they were picked for being hard, so each weighs less. The model is a
ridge logistic regression whose slopes must not be negative: more evidence never makes a topic less likely. Prints the
weights to paste, and what a ten-fold cross-validation, repeated, says of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transforms.language import detect
from transforms.tag import FEATURES, Tagger
from transforms.taxonomy import load_taxonomy

ROOT = Path(__file__).parents[1]
RIDGE = 1.0
READ_WEIGHT = 0.3
FOLDS, REPEATS = 10, 3
Row = list[float]


@dataclass(frozen=True)
class Example:
    """An article's features for one topic, with its grade."""

    row: Row
    """1 for the bias, then FEATURES."""
    grade: int
    weight: float


def examples(tagger: Tagger, topic: str, options: argparse.Namespace) -> list[Example]:
    """Every labelled article as the model sees it."""
    with options.labelled.open(encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    found = [Example(row(tagger, topic, a), int(a["labels"][topic]), 1.0) for a in articles]
    if options.read and options.news:
        by_id = {a["id"]: a for a in news(options.news)}
        with options.read.open(encoding="utf-8", newline="") as file:
            grades = [r for r in csv.DictReader(file) if r["topic"] == topic]
        found += [Example(row(tagger, topic, by_id[r["id"]]), int(r["grade"]), READ_WEIGHT) for r in grades]
    return found


def news(folder: Path) -> Iterator[dict[str, str]]:
    """Every article of the `*.jsonl.gz` in `folder`."""
    for file in sorted(folder.glob("*.jsonl.gz")):
        yield from (json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().split("\n") if line)


def row(tagger: Tagger, topic: str, article: dict[str, str]) -> Row:
    """The article's features, after a 1 for the bias."""
    title, text = article["title"], article["text"][:6_000]
    features = tagger.features(topic, title=title, text=text, language=detect(f"{title}\n{text}"))
    return [1.0, *(float(getattr(features, name)) for name in FEATURES)]


def fit(rows: Sequence[Row], targets: Sequence[bool], weights: Sequence[float]) -> Row:
    """The regression's coefficients by Newton's method; a slope that turns negative is held at 0."""
    size = len(rows[0])
    free = list(range(size))
    found = [0.0] * size
    for _ in range(60):
        step = _newton_step(found, free, rows, targets, weights)
        for n, move in zip(free, step, strict=True):
            found[n] += move
        negative = [n for n in free if n and found[n] < 0]
        if negative:
            free = [n for n in free if n not in negative]
            found = [0.0 if n in negative else v for n, v in enumerate(found)]
        elif max(map(abs, step)) < 1e-6:
            break
    return found


def _newton_step(
    found: Row, free: list[int], rows: Sequence[Row], targets: Sequence[bool], weights: Sequence[float]
) -> Row:
    size = len(free)
    gradient = [-(RIDGE if n else 0.01) * found[n] for n in free]
    hessian = [[(RIDGE if n else 0.01) if i == j else 0.0 for j in range(size)] for i, n in enumerate(free)]
    for values, target, weight in zip(rows, targets, weights, strict=True):
        p = probability(found, values)
        for i, n in enumerate(free):
            gradient[i] += weight * (target - p) * values[n]
            for j, m in enumerate(free):
                hessian[i][j] += weight * p * (1 - p) * values[n] * values[m]
    return _solved(hessian, gradient)


def _solved(matrix: list[Row], right: Row) -> Row:
    """The solution of a system of linear equations, by elimination with pivots."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for n in range(size):
        pivot = max(range(n, size), key=lambda k: abs(rows[k][n]))
        rows[n], rows[pivot] = rows[pivot], rows[n]
        for k in range(n + 1, size):
            factor = rows[k][n] / rows[n][n]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[n], strict=True)]
    found = [0.0] * size
    for n in reversed(range(size)):
        found[n] = (rows[n][size] - sum(rows[n][k] * found[k] for k in range(n + 1, size))) / rows[n][n]
    return found


def probability(coefficients: Row, values: Row) -> float:
    """The model's probability for an article."""
    total = sum(c * v for c, v in zip(coefficients, values, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def cross_validated(data: Sequence[Example], least: int) -> list[tuple[bool, float]]:
    """(is it so, mean probability when it was held out) for every article that weighs in full."""
    rnd = random.Random(0)
    held: dict[int, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        order = list(range(len(data)))
        rnd.shuffle(order)
        for fold in range(FOLDS):
            out = set(order[fold::FOLDS])
            kept = [data[n] for n in order if n not in out]
            model = fit([e.row for e in kept], [e.grade >= least for e in kept], [e.weight for e in kept])
            for n in out:
                held[n].append(probability(model, data[n].row))
    return [(data[n].grade >= least, sum(p) / len(p)) for n, p in sorted(held.items()) if data[n].weight == 1]


def f1(judged: Sequence[tuple[bool, float]], threshold: float) -> float:
    """F1 of saying yes from `threshold` on."""
    hits = sum(so and p >= threshold for so, p in judged)
    ends = sum(so for so, _ in judged) + sum(p >= threshold for _, p in judged)
    return 2 * hits / ends if ends else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--read", type=Path)
    parser.add_argument("--news", type=Path)
    parser.add_argument("--taxonomy", type=Path, default=ROOT / "config" / "taxonomy.yaml")
    options = parser.parse_args()
    tagger = Tagger(load_taxonomy(options.taxonomy))
    for topic in tagger.taxonomy.topics:
        data = examples(tagger, topic, options)
        for name, least in (("any", 1), ("main", 2)):
            judged = cross_validated(data, least)
            model = fit([e.row for e in data], [e.grade >= least for e in data], [e.weight for e in data])
            told = ", ".join(f"{k}: {v:.2f}" for k, v in zip(("bias", *FEATURES), model, strict=True))
            at = "  ".join(f"{t:.2f}: {f1(judged, t):.3f}" for t in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6))
            print(f"{topic}\n      {name}: {{{told}}}\n      held-out F1 by threshold  {at}")


if __name__ == "__main__":
    main()
