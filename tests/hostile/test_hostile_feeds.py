"""Feeds by strangers: whatever stands in one entry, the others are read, and what is wrong is told.

A case is a document, what must be told of it, and its bound in seconds, generous for a slow machine. Every document but
those that are no feed holds good entries too: they are what must work beside the rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import pytest
from yarl import URL

from ingest.addresses import MAX_CHARS, is_address
from ingest.assemble import assemble
from ingest.bounds import ID_CHARS, MAX_PROBLEMS, bounded_problems
from ingest.formats.drafts import Draft, drafted, finish
from ingest.http.guard import refusal
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from tests.factories import a_feed

NOW = datetime(2026, 7, 6, 12, tzinfo=UTC)
HOME = "https://paper.example/feed.xml"
GOOD = 3
"""Good entries of each document."""


@dataclass(frozen=True, slots=True)
class Case:
    """A document and what becomes of it."""

    body: Callable[[], bytes] | bytes
    told: str = ""
    """What stands in the problems of the feed or of an entry, or in the reason why it is not a feed."""
    good: int = GOOD
    """Good entries that are read; 0: it is not a feed."""
    odd: str | None = None
    """The link of the entry `Odd`, where it has one."""
    entries: int | None = None
    """All entries, where that is sure."""
    within_s: float = 5.0
    url: str | None = HOME


def items(*numbers: int) -> str:
    return "".join(
        f"<item><title>Good {n}</title><link>https://paper.example/{n}</link>"
        f"<guid isPermaLink='false'>good{n}</guid></item>"
        for n in range(*numbers)
    )


def rss(odd: str, *, channel: str = "<link>https://paper.example/</link>") -> bytes:
    """An RSS feed with good entries around an odd one."""
    names = (
        "xmlns:media='http://search.yahoo.com/mrss/' xmlns:atom='http://www.w3.org/2005/Atom' "
        "xmlns:feedburner='http://rssnamespace.org/feedburner/ext/1.0'"
    )
    inner = f"<title>Paper</title>{channel}{items(2)}<item><title>Odd</title>{odd}</item>{items(2, GOOD)}"
    whole = f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0' {names}><channel>{inner}</channel></rss>"
    return whole.encode()


def link(url: str) -> bytes:
    return rss(f"<link>{escape(url)}</link>")


def atom(odd: str, *, head: str = "") -> bytes:
    good = "".join(
        f"<entry><title>Good {n}</title><id>urn:good:{n}</id><link href='https://paper.example/{n}'/></entry>"
        for n in range(GOOD)
    )
    odd = f"<entry><title>Odd</title><id>urn:odd</id>{odd}</entry>"
    return f"<feed xmlns='http://www.w3.org/2005/Atom' {head}><title>Paper</title>{odd}{good}</feed>".encode()


def feed_json(odd: object, **changes: object) -> bytes:
    good = [{"id": f"good{n}", "title": f"Good {n}", "url": f"https://paper.example/{n}"} for n in range(GOOD)]
    whole = {"version": "https://jsonfeed.org/version/1.1", "title": "Paper", "items": [*good, odd], **changes}
    return json.dumps(whole).encode()


def raw_json(odd: str) -> bytes:
    return feed_json("ODD").replace(b'"ODD"', odd.encode())


def sitemap(odd: str) -> bytes:
    def one(title: str, loc: str) -> str:
        return f"<url>{loc}<n:news><n:title>{title}</n:title></n:news></url>"

    good = "".join(one(f"Good {n}", f"<loc>https://paper.example/{n}</loc>") for n in range(GOOD))
    names = (
        "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'"
    )
    return f"<?xml version='1.0'?><urlset {names}>{one('Odd', odd)}{good}</urlset>".encode()


NO_URL = "is not an http(s) URL: dropped"
CASES: dict[str, Case] = {
    # ── the hosts of links
    "a host with an empty label": Case(link("http://a..b.example/x"), NO_URL),
    "a host with a star": Case(link("http://a*b.example/x"), NO_URL),
    "a host with a blank": Case(link("http://a b.example/x"), NO_URL),
    "a host of rubbish behind xn--": Case(link("http://xn--localhost-/a"), NO_URL),
    "a host in other letters that are none": Case(link("http://xn--ü/a"), NO_URL),
    "a host with a percent sign": Case(link("http://paper%2eexample/"), NO_URL),
    "a host with an underscore": Case(link("http://my_paper.example/x"), odd="http://my_paper.example/x"),
    "a host with hyphens at its ends": Case(link("http://-paper-.example/x"), odd="http://-paper-.example/x"),
    "a host with a dot at its end": Case(link("http://paper.example./x"), odd="http://paper.example/x"),
    "a host of dots": Case(link("http://.../x"), NO_URL),
    "a host of 300 characters": Case(link(f"http://{'a.' * 150}example/"), NO_URL),
    "a host of a megabyte": Case(lambda: link(f"http://{'ü' * 1_000_000}.example/"), NO_URL),
    "a label of 64 characters": Case(link(f"http://{'a' * 64}.example/"), NO_URL),
    "a label that is too long once it is ASCII": Case(link(f"http://{'ü' * 60}.example/"), NO_URL),
    "a host in other letters": Case(link("http://Правда.example/"), odd="http://xn--80aafi6cg.example/"),
    "a host with a sharp s": Case(link("http://faß.example/"), odd="http://xn--fa-hia.example/"),
    "a host with a sign": Case(link("http://☃.example/"), odd="http://xn--n3h.example/"),
    "a host with an invisible letter": Case(link("http://pa\u00adper.example/"), odd="http://paper.example/"),
    "a host with a letter that becomes a slash": Case(link("http://paper.example／x.example/"), NO_URL),
    "a host with a direction mark": Case(link("http://\u202epaper.example/"), NO_URL),
    "a host in brackets": Case(link("http://[paper.example]/"), NO_URL),
    "a bracket that stays open": Case(link("http://["), NO_URL),
    "an address with a zone": Case(link("http://[fe80::1%25eth0]/"), NO_URL),
    "an IPv6 address": Case(link("http://[2001:DB8:0::1]:8080/x"), odd="http://[2001:db8::1]:8080/x"),
    "an IPv4 address as a number": Case(link("http://2130706433/"), NO_URL),
    "an IPv4 address in octal": Case(link("http://0177.0.0.1/"), NO_URL),
    "a host of another machine's own": Case(link("http://127.0.0.1/x"), odd="http://127.0.0.1/x"),
    # ── ports, users, other parts of links
    "a port beyond 65,535": Case(link("http://paper.example:65536/"), NO_URL),
    "a port of words": Case(link("http://paper.example:http/"), NO_URL),
    "a port with a minus": Case(link("http://paper.example:-1/"), NO_URL),
    "a port of other digits": Case(link("http://paper.example:٨٠/"), NO_URL),
    "port 0": Case(link("http://paper.example:0/"), NO_URL),
    "two users": Case(link("http://a@b@paper.example/x"), odd="http://a%40b@paper.example/x"),
    "a backslash for a slash": Case(link("http://paper.example\\@evil.example/"), NO_URL),
    "a link of 100,000 characters": Case(lambda: link("https://paper.example/" + "a" * 100_000), "more than 8,000"),
    "a link that is too long once it is encoded": Case(link("https://paper.example/" + "é" * 2_000), "more than 8,000"),
    "a link of percent signs": Case(link("https://paper.example/%%%zz%"), odd="https://paper.example/%%%zz%"),
    "a link of bytes that are no text": Case(link("https://paper.example/%ff%00"), odd="https://paper.example/%ff%00"),
    "a link in two lines": Case(link("https://paper.example/a\n  b"), odd="https://paper.example/a%20%20b"),
    "a link of three slashes": Case(link("http:///paper.example/x"), odd="http://paper.example/x"),
    "a link without a host": Case(link("http://"), NO_URL),
    "a link of another scheme": Case(link("javascript:alert(1)"), NO_URL),
    "a link with markup in it": Case(rss("<link>https://paper.example/<b>x</b></link>")),
    "an empty link": Case(rss("<link></link>")),
    "a bad link and a good one": Case(
        rss("<feedburner:origLink>http://a..b.example/</feedburner:origLink><link>https://paper.example/o</link>"),
        NO_URL,
        odd="https://paper.example/o",
    ),
    "a bad link for an id": Case(rss("<guid>http://a..b.example/x</guid>"), NO_URL),
    # ── the addresses of the feed
    "a site that is none": Case(
        rss("<link>/odd</link>", channel="<link>http://a..b.example/</link>"), odd="https://paper.example/odd"
    ),
    "a hub that is none": Case(
        rss("", channel="<atom:link rel='hub' href='http://['/><link>https://paper.example/</link>")
    ),
    "a self link that is none": Case(
        rss("", channel="<atom:link rel='self' href='http://xn--localhost-/'/><link>https://paper.example/</link>")
    ),
    "a base that is none": Case(
        atom("<link href='/odd'/>", head="xml:base='http://['"), "xml:base", odd="https://paper.example/odd"
    ),
    "an address of its own that is none": Case(
        link("/odd"), odd="https://paper.example/odd", url="http://a..b.example/"
    ),
    "images that are none": Case(
        rss(
            "<media:content url='http://a..b.example/i.png' medium='image'/><media:thumbnail url='http://['/>"
            "<enclosure url='http://xn--localhost-/' type='image/png'/>"
        )
    ),
    # ── missing and odd pieces
    "an entry of nothing": Case(rss("").replace(b"<title>Odd</title>", b""), "no title, link or text", entries=GOOD),
    "an id of 100,000 characters": Case(lambda: rss(f"<guid isPermaLink='false'>{'g' * 100_000}</guid>")),
    "an id of halves of characters": Case(rss("<guid isPermaLink='false'>&#xD800;</guid>"), "references"),
    "a title of halves of characters": Case(rss("<description>&#55357; &#xDC00;</description>"), "2 references"),
    "references to what is no character": Case(
        rss(f"<description>&#x110000; &#{'9' * 5_000}; &#x{'f' * 100_000} &#x2019; &#128512;</description>"),
        "3 references",
    ),
    "a time to live that is no number": Case(rss("", channel="<link>https://paper.example/</link><ttl>²</ttl>")),
    "a hundred entries that are nothing": Case(
        lambda: rss("").replace(b"<item><title>Odd</title></item>", b"<item/>" * 100),
        "more problems",
        entries=GOOD,
    ),
    "one id nine hundred times": Case(
        lambda: rss("").replace(
            b"<item><title>Odd</title></item>",
            b"<item><title>x</title><guid>https://paper.example/s</guid></item>" * 900,
        ),
        "more than once",
        entries=GOOD + 1,
    ),
    # ── dates
    "a date of year 0": Case(rss("<pubDate>Mon, 00 Jan 0000 00:00:00 GMT</pubDate>"), "pub"),
    "a date of year 99999": Case(rss("<pubDate>99999-01-01T00:00:00Z</pubDate>"), "pub"),
    "a date of a zone that is none": Case(rss("<pubDate>Mon, 06 Jul 2026 10:00:00 +9999</pubDate>")),
    "a date of 10,000 digits": Case(rss(f"<pubDate>{'9' * 10_000}</pubDate>"), "pub"),
    "a date of other digits": Case(rss("<pubDate>²⁰²⁶-⁰⁷-⁰⁶</pubDate>"), "pub"),
    # ── JSON Feed
    "JSON: a bad host": Case(feed_json({"id": "o", "title": "Odd", "url": "http://a..b.example/x"}), NO_URL),
    "JSON: a bad host and a good one": Case(
        feed_json({"id": "o", "title": "Odd", "url": "http://[", "external_url": "https://paper.example/o"}),
        NO_URL,
        odd="https://paper.example/o",
    ),
    "JSON: an item that is a number": Case(feed_json(7), "not objects", entries=GOOD),
    "JSON: an item that is a list": Case(feed_json([[]]), "not objects", entries=GOOD),
    "JSON: every field of another type": Case(
        feed_json(
            {"id": {}, "title": "Odd", "url": 7, "summary": [], "authors": "x", "image": {}, "date_published": True}
        )
    ),
    "JSON: authors of every type": Case(
        feed_json({"title": "Odd", "authors": [None, 1, [], {"name": {}}], "author": []})
    ),
    "JSON: an id of 5,000 digits": Case(raw_json('{"id": ' + "9" * 5_000 + ', "title": "Odd"}')),
    "JSON: a number without end": Case(raw_json('{"id": 1e999, "title": "Odd", "url": NaN}')),
    "JSON: halves of characters": Case(
        raw_json('{"id": "\\ud800", "title": "Odd \\udfff", "url": "https://h.example/\\ud800"}'), NO_URL
    ),
    "JSON: a date of another world": Case(
        feed_json({"title": "Odd", "date_published": "0001-01-01T00:00:00+23:59"}), "date_published"
    ),
    "JSON: a date with halves": Case(raw_json('{"title": "Odd", "date_published": "\\ud800"}'), "date_published"),
    "JSON: a home page that is none": Case(
        feed_json({"title": "Odd", "url": "odd"}, home_page_url="http://[", feed_url="http://a..b.example"),
        odd="https://paper.example/odd",
    ),
    "JSON: hubs of every type": Case(
        feed_json({"title": "Odd"}, hubs=[None, 1, {"url": "http://["}, {"url": {}}], language=[])
    ),
    "JSON: items that are none": Case(feed_json({}, items={"a": {}}), "no list `items`", good=0),
    "JSON: nothing but brackets": Case(b"[" * 100_000, "", good=0),
    "JSON: cut off": Case(feed_json({})[:-20], "not JSON", good=0),
    # ── sitemaps
    "sitemap: a bad host": Case(sitemap("<loc>http://a..b.example/x</loc>"), NO_URL),
    "sitemap: no location": Case(sitemap("")),
    "sitemap: an empty location": Case(sitemap("<loc/>")),
    "sitemap: an index of bad hosts": Case(
        b"<sitemapindex><sitemap><loc>http://a..b.example/</loc></sitemap><sitemap><loc>https://paper.example/n.xml</loc>"
        b"</sitemap></sitemapindex>",
        "index of sitemaps",
        good=0,
    ),
    # ── encodings
    "an encoding that is none": Case(
        link("https://paper.example/o").replace(b"utf-8", b"no-such"), odd="https://paper.example/o"
    ),
    "bytes that are no UTF-8": Case(rss("<description>X</description>").replace(b"X", b"\xff\xfe")),
    "zeros amid it": Case(rss("<description>a</description>").replace(b">a<", b">a\x00b<")),
    "UTF-16 that says UTF-8": Case(lambda: rss("").decode().encode("utf-16"), good=-1),
    "nothing": Case(b"", "empty", good=0),
    "a page": Case(b"<!doctype html><html><link rel=feed href='http://a..b.example/'></html>", "page", good=0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hostile_feed_costs_what_is_hostile_in_it(case: Case) -> None:
    body = case.body() if callable(case.body) else case.body
    began = time.thread_time()  # ours: the worker's is limited by the kernel, and what it kills is no feed
    parsed = parse(body, url=case.url, now=NOW)
    assert time.thread_time() - began < case.within_s
    if case.good <= 0:
        assert case.good or isinstance(parsed, NotAFeed)
        told = [parsed.reason] if isinstance(parsed, NotAFeed) else [""]
    else:
        assert isinstance(parsed, ParsedFeed)
        good_beside(parsed, case)
        told = [*parsed.problems, *(problem for entry in parsed.entries for problem in entry.problems)]
    assert any(case.told in one for one in told or [""])
    assert all(len(one) < 2_500 for one in told)


def good_beside(parsed: ParsedFeed, case: Case) -> None:
    by_title = {entry.title: entry for entry in parsed.entries}
    good = {f"Good {n}": f"https://paper.example/{n}" for n in range(case.good)}
    assert {title: entry.url for title, entry in by_title.items() if title.startswith("Good")} == good
    if case.entries is not None:
        assert len(parsed.entries) == case.entries
    elif "Odd" in by_title and case.told != "no title, link or text":
        assert by_title["Odd"].url == case.odd or (case.odd is None and case.told != NO_URL)
    assert all(len(entry.id) <= max(ID_CHARS, MAX_CHARS) for entry in parsed.entries)
    assert len({entry.id for entry in parsed.entries}) == len(parsed.entries)
    for url in addresses(parsed):
        assert is_address(url)
        refusal(URL(url), ())
    json.dumps([parsed.title, *map(str, parsed.entries)], ensure_ascii=False).encode()
    feed = a_feed("odd", url=HOME)
    made = [assemble(entry, None, feed, now=NOW) for entry in parsed.entries]
    assert len({article.id for article in made}) == len(made), "no entry is lost in another"


def addresses(parsed: ParsedFeed) -> Iterator[str]:
    if parsed.site:
        yield parsed.site
    for entry in parsed.entries:
        yield from (url for url in (entry.url, entry.image) if url)


@pytest.mark.parametrize(
    "error", [ValueError("x" * 5_000), KeyError("k"), RecursionError("deep"), UnicodeError("\ud800")]
)
def test_an_entry_that_breaks_the_reading_costs_itself(error: Exception) -> None:
    problems: list[str] = []

    def draft(number: int) -> Draft:
        if number == 2:
            raise error
        return Draft(title=f"Good {number}")

    drafts = drafted(range(4), draft, problems)
    assert [one.title for one in drafts] == ["Good 0", "Good 1", "Good 3"]
    assert problems[0].startswith(f"entry 3 can't be read: {type(error).__name__}")
    assert len(problems[0]) < 1_200


def test_an_entry_that_breaks_the_finish_costs_itself() -> None:
    def fault(_kind: str, subject: str) -> None:
        if "Odd" in subject:
            raise RuntimeError("broken for a test")

    drafts = [Draft(title="Good"), Draft(title="Odd"), Draft(title="Better")]
    done = finish(drafts, None, ["the document is ill-formed"], fault=fault)
    assert [entry.title for entry in done["entries"]] == ["Good", "Better"]
    assert done["problems"] == (
        "the document is ill-formed",
        "entry 'Odd' can't be read: RuntimeError: broken for a test",
    )


def test_problems_without_end_are_counted() -> None:
    def draft(number: int) -> Draft:
        raise ValueError(number)

    problems: list[str] = []
    drafted(range(1_000), draft, problems)
    assert len(problems) == 1_000
    said = bounded_problems(problems)
    assert len(said) == MAX_PROBLEMS + 1
    assert said[-1] == f"{1_000 - MAX_PROBLEMS} more problems"


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 45
