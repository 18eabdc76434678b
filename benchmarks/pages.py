"""How long the server takes for each page of the News page: `python -m benchmarks.pages [--articles N] [--times N]`.

It starts an Elasticsearch of its own, indexes invented articles of the last month (see `synthetic_articles.py`), loads
the project's feeds and saved searches, and requests the app's pages one after the other, over loopback and through
uvicorn, as Airflow serves them. It measures all work of the server, including Elasticsearch's. Each page is requested
many times before the measurement: Java's compiler needs minutes, while an Elasticsearch in production runs for weeks.

With `--vectors`, tagged articles have random vectors, and each search is
measured by words and by meaning in turn, so that whatever else the machine does is the same for both. The words are
encoded once, as for a user who comes back to a search; a new one takes the encoder some 20 ms more of another core.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
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
from ingest.feed_list.feeds import load_feeds
from jobs.context import Context, open_context
from newswatch.article import Article, Meaning
from newswatch.settings import Settings, default_config_dir
from store.article_documents import to_document
from store.feeds import FeedStore
from store.generations import create_slice
from store.names import Names
from transforms import encoder as encoders
from transforms.encoder import DIMENSIONS, packed, unit
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
    "no article has all words": "/?q=NATO+summit+xylophone+coalition",
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
        secret = SecretStr("for this run")
        settings = Settings(elasticsearch_url=node.url, secret_key=secret, data_dir=folder, vectors=False)
        context = open_context(settings, clock=lambda: NOW)
        FeedStore(context.es, context.names).sync(load_feeds(default_config_dir() / "feeds.yaml"))
        searches = SavedSearches(context.es, context.names)
        searches.seed(load_alerts(default_config_dir() / "alerts.yaml", parse_address), now=NOW)
        yield context


def fill(es: Elasticsearch, names: Names, count: int, encoder_name: str = "") -> Article:
    """Index `count` articles of the month before `NOW`, tagged ones with vectors if an encoder is named; the last."""
    dice = random.Random(1)
    start, last = NOW - timedelta(days=30), None
    for month in sorted({f"{start:%Y.%m}", f"{NOW:%Y.%m}"}):
        create_slice(es, names, month)

    def actions() -> Iterator[dict[str, Any]]:
        nonlocal last
        for number, last in enumerate(Synthesizer().articles(count, start, NOW)):
            meaning = Meaning(encoder_name, "", _random_vector(dice)) if encoder_name and last.tags else None
            document = to_document(
                replace(last, meaning=meaning),
                names.topics(),
                batch_id="000000000001",
                seq=number,
                indexed_at=last.first_seen,
            )
            yield {"_index": names.slice_of_month(f"{last.first_seen:%Y.%m}"), "_id": last.id, "_source": document}

    bulk(es, actions(), chunk_size=500)
    es.indices.refresh(index=names.articles)
    assert last
    return last


def _random_vector(dice: random.Random) -> str:
    vector = unit([dice.gauss(0.0, 1.0) for _ in range(DIMENSIONS)])
    assert vector
    return packed(vector)


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


def measure(connections: Sequence[HTTPConnection], path: str, times: int, warm_up: int) -> str:
    """The row of a page, for each connection in turn: p50, p95, p99, its size."""

    def get(connection: HTTPConnection) -> tuple[float, int]:
        begin = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == HTTPStatus.OK, answer.status
        return 1_000 * (time.perf_counter() - begin), len(body)

    for _ in range(warm_up):
        for connection in connections:
            get(connection)
    rounds = [[get(connection) for connection in connections] for _ in range(times)]
    return "".join(_row(sorted(one)) for one in zip(*rounds, strict=True))


def _row(answers: Sequence[tuple[float, int]]) -> str:
    took, sizes = zip(*answers, strict=True)
    p50, p95, p99 = (took[int(share * len(took))] for share in (0.5, 0.95, 0.99))
    return f"{p50:8.0f}{p95:8.0f}{p99:8.0f}{sizes[-1] / 1_000:8.0f}"


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=60, help="how often each page is asked for and measured")
    parser.add_argument("--warm-up", type=int, default=200, help="and how often before")
    parser.add_argument("--vectors", action="store_true", help="searches alone, by words and by meaning")
    options = parser.parse_args()
    encoder = encoders.load() if options.vectors else None
    if options.vectors and encoder is None:
        parser.error(f"--vectors needs the encoder: {encoders.why_none()}")
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-pages-") as folder,
        installation(Path(folder)) as context,
        ExitStack() as servers,
    ):
        article = fill(context.es, context.names, options.articles, encoder.name if encoder else "")
        search_id = SavedSearches(context.es, context.names).all()[0].id
        one = {"an article": f"/article/{article.id}", "a story": f"/story/{article.story_id}"}
        pages = SEARCHES if encoder else SEARCHES | one | OTHERS
        contexts = [context]
        if encoder:
            by_meaning = context.settings.model_copy(update={"vectors": True})
            contexts.append(open_context(by_meaning, clock=lambda: NOW))
        columns = "".join(f"{name:>8}" for _ in contexts for name in ("p50", "p95", "p99", "kB"))
        print(f"{options.articles:,} articles{', by words | by meaning' if encoder else ''}\n{'ms':32}{columns}")
        connections = [servers.enter_context(served(one)) for one in contexts]
        for name, path in pages.items():
            row = measure(connections, path.format(alert=search_id), options.times, options.warm_up)
            print(f"{name:32}{row}", flush=True)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
