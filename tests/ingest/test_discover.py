"""From a site to its feeds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ingest.discovery.discover import MOST_CANDIDATES, MOST_LINKS, SITEMAP_PATHS, Discovery, discover
from ingest.formats.registry import FORMATS, usual_paths
from ingest.http.fetch import Fetcher
from ingest.page_links import advertised, linked
from ingest.workers import OverBudgetError
from tests.ingest.server import Answer, Publisher, response
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
    assert linked(page, "https://x.example/", FORMATS) == ("https://x.example/news/rss.xml",)
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
    assert advertised(b"", None, FORMATS) == ()
    assert advertised(b"\x00\xff" * 50, "https://x.example/", FORMATS) == ()


def test_a_page_that_names_ten_thousand_feeds_is_asked_for_a_few_and_says_so() -> None:
    """All were asked for: 5,622 requests in 15 s."""
    names = [b"comments/%d" % n for n in range(5_000)] + [b"f%d" % n for n in range(5_000)]
    page = b"".join(b"<link rel=alternate type=application/rss+xml href=/%s>" % name for name in names)

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[Discovery, int]:
        return await discover(fetcher, publisher.url("/"), now=NOW), len(publisher.asked)

    found, requests = fetching({"/": response(page), "/f7": response(RSS)}, use, fetch_max_bytes=10_000_000)
    assert [feed.title for feed in found.feeds] == ["Example"], "the likeliest are tried first"
    assert requests == 1 + MOST_CANDIDATES
    assert found.cut == "the page names 10,000 addresses of feeds; the 30 likeliest were tried"


def test_no_page_makes_a_discovery_ask_without_end() -> None:
    page = b"".join(b"<link rel=feed href=/%d><a href=/rss/%d>rss</a>" % (n, n) for n in range(1_000))

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[Discovery, int]:
        return await discover(fetcher, publisher.url("/"), now=NOW), len(publisher.asked)

    found, requests = fetching({"/": response(page)}, use, fetch_max_bytes=10_000_000)
    assert not found.feeds
    assert requests == 1 + MOST_CANDIDATES + MOST_LINKS + len(usual_paths()) + 1 + len(SITEMAP_PATHS), "1: robots.txt"
    assert found.cut
    assert found.cut.count("1,000") == 2


def test_what_a_page_names_that_is_no_address_is_passed_over() -> None:
    page = b"<base href='http://['><link rel=feed href='http://a..b.example/'><link rel=feed href='http://xn--localhost-/'>"
    assert advertised(page, "https://x.example/", FORMATS) == ()
    assert advertised(page + b"<link rel=feed href=/rss>", "https://x.example/", FORMATS) == ("https://x.example/rss",)


def test_a_page_that_may_take_long_is_read_by_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its links too: a thread can't be stopped."""
    page = b"<html>" + b"<p>" * 2_000 + b"<a href='/news/rss.xml'>RSS</a></html>"
    answers = {"/": response(page), "/news/rss.xml": response(RSS)}
    assert found(answers) == ["Example 1 /news/rss.xml"]

    def too_long(*_: object) -> None:
        raise OverBudgetError("took longer than 4 s")

    monkeypatch.setattr("ingest.workers.confined", too_long)
    nothing = fetching(answers, lambda fetcher, publisher: discover(fetcher, publisher.url("/"), now=NOW))
    assert nothing.feeds == ()
    assert nothing.cut == "its links were not read: reading it took longer than 4 s"


# ── sites without feeds ──────────────────────────────────────────────────────────────────────────────────────────────

STORIES = [f"/news/2026/01/{day:02}/ministers-agree-on-new-targets-{day}" for day in range(3, 15)]
SITEMAP = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{}</urlset>"
HEADLINES = "".join(
    f"<li><a href='{path}'>Ministers agree on new targets, part {path[-2:]}</a></li>" for path in STORIES
)
LIST = f"<html><title>News</title><ul>{HEADLINES}</ul></html>".encode()


def discovery(answers: Mapping[str, Answer]) -> Discovery:
    return fetching(answers, lambda fetcher, publisher: discover(fetcher, publisher.url("/"), now=NOW))


def test_a_site_without_feeds_is_read_by_the_sitemap_that_its_robots_txt_names_else_by_its_list() -> None:
    async def use(fetcher: Fetcher, publisher: Publisher) -> Discovery:
        locs = "".join(f"<url><loc>{publisher.url(path)}</loc></url>" for path in STORIES)
        publisher.answers["/map.xml"] = response(SITEMAP.format(locs).encode())
        publisher.answers["/robots.txt"] = response(f"Sitemap: {publisher.url('/map.xml')}".encode())
        return await discover(fetcher, publisher.url("/"), now=NOW)

    (found,) = fetching({"/": response(LIST)}, use).feeds
    assert (found.read, found.entries, found.url.rpartition("/")[2]) == ("sitemap", 12, "map.xml")
    without = discovery({"/": response(LIST)})
    assert [(feed.read, feed.title, feed.entries) for feed in without.feeds] == [("page", "News", 12)]
    assert "sitemap" in without.tried[1]
    assert "12 articles, the newest of 14 January 2026" in without.tried[-1]


def test_a_sitemap_that_nobody_keeps_up_is_not_chosen() -> None:
    old = "".join(
        f"<url><loc>https://x.example/news/2024/01/{day:02}/a-story-of-then</loc></url>" for day in range(3, 15)
    )
    found = discovery({"/": response(LIST), "/sitemap.xml": response(SITEMAP.format(old).encode())})
    assert found.feeds[0].read == "page"
    assert "it may no longer be updated" in " ".join(found.tried)


def test_a_site_that_refuses_plain_clients_is_reported_as_that() -> None:
    refused = discovery({"/": response(b"<html>no", "403 Forbidden")})
    assert refused.failure == "127.0.0.1 answered 403: the site refuses plain clients"
    wall = b"<html><title>Just a moment...</title><p>Checking your browser</html>"
    assert "challenge for browsers (Cloudflare)" in discovery({"/": response(wall)}).tried[-1]
