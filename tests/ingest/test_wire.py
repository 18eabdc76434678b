"""What goes over the wire: addresses as they were written, and answers as browsers read them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import brotli
import pytest

from ingest.addresses import read_address, resolve
from ingest.http.fetch import Fetcher
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, Request
from ingest.http.heads import HeadError, end_of_head, mended
from ingest.http.silence import answered, is_silent
from ingest.unpack import MAX_MEMBERS, NotUnpackedError, Unpacking, unpacked
from newswatch.settings import Settings
from tests.ingest.server import Publisher, response
from tests.ingest.test_fetch import BODY, fetching

# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────

WRITTEN = {
    "an ampersand in a path": ("/R%26D/news", "/R%26D/news"),
    "a comma in a path": ("/a%2Cb", "/a%2Cb"),
    "a comma as it is": ("/a,b", "/a,b"),
    "hex in lower case": ("/caf%c3%a9", "/caf%c3%a9"),
    "hex in upper case": ("/caf%C3%A9", "/caf%C3%A9"),
    "an apostrophe": ("/l%27otan", "/l%27otan"),
    "an apostrophe as it is": ("/l'otan", "/l'otan"),
    "a slash in a segment": ("/a%2fb%2Fc", "/a%2fb%2Fc"),
    "a tilde": ("/%7Eanna/", "/%7Eanna/"),
    "a tilde as it is": ("/~anna/", "/~anna/"),
    "a plus": ("/a+b?q=c+d", "/a+b?q=c+d"),
    "a plus, encoded": ("/a%2Bb?q=c%2bd", "/a%2Bb?q=c%2bd"),
    "a blank": ("/a%20b?q=c%20d", "/a%20b?q=c%20d"),
    "a blank as it is": ("/a b?q=c d", "/a%20b?q=c%20d"),
    "a semicolon": ("/a;v=1%3Bw", "/a;v=1%3Bw"),
    "Cyrillic": ("/саммит?q=НАТО", f"/{quote('саммит')}?q={quote('НАТО')}"),
    "Arabic": ("/الناتو/قمة", quote("/الناتو/قمة")),
    "Chinese": ("/北约/峰会?页=1", f"{quote('/北约/峰会')}?{quote('页')}=1"),
    "an accent": ("/café", "/caf%C3%A9"),
    "a signature": ("/a?url=https%3A%2F%2Fx.example%2Fy%3fz&sig=a%2Bb%2F%3D%3D", None),
    "a signature in another order": ("/a?z=1&a=2&z=%41", "/a?z=1&a=2&z=%41"),
    "a pipe": ("/a|b?c=d|e", "/a|b?c=d|e"),
    "a pipe, encoded": ("/a%7Cb?c=d%7ce", "/a%7Cb?c=d%7ce"),
    "brackets": ("/a[1]?b[]=2", "/a[1]?b[]=2"),
    "brackets, encoded": ("/a%5B1%5D?b%5b%5d=2", "/a%5B1%5D?b%5b%5d=2"),
    "braces": ("/{a}?b={c}", "/%7Ba%7D?b={c}"),
    "quotation marks": ('/"a"?b="c"', "/%22a%22?b=%22c%22"),
    "an apostrophe in a query": ("/a?b='c'", "/a?b=%27c%27"),
    "a percent sign alone": ("/100%/a?b=50%&c=%zz", "/100%/a?b=50%&c=%zz"),
    "two slashes": ("//a//b/", "//a//b/"),
    "an address in a path": ("/web/2026/https://x.example//y", "/web/2026/https://x.example//y"),
    "dots": ("/a/./b/../c", "/a/c"),
    "encoded dots": ("/a/%2e/b/%2E%2e/c", "/a/c"),
    "a backslash": ("/a\\b", "/a/b"),
    "a colon and an at": ("/a:b@c?d:e@f", "/a:b@c?d:e@f"),
    "an encoded letter": ("/%61?%62=%63", "/%61?%62=%63"),
    "a byte of Latin-1": ("/caf%E9", "/caf%E9"),
    "an empty value": ("/a?b=&c&=d&&", "/a?b=&c&=d&&"),
    "a question mark in a query": ("/a?b=c?d", "/a?b=c?d"),
    "a fragment": ("/a?b#c%2f", "/a?b"),
}


def asked_for(path: str) -> tuple[FetchResult, list[str]]:
    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, list[str]]:
        outcome = await fetcher.fetch(Request(publisher.url(path)))
        return outcome, [target for target, _ in publisher.asked]

    return fetching({}, use)


@pytest.mark.parametrize(("written", "sent"), WRITTEN.values(), ids=WRITTEN)
def test_an_address_is_asked_for_as_it_was_written(written: str, sent: str | None) -> None:
    assert asked_for(written)[1] == [sent or written]


@pytest.mark.parametrize(("written", "sent"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_redirect_leads_to_where_it_says(written: str, sent: str | None, is_relative: bool) -> None:
    """Publishers redirect every other spelling to their own; ours must be theirs, or it goes round for ever."""
    if is_relative and written.startswith("//"):
        pytest.skip("it would name another host")
    exactly = sent or written

    async def use(fetcher: Fetcher, publisher: Publisher) -> FetchResult:
        location = (written if is_relative else publisher.url(written)).encode()

        async def to_its_own(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

        publisher.answers = Otherwise({exactly: response(BODY)}, to_its_own)
        return await fetcher.fetch(Request(publisher.url("/from")))

    outcome = fetching({}, use)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.final_url.endswith(exactly)
    assert len(outcome.hops) == 1


class Otherwise(dict[str, "bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]"]):
    """Answers, and one for whatever else is asked."""

    def __init__(self, answers: dict[str, bytes], other: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        super().__init__(answers)
        self._other = other

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        return super().get(key, self._other)


@pytest.mark.parametrize(("written", "sent"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_stored_is_what_is_asked_for(written: str, sent: str | None) -> None:
    once = read_address(f"https://paper.example{written}").url
    assert once.partition("#")[0] == f"https://paper.example{sent or written}"
    assert read_address(once).url == once


@pytest.mark.parametrize(
    ("link", "base", "url"),
    [
        ("b%2Cc", "https://h.example/a%2c/x%26y?q=1", "https://h.example/a%2c/b%2Cc"),
        ("?p=%2F2", "https://h.example/a%7E?q=1", "https://h.example/a%7E?p=%2F2"),
        ("c//d", "https://h.example/a//b", "https://h.example/a//c//d"),
        ("../c", "https://h.example/a/b/", "https://h.example/a/c"),
        ("..", "https://h.example/a/b/c", "https://h.example/a/"),
        ("./", "https://h.example/a/b", "https://h.example/a/"),
        ("../../../c", "https://h.example/a/b", "https://h.example/c"),
        ("//other.example/a%2C", "https://h.example/", "https://other.example/a%2C"),
        ("\\news\\1.html", "https://h.example/a/b", "https://h.example/news/1.html"),
        ("#top", "https://h.example/a?b", "https://h.example/a?b#top"),
        ("", "https://h.example/a?b#c", "https://h.example/a?b"),
        ("https:b", "https://h.example/a/", "https://h.example/a/b"),
        ("b", "https://h.example", "https://h.example/b"),
        ("?b", "https://h.example", "https://h.example/?b"),
        ("/b", "https://u:p@h.example:8443/a", "https://u:p@h.example:8443/b"),
        (" b\n\tc ", "https://h.example/", "https://h.example/bc"),
        ("a:b", "https://h.example/", None),
        ("http://other.example\\@h.example/", "https://h.example/", None),
    ],
)
def test_a_relative_address_is_joined_without_a_change(link: str, base: str, url: str | None) -> None:
    if url is None:
        with pytest.raises(ValueError, match="is no"):
            resolve(link, base)
    else:
        assert resolve(link, base).url == url


@pytest.mark.parametrize("value", ["a/b==", '"quoted"', "a,b", "{%22a%22:1}", "caf%C3%A9"])
def test_a_cookie_goes_back_as_it_came(value: str) -> None:
    async def use(fetcher: Fetcher, publisher: Publisher) -> list[str | None]:
        publisher.answers = {
            "/x": response(status="302 Found", headers={"Location": "/a%2Cb/y", "Set-Cookie": f"k={value}; Path=/"}),
            "/a%2Cb/y": response(BODY),
        }
        await fetcher.fetch(Request(publisher.url("/x")))
        return [headers.get("cookie") for _, headers in publisher.asked]

    assert fetching({}, use) == [None, f"k={value}"]


# ── heads ────────────────────────────────────────────────────────────────────────────────────────────────────────────

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
END = b"\r\nhello"
FORGIVEN = {
    "a blank before a colon": OK + b"Server : x\r\n" + LENGTH + END,
    "a tab before a colon": OK + b"Server\t: x\r\n" + LENGTH + END,
    "a folded field": OK + b"X-A: a\r\n  b\r\n\tc\r\n" + LENGTH + END,
    "a folded first field": OK + b" X-A: a\r\n" + LENGTH + END,
    "a line without a colon": OK + b"nonsense\r\n" + LENGTH + END,
    "a status line among the fields": OK + OK + LENGTH + END,
    "a field without a name": OK + b": b\r\n" + LENGTH + END,
    "a name of words": OK + b"X Cache Info: b\r\n" + LENGTH + END,
    "a name in brackets": OK + b"X(a): b\r\n" + LENGTH + END,
    "a name of other bytes": OK + b"X-\xe9: a\r\n" + LENGTH + END,
    "a value of other bytes": OK + b"X-A: caf\xe9 \xd0\x9e\r\n" + LENGTH + END,
    "a NUL": OK + b"X-A: a\x00b\r\n" + LENGTH + END,
    "a carriage return in a value": OK + b"X-A: a\rb\r\n" + LENGTH + END,
    "a length twice": OK + LENGTH + LENGTH + END,
    "a length twice in one": OK + b"Content-Length: 5, 5\r\n" + END,
    "a length with a zero before it": OK + LENGTH + b"Content-Length: 05\r\n" + END,
    "a length of words": OK + b"Content-Length: abc\r\n" + END,
    "no length where one is stated": OK + b"Content-Length:\r\n" + END,
    "a length below zero": OK + b"Content-Length: -1\r\n" + END,
    "a length that is too short": OK + LENGTH + END + b", this is not part of it",
    "a length and chunks": OK + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks that are none": OK + b"Transfer-Encoding: identity\r\n" + LENGTH + END,
    "no reason": b"HTTP/1.1 200\r\n" + LENGTH + END,
    "a reason in Russian": "HTTP/1.1 200 ОК\r\n".encode() + LENGTH + END,
    "line feeds only": (OK + LENGTH + END).replace(b"\r\n", b"\n"),
    "line feeds at times": OK + b"X: y\n" + LENGTH + b"\n" + b"hello",
    "a cookie without end": OK + b"Set-Cookie: a=" + b"x" * 300_000 + b"\r\n" + LENGTH + END,
    "a thousand fields": OK + b"".join(b"X-%d: y\r\n" % n for n in range(1_000)) + LENGTH + END,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + LENGTH + END,
    "HTTP/2": b"HTTP/2 200\r\n" + LENGTH + END,
    "http in lower case": b"http/1.1 200 ok\r\n" + LENGTH + END,
    "two blanks in the status line": b"HTTP/1.1  200  OK\r\n" + LENGTH + END,
    "Icecast": b"ICY 200 OK\r\n\r\nhello",
    "blank lines before it": b"\r\n\n\r\n" + OK + LENGTH + END,
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink : <a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + END,
}


def answered_with(raw: bytes, piece: int = 1_000_000, **settings: object) -> FetchResult:
    async def write(writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(raw), piece):
            writer.write(raw[at : at + piece])
            await writer.drain()
            await asyncio.sleep(0 if piece > 1_000 else 0.001)

    return fetching({"/x": write}, lambda fetcher, p: fetcher.fetch(Request(p.url("/x"))), **settings)


@pytest.mark.parametrize("raw", FORGIVEN.values(), ids=FORGIVEN)
def test_a_head_that_browsers_read_is_read(raw: bytes) -> None:
    outcome = answered_with(raw)
    assert isinstance(outcome, Fetched), outcome
    assert (outcome.status, outcome.body) == (200, b"hello")


@pytest.mark.parametrize("name", ["a blank before a colon", "early hints", "a length twice", "a folded field"])
def test_a_head_may_come_in_pieces(name: str) -> None:
    outcome = answered_with(FORGIVEN[name], piece=3)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.body == b"hello"


def test_what_a_mended_head_says_is_kept() -> None:
    outcome = answered_with(
        OK + b'ETag : "1"\r\nContent-Type: text/xml;\r\n charset=utf-8\r\nnonsense\r\n' + LENGTH + END
    )
    assert isinstance(outcome, Fetched)
    assert outcome.headers["etag"] == '"1"'
    assert outcome.headers["content-type"] == "text/xml; charset=utf-8"


def test_one_connection_brings_several_answers() -> None:
    """What is kept of one answer's head must not meet the next one's."""

    async def run() -> list[bytes]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for body in (b"one", b"three"):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = Settings(fetch_host_delay_s=0, fetch_allow_hosts=(f"127.0.0.1:{port}",))
        async with Fetcher(settings) as fetcher:
            found = [await fetcher.fetch(Request(f"http://127.0.0.1:{port}/")) for _ in range(2)]
        server.close()
        return [one.body for one in found if isinstance(one, Fetched)]

    assert asyncio.run(run()) == [b"one", b"three"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (OK + LENGTH + b"Content-Length: 6\r\n" + END, "gives contradictory lengths for its answer"),
        (b"<rss>hello</rss>", "sent what is not HTTP: b'<rss>hello</rss>'"),
        (b"SSH-2.0-x\r\n", "sent what is not HTTP"),
        (b"HTTP/1.1 OK\r\n\r\n", "sent what is not HTTP"),
        (OK + b"X: y\r\n" * 300_000 + LENGTH + END, "sent a head of more than 1,000,000 bytes"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n<rss>hello", "in chunks that can't be read"),
    ],
)
def test_what_is_no_http_is_told_in_a_sentence_and_is_the_servers_fault(raw: bytes, told: str) -> None:
    failed = answered_with(raw)
    assert isinstance(failed, FetchFailed)
    assert f"127.0.0.1 {told}" in failed.reason or told in failed.reason
    assert failed.kind is FailureKind.TRANSIENT
    assert answered(failed)
    assert not is_silent(failed)


def test_a_head_that_comes_slowly_is_left_in_time() -> None:
    failed = answered_with(OK + b"X: y\r\n" * 2_000, piece=1, fetch_read_timeout_s=0.3)
    assert isinstance(failed, FetchFailed)
    assert "in time" in failed.reason


def test_a_head_is_mended_and_mended_again_it_is_the_same() -> None:
    for raw in FORGIVEN.values():
        head = raw[: end_of_head(raw)]
        assert mended(mended(head)) == mended(head)
    with pytest.raises(HeadError):
        mended(OK + LENGTH + b"Content-Length: 6\r\n\r\n")


# ── what is packed ───────────────────────────────────────────────────────────────────────────────────────────────────

HELLO = b"hello " * 100


def deflated(body: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(HELLO)),
    "gzip in capitals": ("GZip", gzip.compress(HELLO)),
    "x-gzip": ("x-gzip", gzip.compress(HELLO)),
    "two members": ("gzip", gzip.compress(HELLO[:100]) + gzip.compress(HELLO[100:])),
    "an empty member": ("gzip", gzip.compress(b"") + gzip.compress(HELLO)),
    "zeros after it": ("gzip", gzip.compress(HELLO) + b"\0" * 500),
    "a page after it": ("gzip", gzip.compress(HELLO) + b"<!-- cached -->"),
    "gzip cut off in its trailer": ("gzip", gzip.compress(HELLO)[:-6]),
    "gzip in gzip": ("gzip, gzip", gzip.compress(gzip.compress(HELLO))),
    "brotli in gzip": ("br, gzip", gzip.compress(brotli.compress(HELLO))),
    "deflate with a header": ("deflate", deflated(HELLO, 15)),
    "deflate without": ("deflate", deflated(HELLO, -15)),
    "deflate that is gzip": ("deflate", gzip.compress(HELLO)),
    "brotli": ("br", brotli.compress(HELLO)),
    "brotli that is gzip": ("br", gzip.compress(HELLO)),
    "gzip that is none": ("gzip", HELLO),
    "gzip that is short": ("gzip", b"hi"),
    "deflate that is none": ("deflate", HELLO),
    "brotli that is none": ("br", b"<rss>" + HELLO),
    "zstd that is none": ("zstd", HELLO),
    "nothing at all": ("gzip", b""),
    "a charset": ("utf-8", HELLO),
    "none": ("none", HELLO),
}


@pytest.mark.parametrize(("label", "packed"), PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_an_answer_is_unpacked_by_what_it_is(label: str, packed: bytes, piece: int) -> None:
    unpacking = Unpacking(label)
    found = b"".join(unpacking.feed(packed[at : at + piece], 10_000) for at in range(0, len(packed), piece))
    found += unpacking.end()
    expected = packed if label in ("utf-8", "none") or packed in (b"hi", b"") or HELLO in packed else HELLO
    assert found == expected


@pytest.mark.parametrize("name", ["x-gzip", "two members", "zeros after it", "gzip in gzip", "gzip that is none"])
def test_a_packed_answer_is_fetched(name: str) -> None:
    label, packed = PACKED[name]
    raw = OK + f"Content-Encoding: {label}\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed
    outcome = answered_with(raw)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.body == HELLO


def test_zstd_is_unpacked_frame_by_frame() -> None:
    zstd = pytest.importorskip("backports.zstd")
    unpacking = Unpacking("zstd")
    assert unpacking.feed(zstd.compress(HELLO) + zstd.compress(b"more"), 10_000) == HELLO + b"more"


@pytest.mark.parametrize(
    ("label", "packed"),
    [
        ("gzip", gzip.compress(HELLO)[:10] + b"\xff" * 50),
        ("gzip", gzip.compress(HELLO)[:-8] + b"\0" * 8),
        ("gzip, gzip, gzip, gzip", b""),
        ("gzip", gzip.compress(b"") * (MAX_MEMBERS + 1)),
    ],
)
def test_what_is_damaged_says_so(label: str, packed: bytes) -> None:
    with pytest.raises(NotUnpackedError, match="it is "):
        Unpacking(label).feed(packed, 10_000)


@pytest.mark.parametrize(
    ("label", "packed"),
    [("gzip", gzip.compress(b"a" * 50_000_000, 1)), ("br", brotli.compress(b"a" * 50_000_000, quality=1))],
)
def test_little_more_is_unpacked_than_is_asked_for(label: str, packed: bytes) -> None:
    assert 1_000 < len(Unpacking(label).feed(packed, 1_000)) < 100_000
    assert 1_000 < len(Unpacking(f"{label}, gzip").feed(gzip.compress(packed), 1_000)) < 100_000


def test_a_file_of_several_members_is_read_whole() -> None:
    assert unpacked(gzip.compress(b"<rss>") + gzip.compress(b"</rss>") + b"\0\0", 100) == b"<rss></rss>"
