"""How well near-duplicates are found: pairs that share half their runs of words, against random pairs of one day."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.evaluate.labels import day, texts
from benchmarks.evaluate.measures import Figure, share
from transforms.fingerprint import Fingerprint, are_copies, fingerprint

LEAST_JACCARD = 0.5
WINDOW = timedelta(days=7)
"""Pairs further apart share only what their outlet puts around any article."""
DAILY = ("abp", "ant_multi")
"""Sets with many articles a day, from which random pairs are drawn."""
PAIRS_A_DAY = 4
Row = Mapping[str, Any]


def duplicate_figures(news: Path) -> dict[str, Figure]:
    """The share of true pairs that are detected, and the share of random pairs that are not."""
    known = _known(news)
    rows = {id: row for path in sorted(news.glob("*_dev.jsonl.gz")) for id, row in texts(news, _set(path)).items()}
    at_hand = [p for p in known if p["id1"] in rows and p["id2"] in rows]
    near = [p for p in at_hand if float(p["jaccard"]) >= LEAST_JACCARD and _within_window(p["date1"], p["date2"])]
    detected = [_copies(rows[p["id1"]], rows[p["id2"]]) for p in near]
    random_pairs = list(_random_pairs(news, {frozenset((p["id1"], p["id2"])) for p in known}))
    apart = [not _copies(rows[a], rows[b]) for a, b in random_pairs]
    figures = {
        "duplicates/found": share(sum(detected), len(detected)),
        "duplicates/random-apart": share(sum(apart), len(apart)),
    }
    return {path: figure for path, figure in figures.items() if figure}


def _set(path: Path) -> str:
    return path.name.removesuffix("_dev.jsonl.gz")


def _known(news: Path) -> list[dict[str, str]]:
    with (news / "neardup_pairs_dev.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _random_pairs(news: Path, known: set[frozenset[str]]) -> Iterator[tuple[str, str]]:
    days: dict[str, list[str]] = defaultdict(list)
    for name in DAILY:
        for id, row in texts(news, name).items():
            days[row["date"][:10]].append(id)
    dice = random.Random(1)
    for ids in days.values():
        for _ in range(PAIRS_A_DAY if len(ids) > 1 else 0):
            first, second = dice.sample(ids, 2)
            if frozenset((first, second)) not in known:
                yield first, second


def _within_window(first: str, second: str) -> bool:
    a, b = day(first), day(second)
    return a is None or b is None or abs(a - b) <= WINDOW


def _copies(a: Row, b: Row) -> bool:
    first, second = _fingerprint(a["text"]), _fingerprint(b["text"])
    shared = bool(set(first.bands) & set(second.bands))
    return shared and are_copies(first, second, same_outlet=a["source"] == b["source"])


@cache
def _fingerprint(text: str) -> Fingerprint:
    return fingerprint(text)
