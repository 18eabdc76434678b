"""How many new articles `pull` brings in: page fetched, text extracted, tagged, indexed, acknowledged.

    .venv/bin/python -m benchmarks.pull            # 600 articles of 20 feeds

A press on loopback answers at once, in the same process; what is measured is our own work and Elasticsearch's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from embedded.elasticsearch import start_elasticsearch
from jobs.context import open_context
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.settings import Settings
from tests.jobs.conftest import configure
from tests.press import Press


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=600)
    parser.add_argument("--feeds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Press(feeds={}) as press:
        for number in range(options.articles):
            press.publish(f"story-{number}", feed=f"feed-{number % options.feeds}")
        with start_elasticsearch(Path(folder) / "elasticsearch", port=0, fast=True) as node:
            measure(node.url, Path(folder), press)


def measure(url: str, folder: Path, press: Press) -> None:
    """One poll of everything."""
    configure(folder, press)
    settings = Settings(
        elasticsearch_url=url,
        config_dir=folder,
        data_dir=folder,
        fetch_allow_hosts=(press.host,),
        fetch_host_delay_s=0,
        fetch_host_concurrency=16,
    )
    context = open_context(settings)
    began, used = time.perf_counter(), time.process_time()
    new = sum(pull(context, number).new for number in plan(context).batches)
    took = time.perf_counter() - began
    cpu_ms = 1000 * (time.process_time() - used) / new
    print(f"{new} articles in {took:.1f} s: {new / took:.0f} a second, {cpu_ms:.1f} ms of our CPU each")


if __name__ == "__main__":
    main()
