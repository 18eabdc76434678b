"""Answers by strangers: whatever a server says, it is a value in time, and the host beside it is served.

A case is what a raw server on loopback writes, what comes of it, and its bound in seconds, generous for a slow machine.
The good host is asked at the same time, by the same fetcher.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchFailed, FetchResult, Request
from ingest.http.semantics import (
    MAX_RETRY_AFTER_S,
    MAX_VALIDATOR_CHARS,
    header_text,
    location_of,
    retry_after_s,
    validator,
)
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.polling.schedule import after_poll
from newswatch.feed import FeedState
from newswatch.problems import REASON_CHARS
from newswatch.settings import Settings
from store.elastic.documents import dump
from tests.bombs import gzip_bomb
from tests.factories import a_feed

NOW = datetime(2026, 7, 6, 12, tzinfo=UTC)
GOOD = b"<rss version='2.0'><channel><title>Good</title><item><title>A</title><link>https://h.example/</link></item></channel></rss>"
ROBOTS = b"User-agent: *\nDisallow: /x\n"

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *lines, b"", b""])


def answer(body: bytes = GOOD, *lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head(*lines, b"Content-Length: %d" % len(body), b"Connection: close", status=status) + body


def moved(*locations: bytes, status: bytes = b"HTTP/1.1 301 Moved") -> bytes:
    return answer(b"", *(b"Location: " + location for location in locations), status=status)


def endless(first: bytes, again: bytes) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        for _ in range(100_000):
            writer.write(again)
            await writer.drain()

    return write


def slowly(data: bytes, every_s: float = 0.05) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            await writer.drain()
            await asyncio.sleep(every_s)

    return write


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@dataclass(frozen=True, slots=True)
class Case:
    """What the hostile host answers, and what is made of it."""

    says: bytes | Write
    """To `/x`, and to `/robots.txt` where `robots` says nothing else."""
    told: str | None = None
    """What stands in the reason of the failure; None: it is fetched."""
    status: int | None = None
    robots: bytes | Write | None = None
    """Asked for as a page then."""
    final: str | None = None
    """Path where it was found."""
    within_s: float = 10.0
    peak_mb: float | None = None


CASES: dict[str, Case] = {
    # ── status lines
    "204 without a body": Case(
        head(b"Connection: close", status=b"HTTP/1.1 204 No Content"), "without a document", 204
    ),
    "205": Case(answer(b"", status=b"HTTP/1.1 205 Reset Content"), "without a document", 205),
    "203 with a body": Case(answer(status=b"HTTP/1.1 203 Changed")),
    "206 unasked": Case(answer(b"", status=b"HTTP/1.1 206 Partial Content")),
    "304 unasked": Case(head(status=b"HTTP/1.1 304 Not Modified"), "answered 304", 304),
    "101": Case(head(b"Upgrade: x", b"Connection: Upgrade", status=b"HTTP/1.1 101 Switching Protocols"), ""),
    "999": Case(answer(b"", status=b"HTTP/1.1 999 Denied"), "answered 999", 999),
    "000": Case(answer(b"", status=b"HTTP/1.1 000 None"), ""),
    "a status of letters": Case(answer(b"", status=b"HTTP/1.1 OK OK"), "not HTTP"),
    "a status of four digits": Case(answer(b"", status=b"HTTP/1.1 2000 OK"), "not HTTP"),
    "no reason": Case(answer(status=b"HTTP/1.1 200")),
    "a reason of bytes": Case(answer(status=b"HTTP/1.1 200 \xff\xfe\x80")),
    "another protocol": Case(b"SSH-2.0-OpenSSH_9.9\r\n", "sent what is not HTTP: b'SSH-2.0"),
    "HTTP/0.9": Case(GOOD, 'sent what is not HTTP: b"<rss'),
    "HTTP/9.9": Case(answer(status=b"HTTP/9.9 200 OK")),
    "nothing": Case(b"", "broke off"),
    "a broken connection": Case(hang_up, ""),
    "silence": Case(silence, "in time"),
    "a byte at a time": Case(slowly(answer()), "in time"),
    "a hundred 103s": Case(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + answer()),
    "103s without end": Case(endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "", peak_mb=60),
    # ── headers
    "a header of 100,000 characters": Case(answer(GOOD, b"X: " + b"a" * 100_000)),
    "headers without end": Case(endless(head(b"X: y")[:-4], b"\r\nX: " + b"a" * 1_000), "", peak_mb=200),
    "a header of bytes": Case(answer(GOOD, b"X: \xff\xfe", b'ETag: "\xe9"')),
    "a header without a name": Case(answer(GOOD, b": y")),
    "an ETag of 20,000 characters": Case(answer(GOOD, b'ETag: "' + b"e" * 20_000 + b'"')),
    "an ETag of control characters": Case(answer(GOOD, b'ETag: "\x01\x02"'), ""),
    "a content type of nothing": Case(answer(GOOD, b"Content-Type: ;;;=;charset=\xff")),
    "cookies of nothing": Case(answer(GOOD, b"Set-Cookie: =;=;", b"Set-Cookie: a:b=\x80; Path=\xff; Expires=\xb2")),
    "an age of ²": Case(answer(GOOD, b"Age: \xc2\xb2", b"Cache-Control: max-age=600")),
    "an age of 10,000 digits": Case(answer(GOOD, b"Age: " + b"9" * 10_000, b"Cache-Control: max-age=" + b"9" * 5_000)),
    "an expiry of another world": Case(answer(GOOD, b"Expires: Mon, 01 Jan 99999 00:00:00 GMT")),
    # ── Retry-After
    "Retry-After: ²": Case(answer(b"", b"Retry-After: \xc2\xb2", status=b"HTTP/1.1 429 No"), "answered 429", 429),
    "Retry-After of 400 digits": Case(
        answer(b"", b"Retry-After: " + b"9" * 400, status=b"HTTP/1.1 503 No"), "answered 503", 503
    ),
    "Retry-After in the past": Case(
        answer(b"", b"Retry-After: Mon, 01 Jan 0001 00:00:00 +2359", status=b"HTTP/1.1 503 No"), "answered 503", 503
    ),
    "Retry-After of bytes": Case(answer(b"", b"Retry-After: \xff", status=b"HTTP/1.1 429 No"), "answered 429", 429),
    # ── redirects
    "Location: http://[": Case(moved(b"http://["), "can't be followed", 301),
    "a host with an empty label": Case(moved(b"http://a..b.example/x"), "can't be followed", 301),
    "a host with a star": Case(moved(b"http://a*b.example/feed"), "can't be followed", 301),
    "a host of rubbish behind xn--": Case(moved(b"http://xn--localhost-/a"), "can't be followed", 301),
    "a host of bytes": Case(moved(b"http://\xff\xfe.example/"), "can't be followed", 301),
    "a port beyond 65,535": Case(moved(b"http://h.example:99999/"), "can't be followed", 301),
    "a place of 60,000 characters": Case(moved(b"/" + b"a" * 60_000), "more than 8,000", 301),
    "a file": Case(moved(b"file:///etc/passwd"), "can't be followed", 301),
    "a script": Case(moved(b"javascript:alert(1)", status=b"HTTP/1.1 308 Moved"), "can't be followed", 308),
    "two places": Case(moved(b"/good", b"/x"), "2 different places", 301),
    "one place twice": Case(moved(b"/good", b"/good"), final="/good"),
    "no place": Case(moved(), "answered 301", 301),
    "an empty place": Case(moved(b""), "without end"),
    "a place in Latin-1": Case(moved(b"/caf\xe9"), final="/caf%E9"),
    "a place in UTF-8": Case(moved("/café".encode()), final="/caf%C3%A9"),
    "the inside": Case(moved(b"http://169.254.169.254/latest"), "not a public address"),
    "documentation": Case(moved(b"http://[3fff::1]/"), "not a public address"),
    "a relay of 6to4": Case(moved(b"http://192.88.99.1/"), "not a public address"),
    # ── bodies
    "a length that is none": Case(head(b"Content-Length: x", b"Connection: close") + GOOD),
    "a length below zero": Case(head(b"Content-Length: -5", b"Connection: close") + GOOD),
    "a length of 30 digits": Case(head(b"Content-Length: " + b"9" * 30) + GOOD, ""),
    "two lengths": Case(head(b"Content-Length: 5", b"Content-Length: 6") + GOOD, "contradictory lengths"),
    "a chunk of no length": Case(head(b"Transfer-Encoding: chunked") + b"zz\r\nabc\r\n", "chunks"),
    "a chunk of 30 digits": Case(head(b"Transfer-Encoding: chunked") + b"f" * 30 + b"\r\nabc\r\n", "chunks"),
    "chunks that stop": Case(head(b"Transfer-Encoding: chunked") + b"5\r\nabc", "broke off"),
    "a chunk of extensions": Case(
        head(b"Transfer-Encoding: chunked") + b"5;" + b"x" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n", ""
    ),
    "a chunk a byte, 50,000 of them": Case(
        head(b"Transfer-Encoding: chunked", b"Connection: close") + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    ),
    "gzip that is none": Case(answer(GOOD, b"Content-Encoding: gzip")),
    "gzip cut off": Case(
        answer(gzip.compress(random.Random(1).randbytes(9_000))[:5_000], b"Content-Encoding: gzip"), ""
    ),
    "gzip that is gzip again": Case(answer(gzip.compress(gzip.compress(GOOD)), b"Content-Encoding: gzip")),
    "a bomb": Case(
        answer(gzip_bomb(b"a" * 1_000_000, 200), b"Content-Encoding: gzip"),
        "larger than",
        200,
        within_s=30,
        peak_mb=120,
    ),
    "an encoding that is none": Case(answer(GOOD, b"Content-Encoding: no-such")),
    "a body without end": Case(endless(head(), b"a" * 65_536), "larger than", 200, peak_mb=60),
    # ── robots.txt, before a page
    "robots: 100 MB": Case(
        answer(), robots=endless(head() + b"User-agent: *\nDisallow: /nothing\n", b"#" * 65_535 + b"\n"), peak_mb=60
    ),
    "robots: 100 MB that forbid": Case(
        answer(), "forbids", robots=endless(head() + ROBOTS, b"#" * 65_535 + b"\n"), peak_mb=60
    ),
    "robots: 25 MB said and forbidden": Case(
        answer(), "first 512,000 bytes", robots=answer(ROBOTS + b"#\n" * 12_500_000)
    ),
    "robots: a bomb": Case(
        answer(), robots=answer(gzip_bomb(b"#\n" * 500_000, 100), b"Content-Encoding: gzip"), peak_mb=120
    ),
    "robots: 5,000 rules": Case(answer(), robots=answer(b"User-agent: *\n" + b"Disallow: /*a*aaab\n" * 5_000)),
    "robots: 204": Case(answer(), robots=head(b"Connection: close", status=b"HTTP/1.1 204 No Content")),
    "robots: a circle": Case(answer(), "can't be read", robots=moved(b"/robots.txt")),
    "robots: http://[": Case(answer(), robots=moved(b"http://[")),
    "robots: bytes": Case(answer(), robots=answer(random.Random(2).randbytes(100_000))),
    "robots: gzip that is none": Case(
        answer(), "robots.txt of 127.0.0.1 forbids", robots=answer(ROBOTS, b"Content-Encoding: gzip")
    ),
    "robots: silence": Case(answer(), "can't be read", robots=silence),
}


@asynccontextmanager
async def serving(says: Callable[[str], bytes | Write]) -> AsyncIterator[int]:
    """A server on loopback that answers each path so; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            said = says(path)
            if callable(said):
                await said(writer)
            else:
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def of(case: Case) -> Callable[[str], bytes | Write]:
    def says(path: str) -> bytes | Write:
        if path == "/robots.txt":
            return case.robots or answer(b"", status=b"HTTP/1.1 404 Not Found")
        return case.says if path == "/x" else answer()

    return says


async def asked(case: Case) -> tuple[FetchResult, FetchResult, float]:
    """What the hostile host and the good one gave, and how long the good one took, in seconds."""
    async with AsyncExitStack() as stack:
        bad = await stack.enter_async_context(serving(of(case)))
        good = await stack.enter_async_context(serving(lambda _: answer()))
        settings = Settings(
            fetch_host_delay_s=0,
            fetch_allow_hosts=(f"127.0.0.1:{bad}", f"127.0.0.1:{good}"),
            fetch_max_bytes=5_000_000,
            fetch_total_timeout_s=2,
            fetch_read_timeout_s=1,
        )
        fetcher = await stack.enter_async_context(Fetcher(settings, clock=lambda: NOW))
        url = f"http://127.0.0.1:{bad}/x"
        hostile = asyncio.create_task(fetcher.fetch_page(url) if case.robots else fetcher.fetch(Request(url)))
        began = time.perf_counter()
        beside = await fetcher.fetch(Request(f"http://127.0.0.1:{good}/feed"))
        took = time.perf_counter() - began
        return await hostile, beside, took


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hostile_answer_is_a_value_and_the_good_host_is_served(case: Case) -> None:
    if case.peak_mb:
        tracemalloc.start()
    began = time.perf_counter()
    try:
        outcome, beside, took = asyncio.run(asked(case))
        peak = tracemalloc.get_traced_memory()[1] / 1e6 if case.peak_mb else 0.0
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < case.within_s
    assert isinstance(beside, Fetched)
    assert took < 5
    assert peak < (case.peak_mb or 1)
    if case.told is None:
        assert isinstance(outcome, Fetched), outcome
        assert case.final is None or outcome.final_url.endswith(case.final)
    else:
        if case.told or isinstance(outcome, FetchFailed):
            assert isinstance(outcome, FetchFailed), outcome
            assert case.told in outcome.reason
            assert len(outcome.reason) <= REASON_CHARS
            assert outcome.reason.isprintable()
            assert outcome.status == case.status or case.status is None
    can_be_remembered(outcome)


def test_rules_without_end_leave_the_event_loop_to_others() -> None:
    """5,000 rules on one long address held it for 1.2 s, and would for .12 s of its own time today."""
    rules = b"User-agent: *\n" + b"Disallow: /*a*aaaaaaab\n" * 5_000
    long = "/" + "a" * 7_900

    async def run() -> tuple[FetchResult, float]:
        async with serving(lambda path: answer(rules if path == "/robots.txt" else GOOD)) as port:
            settings = Settings(fetch_host_delay_s=0, fetch_allow_hosts=(f"127.0.0.1:{port}",))
            async with Fetcher(settings) as fetcher:
                page = asyncio.create_task(fetcher.fetch_page(f"http://127.0.0.1:{port}{long}"))
                longest = 0.0
                while not page.done():
                    began = time.thread_time()  # of the loop's own thread, however busy the machine is
                    await asyncio.sleep(0.001)
                    longest = max(longest, time.thread_time() - began)
                return await page, longest

    outcome, longest = asyncio.run(run())
    assert isinstance(outcome, Fetched)
    assert longest < 0.05


def can_be_remembered(outcome: FetchResult) -> None:
    """The feed's next state is made of it, can be stored, and is one that can be polled."""
    feed, rng = a_feed("hostile", url=outcome.url), random.Random(0)
    state = FeedState(feed.id, feed.url)
    for _ in range(4):
        parsed = parse(outcome.body, url=feed.url, now=NOW) if isinstance(outcome, Fetched) else None
        new = len(parsed.entries) if isinstance(parsed, ParsedFeed) else 0
        state = after_poll(state, feed, outcome, parsed, new_entries=new, now=NOW, settings=Settings(), rng=rng)
    str(dump(state)).encode()
    assert state.next_poll_at
    for kept in (state.etag, state.last_modified):
        assert kept is None or (kept.isascii() and kept.isprintable() and len(kept) <= MAX_VALIDATOR_CHARS)


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "x", "//h", "http://", "http://[", "http://a..b.example/", "http://a*b.example/", "http://a b/"),
        *(
            "http://xn--localhost-/a",
            "http://h:99999/",
            "http://h.example:0/",
            "http://h\ud800/",
            "http://\udcff.example/",
        ),
        *("ftp://h/", "javascript:1", "http://[::1%25lo]/", "http://[v1.x]/", "http://127.1/", "http://0x7f.1/"),
        *("http://h.example/" + "a" * 100_000, "http://" + "a" * 100_000, "http://" + "ü" * 64 + ".example/", "\x00"),
    ],
)
def test_no_address_raises(url: str) -> None:
    async def run() -> None:
        async with Fetcher(Settings(fetch_host_delay_s=0)) as fetcher:
            for outcome in (await fetcher.fetch(Request(url)), await fetcher.fetch_page(url)):
                assert isinstance(outcome, FetchFailed)
                assert outcome.reason.isprintable()
                assert len(outcome.reason) <= REASON_CHARS
            assert await fetcher.answers(url) is False

    asyncio.run(run())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("²", None),
        ("٣", None),
        ("1_0", None),
        ("1e3", None),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("Mon, 01 Jan 9999 00:00:00 GMT", MAX_RETRY_AFTER_S),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 06 Jul 2026 12:00:10 -9999", None),
        ("\ud800", None),
        ("Mon, 32 Jul 2026 12:00:10 GMT", None),
        (",", None),
    ],
)
def test_no_retry_after_raises(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_headers_are_text_and_validators_can_be_sent() -> None:
    assert header_text("caf\udce9") == "café"
    assert header_text("a" * 100_000) == "a" * 8_190
    assert header_text("\ud800") == "?"
    assert [validator(given) for given in ('W/"1"', ' "1" ', '"é"', '"\x01"', '"' + "e" * 1_000, "", None)] == [
        *('W/"1"', '"1"', None, None, None, None, None)
    ]
    assert location_of(["/caf\udce9", "/caf\udce9"]) == "/caf%E9"


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 25
