"""How long the API takes for each of its answers: `python -m benchmarks.api [--articles N] [--times N]`.

It starts an Elasticsearch of its own, indexes invented articles of the last month and asks the API over loopback by
uvicorn, as Airflow serves it, with a key. `--articles 100000` is what the promise of p99 < 100 ms is about; 10,000, the
default, is the quick form.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from alerts.saved import SavedSearches
from benchmarks.pages import NOW, fill, installation, served
from jobs.context import Context
from newswatch.article import Article
from newswatch.batch import BatchState
from store.article_documents import from_document
from store.batches import BatchStore
from store.keys import KeyStore, Request

API = "/api/v1"
ASKED = {
    "articles, the first 50": "/articles",
    "articles, 200 with texts": "/articles?limit=200&text=true",
    "articles of a topic": "/articles?q=tag%3Anato",
    "articles by words": "/articles?q=terrorism+summit",
    "nothing new": "/articles?after={end}",
    "an article": "/articles/{article}",
    "a story": "/stories/{story}",
    "a search, stories": "/search?q=NATO+summit",
    "a search, articles by time": "/search?q=tag%3Anato&rows=articles&sort=time",
    "a saved search's articles": "/saved-searches/{alert}/articles",
    "saved searches": "/saved-searches",
    "feeds": "/feeds",
    "the key": "/me",
}


def measure(connection: HTTPConnection, key: str, path: str, times: int) -> tuple[list[float], bytes]:
    """Milliseconds of each answer, sorted, and the last body."""
    took, body = [], b""
    for _ in range(times):
        begin = time.perf_counter()
        connection.request("GET", API + path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == HTTPStatus.OK, (answer.status, body)
        took.append(1_000 * (time.perf_counter() - begin))
    return sorted(took), body


def last_of(context: Context, count: int) -> Article | None:
    """The last article, if a run before has left so many; None if there are none.

    Raises:
        SystemExit: it has left another number.
    """
    index = context.names.articles
    found = context.es.search(index=index, size=1, sort=[{"seq": "desc"}], track_total_hits=True)
    if not found["hits"]["hits"]:
        return None
    if found["hits"]["total"]["value"] != count:
        raise SystemExit(
            f"The folder holds {found['hits']['total']['value']:,} articles: give another, or that number."
        )
    (hit,) = found["hits"]["hits"]
    return from_document(hit["_id"], hit["_source"])


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=200, help="how often each is asked for and measured")
    parser.add_argument("--warm-up", type=int, default=100, help="and how often before")
    parser.add_argument("--data", type=Path, help="keep the articles in this folder, for the next run")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-api-") as spare,
        installation(options.data or Path(spare)) as context,
    ):
        article = last_of(context, options.articles) or fill(context.es, context.names, options.articles)
        batches = BatchStore(context.es, context.names)
        batch = batches.open([], now=NOW, lease_s=60)
        batches.mark_indexed(batch.number, counts={}, now=NOW)
        assert batches.mark_matched(batches.get(batch.number), now=NOW)
        assert batches.get(batch.number).value.state is BatchState.MATCHED
        keys = KeyStore(context.es, context.names)
        key = keys.create(Request("benchmark", "ann", ("read",), 30, 6_000), by="ann", now=NOW).text
        places = {
            "article": article.id,
            "story": article.story_id,
            "alert": SavedSearches(context.es, context.names).all()[0].id,
        }
        print(f"{options.articles:,} articles\n{'ms':32}{'p50':>8}{'p99':>8}{'longest':>8}{'kB':>8}")
        with served(context) as connection:
            _, first = measure(connection, key, "/articles?after=now", 1)
            places["end"] = json.loads(first)["next"]
            for name, path in ASKED.items():
                whole = path.format(**places)
                measure(connection, key, whole, options.warm_up)
                took, body = measure(connection, key, whole, options.times)
                p50, p99 = (took[int(share * (len(took) - 1))] for share in (0.5, 0.99))
                print(f"{name:32}{p50:8.0f}{p99:8.0f}{took[-1]:8.0f}{len(body) / 1_000:8.0f}", flush=True)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
