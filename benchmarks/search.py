"""How much room articles take and how fast they are found: `python benchmarks/search.py [--articles N]`.

The same documents (see `synthetic_articles.py`) go into two indices a month on an embedded Elasticsearch of its own:
by newswatch's mapping, and by none, so that Elasticsearch maps each field as it comes. Both are merged as
`daily_upkeep` merges months that are past. Then ten questions that analysts ask are put to both, one after the other,
never answered from the request cache; those to newswatch's index in the very words of its own code, with highlights.

Recall is by the plain index: of what it finds, how much newswatch finds too. (The other way round it must miss what
only word forms and other names of an entity find.)
"""

# ruff: noqa: E402 - the path is put right before anything is imported by it

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

# A script's own folder comes first on the path, and there this file stands in the way of the package `search`; also of
# the scripts beside it, which find this file when they import the package.
HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]
if __name__ == "search":
    del sys.modules["search"]
    import search as the_package

    sys.modules["search"] = the_package

from benchmarks.synthetic_articles import Synthesizer
from embedded.elasticsearch import start_elasticsearch
from newswatch.model import Article
from newswatch.settings import Settings
from search.client import connect, set_up
from search.documents import to_document
from search.generations import create_slice
from search.highlight import requests as highlight_requests
from search.names import Names
from search.query import Sort, find, text_query

START, END = datetime(2025, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NOW = END
PLAIN = "plain"
WARM_UP = 50
"""How often every question is put before the clock runs: a Java server is slow at first."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What an analyst asks: by words, by filters on keyword fields and the last days, or for counts."""

    name: str
    words: str = ""
    filters: Mapping[str, str] = ()  # type: ignore[assignment]
    days: int | None = None
    sort: Sort = "relevance"
    counts: bool = False


QUESTIONS = (
    Question("the canonical story", "NATO joins coalition against ISIS"),
    Question("three words", "Stoltenberg terrorism intelligence cell"),
    Question("a rare name and a common word", "AWACS Daesh"),
    Question("a phrase", '"burden sharing" OR "per cent of GDP"'),
    Question("beginnings of words", "terror* AND coalition*"),
    Question("alternatives and exclusion", "(verdict OR trial OR sentenced) AND court NOT football"),
    Question("a topic, the last week", filters={"tags_main": "nato"}, days=7, sort="time"),
    Question("a topic in French", filters={"tags": "counter-terrorism", "language": "fr"}, sort="time"),
    Question("words in a country, a quarter", "summit Brussels", {"source.country": "DE"}, 90),
    Question("a dashboard, a month", filters={"tags": "nato"}, days=30, counts=True),
)


def filters_of(question: Question, suffix: str) -> list[Json]:
    """The clauses of its filters, on `field` + `suffix`."""
    found: list[Json] = [{"term": {field + suffix: value}} for field, value in dict(question.filters).items()]
    if question.days:
        found.append({"range": {"time": {"gte": (NOW - timedelta(days=question.days)).isoformat()}}})
    return found


def counts_of(suffix: str) -> Json:
    """What a dashboard counts: articles by hour and topic, and who, where, which stories."""
    tags = {"tags": {"terms": {"field": f"tags{suffix}", "size": 10}}}
    return {
        "hours": {"date_histogram": {"field": "time", "fixed_interval": "6h"}, "aggs": tags},
        "entities": {"terms": {"field": f"entities{suffix}", "size": 20}},
        "countries": {"terms": {"field": f"source.country{suffix}", "size": 20}},
        "stories": {"terms": {"field": f"story_id{suffix}", "size": 20}},
    }


def body_of(question: Question, plain: bool) -> Json:
    """The request: on the plain index what a user of it would write, on ours what `search.query` writes."""
    suffix = ".keyword" if plain else ""
    text: list[Json] = []
    if question.words:
        by_us = text_query(question.words)
        text = [{"query_string": {"query": question.words, "default_operator": "AND"}}] if plain else [by_us]
    query = {"bool": {"must": text, "filter": filters_of(question, suffix)}}
    if question.counts:
        return {"query": query, "size": 0, "aggs": counts_of(suffix)}
    order = [{"time": "desc"}] if question.sort == "time" else [{"_score": "desc"}, {"time": "desc"}]
    return {"query": query, "size": 20, "sort": order, "source_excludes": ["stemmed"]}


def ask(es: Elasticsearch, index: str, question: Question, plain: bool) -> None:
    """Put the question once, and have the hits' passages marked."""
    answer = es.search(index=index, request_cache=False, **body_of(question, plain))
    hits = answer["hits"]["hits"]
    if not question.words or not hits:
        return
    if plain:
        es.search(index=index, **(body_of(question, plain) | {"highlight": {"fields": {"title": {}, "text": {}}}}))
        return
    shown = [(hit["_id"], hit["_source"].get("language")) for hit in hits]
    for body in highlight_requests(text_query(question.words), shown):
        es.search(index=index, **body)


def milliseconds(call: Callable[[], object], times: int) -> list[float]:
    """How long each of `times` calls took, in ascending order."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        took.append(1_000 * (time.perf_counter() - begin))
    return sorted(took)


def percentile(ascending: list[float], share: float) -> float:
    """The value that `share` of them don't exceed."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def found_ids(es: Elasticsearch, index: str, question: Question, plain: bool) -> set[str]:
    """The newest 10,000 that the question finds, by id."""
    query = body_of(question, plain)["query"]
    answer = es.search(index=index, query=query, size=10_000, sort=[{"time": "desc"}], source=False)
    return {hit["_id"] for hit in answer["hits"]["hits"]}


def recall(es: Elasticsearch, ours: str, theirs: str, question: Question) -> tuple[float, int, int]:
    """Of what the plain index finds, the share that ours finds too; and how many each finds."""
    want = found_ids(es, theirs, question, plain=True)
    query = {"bool": {"must": body_of(question, False)["query"], "filter": {"ids": {"values": sorted(want)}}}}
    both = int(es.count(index=ours, query=query)["count"])
    totals = (
        es.count(index=index, query=body_of(question, plain)["query"])["count"]
        for index, plain in ((ours, False), (theirs, True))
    )
    return (both / len(want) if want else 1.0, *totals)  # type: ignore[return-value]


def fill(es: Elasticsearch, articles: Iterable[Article], index_of: Callable[[Article], str]) -> float:
    """Index the articles; how many a second."""

    def actions() -> Iterator[Json]:
        for number, article in enumerate(articles):
            stamp: Json = {"batch_id": "000000000001", "seq": number, "indexed_at": article.first_seen}
            yield {"_index": index_of(article), "_id": article.id, "_source": to_document(article, **stamp)}

    begin, count = time.perf_counter(), 0
    for _ok, _item in parallel_bulk(es, actions(), thread_count=2, chunk_size=500):
        count += 1
        if count % 50_000 == 0:
            print(f"  … {count:,} in {time.perf_counter() - begin:,.0f} s", flush=True)
    return count / (time.perf_counter() - begin)


def settle(es: Elasticsearch, index: str) -> int:
    """Merge to one segment an index, as `daily_upkeep` does; how many bytes it takes."""
    patient = es.options(request_timeout=3_600)
    for _ in range(2):  # a flush first, or the second merge, lets go of what replication might have needed
        patient.indices.flush(index=index, force=True)
        patient.indices.forcemerge(index=index, max_num_segments=1)
    patient.indices.refresh(index=index)
    patient.indices.flush(index=index, force=True)
    store = es.indices.stats(index=index, metric="store")["_all"]["primaries"]["store"]
    return int(store["size_in_bytes"])


def prepare(es: Elasticsearch, names: Names, settings: Settings) -> None:
    """Both kinds of slices, empty; indexed into as a bulk load would be."""
    set_up(es, names, settings)
    moment = START
    while moment < END:
        month = f"{moment:%Y.%m}"
        create_slice(es, names, month)
        es.indices.create(
            index=f"{PLAIN}-{month}", aliases={PLAIN: {}}, settings={"number_of_shards": 1, "number_of_replicas": 0}
        )
        moment = (moment + timedelta(days=32)).replace(day=1)
    es.indices.put_settings(index=[names.articles, PLAIN], settings={"refresh_interval": "30s"})


def run(es: Elasticsearch, settings: Settings, count: int, times: int) -> Iterator[str]:
    """The report, line by line."""
    names = Names()
    prepare(es, names, settings)
    sizes, labels = {}, {names.articles: "newswatch", PLAIN: "plain"}
    yield f"{count:,} articles over {(END - START).days} days"
    yield f"{'':12}{'articles/s':>12}{'MB':>10}{'bytes/article':>16}"
    for alias in labels:
        articles = Synthesizer().articles(count, START, END)
        rate = fill(es, articles, lambda article, alias=alias: f"{alias}-{article.first_seen:%Y.%m}")
        sizes[alias] = settle(es, alias)
        yield f"{labels[alias]:12}{rate:12,.0f}{sizes[alias] / 1e6:10,.0f}{sizes[alias] / count:16,.0f}"
    yield f"newswatch takes {sizes[names.articles] / sizes[PLAIN]:.0%} of the plain mapping's room"
    yield f"\n{'milliseconds':32}{'p50':>8}{'p99':>8}{'plain p50':>12}{'p99':>8}{'found':>10}{'plain':>10}{'recall':>9}"
    for _ in range(WARM_UP):
        for question in QUESTIONS:
            ask(es, names.articles, question, False)
            ask(es, PLAIN, question, True)
    ours_all: list[float] = []
    for question in QUESTIONS:
        ours = milliseconds(lambda q=question: ask(es, names.articles, q, False), times)
        theirs = milliseconds(lambda q=question: ask(es, PLAIN, q, True), times)
        share, found, plain = recall(es, names.articles, PLAIN, question)
        ours_all += ours
        figures = "".join(f"{percentile(t, p):8.1f}" for t, p in ((ours, 0.5), (ours, 0.99)))
        figures += f"{percentile(theirs, 0.5):12.1f}{percentile(theirs, 0.99):8.1f}"
        yield f"{question.name:32}{figures}{found:10,}{plain:10,}{share:9.1%}"
    yield f"{'all':32}{statistics.median(ours_all):8.1f}{percentile(sorted(ours_all), 0.99):8.1f}"
    whole = milliseconds(lambda: find(es, names, "NATO joins coalition against ISIS", with_facets=True, now=NOW), times)
    yield f"{'search with facets, as a page':32}{percentile(whole, 0.5):8.1f}{percentile(whole, 0.99):8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=100, help="how often each question is put")
    parser.add_argument("--heap", type=int, default=2_048, help="MB of Java heap")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="newswatch-benchmark-"))
    try:
        with start_elasticsearch(folder, port=0, heap_mb=options.heap) as node:
            settings = Settings(elasticsearch_url=node.url)
            with connect(settings) as es:
                for line in run(es, settings, options.articles, options.times):
                    print(line, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
