"""Publishers on loopback for `poll.py`: many feeds on many hosts, each contender with rounds of its own.

`python benchmarks/poll_publishers.py FEEDS HOSTS ENTRIES` listens on HOSTS addresses of 127.0.0.0/8, prints its port
and serves `/CONTENDER/N` until its standard input is closed; `/CONTENDER/next` begins the contender's next round. Needs
nothing but Python.

Of every 100 feeds, 1 is dead, 1 slow, 10 bring five new entries a round, 20 send the same body without any validator,
and the rest answer conditional requests with 304.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import ClassVar

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ROUND = timedelta(hours=25)
SLOW_S = 0.5
NEW_A_ROUND = 5
VOCABULARY = (
    "ministers alliance convoy border court verdict harbour election storm budget treaty summit patrol village "
    "river engine market harvest festival museum railway signal turbine orchestra vaccine glacier satellite league "
    "parliament brigade embassy ceasefire corridor cargo airfield exercise deterrence spokesman committee"
)
WORDS = VOCABULARY.split()


def host(n: int, hosts: int) -> str:
    """The address of feed `n`."""
    address = n % hosts
    return f"127.0.{1 + address // 250}.{1 + address % 250}"


def kind(n: int) -> str:
    """The behaviour of feed `n` when it is read again."""
    place = (n * 2_654_435_761 >> 9) % 100  # spread over the hosts
    return "dead" if place == 0 else "slow" if place == 1 else "new" if place < 12 else "same" if place < 32 else "304"


def entry(feed: int, number: int) -> str:
    """Entry `number` of a feed, about 1,500 characters of plausible text."""
    rng = random.Random(feed * 1_000_003 + number)
    text = " ".join(rng.choices(WORDS, k=170))
    day = START - timedelta(hours=1 + (feed + number * 7) % 400)
    return (
        f"<item><title>{' '.join(rng.choices(WORDS, k=8)).capitalize()} {feed}-{number}</title>"
        f"<link>https://outlet{feed}.example/story-{number:06d}</link><guid>{feed}-{number}</guid>"
        f"<description>{text[:150]}</description><pubDate>{format_datetime(day)}</pubDate>"
        f"<content:encoded><![CDATA[<p>{text[:700]}.</p><p>{text[700:]}.</p>]]></content:encoded></item>"
    )


@lru_cache(maxsize=30_000)
def body(feed: int, first: int, count: int) -> bytes:
    """A feed that shows entries `first` to `first + count`, the newest on top."""
    items = "".join(entry(feed, number) for number in range(first + count - 1, first - 1, -1))
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0' "
        "xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel>"
        f"<title>Outlet {feed}</title><link>https://outlet{feed}.example/</link><description>x</description>"
        f"{items}</channel></rss>"
    ).encode()


class Publishers(asyncio.Protocol):
    """One connection."""

    rounds: ClassVar[defaultdict[str, int]] = defaultdict(int)
    count = 20

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        _, contender, name = head.split(" ", 2)[1].split("/")[:3]
        if name == "next":
            self.rounds[contender] += 1
            return self._send(b"", "200 OK")
        number, round_ = int(name), self.rounds[contender]
        does = kind(number)
        first = NEW_A_ROUND * round_ if does == "new" else 0
        tag = f'"{number}-{first}"'
        if does == "slow" and round_:
            asyncio.get_running_loop().call_later(SLOW_S, self._send, b"", "304 Not Modified", tag)
        elif does == "304" and f"if-none-match: {tag}" in head.lower():
            self._send(b"", "304 Not Modified", tag)
        else:
            self._send(body(number, first, self.count), "200 OK", "" if does == "same" else tag)
        return None

    def _send(self, body: bytes, status: str, tag: str = "") -> None:
        if not self._transport.is_closing():
            etag = f"ETag: {tag}\r\n" if tag else ""
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: application/rss+xml\r\n{etag}Content-Length: {len(body)}\r\n\r\n"
            )
            self._transport.write(head.encode() + body)


async def serve(feeds: int, hosts: int, entries: int) -> None:
    """Serve until standard input ends."""
    Publishers.count = entries
    addresses = sorted({host(n, hosts) for n in range(min(feeds, hosts))})
    loop = asyncio.get_running_loop()
    first = await loop.create_server(Publishers, addresses[0], 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    if addresses[1:]:
        await loop.create_server(Publishers, addresses[1:], port, backlog=1024)
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*(int(argument) for argument in sys.argv[1:4])))
