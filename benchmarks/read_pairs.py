"""How stories fare on the pairs of a stream that were read: `python -m benchmarks.read_pairs [--data FOLDER]`.

The dated articles of `recent` and the background of `stories_dev`, some 6,000 in twelve languages, are placed in the
order of publication as `newswatch stories` does, with the encoder if it is installed. Then the pairs of
`story_pairs_stream.csv` and `story_pairs_hard.csv` are counted, by half: those of two events that share a story, and
those of one event. Choose by the seen half, and look at the other once, at the end.
Vectors are kept in a file in the system's folder for such; the first run encodes for ten minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.across import Cached
from benchmarks.evaluate import stories
from benchmarks.evaluate.labels import LABELS, json_lines, texts
from benchmarks.ranking import DATA, NO_DATA
from transforms import encoder as encoders

SETS = ("story_pairs_stream.csv", "story_pairs_hard.csv")
SINCE, DATED = "2024", 10
"""The year from which articles are placed, and the characters of a whole date."""
HALVES = ("seen", "unseen")


@dataclass(frozen=True, slots=True)
class ReadPair:
    """Two articles of which a reader says whether they report one event."""

    a: str
    b: str
    same: bool
    half: str
    set: str


@dataclass(slots=True)
class Counted:
    """What became of pairs."""

    one: int = 0
    """Pairs on one event."""
    joined: int = 0
    """Those that share a story."""
    two: int = 0
    """Pairs on two events."""
    wrong: int = 0
    """Those that share a story."""

    def row(self) -> str:
        """As cells of a table."""
        together = self.joined + self.wrong
        precision = f"{self.joined / together:.3f}" if together else "–"
        return f"{self.joined} of {self.one} | {self.wrong} of {self.two} | {precision}"


def read_pairs(folder: Path = LABELS) -> Iterator[ReadPair]:
    """The pairs that are decided and lie in one half."""
    for name in SETS:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["same"] != "open" and row["half"] in HALVES:
                    yield ReadPair(row["a"], row["b"], row["same"] == "yes", row["half"], Path(name).stem)


def counted(
    pairs: Iterable[ReadPair], got: Mapping[str, str], languages: Mapping[str, str]
) -> dict[tuple[str, str, str], Counted]:
    """(set, "within" a language or "across", half) → what became of such pairs in the stories `got`."""
    found: dict[tuple[str, str, str], Counted] = defaultdict(Counted)
    for pair in pairs:
        kind = "within" if languages[pair.a] == languages[pair.b] else "across"
        of, share = found[pair.set, kind, pair.half], got[pair.a] == got[pair.b]
        of.one += pair.same
        of.joined += pair.same and share
        of.two += not pair.same
        of.wrong += not pair.same and share
    return dict(found)


def articles(news: Path) -> list[Mapping[str, Any]]:
    """The articles of the stream."""
    recent = [row for row in texts(news, "recent").values() if row["date"][:4] >= SINCE and len(row["date"]) >= DATED]
    return [*recent, *json_lines((news / "stories_dev" / "background.jsonl").read_bytes())]


def main() -> int:
    """Place, count, print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    options = parser.parse_args()
    news = options.data / "news"
    if not news.is_dir():
        print(f"Nothing was measured: {news} is missing.", file=sys.stderr)
        return NO_DATA
    encoder = encoders.load()
    known = Cached(encoder) if encoder else None
    reports = [stories.report_of(row) for row in articles(news)]
    got = stories.placed(reports, known)
    if known:
        known.keep()
    print(f"{len(reports):,} articles, {'with ' + known.name if known else 'by words alone'}\n")
    print("| pairs | | half | of one event, joined | of two events, joined | precision |")
    print("|---|---|---|---:|---:|---:|")
    for (name, kind, half), of in sorted(counted(read_pairs(), got, {r.id: r.language for r in reports}).items()):
        print(f"| {name} | {kind} | {half} | {of.row()} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
