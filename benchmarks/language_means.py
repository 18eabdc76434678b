"""Measures what texts have in common: `python -m benchmarks.language_means [--data FOLDER] [--domain]`.

Writes `transforms/data/language_means.json` for the encoder in use, as IEEE 754 halves: the mean vector of up to 80
news articles of each language in `recent_dev`, chosen by the hash of their ids, without those of `stories_dev`; and
that of up to 20 articles of each that the taxonomy tags, beside the mean of their language (`--domain`: this alone).
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
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.evaluate.labels import json_lines
from benchmarks.evaluate.stories import RECENT
from benchmarks.ranking import DATA, NO_DATA, ROOT
from transforms import encoder as encoders
from transforms.encoder import Centring, Encoder, Vector, headline_and_lead, means_in
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

FILE: Final = ROOT / "transforms" / "data" / "language_means.json"
TAXONOMY: Final = ROOT / "config" / "taxonomy.yaml"
_EACH: Final = 80
_TAGGED_EACH: Final = 20
_LEAST_CHARS: Final = 100


def rows(news: Path) -> dict[str, list[dict[str, Any]]]:
    """Language → the articles that may be used, in the order of the hashes of their ids."""
    apart = [news / "stories_dev" / name for name in RECENT[:2]]
    titles = {row["title"] for path in apart for row in json_lines(path.read_bytes())}
    known = json_lines(gzip.decompress((news / "recent_dev.jsonl.gz").read_bytes()))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(known, key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest()):
        if row["title"] and row["title"] not in titles and len(row["text"] or "") > _LEAST_CHARS:
            found[row["lang"]].append(row)
    return found


def said(articles: Iterable[dict[str, Any]]) -> list[str]:
    """What is to be encoded of these."""
    return [headline_and_lead(row["title"], row["text"]) for row in articles]


def tagged(articles: Iterable[dict[str, Any]], tagger: Tagger) -> Iterator[dict[str, Any]]:
    """Those that the taxonomy tags."""
    for row in articles:
        if tagger.tag(title=row["title"], summary="", text=row["text"], language=row["lang"]).tags:
            yield row


def domain(articles: dict[str, list[dict[str, Any]]], encoder: Encoder, languages: dict[str, Any]) -> dict[str, Any]:
    """What the articles that the taxonomy tags have in common, beside their language."""
    centring, tagger = Centring(*means_in(languages)), Tagger(load_taxonomy(TAXONOMY))
    vectors: list[Vector] = []
    for language in sorted(articles):
        these = said(islice(tagged(articles[language], tagger), _TAGGED_EACH))
        vectors += [own for one in encoder.encode(these) if one and (own := centring.centred(one, language))]
    return {"articles": len(vectors), "mean": mean(vectors)}


def mean(vectors: list[Vector]) -> str:
    """The mean, as hexadecimal halves."""
    columns = [math.fsum(column) / len(vectors) for column in zip(*vectors, strict=True)]
    return struct.pack(f"<{len(columns)}e", *columns).hex()


def main() -> int:
    """Encode, write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    parser.add_argument("--domain", action="store_true", help="measure what tagged articles have in common, alone")
    options = parser.parse_args()
    news, encoder = options.data / "news", encoders.load()
    if encoder is None or not news.is_dir():
        print(f"Nothing was measured: {encoders.why_none() or f'{news} is missing'}.", file=sys.stderr)
        return NO_DATA
    articles, languages = rows(news), dict[str, Any]()
    if options.domain:
        languages = json.loads(FILE.read_text(encoding="utf-8"))["languages"]
    for language in sorted(articles) if not languages else ():
        vectors = [vector for vector in encoder.encode(said(articles[language][:_EACH])) if vector]
        languages[language] = {"articles": len(vectors), "mean": mean(vectors)}
    found = {"encoder": encoder.name, "languages": languages, "domain": domain(articles, encoder, languages)}
    FILE.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
