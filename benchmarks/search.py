"""How much room articles take and how fast they are found: `python -m benchmarks.search [--articles N]`.

    python -m benchmarks.search --articles 200000                   # newswatch beside the plain mapping
    python -m benchmarks.search --articles 1000000 --plain-months 2 --keep FOLDER --minutes 10
                                                                    # say it again until all is built and asked

The same documents (see `synthetic_articles.py`) go into an index a month on an embedded Elasticsearch of its own: by
newswatch's mapping, and by none, so that Elasticsearch maps each field as it comes. Each is merged as `daily_upkeep`
merges months that are past. Then ten questions that analysts ask are put, one after the other, by newswatch's own
`find` as `newswatch search` does (twenty articles, the words marked in them), and as the News page does (one row per
story, facets and time-line too); to the plain index as somebody without newswatch would put them. Elasticsearch's cache
of whole answers is off.

Recall is by the plain index, in the months that are in it: of what it finds, how much newswatch finds too. (The other
way round it must miss what only word forms and other names of an entity find.)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from benchmarks.synthetic_articles import Synthesizer
from embedded.elasticsearch import start_elasticsearch
from newswatch.settings import Settings
from search.asked import Sort, required, to_query
from search.query import find
from search.syntax import parse
from store.article_documents import to_document
from store.elastic.client import connect
from store.generations import create_slice
from store.indices.setup import set_up
from store.names import Names, month_end

MONTHS = [f"{2025 + month // 12}.{month % 12 + 1:02}" for month in range(3, 15)]
NAMES = Names()
PLAIN = "plain"
WARM_UP = 20
"""How often each query runs before the measurement, because a Java server is slow at first."""
WRITERS = 2
LEASE_S = 35
"""Documents as they were sent are kept beside the others, for replicas that lag, until a lease says that none does;
Elasticsearch renews it every 30 s, and only a later merge drops them. They take a third of the disk space."""
STATS_S = 11
"""How long Elasticsearch reports an index's former size."""
Json = dict[str, Any]


# ── filling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Built:
    """A month's index that is filled and merged."""

    kind: str
    month: str
    articles: int
    seconds: float
    """Of filling, without merging."""
    merge_s: float
    load: float
    """The machine's, when it was done: more than the number of our processes means that others worked beside them."""


class Archive:
    """The indices in a folder, and what of them is built."""

    def __init__(self, es: Elasticsearch, url: str, folder: Path, a_month: int, pool: Executor) -> None:
        self._es, self._url, self._a_month, self._pool = es, url, a_month, pool
        self._record = folder / "built.jsonl"
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        self.built = [Built(**json.loads(line)) for line in lines]

    def lacking(self, months: Sequence[str], kind: str) -> list[str]:
        """The months that are to be built."""
        done = {index.month for index in self.built if index.kind == kind}
        return [month for month in months if month not in done]

    def build(self, kind: str, months: Sequence[str], deadline: float = float("inf")) -> Iterator[Built]:
        """Fill the months that are lacking, as many as can be begun by then, and merge them once they are settled."""
        filled = []
        for month in self.lacking(months, kind):
            if time.monotonic() > deadline:
                break
            filled.append((month, *self._fill(kind, month)))
        if filled:
            time.sleep(LEASE_S)
        for month, count, seconds in filled:
            begin = time.perf_counter()
            settle(self._es, f"{kind}-{month}")
            index = Built(kind, month, count, seconds, time.perf_counter() - begin, os.getloadavg()[0])
            with self._record.open("a") as file:
                print(json.dumps(asdict(index)), file=file)
            self.built.append(index)
            yield index

    def _fill(self, kind: str, month: str) -> tuple[int, float]:
        """How many, and in how many seconds; what is there of a try that was broken off goes first."""
        index = f"{kind}-{month}"
        self._es.options(ignore_status=404).indices.delete(index=index)
        self._create(kind, month, index)
        begin = time.perf_counter()
        work = partial(write, self._url, index)
        count = sum(self._pool.map(work, *zip(*chunks(month, self._a_month), strict=True)))
        return count, time.perf_counter() - begin

    def _create(self, kind: str, month: str, index: str) -> None:
        if kind == PLAIN:
            settings = {"number_of_shards": 1, "number_of_replicas": 0}
            self._es.indices.create(index=index, aliases={PLAIN: {}}, settings=settings)
        else:
            create_slice(self._es, NAMES, month)
        self._es.indices.put_settings(index=index, settings={"refresh_interval": "30s", "requests.cache.enable": False})

    def total(self, kind: str, months: Sequence[str]) -> Built:
        """Those months together."""
        some = [index for index in self.built if index.kind == kind and index.month in months]
        summed = {name: sum(getattr(index, name) for index in some) for name in ("articles", "seconds", "merge_s")}
        return Built(kind, f"{len(months)} months", **summed, load=max(index.load for index in some))

    def bytes(self, kind: str, months: Sequence[str]) -> int:
        """The room that those months take."""
        stats = self._es.indices.stats(index=[f"{kind}-{month}" for month in months], metric="store")
        return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


def chunks(month: str, count: int) -> list[tuple[int, int, datetime, datetime]]:
    """A month in as many pieces as keep the writers busy: first number, how many, from, to."""
    start, end = datetime.strptime(month, "%Y.%m").replace(tzinfo=UTC), month_end(month)
    pieces = 4 * WRITERS
    numbers = [count * piece // pieces for piece in range(pieces + 1)]
    moments = [start + (end - start) * piece / pieces for piece in range(pieces + 1)]
    spans = zip(pairwise(numbers), pairwise(moments), strict=True)
    return [(first, after - first, *moments) for (first, after), moments in spans]


@cache
def synthesizer() -> Synthesizer:
    """This process's own: making one takes seconds."""
    return Synthesizer()


def write(url: str, index: str, first: int, count: int, start: datetime, end: datetime) -> int:
    """Index the articles of a piece of a month; how many."""

    def actions() -> Iterator[Json]:
        for number, article in enumerate(synthesizer().articles(count, start, end), first):
            stamp: Json = {"batch_id": "000000000001", "seq": number, "indexed_at": article.first_seen}
            yield {"_index": index, "_id": article.id, "_source": to_document(article, NAMES.topics(), **stamp)}

    with Elasticsearch(url, request_timeout=300) as es:
        done, _ = bulk(es, actions(), chunk_size=500)
    return done


def settle(es: Elasticsearch, index: str) -> None:
    """Merge an index to one segment, as `daily_upkeep` does two days after its month."""
    patient = es.options(request_timeout=3_600)
    patient.indices.flush(index=index, force=True)
    patient.indices.forcemerge(index=index, max_num_segments=1)
    for _ in range(2):  # the files that were merged go with the next commit that no search holds open
        patient.indices.refresh(index=index)
        patient.indices.flush(index=index, force=True)


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Question:
    """An analyst's query, as for `newswatch search`; with `counts` that of a dashboard, which shows no articles."""

    name: str
    query: str
    sort: Sort = "relevance"
    counts: bool = False


QUESTIONS = (
    Question("the canonical story", "NATO joins coalition against ISIS"),
    Question("three words", "Stoltenberg terrorism intelligence cell"),
    Question("a rare name and a common word", "AWACS Daesh"),
    Question("a phrase", '"burden sharing" OR "per cent of GDP"'),
    Question("beginnings of words", "terror* AND coalition*"),
    Question("alternatives and exclusion", "(verdict OR trial OR sentenced) AND court NOT football"),
    Question("a topic, the last week", "tag:nato level:main since:7d", "time"),
    Question("a topic in French", "tag:counter-terrorism lang:fr", "time"),
    Question("words in a country, a quarter", "summit Brussels country:DE since:90d"),
    Question("a dashboard, a month", "tag:nato since:30d", counts=True),
)
PLAIN_FIELDS = {"lang": "language", "country": "source.country"}


def counts_of(suffix: str) -> Json:
    """What a dashboard counts: articles by hour and topic, and who, where, which stories."""
    tags = {"tags": {"terms": {"field": f"tags{suffix}", "size": 10}}}
    return {
        "hours": {"date_histogram": {"field": "time", "fixed_interval": "6h"}, "aggs": tags},
        "entities": {"terms": {"field": f"entities{suffix}", "size": 20}},
        "countries": {"terms": {"field": f"source.country{suffix}", "size": 20}},
        "stories": {"terms": {"field": f"story_id{suffix}", "size": 20}},
    }


def our_query(question: Question, now: datetime) -> Json:
    """The search that newswatch sends."""
    parsed = parse(question.query)
    return to_query(parsed, now, required(parsed, NAMES))


def plain_query(question: Question, now: datetime) -> Json:
    """The search that a user of the plain index would send."""
    parsed = parse(question.query)
    level = parsed.first("level")
    filters: list[Json] = []
    for filter_ in parsed.filters:
        if filter_.name == "since":
            days = int(filter_.values[0].removesuffix("d"))
            filters.append({"range": {"time": {"gte": (now - timedelta(days=days)).isoformat()}}})
        elif filter_.name != "level":
            field = PLAIN_FIELDS.get(filter_.name, "tags_main" if level else "tags")
            filters.append({"term": {f"{field}.keyword": filter_.values[0]}})
    text = parsed.text.strip()
    words = [{"query_string": {"query": text, "default_operator": "AND"}}] if text else []
    return {"bool": {"must": words, "filter": filters}}


def ask_us(es: Elasticsearch, now: datetime, question: Question, *, page: bool = False) -> None:
    """Put the question once, as `newswatch search` or as the page does."""
    if question.counts:
        es.search(index=NAMES.articles, query=our_query(question, now), size=0, aggs=counts_of(""))
    else:
        find(es, NAMES, question.query, sort=question.sort, by_story=page, with_facets=page, now=now)


def ask_plainly(es: Elasticsearch, now: datetime, question: Question) -> None:
    """Put the question to the plain index once."""
    query = plain_query(question, now)
    if question.counts:
        es.search(index=PLAIN, query=query, size=0, aggs=counts_of(".keyword"))
        return
    order = [{"time": "desc"}] if question.sort == "time" else [{"_score": "desc"}, {"time": "desc"}]
    marks: Json | None = {"fields": {"title": {}, "text": {}}} if query["bool"]["must"] else None
    es.search(index=PLAIN, query=query, size=20, sort=order, source_excludes=["stemmed"], highlight=marks)


def milliseconds(call: Callable[[], object], times: int) -> list[float]:
    """How long each of `times` calls took, in ascending order."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        took.append(1_000 * (time.perf_counter() - begin))
    return sorted(took)


def p50_p99(ascending: Sequence[float]) -> str:
    """Both, formatted; blank for no figures."""
    quantiles = [ascending[min(len(ascending) - 1, int(share * len(ascending)))] for share in (0.5, 0.99) if ascending]
    return "".join(f"{value:8.1f}" for value in quantiles).rjust(16)


def recall(es: Elasticsearch, now: datetime, months: Sequence[str], question: Question) -> str:
    """The number of results of each index, and the share of the plain one's newest 10,000 that ours has too."""
    ours, theirs = ([f"{kind}-{month}" for month in months] for kind in (NAMES.articles, PLAIN))
    asked, asked_plainly = our_query(question, now), plain_query(question, now)
    newest = es.search(index=theirs, query=asked_plainly, size=10_000, sort=[{"time": "desc"}], source=False)
    want = [hit["_id"] for hit in newest["hits"]["hits"]]
    both = {"bool": {"must": asked, "filter": {"ids": {"values": want}}}}
    our_count, plain, shared = (
        es.count(index=index, query=query)["count"]
        for index, query in ((ours, asked), (theirs, asked_plainly), (ours, both))
    )
    return f"{our_count:10,}{plain:10,}{shared / len(want) if want else 1:9.1%}"


# ── reporting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def room(archive: Archive, months: Sequence[str], plain_months: Sequence[str]) -> Iterator[str]:
    """What was built, how fast, and how much room it takes."""
    yield f"\n{'':24}{'articles':>12}{'articles/s':>12}{'merging s':>12}{'MB':>10}{'bytes/article':>16}{'load':>8}"
    rows = [("newswatch", NAMES.articles, months)]
    if plain_months:
        rows += [("newswatch, compared", NAMES.articles, plain_months), ("plain", PLAIN, plain_months)]
    each = []
    time.sleep(STATS_S)
    for label, kind, some in rows:
        total, size = archive.total(kind, some), archive.bytes(kind, some)
        each.append(size / total.articles)
        figures = (
            f"{total.articles:12,}{total.articles / total.seconds:12,.0f}{total.merge_s:12,.0f}{size / 1e6:10,.0f}"
        )
        yield f"{label:24}{figures}{each[-1]:16,.0f}{total.load:8.1f}"
    if plain_months:
        yield f"newswatch takes {each[1] / each[2]:.0%} of the plain mapping's room"


def speed(es: Elasticsearch, times: int, now: datetime, plain_months: Sequence[str]) -> Iterator[str]:
    """How fast each question is answered, and how much is found."""
    heads = "".join(f"{head:>16}" for head in ("search", "page", "plain"))
    yield f"\n{'milliseconds, p50 and p99':32}{heads}{'found':>10}{'plain':>10}{'recall':>9}"
    ways: list[Callable[[Question], None]] = [partial(ask_us, es, now), partial(ask_us, es, now, page=True)]
    ways += [partial(ask_plainly, es, now)] if plain_months else []
    for question in QUESTIONS * WARM_UP:
        for way in ways:
            way(question)
    every: list[list[float]] = [[] for _ in ways]
    for question in QUESTIONS:
        took = [milliseconds(partial(way, question), times) for way in ways]
        for so_far, more in zip(every, took, strict=True):
            so_far += more
        shared = recall(es, now, plain_months, question) if plain_months else ""
        yield f"{question.name:32}{''.join(map(p50_p99, took))}{'' if plain_months else ' ' * 16}{shared}"
    yield f"{'all':32}{''.join(p50_p99(sorted(some)) for some in every)}"
    yield f"load {os.getloadavg()[0]:.1f}"


def run(es: Elasticsearch, url: str, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The report, line by line."""
    set_up(es, NAMES, Settings(elasticsearch_url=url))
    months = MONTHS[: options.months]
    plain_months = months[max(0, len(months) - options.plain_months) :]
    deadline = time.monotonic() + 60 * options.minutes
    with ProcessPoolExecutor(WRITERS) as pool:
        archive = Archive(es, url, folder, options.articles // len(months), pool)
        for kind, some in ((NAMES.articles, months), (PLAIN, plain_months)):
            for index in archive.build(kind, some, deadline):
                built = f"{index.articles:,} in {index.seconds:.0f} s, merged in {index.merge_s:.0f} s"
                yield f"{kind}-{index.month}: {built}"
            if archive.lacking(some, kind):
                yield "Some months are not built yet: run it again."
                return
    yield from room(archive, months, plain_months)
    yield from speed(es, options.times, month_end(months[-1]), plain_months)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--months", type=int, default=12, help="over how many months, 12 at most")
    parser.add_argument("--plain-months", type=int, default=12, help="how many of the months are mapped plainly too")
    parser.add_argument("--times", type=int, default=100, help="how often each question is put")
    parser.add_argument("--heap", type=int, default=2_048, help="MB of Java heap")
    parser.add_argument("--keep", type=Path, help="folder for the indices: what is in it is used, and kept")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further month once building took so long")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="newswatch-benchmark-"))
    try:
        with (
            start_elasticsearch(folder, port=0, heap_mb=options.heap) as node,
            connect(Settings(elasticsearch_url=node.url)) as es,
        ):
            for line in run(es, node.url, folder, options):
                print(line, flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
