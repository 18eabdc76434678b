"""What an installation's size costs where nothing is new: `python -m benchmarks.growth [PART …] [--feeds N …]`.

    plan       a run of `plan` with nothing due, for so many feeds: processor seconds, requests
    seeding    the saved searches of `alerts.yaml` at each match: processor seconds, requests
    entries    the nightly look for entries to forget, of which feeds show 30 each: peak memory of Python's objects
    shards     what a delivery, its outcome and an entry take in an index

Each part runs on an embedded Elasticsearch of its own, in a process that has done the same before: what is measured is
the work, not the start of Python. The first `FILE_FEEDS` feeds are listed in `feeds.yaml`, the others in Elasticsearch.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from elasticsearch import Elasticsearch

from delivery.documents import delivery_document, outcome_document, outcome_id
from embedded.elasticsearch import start_elasticsearch
from jobs.context import Context, open_context
from jobs.plan import plan
from newswatch.alert import Passage
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.feed import Feed, FeedHealth, FeedState
from newswatch.settings import Settings, default_config_dir
from store.elastic import bulk
from store.entries import EntryRecord, EntryStore
from store.feed_documents import feed_document
from store.retention import forget_entries

FILE_FEEDS: Final = 20_000
ROUNDS: Final = 5


@contextmanager
def installation(folder: Path) -> Iterator[Context]:
    """An installation without feeds, on a node of its own."""
    (folder / "alerts.yaml").write_text("alerts: []\n", encoding="utf-8")
    (folder / "feeds.yaml").write_text("feeds: [{url: https://one.example/, title: One}]\n", encoding="utf-8")
    (folder / "taxonomy.yaml").write_bytes((default_config_dir() / "taxonomy.yaml").read_bytes())
    with start_elasticsearch(folder / "es", port=0, heap_mb=1_024) as node:
        yield open_context(Settings(elasticsearch_url=node.url, config_dir=folder, data_dir=folder / "data"))


def measured(context: Context, work: Callable[[], object]) -> tuple[float, int]:
    """The median processor seconds of a run of `work`, and the requests that it makes."""
    seconds: list[float] = []
    requests = 0
    for _ in range(ROUNDS):
        before = time.process_time()
        with counted(context.es) as made:
            work()
        seconds.append(time.process_time() - before)
        requests = len(made)
    return statistics.median(seconds), requests


@contextmanager
def counted(es: Elasticsearch) -> Iterator[list[str]]:
    """The requests of this process in the block."""
    made: list[str] = []
    kind: Any = type(es.transport)
    was = kind.perform_request

    def perform(self: Any, method: str, target: str, **rest: Any) -> Any:
        made.append(f"{method} {target}")
        return was(self, method, target, **rest)

    kind.perform_request = perform
    try:
        yield made
    finally:
        kind.perform_request = was


def list_feeds(context: Context, folder: Path, count: int) -> None:
    """List so many feeds, each polled a while ago and due in an hour."""
    now = context.clock()
    feeds = [
        Feed(f"f{n}", f"https://h{n % 5_000}.example/{n}", f"Outlet {n}", origin="file" if n < FILE_FEEDS else "store")
        for n in range(count)
    ]
    items = "".join(f"- {{id: {feed.id}, url: '{feed.url}', title: {feed.title}}}\n" for feed in feeds[:FILE_FEEDS])
    (folder / "feeds.yaml").write_text(f"feeds:\n{items}", encoding="utf-8")
    actions = (bulk.put(context.names.feeds, feed.id, feed_document(feed, polled(feed, now))) for feed in feeds)
    assert all(result.reason is None for result in bulk.write(context.es, actions))
    context.es.indices.refresh(index=context.names.feeds)


def polled(feed: Feed, now: datetime) -> FeedState:
    """The state of a feed that is well, and was polled."""
    return FeedState(
        feed.id,
        feed.url,
        etag='"0123456789abcdef"',
        next_poll_at=now + timedelta(hours=1),
        interval_s=3_600,
        last_poll_at=now - timedelta(minutes=5),
        last_success_at=now - timedelta(minutes=5),
        health=FeedHealth.OK,
        health_since=now - timedelta(days=3),
        entry_ids=tuple(f"{feed.url}/{n:08d}" for n in range(30)),
        polls=100,
    )


def measure_plan(counts: list[int]) -> None:
    """The table of `plan`."""
    print("| feeds | first run, CPU s | every minute, CPU s | requests |\n|---:|---:|---:|---:|")
    for count in counts:
        with TemporaryDirectory(dir="/dev/shm", prefix="growth-") as name, installation(Path(name)) as context:
            list_feeds(context, Path(name), count)
            before = time.process_time()
            plan(context)
            first = time.process_time() - before
            seconds, requests = measured(context, lambda context=context: plan(context))  # type: ignore[misc]
            print(f"| {count:,} | {first:.2f} | {seconds:.3f} | {requests} |", flush=True)


def measure_seeding(counts: list[int]) -> None:
    """The table of the saved searches in the file."""
    from jobs.match import match

    print("| searches | first match, CPU s | each match, CPU s | requests |\n|---:|---:|---:|---:|")
    for count in counts:
        with TemporaryDirectory(dir="/dev/shm", prefix="growth-") as name, installation(Path(name)) as context:
            items = "".join(
                f"- {{id: s{n}, name: Search {n}, query: 'summit AND topic{n}', recipients: [reader@desk.example]}}\n"
                for n in range(count)
            )
            Path(name, "alerts.yaml").write_text(f"alerts:\n{items}", encoding="utf-8")
            before = time.process_time()
            match(context)
            first = time.process_time() - before
            seconds, requests = measured(context, lambda context=context: match(context))  # type: ignore[misc]
            print(f"| {count:,} | {first:.2f} | {seconds:.3f} | {requests} |", flush=True)


def measure_entries(counts: list[int]) -> None:
    """The table of the memory in which entries are forgotten."""
    print("| feeds | entries | forgotten | peak, MB |\n|---:|---:|---:|---:|")
    for count in counts:
        with TemporaryDirectory(dir="/dev/shm", prefix="growth-") as name, installation(Path(name)) as context:
            list_feeds(context, Path(name), count)
            old = context.clock() - timedelta(days=500)
            records = [
                EntryRecord(f"f{n}", f"https://h{n % 5_000}.example/{n}/{entry:08d}", None, None, "", old, old)
                for n in range(count)
                for entry in range(0, 60, 10)
            ]
            EntryStore(context.es, context.names).save(records)
            before = context.clock()
            tracemalloc.start()
            forgotten = forget_entries(context.es, context.names, before)
            peak = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            print(f"| {count:,} | {len(records):,} | {forgotten:,} | {peak:.0f} |", flush=True)


def measure_shards(count: int) -> None:
    """The table of what one shard holds: so many sent deliveries with an outcome each, and as many entries."""
    print("| index | documents | bytes each |\n|---|---:|---:|")
    with TemporaryDirectory(dir="/dev/shm", prefix="growth-") as name, installation(Path(name)) as context:
        es, names, now = context.es, context.names, context.clock()
        made = (sent(n, now) for n in range(count))
        actions = (
            action
            for one, outcome in made
            for action in (
                bulk.create(names.deliveries, one.id, delivery_document(one) | {"spread": True, "waiting": []}),
                bulk.create(names.outcomes, outcome_id(one.id, outcome.recipient), outcome_document(one, outcome)),
            )
        )
        assert all(result.reason is None for result in bulk.write(es, actions))
        old = now - timedelta(days=100)
        records = [
            EntryRecord(f"f{n % 3_000}", f"https://h{n % 3_000}.example/{_words(n, 6)}", None, None, _hex(n), old, old)
            for n in range(count)
        ]
        EntryStore(es, names).save(records)
        for index in (names.deliveries, names.outcomes, names.entries):
            es.indices.refresh(index=index)
            es.options(request_timeout=600).indices.forcemerge(index=index, max_num_segments=1)
            store = es.indices.stats(index=index, metric="store")["indices"][index]["primaries"]["store"]
            print(f"| `{index}` | {count:,} | {store['size_in_bytes'] / count:.0f} |", flush=True)


def sent(n: int, now: datetime) -> tuple[Delivery, Outcome]:
    """A delivery that was mailed, with a passage of three hundred characters, and its outcome."""
    at, reader = now - timedelta(minutes=3 * n), f"reader{n % 40}@desk.example"
    passage = Passage("text", _words(n, 40), ((160, 167),))
    outcome = Outcome(
        reader,
        DeliveryState.SENT,
        key=_hex(n)[:32],
        reference=f"<{_hex(n)[:32]}@news.example>",
        subject=_words(n, 8),
        at=at,
        attempts=1,
    )
    one = Delivery(
        f"search-{n % 100}",
        f"Search {n % 100}",
        _hex(n)[:32],
        _hex(n)[:32],
        (reader,),
        DeliveryState.SENT,
        at,
        not_before=at,
        sent_at=at,
        passages=(passage,),
        published=at,
        fetched_at=at,
        indexed_at=at,
    )
    return one, outcome


def _hex(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def _words(n: int, count: int) -> str:
    """So many words that compress as little as names and numbers do."""
    return " ".join(_hex(1_000 * n + k)[:7] for k in range(count))


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="plan, seeding, entries, shards")
    parser.add_argument("--feeds", type=int, nargs="+", default=[300, 3_000, 20_000, 180_000])
    parser.add_argument("--searches", type=int, nargs="+", default=[300, 3_000])
    parser.add_argument("--documents", type=int, default=100_000, help="of each kind in one shard")
    options = parser.parse_args()
    parts = {
        "plan": lambda: measure_plan(options.feeds),
        "seeding": lambda: measure_seeding(options.searches),
        "entries": lambda: measure_entries(options.feeds),
        "shards": lambda: measure_shards(options.documents),
    }
    for part in options.parts or parts:
        parts[part]()
        print()


if __name__ == "__main__":
    main()
