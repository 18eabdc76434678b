"""How long writes wait while `newswatch index upgrade` re-indexes a month: `python -m benchmarks.upgrade`.

One month of synthetic articles is upgraded while a writer adds ten articles a second to it. The slowest write is the
pause that polling sees.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

from elasticsearch import Elasticsearch

from benchmarks.search import MONTHS, NAMES, WRITERS, Archive, synthesizer
from embedded.elasticsearch import start_elasticsearch
from newswatch.batch import Batch, BatchState
from newswatch.settings import Settings
from store.articles import ArticleStore
from store.elastic.client import connect
from store.generations import upgrade
from store.indices.setup import set_up
from store.names import month_end

MONTH = MONTHS[-1]
END = month_end(MONTH)
START = END - timedelta(days=1)
PAUSE_S = 0.1


@contextmanager
def writing(es: Elasticsearch) -> Iterator[list[float]]:
    """Write articles meanwhile; the seconds that each write took."""
    took: list[float] = []
    ended = threading.Event()
    batch = Batch(2, (), BatchState.PLANNED, START, END)
    (article,) = synthesizer().articles(1, START, END)
    store = ArticleStore(es, NAMES)

    def work() -> None:
        for number in count():
            if ended.wait(PAUSE_S):
                return
            begin = time.perf_counter()
            name = f"{number:032x}"
            new = replace(article, id=name, url=f"https://late.example/{name}", first_seen=START)
            report = store.write([new], batch, batch.seq_from + number, now=new.first_seen)
            assert not report.refused
            took.append(time.perf_counter() - begin)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=80_000, help="in the month")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-benchmark-", ignore_cleanup_errors=True) as folder,
        start_elasticsearch(Path(folder), port=0, heap_mb=1_024) as node,
        connect(settings := Settings(elasticsearch_url=node.url)) as es,
    ):
        set_up(es, NAMES, settings)
        with ProcessPoolExecutor(WRITERS) as pool:
            archive = Archive(es, node.url, Path(folder), options.articles, pool)
            list(archive.build(NAMES.articles, [MONTH]))
        begin = time.perf_counter()
        with writing(es) as took:
            (done,) = upgrade(es, NAMES, settings, everything=True)
        print(f"{done.articles:,} articles upgraded in {time.perf_counter() - begin:.0f} s")
        print(f"closed to writing for {done.closed_s:.2f} s")
        longest, median = max(took), sorted(took)[len(took) // 2]
        print(f"{len(took):,} writes the while: the longest {longest:.2f} s, the median {median:.3f} s")
        es.indices.refresh(index=NAMES.articles)
        count = int(es.count(index=NAMES.articles)["count"])
        if count != options.articles + len(took):
            raise SystemExit(f"{count:,} articles afterwards, not {options.articles + len(took):,}")


if __name__ == "__main__":
    main()
