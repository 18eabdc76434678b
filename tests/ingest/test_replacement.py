"""What `feeds check` finds of each source, and what it proposes for those of no use, on a publisher of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from embedded.processes import free_port
from ingest.discovery.check import check
from ingest.discovery.replacement import Proposals, command, propose
from ingest.http.fetch import Fetcher
from newswatch.clock import utc_now
from newswatch.feed import Fallback, Feed, Rating, Rule
from newswatch.settings import Settings
from tests.ingest.server import Answer, Publisher, publishing, response

NOW = utc_now()
XML = {"Content-Type": "application/rss+xml"}


def rss(days_ago: float | None, name: str = "one") -> bytes:
    when = "" if days_ago is None else f"<pubDate>{NOW - timedelta(days=days_ago):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
    item = f"<item><title>NATO {name}</title><link>http://x.example/{name}</link>{when}</item>"
    return response(f"<rss version='2.0'><channel><title>{name}</title>{item}</channel></rss>".encode(), headers=XML)


HOME = response(b"<html><link rel='alternate' type='application/rss+xml' href='/new.xml'><p>Welcome</p></html>")
LIST = response(
    b'{"pages": [{"t": "NATO meets", "l": "/a/1", "d": "' + f"{NOW:%d %B %Y}".encode() + b'"},'
    b' {"t": "NATO agrees", "l": "/a/2", "d": "' + f"{NOW:%d %B %Y}".encode() + b'"}]}',
    headers={"Content-Type": "application/json"},
)
RULE = Rule(items="pages", link="l", title="t", date="d")


def proposed(answers: Mapping[str, Answer], **feed: Any) -> tuple[Proposals, Publisher]:
    """The check of one source, at /feed.xml unless said otherwise, beside a second one that is well."""

    async def run() -> tuple[Proposals, Publisher]:
        async with publishing({"/": HOME, "/well.xml": rss(1, "well"), **answers}) as publisher:
            here = publisher.url("")
            given = {"url": f"{here}/feed.xml", "title": "Old", "site": f"{here}/", **feed}
            given["fallback"] = feed["fallback"](here) if "fallback" in feed else None
            feeds = [Feed("old", **given), Feed("well", f"{here}/well.xml", "Well", site=f"{here}/")]
            allowed = (f"127.0.0.1:{publisher.port}",)
            async with Fetcher(Settings(fetch_allow_hosts=allowed, fetch_host_delay_s=0)) as fetcher:
                checked = await check(fetcher, feeds, now=NOW)
                return await propose(fetcher, feeds, checked, now=NOW), publisher

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (rss(1), "answers"),
        (rss(None), "undated"),
        (rss(400), "stale"),
        (response(b"<rss version='2.0'><channel><title>x</title></channel></rss>", headers=XML), "empty"),
        (response(b"<html><p>Moved</p></html>"), "not a feed"),
        (response(b"", "403 Forbidden"), "refused"),
        (response(b"", "410 Gone"), "gone"),
        (response(b"", "404 Not Found"), "failing"),
        (response(b"", "301 Moved Permanently", {"Location": "/well.xml"}), "moved"),
    ],
)
def test_each_finding_and_only_those_of_no_use_are_replaced(answer: bytes, finding: str) -> None:
    found, publisher = proposed({"/feed.xml": answer, "/new.xml": rss(2, "new")})
    old, well = found.checked
    assert (old.finding, well.finding) == (finding, "answers")
    assert "well" not in found.found
    one = found.found.get("old")
    if finding in ("answers", "undated"):
        assert one is None
        assert all(path in ("/feed.xml", "/well.xml") for path, _ in publisher.asked), "nothing else was asked for"
    elif finding == "moved":
        assert one
        assert one.url == publisher.url("/well.xml")
    else:
        assert one
        assert (one.url, one.read, one.entries) == (publisher.url("/new.xml"), "feed", 1)


def test_the_fall_back_of_the_list_comes_first_and_is_read_by_its_rule() -> None:
    answers = {"/feed.xml": response(b"", "404 Not Found"), "/list.json": LIST, "/new.xml": rss(2)}
    found, publisher = proposed(
        answers, fallback=lambda here: Fallback(f"{here}/list.json", "json", RULE), kind="agency", topics=("nato",)
    )
    one = found.found["old"]
    assert (one.url, one.read, one.rule, one.entries) == (publisher.url("/list.json"), "json", RULE, 2)
    rating = Rating("B", "right for years", date(2026, 1, 2))
    feed = Feed("old", "https://x.example/f", "Old", kind="agency", topics=("nato",), reliability=rating)
    assert command(feed, one) == (
        f"newswatch feeds add {one.url} --read json --rule '{{items: pages, link: l, title: t, date: d}}' --title Old "
        "--kind agency --reliability B --because 'right for years' --topic nato"
    )


def test_what_is_no_better_is_not_proposed() -> None:
    stale = {"/feed.xml": rss(400), "/new.xml": rss(500)}
    assert proposed(stale)[0].found == {}
    itself = {"/feed.xml": rss(400), "/": response(HOME.replace(b"/new.xml", b"/feed.xml").partition(b"\r\n\r\n")[2])}
    assert proposed(itself)[0].found == {}


def test_nothing_is_concluded_where_nobody_answers() -> None:
    async def run() -> Proposals:
        feeds = [Feed("a", f"http://127.0.0.1:{(port := free_port())}/f", "A", site=f"http://127.0.0.1:{port}/")]
        async with Fetcher(Settings(fetch_allow_hosts=(f"127.0.0.1:{port}",))) as fetcher:
            return await propose(fetcher, feeds, await check(fetcher, feeds, now=NOW), now=NOW)

    found = asyncio.run(run())
    assert found.offline
    assert found.checked[0].finding == "failing"
    assert found.found == {}
