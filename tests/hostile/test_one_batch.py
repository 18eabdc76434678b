"""A good feed in one batch with all that is slow, large or broken: it is served in time, as if it were alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from jobs.pull.polled import PAGES_PER_FEED
from newswatch.batch import BatchState
from store.batches import BatchStore
from store.feeds import FeedRecord, FeedStore
from store.quarantine import Quarantine
from tests.ingest.server import Publisher, response
from tests.jobs import conftest
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow

world = conftest.world

SLOW_S = 4


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel><title>x</title>{''.join(items)}</channel></rss>".encode()


def item(name: str, link: str) -> str:
    return f"<item><guid isPermaLink='false'>{name}</guid><title>NATO {name}</title><link>{link}</link></item>"


def page(name: str) -> bytes:
    text = "".join(f"<p>NATO ministers met to settle point {n} of {name}, and left late.</p>" for n in range(8))
    return response(f"<html><body><article><h1>{name}</h1>{text}</article></body></html>".encode())


async def drip(writer: asyncio.StreamWriter) -> None:
    """An answer that never comes to its end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(600):
        writer.write(b"<")
        await writer.drain()
        await asyncio.sleep(0.1)


def slowly(body: bytes, seconds: float) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(body)
        await writer.drain()

    return answer


@contextmanager
def publishing_on(address: str) -> Iterator[Publisher]:
    """A publisher on a loopback address of its own, in a thread: a host of its own."""
    publisher, started = Publisher(), threading.Event()
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        server = await asyncio.start_server(publisher.serve, address, 0)
        publisher.port = server.sockets[0].getsockname()[1]
        started.set()

    def run() -> None:
        loop.run_until_complete(begin())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    assert started.wait(10)
    try:
        yield publisher
    finally:
        loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def town(world: World) -> Iterator[tuple[World, Publisher, Publisher, Publisher]]:
    """Three hosts: the good one, the slow one, the hostile one; a clock that goes on by itself."""
    with publishing_on("127.0.0.2") as good, publishing_on("127.0.0.3") as slow, publishing_on("127.0.0.4") as bad:
        hosts = tuple(f"127.0.0.{n}:{p.port}" for n, p in ((2, good), (3, slow), (4, bad)))
        began = time.monotonic()
        world.context = replace(
            world.context,
            settings=world.context.settings.model_copy(update={"fetch_allow_hosts": hosts}),
            clock=lambda: world.now + timedelta(seconds=time.monotonic() - began),
        )
        yield world, good, slow, bad


def configure(world: World, *urls: str) -> None:
    listed = "".join(f"  - {{id: f{n}, url: '{url}', title: f{n}}}\n" for n, url in enumerate(urls))
    (world.context.settings.config_dir / "feeds.yaml").write_text(f"feeds:\n{listed}", encoding="utf-8")


def on(host: int, publisher: Publisher, path: str) -> str:
    return f"http://127.0.0.{host}:{publisher.port}{path}"


def pages_of(publisher: Publisher) -> Counter[str]:
    return Counter(path for path, _ in publisher.asked if path.startswith("/page"))


def feed(world: World, feed_id: str) -> FeedRecord:
    records = FeedStore(world.context.es, world.context.names).all()
    return next(record for record in records if record.feed.id == feed_id)


def urls(world: World) -> set[str]:
    """Addresses of what can be found. While a month's slice is being made, no search fails."""
    world.context.es.indices.refresh(index=world.context.names.articles, ignore_unavailable=True)
    answer = world.context.es.search(index=world.context.names.articles, size=500, ignore_unavailable=True)
    return {hit["_source"]["url"] for hit in answer["hits"]["hits"]}


def poll(world: World) -> PullReport:
    total = PullReport(0)
    for number in plan(world.context).batches:
        total = total.plus(**pull(world.context, number).counts())
    return total


in_town = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1", "localhost"])


@in_town
def test_a_good_article_is_there_before_the_slow_ones_of_its_batch_are_asked_for(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, slow, bad = town
    attributes = " ".join(f"a{n}='1'" for n in range(20_000))
    slow.answers = {"/feed": response(rss(*(item(f"s{n}", on(3, slow, f"/page{n}")) for n in range(60))))}
    slow.answers |= {f"/page{n}": slowly(page(f"s{n}"), SLOW_S) for n in range(60)}
    bad.answers = {
        "/attributes": response(rss(f"<item {attributes}><title>x</title></item>")),
        "/deep": response(rss("<a>" * 50_000)),
        "/heavy": response(rss(*(item(f"h{n}", on(4, bad, f"/page{n}")) for n in range(4)))),
        "/drip": drip,
    }
    hostile = "<html><body>" + "<p>a" * 55_000
    bad.answers |= {f"/page{n}": response(hostile.encode()) for n in range(4)}
    good.answers = {"/feed": response(rss(item("good", on(2, good, "/page")))), "/page": page("good")}
    named = [on(4, bad, f"/{name}") for name in ("attributes", "deep", "heavy", "drip")]
    configure(world, *named, on(3, slow, "/feed"), on(2, good, "/feed"))
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"lease_s": 30}))
    with ThreadPoolExecutor(1) as pool:  # however the test ends, the poll doesn't go on into the next one
        poll_once = pool.submit(poll, world)
        until = time.monotonic() + 60
        while on(2, good, "/page") not in urls(world) and time.monotonic() < until:
            time.sleep(0.1)
        before = len(pages_of(slow))
        assert not poll_once.done(), "it came with the whole batch, or nothing was slow and the test shows nothing"
        poll_once.result(60)  # TimeoutError: the batch goes on beyond its lease
    assert feed(world, "f5").lease_until is None, "the good feed is still held"
    assert set(pages_of(slow).values()) == {1}
    assert on(2, good, "/page") in urls(world)
    assert before < len(pages_of(slow)), "it had to wait for the slow ones"


@in_town
def test_pages_beyond_a_feeds_share_are_read_at_the_next_polls_each_once(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, _, _ = town
    count = 2 * PAGES_PER_FEED + 3
    good.answers = {"/feed": response(rss(*(item(f"g{n}", on(2, good, f"/page{n}")) for n in range(count))))}
    good.answers |= {f"/page{n}": page(f"g{n}") for n in range(count)}
    configure(world, on(2, good, "/feed"))
    first = poll(world)
    assert (first.new, first.pages, first.pages_later) == (count, PAGES_PER_FEED, PAGES_PER_FEED + 3)
    assert len(pages_of(good)) == PAGES_PER_FEED
    for _ in range(2):
        world.wait(minutes=20)
        poll(world)
    assert set(pages_of(good).values()) == {1}
    assert len(pages_of(good)) == count
    world.wait(minutes=20)
    assert (poll(world).pages_again, world.count(world.context.names.articles)) == (0, count)


@in_town
def test_two_feeds_that_link_to_one_page_have_it_asked_for_once(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, _, _ = town
    good.answers = {name: response(rss(item(name[1:], on(2, good, "/page")))) for name in ("/one", "/two")}
    good.answers["/page"] = page("good")
    configure(world, on(2, good, "/one"), on(2, good, "/two"))
    report = poll(world)
    assert (report.feeds, report.new) == (2, 1)
    assert pages_of(good) == Counter({"/page": 1})


@in_town
def test_nobody_works_beyond_the_lease_and_what_was_read_is_kept(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, slow, _ = town
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"lease_s": 12}))
    slow.answers = {"/feed": response(rss(*(item(f"s{n}", on(3, slow, f"/page{n}")) for n in range(40))))}
    slow.answers |= {f"/page{n}": slowly(page(f"s{n}"), 1) for n in range(40)}
    good.answers = {"/feed": response(rss(item("good", on(2, good, "/page")))), "/page": page("good")}
    configure(world, on(3, slow, "/feed"), on(2, good, "/feed"))
    (number,) = plan(world.context).batches
    report = pull(world.context, number)
    asked = pages_of(slow)
    assert 2 <= len(asked) < 40
    assert on(2, good, "/page") in urls(world)
    assert report.new >= 2
    for _ in range(6):
        world.wait(minutes=20)
        poll(world)
    assert world.count(world.context.names.articles) == 41
    again = [path for path, times in pages_of(slow).items() if times > 1]
    assert len(again) <= 2 * world.context.settings.fetch_host_concurrency, "only what was broken off is asked again"


@in_town
def test_an_attempt_that_another_has_taken_over_from_writes_nothing(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, _, _ = town
    good.answers = {"/feed": response(rss(item("good", on(2, good, "/page")))), "/page": slowly(page("good"), 2)}
    configure(world, on(2, good, "/feed"))
    (number,) = plan(world.context).batches
    batches = BatchStore(world.context.es, world.context.names)
    threading.Timer(1, lambda: batches.begin(number)).start()
    report = pull(world.context, number)
    assert (report.new, report.feeds, report.unfinished) == (0, 0, 1)
    assert batches.get(number).value.state is BatchState.PLANNED, "its end is the other's to note"
    assert pull(world.context, number).new == 1


@in_town
@pytest.mark.parametrize("kind", ["entry", "page", "feed"])
def test_what_breaks_costs_itself(town: tuple[World, Publisher, Publisher, Publisher], kind: str) -> None:
    world, good, _, bad = town
    good.answers = {"/feed": response(rss(item("good", on(2, good, "/page")))), "/page": page("good")}
    bad.answers = {"/feed": response(rss(item("bad", on(4, bad, "/page")))), "/page": page("bad")}
    configure(world, on(2, good, "/feed"), on(4, bad, "/feed"))
    subject = {"entry": "bad", "page": on(4, bad, "/page"), "feed": "f1"}[kind]

    def fault(what: str, which: str) -> None:
        if (what, which) == (kind, subject):
            raise OverflowError("date value out of range")

    world.context = replace(world.context, fault=fault)
    report = poll(world)
    # A feed that breaks is set aside by `plan` already.
    assert report.feeds == (1 if kind == "feed" else 2), "no feed is held for it"
    assert on(2, good, "/page") in urls(world)
    kept = Quarantine(world.context.es, world.context.names)
    kept.refresh()
    problems = [found.problem for found in kept.listed(size=100).problems]
    assert {problem.kind for problem in problems} == {kind}
    assert {problem.subject for problem in problems} == {subject}
    assert all("date value out of range" in problem.reason for problem in problems)


@in_town
def test_an_entry_document_edited_to_nonsense_costs_itself(
    town: tuple[World, Publisher, Publisher, Publisher],
) -> None:
    world, good, _, _ = town
    items = [item(f"g{n}", on(2, good, f"/page{n}")) for n in range(2)]
    good.answers = {"/feed": response(rss(*items)), **{f"/page{n}": page(f"g{n}") for n in range(2)}}
    configure(world, on(2, good, "/feed"))
    assert poll(world).new == 2
    index = world.context.names.entries
    assert world.count(index)
    hit = world.context.es.search(index=index, query={"term": {"entry_id": "g0"}})
    world.context.es.index(index=index, id=hit["hits"]["hits"][0]["_id"], document={}, refresh=True)
    good.answers["/feed"] = response(rss(*items, item("g2", on(2, good, "/page2"))))
    good.answers["/page2"] = page("g2")
    world.wait(minutes=20)
    report = poll(world)
    assert (report.new, report.feeds) == (1, 1)
    assert world.count(world.context.names.articles) == 3
