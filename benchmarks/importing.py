"""How many articles `newswatch import` brings in: read, tagged, indexed, placed into stories.

    .venv/bin/python -m benchmarks.importing       # 10,000 synthetic articles as JSON lines

Elasticsearch works on the same machine. Printed for each thousand, since it gets slower with what is there.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.synthetic_articles import Synthesizer
from embedded.elasticsearch import start_elasticsearch
from jobs.context import open_context
from jobs.importing import import_source
from newswatch.as_json import json_line
from newswatch.clock import utc_now
from newswatch.settings import Settings


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--sentences", type=int, default=6_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, now = Path(folder) / "articles.jsonl", utc_now()
        with source.open("w", encoding="utf-8") as file:
            made = Synthesizer(sentences=options.sentences).articles(options.articles, now - timedelta(days=60), now)
            chars = sum(file.write(json_line(article) + "\n") for article in made)
        print(f"{options.articles:,} lines of {chars / options.articles:,.0f} characters")
        with start_elasticsearch(Path(folder) / "elasticsearch", port=0, fast=True) as node:
            measure(node.url, Path(folder), source)


def measure(url: str, folder: Path, source: Path) -> None:
    """Import the file."""
    context = open_context(Settings(elasticsearch_url=url, data_dir=folder))
    began = last = time.perf_counter()
    used, chunks = time.process_time(), 0

    def told(_place: int, _end: int) -> None:
        nonlocal last, chunks
        chunks += 1
        if chunks % 2 == 0:
            now = time.perf_counter()
            print(f"  {chunks * 500:>7,}  {1_000 / (now - last):,.0f} a second", flush=True)
            last = now

    report = import_source(context, str(source), by="benchmark", progress=told)
    took = time.perf_counter() - began
    cpu_ms = 1_000 * (time.process_time() - used) / report.records
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    print(f"{report.records:,} in {took:.0f} s: {report.records / took:.0f} a second, {cpu_ms:.1f} ms of our CPU each")
    print(f"{report.joined:,} joined a story, {report.faults} faults, {peak:,.0f} MB at most")


if __name__ == "__main__":
    main()
