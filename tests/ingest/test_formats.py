"""The registry of formats: what is asked for, looked for, recognised and read derives from it alone."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ingest.discovery.discover import discover
from ingest.formats import registry
from ingest.formats.format import head_of
from ingest.formats.registry import FORMATS, accept, feed_types, format_of, looks_like_a_feed, usual_paths
from ingest.http.fetch import Fetcher
from ingest.http.fetched import Request
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from newswatch.entry import Entry
from tests.ingest.server import Publisher, response
from tests.ingest.test_fetch import fetching
from tests.ingest.ticker import TICKER

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://paper.example/feed"
ITEM = "<item><title>Allies meet</title><link>https://paper.example/1</link></item>"
RSS = f"<rss version='2.0'><channel><title>Paper</title>{ITEM}</channel></rss>"
NEWS = (
    "<{0}urlset xmlns{1}='http://www.sitemaps.org/schemas/sitemap/0.9' "
    "xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><{0}url><{0}loc>https://paper.example/1</{0}loc>"
    "<news:news><news:title>Allies meet</news:title></news:news></{0}url></{0}urlset>"
)


# ── a format that only this test knows ───────────────────────────────────────────────────────────────────────────────


BODY = b"%TICKER\n2026-01-15T09:00:00Z | /1 | Allies meet\n2026-01-15T10:00:00Z | /2 | Ministers agree\nno line\n"


@pytest.fixture
def with_ticker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one place that is touched to add a format."""
    monkeypatch.setattr(registry, "FORMATS", (*FORMATS, TICKER))


@pytest.mark.usefixtures("with_ticker")
def test_an_added_format_is_asked_for() -> None:
    async def use(fetcher: Fetcher, publisher: Publisher) -> str:
        await fetcher.fetch(Request(publisher.url("/t")))
        return publisher.asked[-1][1]["accept"]

    assert "text/x-ticker;q=0.6" in fetching({"/t": response(BODY)}, use).split(", ")


@pytest.mark.usefixtures("with_ticker")
@pytest.mark.parametrize("padding", [0, 100_000], ids=["as it is", "long"])
def test_an_added_format_is_recognised_and_read_in_a_worker_too(padding: int) -> None:
    """It is no markup, so nothing proves it harmless: a worker, which imports the registry anew, must know it too."""
    feed = parse(BODY + b"no line\n" * (padding // 8), url="https://paper.example/t", now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert [(entry.title, entry.url) for entry in feed.entries] == [
        ("Allies meet", "https://paper.example/1"),
        ("Ministers agree", "https://paper.example/2"),
    ]
    assert feed.entries[0].published == datetime(2026, 1, 15, 9, tzinfo=UTC)
    assert feed.entries[0].id.startswith("https://paper.example/1"), "ids are made as for all formats"
    assert "entry 3 can't be read" in feed.problems[0]


@pytest.mark.usefixtures("with_ticker")
@pytest.mark.parametrize(
    ("page", "at"),
    [
        (b"<html><link rel=alternate type='text/x-ticker; charset=utf-8' href=/odd></html>", "/odd"),
        (b"<html><a href='/news/ticker/all'>All</a></html>", "/news/ticker/all"),
        (b"<html><p>Hello</html>", "/ticker.txt"),
        (b"<html>" + b"<p>" * 2_000 + b"<a href='/news/ticker/all'>All</a></html>", "/news/ticker/all"),
    ],
    ids=["advertised", "linked", "where such feeds usually are", "linked from a page that a worker reads"],
)
def test_an_added_format_is_discovered(page: bytes, at: str) -> None:
    found = fetching(
        {"/": response(page), at: response(BODY)},
        lambda fetcher, publisher: discover(fetcher, publisher.url("/"), now=NOW),
    )
    assert [(feed.format, feed.entries, feed.url.endswith(at)) for feed in found.feeds] == [("ticker 1", 2, True)]


def test_a_format_that_is_not_listed_is_not_known() -> None:
    assert isinstance(parse(BODY, url=URL, now=NOW), NotAFeed)
    assert "ticker" not in accept()


# ── the formats that there are ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_asked_for() -> None:
    """Publishers who choose by this header choose as they did before there was a registry."""
    assert accept() == (
        "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
        "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/html;q=0.5, */*;q=0.1"
    )


def test_what_is_looked_for() -> None:
    assert feed_types(FORMATS) == {
        "application/rss+xml",
        "application/atom+xml",
        "application/rdf+xml",
        "application/feed+json",
        "application/json",
        "application/xml",
        "text/xml",
        "text/rss+xml",
        "application/x-rss+xml",
    }
    assert set(usual_paths()) == {
        *("/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feed.json", "/feeds"),
    }
    for address in ("/rss", "/rss2.xml", "/a/atom/b", "?feed=x", "/feeds/", "/news.rdf"):
        assert looks_like_a_feed(address, FORMATS), address
    for address in ("/feedback", "/press", "/atomic", "/rssx"):
        assert not looks_like_a_feed(address, FORMATS), address


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (RSS, "RSS and Atom"),
        ("<?xml version='1.0'?><!-- <urlset> --><?xsl a?>\n<!DOCTYPE rss>\n" + RSS, "RSS and Atom"),
        ("<feed xmlns='http://www.w3.org/2005/Atom'><title>A</title></feed>", "RSS and Atom"),
        ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'/>", "RSS and Atom"),
        ("<rdf:RDF xmlns:rdf='x'/>", "RSS and Atom"),
        ("<html><p>Hello</p></html>", "RSS and Atom"),
        ("nothing of the kind", "RSS and Atom"),
        ("\ufeff {}", "JSON Feed"),
        ('[{"content_html": "<rss></rss><urlset>"}]', "JSON Feed"),
        ('{"content_html": "<rss></rss><urlset>"}', "JSON Feed"),
        (NEWS.format("", ""), "Google News sitemap"),
        (NEWS.format("s:", ":s"), "Google News sitemap"),
        ("<b>Warning</b>: no such file\n" + NEWS.format("", ""), "Google News sitemap"),
        ("<sitemapindex/>", "Google News sitemap"),
        ("<sitemapindex><sitemap/></sitemapindex>", "Google News sitemap"),
        (RSS.replace("Allies", "&lt;urlset> <![CDATA[<urlset>]]>"), "RSS and Atom"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32-be"])
def test_a_document_is_recognised_by_how_it_begins(body: str, name: str, encoding: str) -> None:
    assert format_of(head_of(body.encode(encoding)), FORMATS).name == name


def entries(body: bytes) -> tuple[Entry, ...]:
    feed = parse(body, url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed), feed
    return feed.entries


def test_a_feed_that_tells_of_sitemaps_is_none() -> None:
    """`<urlset` anywhere in its first 4,096 bytes made it one, and it had no entry."""
    (entry,) = entries(RSS.replace("Allies", "&lt;urlset> <![CDATA[<urlset>]]>").encode())
    assert entry.title.startswith("<urlset>")


def test_a_sitemap_whose_elements_have_a_prefix_is_one() -> None:
    assert [entry.title for entry in entries(NEWS.format("s:", ":s").encode())] == ["Allies meet"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
def test_a_json_feed_is_read_in_every_encoding_of_unicode(encoding: str) -> None:
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "P", "items": [{"id": "1", "title": "Žižek"}]}
    assert [entry.title for entry in entries(json.dumps(feed, ensure_ascii=False).encode(encoding))] == ["Žižek"]


def test_what_stands_before_a_feed_takes_no_time_to_step_over() -> None:
    """The pattern of the first element must not try every way to part a prolog."""
    head = head_of(b"<?a ?><!--b-->" * 600)
    assert format_of(head, FORMATS).name == "RSS and Atom"
    assert not FORMATS[0].sniff(head)
    assert isinstance(parse(head, url=URL, now=NOW), NotAFeed)


_AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ingest.parse import parse
from ingest.parsed import ParsedFeed
feed = b"<rss version='2.0'><channel><title>x</title><item><title>y</title></item></channel></rss>"
with ThreadPoolExecutor(8) as pool:
    read = [*pool.map(lambda _: parse(feed, url="http://x.example/", now=datetime.now(UTC)), range(8))]
print(sum(isinstance(each, ParsedFeed) for each in read))
"""


@pytest.mark.slow
def test_threads_may_read_the_first_feeds_of_a_process_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _AT_ONCE], capture_output=True, text=True, check=True)
    assert done.stdout == "8\n"
