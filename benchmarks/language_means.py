"""Measures what the texts of a language have in common: `python -m benchmarks.language_means [--data FOLDER]`.

Writes `transforms/data/language_means.json` for the encoder in use: the mean vector of up to 80 news articles of each
language in `recent_dev`, chosen by the hash of their ids, without those of `stories_dev`, as IEEE 754 halves.
Run it again for another encoder; stored vectors then are out of date (`newswatch encode`).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import struct
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from benchmarks.evaluate.labels import json_lines
from benchmarks.evaluate.stories import RECENT
from benchmarks.ranking import DATA, NO_DATA, ROOT
from transforms import encoder as encoders
from transforms.encoder import Vector, headline_and_lead

FILE: Final = ROOT / "transforms" / "data" / "language_means.json"
_EACH: Final = 80
_LEAST_CHARS: Final = 100


def chosen(news: Path) -> dict[str, list[str]]:
    """Language → what is to be encoded."""
    apart = [news / "stories_dev" / name for name in RECENT[:2]]
    titles = {row["title"] for path in apart for row in json_lines(path.read_bytes())}
    rows = json_lines(gzip.decompress((news / "recent_dev.jsonl.gz").read_bytes()))
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest()):
        text = row["text"] or ""
        if row["title"] and row["title"] not in titles and len(text) > _LEAST_CHARS:
            found[row["lang"]].append(headline_and_lead(row["title"], text))
    return {language: texts[:_EACH] for language, texts in found.items()}


def mean(vectors: list[Vector]) -> str:
    """The mean, as hexadecimal halves."""
    columns = [math.fsum(column) / len(vectors) for column in zip(*vectors, strict=True)]
    return struct.pack(f"<{len(columns)}e", *columns).hex()


def main() -> int:
    """Encode, write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    news, encoder = parser.parse_args().data / "news", encoders.load()
    if encoder is None or not news.is_dir():
        print(f"Nothing was measured: {encoders.why_none() or f'{news} is missing'}.", file=sys.stderr)
        return NO_DATA
    languages: dict[str, Any] = {}
    for language, texts in sorted(chosen(news).items()):
        vectors = [vector for vector in encoder.encode(texts) if vector]
        languages[language] = {"articles": len(vectors), "mean": mean(vectors)}
    FILE.write_text(json.dumps({"encoder": encoder.name, "languages": languages}, indent=0) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
