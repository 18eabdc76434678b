"""How long the server takes for each page of the News page: `python -m benchmarks.pages [--articles N] [--times N]`.

It starts an Elasticsearch of its own, indexes invented articles of the last month (see `synthetic_articles.py`), loads
the project's feeds and saved searches, and requests the app's pages one after the other, over loopback and through
uvicorn, as Airflow serves them. It measures all work of the server, including Elasticsearch's. Each page is requested
many times before the measurement: Java's compiler needs minutes, while an Elasticsearch in production runs for weeks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk
from pydantic import SecretStr

from alerts.definitions import load_alerts
from alerts.saved import SavedSearches
from benchmarks.synthetic_articles import Synthesizer
from delivery.channels.registry import parse_address
from embedded.elasticsearch import start_elasticsearch
from embedded.processes import free_port
from ingest.feeds import load_feeds
from jobs.context import Context, open_context
from newswatch.article import Article
from newswatch.settings import Settings, default_config_dir
from store.documents import to_document
from store.feeds import FeedStore
from store.generations import create_slice
from store.names import Names
from web.app import create_app
from web.security import Access, Role

NOW = datetime(2026, 3, 31, tzinfo=UTC)
SEARCHES = {
    "the front page": "/",
    "a search that finds many": "/?q=NATO+summit",
    "the canonical story": "/?q=NATO+joins+coalition+against+ISIS",
    "a rare name and a common word": "/?q=AWACS+Daesh",
    "a topic, newest first": "/?q=tag%3Anato+level%3Amain&sort=time",
    "each article a row": "/?q=terrorism&rows=articles",
    "nothing found": "/?q=xylophone+zeppelin",
}
OTHERS = {
    "the situation": "/situation",
    "an entity": "/entities/nato",
    "saved searches": "/searches",
    "a saved search": "/searches/{alert}",
    "feeds": "/feeds",
    "mails": "/deliveries",
}


@contextmanager
def installation(folder: Path) -> Iterator[Context]:
    """An installation at `NOW` with the project's feeds and saved searches, on a node of its own."""
    with start_elasticsearch(folder, port=0, heap_mb=1_024) as node:
        settings = Settings(elasticsearch_url=node.url, secret_key=SecretStr("for this run"), data_dir=folder)
        context = open_context(settings, clock=lambda: NOW)
        FeedStore(context.es, context.names).sync(load_feeds(default_config_dir() / "feeds.yaml"))
        searches = SavedSearches(context.es, context.names)
        searches.seed(load_alerts(default_config_dir() / "alerts.yaml", parse_address), now=NOW)
        yield context


def fill(es: Elasticsearch, names: Names, count: int) -> Article:
    """Index `count` articles of the month before `NOW`; the last of them."""
    start, last = NOW - timedelta(days=30), None
    for month in sorted({f"{start:%Y.%m}", f"{NOW:%Y.%m}"}):
        create_slice(es, names, month)

    def actions() -> Iterator[dict[str, Any]]:
        nonlocal last
        for number, last in enumerate(Synthesizer().articles(count, start, NOW)):
            document = to_document(
                last, names.topics(), batch_id="000000000001", seq=number, indexed_at=last.first_seen
            )
            yield {"_index": names.slice_of_month(f"{last.first_seen:%Y.%m}"), "_id": last.id, "_source": document}

    bulk(es, actions(), chunk_size=500)
    es.indices.refresh(index=names.articles)
    assert last
    return last


@contextmanager
def served(context: Context) -> Iterator[HTTPConnection]:
    """A connection to the app, everything allowed."""
    access = Access(
        read=lambda: None,
        role=lambda: Role.OPERATOR,
        user_name=lambda: "ann",
        address=lambda: "",
        login_url=lambda back: back,
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(lambda: context, access), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    connection = HTTPConnection("127.0.0.1", port)
    try:
        yield connection
    finally:
        connection.close()
        server.should_exit = True
        thread.join()


def measure(connection: HTTPConnection, path: str, times: int, warm_up: int) -> str:
    """The row of a page: p50, p95, the longest, its size."""

    def get() -> tuple[float, int]:
        begin = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == HTTPStatus.OK, answer.status
        return 1_000 * (time.perf_counter() - begin), len(body)

    for _ in range(warm_up):
        get()
    took, sizes = zip(*sorted(get() for _ in range(times)), strict=True)
    p50, p95 = (took[int(share * len(took))] for share in (0.5, 0.95))
    return f"{p50:8.0f}{p95:8.0f}{took[-1]:8.0f}{sizes[-1] / 1_000:8.0f}"


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=60, help="how often each page is asked for and measured")
    parser.add_argument("--warm-up", type=int, default=200, help="and how often before")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-pages-") as folder,
        installation(Path(folder)) as context,
    ):
        article = fill(context.es, context.names, options.articles)
        search_id = SavedSearches(context.es, context.names).all()[0].id
        pages = SEARCHES | {"an article": f"/article/{article.id}", "a story": f"/story/{article.story_id}"} | OTHERS
        print(f"{options.articles:,} articles\n{'ms':32}{'p50':>8}{'p95':>8}{'longest':>8}{'kB':>8}")
        with served(context) as connection:
            for name, path in pages.items():
                row = measure(connection, path.format(alert=search_id), options.times, options.warm_up)
                print(f"{name:32}{row}", flush=True)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
