"""How well stories are joined across languages: `python -m benchmarks.across [--data FOLDER]`.

The events of `stories_dev` (read by people, nine languages) among the other articles of their weeks, placed in the
order of publication as `newswatch stories` does, by words alone and with the encoder. The halves are those of
`benchmarks.evaluate.stories.seen`; thresholds are chosen on the seen one.
Vectors are kept in a file in the system's folder for such, so that a second run encodes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

from benchmarks.evaluate import stories
from benchmarks.evaluate.measures import b_cubed, b_cubed_f1
from benchmarks.evaluate.recorded import record
from benchmarks.ranking import DATA, NO_DATA
from transforms import encoder as encoders
from transforms.encoder import Encoder, Vector, headline_and_lead

CACHE: Final = Path(gettempdir()) / "newswatch-across.json"
Row = Mapping[str, Any]


class Cached:
    """An encoder that remembers what it has encoded, and how long the rest took."""

    def __init__(self, encoder: Encoder) -> None:
        """Know what earlier runs encoded."""
        self._encoder, self.name, self.seconds, self.texts = encoder, encoder.name, 0.0, 0
        kept = json.loads(CACHE.read_text(encoding="utf-8")) if CACHE.is_file() else {}
        self._known: dict[str, list[float]] = kept.get(self.name, {})

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        """The vectors, each text encoded once and for all runs."""
        for text in texts:
            key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            if key not in self._known:
                began = time.process_time()
                (vector,) = self._encoder.encode([text])
                self.seconds, self.texts = self.seconds + time.process_time() - began, self.texts + 1
                self._known[key] = [round(x, 5) for x in vector or ()]
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        return [tuple(self._known[key]) or None for key in keys]

    def keep(self) -> None:
        """Write what is known for the next run."""
        CACHE.write_text(json.dumps({self.name: self._known}), encoding="utf-8")


@dataclass(slots=True)
class Counted:
    """Pairs of different languages, and events."""

    same: int = 0
    joined: int = 0
    wrong: int = 0
    linked: int = 0
    events: int = 0

    def row(self) -> str:
        """As cells of a table."""
        precision = self.joined / (self.joined + self.wrong) if self.joined + self.wrong else float("nan")
        recall = self.joined / self.same if self.same else float("nan")
        return f"{recall:.3f} | {precision:.3f} ({self.wrong} wrong) | {self.linked} of {self.events}"


def counted(truth: stories.Truth, got: Mapping[str, str], articles: Sequence[str], language: str = "") -> Counted:
    """What became of the pairs of `articles`; with `language` only of those that it has a part in."""
    found = Counted()
    linked: dict[str, bool] = defaultdict(bool)
    for a, b in combinations(articles, 2):
        spoken = {truth.languages[a], truth.languages[b]}
        if len(spoken) < 2 or frozenset((a, b)) in truth.skip or (language and language not in spoken):
            continue
        same, one = truth.events[a] == truth.events[b], got[a] == got[b]
        found.same += same
        found.joined += same and one
        found.wrong += one and not same
        if same:
            linked[truth.events[a]] |= one
    found.linked, found.events = sum(linked.values()), len(linked)
    return found


def report(truth: stories.Truth, got: Mapping[str, str], rows: Sequence[Row]) -> Iterator[str]:
    """The table of one way to place."""
    yield "| | recall of pairs | precision | events linked | B³, all languages |"
    yield "|---|---|---|---|---|"
    every = sorted(truth.events)
    for name in ("seen", "unseen", "all"):
        these = [a for a in every if name == "all" or stories.seen(truth.events[a]) == (name == "seen")]
        f1 = b_cubed_f1(b_cubed({a: truth.events[a] for a in these}, got, truth.skip))
        yield f"| {name} | {counted(truth, got, these).row()} | {f1:.3f} |"
    for language in sorted({truth.languages[a] for a in every}):
        yield f"| {language} | {counted(truth, got, every, language).row()} | |"
    unknown = [row["id"] for row in rows if row["id"] not in truth.events]
    random = sum(got[a] == got[b] for a, b in combinations(unknown, 2) if truth.languages[a] != truth.languages[b])
    pairs = sum(truth.languages[a] != truth.languages[b] for a, b in combinations(unknown, 2))
    yield f"\nUnlabelled articles joined across languages: {random} of {pairs:,} pairs, {random / pairs:.1e}"


def main() -> int:
    """Place, count, print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    parser.add_argument("--record", action="store_true", help="commit the vectors for `benchmarks.evaluate`")
    options = parser.parse_args()
    folder, encoder = options.data / "news" / "stories_dev", encoders.load()
    if encoder is None or not folder.is_dir():
        print(f"Nothing was measured: {encoders.why_none() or f'{folder} is missing'}.", file=sys.stderr)
        return NO_DATA
    rows = stories.recent_rows(folder)
    truth = stories.recent_truth(folder, {row["id"]: row["language"] for row in rows})
    cached = Cached(encoder)
    if options.record:
        record([headline_and_lead(one.title, one.text) for one in map(stories.report_of, rows)], cached)
        cached.keep()
    print("By words alone\n")
    print("\n".join(report(truth, stories.placed(map(stories.report_of, rows)), rows)))
    began = time.process_time()
    got = stories.placed(map(stories.report_of, rows), cached)
    joining = time.process_time() - began - cached.seconds
    cached.keep()
    print(f"\nWith {cached.name}\n")
    print("\n".join(report(truth, got, rows)))
    each = f", {1_000 * cached.seconds / cached.texts:.0f} ms for encoding one" if cached.texts else ""
    print(f"\nCPU: {1_000 * joining / len(rows):.1f} ms an article for placing it, all of them encoded{each}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
