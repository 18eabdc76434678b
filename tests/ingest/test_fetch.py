"""Fetching from a publisher on loopback that behaves, misbehaves and attacks."""

from __future__ import annotations

import asyncio
import gc
import gzip
import hashlib
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import brotli
import pytest

from ingest.http.fetch import Fetcher
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, NotModified, Request
from ingest.http.semantics import kind_of, retry_after_s
from newswatch.settings import Settings
from tests.bombs import gzip_bomb
from tests.ingest.server import Answer, Publisher, publishing, response

T = TypeVar("T")
BODY = b"<rss version='2.0'/>" * 50


def fetching(answers: Mapping[str, Answer], use: Callable[[Fetcher, Publisher], Awaitable[T]], **settings: Any) -> T:
    """What `use` makes of a fetcher that may reach the publisher and nothing else of this machine."""

    async def run() -> T:
        async with publishing(answers) as publisher:
            allowed = settings.pop("fetch_allow_hosts", (f"127.0.0.1:{publisher.port}",))
            given = {"fetch_host_delay_s": 0.0, "fetch_allow_hosts": allowed, "fetch_max_bytes": 100_000, **settings}
            async with Fetcher(Settings(**given)) as fetcher:
                return await use(fetcher, publisher)

    return asyncio.run(run())


def outcome_of(answer: Answer, **settings: Any) -> FetchResult:
    return fetching({"/x": answer}, lambda fetcher, p: fetcher.fetch(Request(p.url("/x"))), **settings)


def failure_of(answer: Answer, **settings: Any) -> FetchFailed:
    outcome = outcome_of(answer, **settings)
    assert isinstance(outcome, FetchFailed)
    return outcome


def test_a_body_comes_whole_with_its_headers() -> None:
    outcome = outcome_of(response(BODY, headers={"ETag": '"1"', "Content-Type": "application/rss+xml"}))
    assert isinstance(outcome, Fetched)
    assert (outcome.body, outcome.status, outcome.headers["etag"]) == (BODY, 200, '"1"')
    assert outcome.body_hash == hashlib.sha256(BODY).hexdigest()


def test_a_conditional_get_carries_its_validators_and_takes_304() -> None:
    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, dict[str, str]]:
        request = Request(publisher.url("/x"), etag='W/"1"', last_modified="Mon, 06 Sep 2021 16:45:00 GMT")
        return await fetcher.fetch(request), publisher.asked[0][1]

    outcome, asked = fetching({"/x": response(status="304 Not Modified")}, use)
    assert isinstance(outcome, NotModified)
    assert asked["if-none-match"] == 'W/"1"'
    assert asked["if-modified-since"] == "Mon, 06 Sep 2021 16:45:00 GMT"
    assert "newswatch/" in asked["user-agent"]
    assert "newswatch@localhost" in asked["user-agent"]


def test_the_same_body_is_nothing_new_whatever_the_server_says() -> None:
    known = hashlib.sha256(BODY).hexdigest()
    outcome = fetching({"/x": response(BODY)}, lambda f, p: f.fetch(Request(p.url("/x"), body_hash=known)))
    assert isinstance(outcome, NotModified)
    assert outcome.status == 200


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(BODY)), ("br", brotli.compress(BODY)), ("deflate", zlib.compress(BODY))],
)
def test_compressed_bodies_are_unpacked(encoding: str, packed: bytes) -> None:
    outcome = outcome_of(response(packed, headers={"Content-Encoding": encoding}))
    assert isinstance(outcome, Fetched)
    assert outcome.body == BODY


def test_zstd_is_unpacked() -> None:
    zstd = pytest.importorskip("backports.zstd")
    outcome = outcome_of(response(zstd.compress(BODY), headers={"Content-Encoding": "zstd"}))
    assert isinstance(outcome, Fetched)
    assert outcome.body == BODY


@pytest.mark.parametrize(
    "answer",
    [
        response(b"a" * 200_000),
        response(gzip_bomb(b"a" * 1_000_000, 50), headers={"Content-Encoding": "gzip"}),
        response(brotli.compress(b"a" * 50_000_000, quality=1), headers={"Content-Encoding": "br"}),
    ],
)
def test_what_is_larger_than_the_cap_is_refused_with_its_size_told(answer: bytes) -> None:
    failed = failure_of(answer)
    assert failed.kind is FailureKind.REFUSED
    assert "larger than 100,000 bytes" in failed.reason


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "broke off"),
        (b"garbage\r\n\r\n", "sent what is not HTTP: b'garbage"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "broke off"),
        (response(gzip.compress(BODY)[:10] + b"\xff" * 20, headers={"Content-Encoding": "gzip"}), "can't be unpacked"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunks that can't be read"),
        (response(status="304 Not Modified"), "304"),
    ],
)
def test_what_a_broken_server_does_is_a_value(answer: bytes, told: str) -> None:
    failed = failure_of(answer)
    assert told in failed.reason


def test_a_server_that_never_ends_is_left() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    failed = failure_of(drip, fetch_total_timeout_s=0.3)
    assert failed.kind is FailureKind.TRANSIENT
    assert "in time" in failed.reason
    assert failed.elapsed_s < 2


def test_a_server_that_says_nothing_is_left() -> None:
    failed = failure_of(lambda _: asyncio.sleep(3), fetch_read_timeout_s=0.2)
    assert failed.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", FailureKind.PERMANENT),
        ("401 Unauthorized", FailureKind.PERMANENT),
        ("410 Gone", FailureKind.GONE),
        ("503 Busy", FailureKind.TRANSIENT),
        ("429 Slow down", FailureKind.TRANSIENT),
        ("500 Oops", FailureKind.TRANSIENT),
    ],
)
def test_each_status_has_its_kind(status: str, kind: FailureKind) -> None:
    failed = failure_of(response(status=status))
    assert (failed.kind, failed.status) == (kind, int(status[:3]))
    assert kind_of(int(status[:3])) is kind


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_redirects_are_followed_hop_by_hop_and_kept() -> None:
    answers = {
        "/x": response(status="301 Moved", headers={"Location": "/y"}),
        "/y": response(status="302 Found", headers={"Location": "z?a=1#top"}),
        "/z?a=1": response(BODY),
    }
    outcome = fetching(answers, lambda f, p: f.fetch(Request(p.url("/x"))))
    assert isinstance(outcome, Fetched)
    assert [hop.status for hop in outcome.hops] == [301, 302]
    assert outcome.final_url.endswith("/z?a=1")


def test_a_circle_of_redirects_ends() -> None:
    failed = failure_of(response(status="302 Found", headers={"Location": "/x"}))
    assert "without end" in failed.reason


def test_a_cookie_lives_through_the_redirects_of_one_fetch() -> None:
    async def welcome(writer: asyncio.StreamWriter) -> None:
        writer.write(response(status="302 Found", headers={"Location": "/y", "Set-Cookie": "seen=1; Path=/"}))

    async def use(fetcher: Fetcher, publisher: Publisher) -> list[str | None]:
        await fetcher.fetch(Request(publisher.url("/x")))
        await fetcher.fetch(Request(publisher.url("/y")))
        return [headers.get("cookie") for _, headers in publisher.asked]

    assert fetching({"/x": welcome, "/y": response(BODY)}, use) == [None, "seen=1", None]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/", "http://169.254.169.254/latest", "file:///etc/passwd", "http://[::1]/"]
)
def test_no_redirect_leads_inside(target: str) -> None:
    failed = failure_of(response(status="302 Found", headers={"Location": target}))
    assert failed.kind is FailureKind.REFUSED


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_no_name_of_this_machine_is_reached(host: str) -> None:
    def use(fetcher: Fetcher, publisher: Publisher) -> Awaitable[FetchResult]:
        return fetcher.fetch(Request(f"http://{host}:{publisher.port}/x"))

    async def asked(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, int]:
        return await use(fetcher, publisher), len(publisher.asked)

    outcome, requests = fetching({"/x": response(BODY)}, asked, fetch_allow_hosts=())
    assert isinstance(outcome, FetchFailed)
    assert outcome.kind is FailureKind.REFUSED
    assert requests == 0


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://example.com/", "http://", "http://exa mple.com/", "http://[::1", "http://h:99999/"]
)
def test_what_is_no_url_is_a_value_too(url: str) -> None:
    outcome = fetching({}, lambda fetcher, _: fetcher.fetch(Request(url)))
    assert isinstance(outcome, FetchFailed)
    page = fetching({}, lambda fetcher, _: fetcher.fetch_page(url))
    assert isinstance(page, FetchFailed)


# ── manners ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_host_is_asked_by_two_at_once_and_no_faster_than_its_delay() -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(response(BODY))

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[float, int]:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(fetcher.fetch(Request(publisher.url("/x"))) for _ in range(8)))
        return asyncio.get_running_loop().time() - began, publisher.most_at_once

    took, at_once = fetching({"/x": slow}, use, fetch_host_delay_s=0.03)
    assert at_once == 2
    assert took >= 7 * 0.03


def test_retry_after_rests_the_whole_host() -> None:
    answers = {"/x": response(status="429 Slow", headers={"Retry-After": "120"}), "/y": response(BODY)}

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, FetchResult, int]:
        first = await fetcher.fetch(Request(publisher.url("/x")))
        return first, await fetcher.fetch(Request(publisher.url("/y"))), len(publisher.asked)

    first, second, requests = fetching(answers, use)
    assert isinstance(first, FetchFailed)
    assert isinstance(second, FetchFailed)
    assert (first.retry_after_s, requests) == (120, 1)
    assert second.retry_after_s == pytest.approx(120, abs=2)
    assert second.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 06 Sep 2021 12:05:00 GMT", 300),
        ("Mon, 06 Sep 2021 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, datetime(2021, 9, 6, 12, tzinfo=UTC)) == seconds


def page(answers: Mapping[str, Answer]) -> tuple[FetchResult, list[str]]:
    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, list[str]]:
        await fetcher.fetch_page(publisher.url("/private/a"))
        outcome = await fetcher.fetch_page(publisher.url("/private/b"))
        return outcome, [path for path, _ in publisher.asked]

    return fetching({"/private/a": response(BODY), "/private/b": response(BODY), **answers}, use)


def test_robots_txt_is_read_once_and_heeded() -> None:
    outcome, asked = page({"/robots.txt": response(b"User-agent: *\nDisallow: /private/")})
    assert isinstance(outcome, FetchFailed)
    assert outcome.kind is FailureKind.REFUSED
    assert "robots.txt" in outcome.reason
    assert asked == ["/robots.txt"]


def test_no_robots_txt_forbids_nothing() -> None:
    outcome, asked = page({})
    assert isinstance(outcome, Fetched)
    assert asked == ["/robots.txt", "/private/a", "/private/b"]


def test_a_robots_txt_that_can_not_be_read_forbids_all_for_now() -> None:
    outcome, asked = page({"/robots.txt": response(status="500 Oops")})
    assert isinstance(outcome, FetchFailed)
    assert outcome.kind is FailureKind.TRANSIENT
    assert asked == ["/robots.txt"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_fetcher_leaves_no_resolver_behind() -> None:
    """Each held four open files and a thread until the garbage collector came by, in processes that fetch all day."""

    async def opened() -> None:
        async with Fetcher(Settings()):
            pass

    gc.disable()
    try:
        before = watched_files()
        for _ in range(3):
            asyncio.run(opened())
        for _ in range(100):  # its thread closes them in a moment
            if watched_files() <= before:
                break
            time.sleep(0.02)
        assert watched_files() <= before
    finally:
        gc.enable()


def watched_files() -> int:
    """How many resolvers watch the system's configuration from this process."""
    paths = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own
            paths.append(path.readlink().name)
    return paths.count("anon_inode:inotify")
