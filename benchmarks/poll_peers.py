"""The contenders of `poll.py` that are not newswatch: `python poll_peers.py NAME FOLDER WORKERS URL…-file`.

Each line on standard input is a round; for each, one line of JSON with seconds, CPU seconds and peak memory. `reader`
needs the library of that name (https://github.com/lemon24/reader), `loop` needs requests and feedparser, `limit` needs
aiohttp and feedparser. This file imports nothing of newswatch, so that it can run in an environment without it.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sequential(urls: list[str]) -> Callable[[], int]:
    """One feed after the other, by requests and feedparser; nothing is stored but the ETags."""
    import feedparser
    import requests

    session, tags = requests.Session(), dict[str, str]()

    def round_() -> int:
        entries = 0
        for url in urls:
            try:
                answer = session.get(url, headers={"If-None-Match": tags.get(url, "")}, timeout=10)
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                entries += len(feedparser.parse(io.BytesIO(answer.content)).entries)
                tags[url] = answer.headers.get("ETag", "")
        return entries

    return round_


def the_library(urls: list[str], folder: Path, workers: int) -> Callable[[], int]:
    """The `reader` library with its SQLite database."""
    import reader as library

    store = library.make_reader(str(folder / f"reader-{workers}.sqlite"))
    for url in urls:
        store.add_feed(url)

    def round_() -> int:
        store.update_feeds(workers=workers, scheduled=False)
        return store.get_entry_counts().total or 0

    return round_


def limit(urls: list[str], workers: int) -> Callable[[], int]:
    """aiohttp and feedparser, as fast as they go; nothing is stored but the ETags."""
    import aiohttp
    import feedparser

    tags: dict[str, str] = {}

    async def one(session: aiohttp.ClientSession, slots: asyncio.Semaphore, url: str) -> int:
        async with slots:
            try:
                async with session.get(url, headers={"If-None-Match": tags.get(url, "")}) as answer:
                    data = await answer.read()
            except aiohttp.ClientError:
                return 0
        if answer.status != 200:
            return 0
        tags[url] = answer.headers.get("ETag", "")
        return len(feedparser.parse(io.BytesIO(data)).entries)

    async def all_() -> int:
        slots = asyncio.Semaphore(workers)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return sum(await asyncio.gather(*(one(session, slots, url) for url in urls)))

    return lambda: asyncio.run(all_())


def peak_mb() -> float:
    """The peak memory of this process, in MB. (`ru_maxrss` would include the process it was forked from.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def play(round_: Callable[[], Any]) -> None:
    """Rounds, as long as lines come in."""
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        result = round_()
        line = {
            "s": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu,
            "peak_mb": peak_mb(),
            "got": result,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    name, where, count, file = sys.argv[1:5]
    listed = Path(file).read_text(encoding="utf-8").split()
    contenders: dict[str, Callable[[], Callable[[], int]]] = {
        "loop": lambda: sequential(listed),
        "reader": lambda: the_library(listed, Path(where), int(count)),
        "limit": lambda: limit(listed, int(count)),
    }
    play(contenders[name]())
