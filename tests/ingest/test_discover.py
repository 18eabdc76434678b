"""From a site to its feeds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ingest.discover import advertised, discover, linked
from tests.ingest.server import Answer, response
from tests.ingest.test_fetch import fetching

NOW = datetime(2026, 1, 15, tzinfo=UTC)
RSS = b"<rss version='2.0'><channel><title>Example</title><item><title>A</title></item></channel></rss>"
OTHER = RSS.replace(b"Example", b"Other")


def found(answers: Mapping[str, Answer], path: str = "/") -> list[str]:
    feeds = fetching(answers, lambda fetcher, publisher: discover(fetcher, publisher.url(path), now=NOW)).feeds
    return [f"{feed.title} {feed.entries} /{feed.url.split('/', 3)[3]}" for feed in feeds]


def test_a_feed_is_its_own_feed() -> None:
    assert found({"/rss": response(RSS)}, "/rss") == ["Example 1 /rss"]


def test_advertised_feeds_come_first_and_the_dead_and_the_same_are_left_out() -> None:
    page = b"".join(
        b"<link rel=alternate type=application/rss+xml href=/%s>" % name for name in (b"one", b"dead", b"same", b"two")
    )
    answers = {"/": response(page), "/one": response(RSS), "/same": response(RSS), "/two": response(OTHER)}
    assert found(answers) == ["Example 1 /one", "Other 1 /two"]


def test_links_that_look_like_feeds_are_tried_next() -> None:
    page = b"<html><a href='/about'>About</a> <a href='/news/rss.xml'>RSS</a> <a href='/feedback'>Write</a></html>"
    assert linked(page, "https://x.example/") == ("https://x.example/news/rss.xml",)
    assert found({"/": response(page), "/news/rss.xml": response(RSS)}) == ["Example 1 /news/rss.xml"]


def test_a_site_without_feeds_has_none() -> None:
    assert found({"/": response(b"<html><p>Hello</html>")}) == []


def test_feeds_where_they_usually_are_are_found_at_last() -> None:
    """Host and port are kept: it is the same site."""
    assert found({"/feed.xml": response(RSS)}, "/about") == ["Example 1 /feed.xml"]


def test_a_site_that_can_not_be_read_says_why() -> None:
    nothing = fetching({}, lambda fetcher, publisher: discover(fetcher, publisher.url("/x"), now=NOW))
    assert (nothing.feeds, nothing.failure) == ((), "127.0.0.1 answered 404")
    no_url = fetching({}, lambda fetcher, _: discover(fetcher, "nonsense", now=NOW))
    assert no_url.failure
    assert "nonsense" in no_url.failure


def test_what_is_no_page_advertises_nothing() -> None:
    assert advertised(b"", None) == ()
    assert advertised(b"\x00\xff" * 50, "https://x.example/") == ()
