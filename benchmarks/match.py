"""How long it takes to match saved searches against a batch of new articles, beside one search at a time.

    .venv/bin/python -m benchmarks.match                        # 100 to 10,000 searches, 20,000 older articles
    .venv/bin/python -m benchmarks.match --older 100000 --searches 100 1000 10000 100000

It starts an Elasticsearch of its own and fills it with invented articles whose word frequencies follow Zipf's law.
There are three kinds of searches: one or two words; a phrase; heavy ones of ten alternatives, a wildcard and an
exclusion. One search at a time, which is how ElastAlert 2 works, is measured on a sample and scaled up; there both ways
must find the same pairs. Then the largest batch is matched again with articles in twelve languages, and again with a
broken and a slow search among the others.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

from alerts.match import match_batch
from alerts.query import to_query
from embedded.elasticsearch import start_elasticsearch
from newswatch.alert import SavedSearch
from newswatch.article import Article, Provenance, Source
from newswatch.batch import Batch, BatchState
from newswatch.settings import Settings
from store.article_documents import to_document
from store.elastic.client import connect
from store.generations import create_slice
from store.indices.setup import set_up
from store.names import Names

NOW = datetime(2026, 3, 4, tzinfo=UTC)
NAMES = Names("bench-")
SYLLABLES = [a + b for a in "bcdfglmnprstvwz" for b in ("a", "el", "in", "or", "u")]
WORDS = 400
"""Words in an article's text."""
LANGUAGES = ("en", "fr", "de", "es", "it", "nl", "pt", "ru", "tr", "ar", "sv", "xx")
"""Of a mixed batch; the words stay the same, but each language's analyzer looks at them. "xx" has none."""
BROKEN = "(glacier"
SLOW = " OR ".join(f"*{a}*{b}*" for a in "aeioulnr" for b in "aeiou")
"""A query that scans all words of the index, forty times."""
SAMPLE = 200
"""Searches run one at a time, to scale up from."""


class TextGenerator:
    """Invents articles and searches from one vocabulary."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.vocabulary = list(dict.fromkeys("".join(self.dice.choices(SYLLABLES, k=3)) for _ in range(20_000)))
        self.weights = [1 / rank for rank in range(1, len(self.vocabulary) + 1)]

    def words(self, count: int) -> list[str]:
        """Words, the frequent ones often."""
        return self.dice.choices(self.vocabulary, self.weights, k=count)

    def article(self, n: int) -> Article:
        """An article of some 3 kB."""
        text = self.words(WORDS)
        return Article(
            id=f"{n:032x}",
            url=f"https://outlet{n % 50}.example/{n}",
            title=" ".join(text[:9]),
            summary=" ".join(text[9:40]),
            text=" ".join(text),
            text_status="full",
            source=Source(f"feed{n % 50}", f"Outlet {n % 50}", f"outlet{n % 50}.example"),
            first_seen=NOW,
            provenance=Provenance(NOW, page_fetched=True, extractor="bench"),
            language="en",
            story_id=f"{n:032x}",
        )

    def search(self, n: int, kind: str) -> SavedSearch:
        """A saved search of this kind, with words that are neither the most common nor very rare."""
        rare = [self.vocabulary[self.dice.randrange(1_000, 15_000)] for _ in range(12)]
        query = {
            "simple": " ".join(rare[:2]) if n % 2 else rare[0],
            "phrase": f'"{rare[0]} {rare[1]}" OR "{rare[2]} {rare[3]}"',
            "heavy": f"({' OR '.join(rare[:10])}) AND {rare[10][:4]}* NOT {rare[11]}",
        }[kind]
        return SavedSearch(f"s{n}", f"Search {n}", query, ("reader@example.org",))


def fill(
    es: Elasticsearch, writer: TextGenerator, count: int, first: int, seq: int, languages: Sequence[str] = ("en",)
) -> None:
    """Index `count` articles: a thousand different ones, each under many ids, because more would take hours."""
    index = create_slice(es, NAMES, f"{NOW:%Y.%m}")
    kept = [
        to_document(article, NAMES.topics(), batch_id="x", seq=0, indexed_at=NOW)
        for n in range(min(count, 1_000))
        for article in [replace(writer.article(n), language=languages[n % len(languages)])]
    ]

    def actions() -> Iterator[dict[str, Any]]:
        for n in range(count):
            document = kept[n % len(kept)] | {"seq": seq + n, "story_id": f"{first + n:032x}"}
            yield {"_index": index, "_id": f"{first + n:032x}", "_source": document}

    for ok, result in parallel_bulk(es, actions(), thread_count=2, chunk_size=500):
        assert ok, result
    es.indices.refresh(index=index)


def one_at_a_time(es: Elasticsearch, batch: Batch, searches: list[SavedSearch]) -> tuple[float, int]:
    """Seconds for all the searches, scaled up from a sample, and the pairs found in the sample."""
    sample = searches[:SAMPLE]
    began, pairs = time.perf_counter(), 0
    for search in sample:
        numbers = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
        query = {"bool": {"filter": [numbers, to_query(search)]}}
        answer = es.search(index=NAMES.articles, query=query, size=1_000, source=False, request_cache=False)
        pairs += len(answer["hits"]["hits"])
    return (time.perf_counter() - began) * len(searches) / len(sample), pairs


def measure(es: Elasticsearch, batch: Batch, searches: list[SavedSearch], runs: int, faulty: int = 0) -> str:
    """The end of a row: pairs, median seconds of `match_batch`, one at a time, how many times, peak memory so far."""
    taken = []
    for _ in range(runs if len(searches) < 100_000 else 1):
        began = time.perf_counter()
        report = match_batch(es, NAMES, batch, searches)
        taken.append(time.perf_counter() - began)
        assert len(report.failed) == faulty, report.failed
    theirs, pairs = one_at_a_time(es, batch, searches)
    sample = {search.id for search in searches[:SAMPLE]}
    assert pairs == sum(match.saved_search_id in sample for match in report.matches), (
        "the two ways find different pairs"
    )
    ours, peak = statistics.median(taken), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return f"{len(report.matches):,} | {ours:.2f} | {theirs:.1f} | {theirs / ours:.0f} | {peak:.0f} |"


def main() -> None:
    """Run it and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--older", type=int, default=20_000, help="articles that are there already")
    parser.add_argument("--searches", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--new", type=int, nargs="+", default=[1, 50, 500], help="articles in the batch")
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_elasticsearch(Path(folder), port=0, heap_mb=1_024) as node,
        connect(Settings(elasticsearch_url=node.url)) as es,
    ):
        set_up(es, NAMES, Settings(index_prefix=NAMES.prefix))
        writer = TextGenerator(1)
        fill(es, writer, chosen.older, 0, 0)
        print("| searches | kind | new articles | pairs | match, s | one at a time, s | times | peak MB |")
        print("|---:|---|---:|---:|---:|---:|---:|---:|")
        base = Batch(1, (), BatchState.INDEXED, NOW, NOW + timedelta(hours=1))
        batches = [(new, ("en",)) for new in chosen.new] + [(max(chosen.new), LANGUAGES)]
        stored = []
        for number, (new, languages) in enumerate(batches, 1):
            batch = replace(base, number=number)
            fill(es, writer, new, 10_000_000 * number, batch.seq_from, languages)
            label = f"{new}, {len(languages)} languages" if len(languages) > 1 else f"{new}"
            stored.append((batch, label))
        match_batch(es, NAMES, stored[0][0], [writer.search(n, "heavy") for n in range(5_000)])  # a JVM starts slowly
        for count in chosen.searches:
            for kind in ("simple", "phrase", "heavy"):
                searches = [writer.search(n, kind) for n in range(count)]
                for batch, label in stored:
                    print(f"| {count:,} | {kind} | {label} | {measure(es, batch, searches, chosen.runs)}", flush=True)
        batch, label = stored[-2]
        searches = [writer.search(n, "simple") for n in range(10_000)]
        broken = SavedSearch("broken", "Broken", BROKEN, ("reader@example.org",))
        slow = replace(broken, id="slow", query=SLOW)
        print(f"| 10,000 | simple | {label} | {measure(es, batch, searches, chosen.runs)}")
        for name, more in (("broken", broken), ("slow", slow)):
            row = measure(es, batch, [*searches, more], chosen.runs, faulty=int(more is broken))
            print(f"| 10,000 | simple, one {name} | {label} | {row}")


if __name__ == "__main__":
    main()
