"""Papers that publish all the time, and the mail server; on loopback, in this process."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import web

from benchmarks.cluster.ledger import Mailed, Published, delays
from benchmarks.invented import item, rss, words
from benchmarks.outages.receivers import Authority, Loop, MailServer
from embedded.processes import free_port

FEEDS_PER_HOST: Final = 10
SHOWN: Final = 15
"""Items in a feed."""
DESKS: Final = 20
"""Saved searches, each with a reader of its own; and one more for probes."""
PROBE: Final = DESKS
_LASTS: Final = timedelta(days=30)
BEFORE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When the only item of a feed came out in which nothing was published since."""
_ARTICLE: Final = re.compile(r"http://127\.[\d.]+:\d+/article/\d+")


def word_of(desk: int) -> str:
    """The invented word that the desk's saved search looks for."""
    return f"quorv{'abcdefghijklmnopqrstuvwxyz'[desk]}brok"


def reader_of(desk: int) -> str:
    """Who is mailed what the desk finds."""
    return f"desk-{desk}@desk.example"


def alerts_yaml() -> str:
    """The saved searches as `alerts.yaml`."""
    desks = (
        f"  - id: desk-{desk}\n    name: Desk {desk}\n    query: {word_of(desk)}\n    recipients: [{reader_of(desk)}]\n"
        for desk in range(DESKS + 1)
    )
    return "alerts:\n" + "".join(desks)


@dataclass
class Papers:
    """Papers on many loopback addresses, which newswatch takes for different hosts."""

    feeds: int
    matching: float
    """Share of the articles that a reader waits for."""
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    port: int = field(default_factory=free_port)
    published: list[Published] = field(default_factory=list)
    _items: dict[int, deque[str]] = field(default_factory=dict)
    _number: int = 0

    @property
    def hosts(self) -> list[str]:
        """`address:port` of each host, for NEWSWATCH_FETCH_ALLOW_HOSTS."""
        return [self._host(number) for number in range(-(-self.feeds // FEEDS_PER_HOST))]

    def _host(self, number: int) -> str:
        return f"127.1.{number // 250}.{1 + number % 250}:{self.port}"

    def feeds_yaml(self) -> str:
        """The feeds as `feeds.yaml`."""
        entries = (
            f'  - {{id: paper-{feed}, title: Paper {feed}, url: "http://{self._of(feed)}/{feed}/feed.xml", '
            f"owner: Owner {feed // FEEDS_PER_HOST}, language: en, full_text: feed}}\n"
            for feed in range(self.feeds)
        )
        return "feeds:\n" + "".join(entries)

    def _of(self, feed: int) -> str:
        return self._host(feed // FEEDS_PER_HOST)

    def publish(self, desk: int | None = None) -> Published:
        """Put an article into some feed: for this desk, else for one by chance or for nobody."""
        feed, self._number = self.dice.randrange(self.feeds), self._number + 1
        if desk is None and self.dice.random() < self.matching:
            desk = self.dice.randrange(DESKS)
        at, url = datetime.now(UTC), f"http://{self._of(feed)}/article/{self._number}"
        article = _item(url, self._number, "" if desk is None else word_of(desk), at)
        self._items.setdefault(feed, deque(maxlen=SHOWN)).append(article)
        one = Published(url, at, "" if desk is None else reader_of(desk))
        self.published.append(one)
        return one

    async def publish_for_ever(self, a_minute: float) -> None:
        """Publish that many articles a minute."""
        due = asyncio.get_running_loop().time()
        while True:
            self.publish()
            due += 60 / a_minute
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    async def open(self) -> web.AppRunner:
        """Listen on all hosts."""
        app = web.Application()
        app.router.add_get("/{feed}/feed.xml", self._show)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        for host in self.hosts:
            await web.TCPSite(runner, host.partition(":")[0], self.port).start()
        return runner

    async def _show(self, request: web.Request) -> web.Response:
        feed = int(request.match_info["feed"])
        items = self._items.get(feed) or (_item(f"http://{self._of(feed)}/article/0", feed, "", BEFORE),)
        body = rss(self._of(feed), items)
        tag = f'"{hash(body):x}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(text=body, content_type="application/rss+xml", headers={"ETag": tag})


def _item(url: str, number: int, word: str, at: datetime) -> str:
    """An article that has the word."""
    dice = random.Random(number)
    paragraphs = [f"The {words(dice, 8)} {word} of the {words(dice, 30)} is not known." for _ in range(5)]
    return item(url, f"Report {number}: {words(dice, 6)}", paragraphs, at)


@dataclass(frozen=True, slots=True)
class Outside:
    """What newswatch reads from and sends to."""

    loop: Loop
    papers: Papers
    mail: MailServer

    def publish(self, desk: int) -> Published:
        """An article for this desk, now."""

        async def work() -> Published:
            return self.papers.publish(desk)

        return self.loop.run(work())

    def mailed(self) -> list[Mailed]:
        """Every article in every mail that was accepted, once for each mail."""
        return [
            Mailed(url, mail.at, reader, str(mail.message["Message-ID"]))
            for mail in list(self.mail.taken)
            for reader in mail.recipients
            for url in sorted(set(_ARTICLE.findall(mail.text)))
        ]

    def behind(self, allowed: timedelta) -> int:
        """How many articles wait for their mail for longer than that."""
        wanted = [one for one in list(self.papers.published) if one.reader and datetime.now(UTC) - one.at > allowed]
        return len(wanted) - len(delays(wanted, self.mailed()))


@contextmanager
def open_outside(folder: Path, papers: Papers) -> Iterator[Outside]:
    """Papers and mail server, listening until the block ends. Nothing is published yet."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = Loop()
    try:
        mail = MailServer(loop, Authority(folder).issue(_LASTS))
        mail.change("taking")
        loop.run(papers.open())
        yield Outside(loop, papers, mail)
    finally:
        loop.stop()


@contextmanager
def publishing(outside: Outside, a_minute: float) -> Iterator[None]:
    """Articles come out during the block."""

    async def begin() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(outside.papers.publish_for_ever(a_minute))

    async def end() -> None:
        task.cancel()

    task = outside.loop.run(begin())
    try:
        yield
    finally:
        outside.loop.run(end())
