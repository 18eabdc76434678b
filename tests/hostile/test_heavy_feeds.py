"""Feeds that cost time or memory: each is read, or refused with one line of reason, within a bound."""

from __future__ import annotations

import gzip
import json
import resource
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pytest

from ingest import bounds
from ingest.bounds import FEED_S, MAX_ENTRIES, PROBLEM_CHARS, is_harmless
from ingest.formats.format import Document
from ingest.formats.registry import FORMATS
from ingest.parse import MAX_BYTES, parse, read_feed
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.workers import PATIENCE

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://paper.example/feed.xml"
GOOD = "<item><title>Allies meet</title><link>https://paper.example/1</link><guid>1</guid></item>"
BOUND_S: Final = PATIENCE * FEED_S + 9
"""What a document may take by the clock on a machine that is busy, and a worker's start. On a quiet one: FEED_S."""
MEMORY_MB: Final = 400
"""By so much the process that asks may grow at most; the worker has a limit of its own."""

ENTRY = "<entry><id>3</id><title>t</title></entry>"
LOCATION = "<sitemap><loc>https://paper.example/2</loc></sitemap>"
NEWS = "<url><loc>https://paper.example/2</loc><n:news><n:title>t</n:title></n:news></url>"
READ, REFUSED, EITHER = "read", "refused", "either"


@dataclass(frozen=True, slots=True)
class Case:
    """A feed: how it is made, and what must come of it. Read: the good entry is among the entries."""

    name: str
    make: Callable[[], str | bytes]
    outcome: str = EITHER
    told: str = ""
    """Stands in a problem of the feed or of an entry, or in the reason."""
    bound_s: float = BOUND_S


def rss(items: str, declared: str = "", head: str = "<?xml version='1.0'?>") -> str:
    return (
        f"{head}<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/' "
        f"xmlns:dc='http://purl.org/dc/elements/1.1/' {declared}><channel><title>Paper</title>{GOOD}{items}"
        "</channel></rss>"
    )


def document(body: str) -> Document:
    return Document(body.encode(), URL, None, None, NOW)


def entry(inner: str) -> str:
    return f"<item><title>Other</title><guid>2</guid>{inner}</item>"


def atom(inner: str) -> str:
    return (
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>Paper</title><id>f</id><entry><id>1</id>"
        f"<title>Allies meet</title></entry><entry><id>2</id><title>Other</title>{inner}</entry></feed>"
    )


def sitemap(items: str) -> str:
    news = "<url><loc>https://paper.example/1</loc><n:news><n:title>Allies meet</n:title></n:news></url>"
    declared = (
        "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'"
    )
    return f"<urlset {declared}>{news}{items}</urlset>"


def json_feed(items: str) -> str:
    good = '{"id": "1", "title": "Allies meet", "url": "https://paper.example/1"}'
    return f'{{"version": "https://jsonfeed.org/version/1.1", "title": "Paper", "items": [{good}{items}]}}'


def attributes(count: int) -> str:
    return " ".join(f'a{number}="1"' for number in range(count))


def nested(count: int, declare: bool = True) -> str:
    begun = "".join(f"<n{n}:a xmlns:n{n}='urn:{n}'>" if declare else "<a>" for n in range(count))
    return begun + "".join(f"</n{n}:a>" if declare else "</a>" for n in reversed(range(count)))


def laughs(depth: int) -> str:
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, depth))
    return rss(
        entry(f"<description>&l{depth - 1};</description>"), head=f"<!DOCTYPE rss [<!ENTITY l0 'ha'>{entities}]>"
    )


def with_entity(what: str, times: int) -> str:
    return rss(entry(f"<description>{'&l;' * times}</description>"), head=f"<!DOCTYPE rss [<!ENTITY l {what}>]>")


def many(count: int) -> str:
    return "".join(f"<item><title>t{n}</title><guid>g{n}</guid></item>" for n in range(count))


MANY = f"the first {MAX_ENTRIES:,} were read"

CASES = [
    # attributes and namespaces
    Case("CDATA sections without an end", lambda: rss("<t><![CDATA[x</t>" * 20_000 + entry("") * 2), READ),
    Case(
        "20,000 attributes", lambda: rss(f"<item {attributes(20_000)}><title>x</title></item>"), READ, "attributes", 10
    ),
    Case(
        "attributes of an ill-formed item", lambda: rss(f"<item {attributes(20_000)}><b></item>"), EITHER, "attributes"
    ),
    Case("attributes of many items", lambda: rss(f"<item {attributes(300)}><title>x</title></item>" * 200), EITHER),
    Case("bare attributes", lambda: rss(f"<item {' '.join(f'a{n}' for n in range(60_000))}><b></item>"), EITHER),
    Case("an attribute of 2 MB", lambda: rss(f"<item a='{'x' * 2_000_000}'><title>x</title></item>"), READ),
    Case("10,000 nested namespaces", lambda: rss(nested(10_000)), REFUSED, "deep"),
    Case(
        "10,000 namespaces",
        lambda: rss("".join(f"<n{n}:a xmlns:n{n}='urn:{n}'/>" for n in range(10_000))),
        READ,
        "namespaces",
    ),
    Case(
        "namespaces of one element",
        lambda: rss("", " ".join(f"xmlns:n{n}='urn:{n}'" for n in range(5_000))),
        READ,
        "namespaces",
    ),
    # elements and depth
    Case("3 MB of bold", lambda: rss(entry("<description>" + "<b>" * 1_000_000)), REFUSED),
    Case("deep elements", lambda: rss(nested(20_000, declare=False)), REFUSED, "deep"),
    Case(
        "deep XHTML",
        lambda: atom(f"<content type='xhtml'>{'<div>' * 20_000}{'</div>' * 20_000}</content>"),
        REFUSED,
        "deep",
    ),
    Case("many elements", lambda: rss(entry("<a/>" * 300_000)), REFUSED, "elements"),
    Case("many elements, ill-formed", lambda: rss(entry("<br>" * 200_000)), EITHER),
    Case("many links", lambda: atom("<link href='/x'/>" * 30_000)),
    Case("many categories", lambda: rss(entry("<category>{}</category>" * 40_000))),
    Case("many authors", lambda: atom("<author><name>A B</name></author>" * 20_000)),
    Case("many contents", lambda: rss(entry("<content:encoded>&lt;p>x</content:encoded>" * 20_000))),
    Case("many enclosures", lambda: rss(entry("<enclosure url='/x' type='image/png'/>" * 30_000))),
    # entities
    Case("billion laughs", lambda: laughs(30), EITHER),
    Case("quadratic entity", lambda: with_entity(f"'{'ha' * 20_000}'", 50_000)),
    Case("external entity", lambda: with_entity("SYSTEM 'file:///etc/passwd'", 1)),
    Case("references", lambda: rss(entry(f"<description>{'&amp;' * 500_000}</description>")), READ),
    Case("lone ampersands", lambda: rss(entry(f"<description>{'& ' * 200_000}</description>"))),
    # texts
    Case("an author of 32 KB", lambda: rss(entry(f"<author>{'a' * 32_000}</author>")), READ, "author", 10),
    Case("an author of dots", lambda: rss(entry(f"<author>{'a@' + 'a.' * 100_000}</author>")), READ, "author"),
    Case("a creator of 300 KB", lambda: rss(entry(f"<dc:creator>{'a.b-' * 75_000}</dc:creator>")), READ, "author"),
    Case(
        "a title of 2 MB",
        lambda: rss(f"<item><guid>2</guid><title>{'NATO ' * 400_000}</title></item>"),
        READ,
        "title has",
    ),
    Case(
        "a summary of 2 MB", lambda: rss(entry(f"<description>{'NATO ' * 400_000}</description>")), READ, "summary has"
    ),
    Case(
        "a content of 3 MB",
        lambda: rss(entry(f"<content:encoded><![CDATA[{'<p>NATO</p>' * 270_000}]]></content:encoded>")),
        EITHER,
    ),
    Case(
        "an id of 1 MB", lambda: rss(f"<item><title>x</title><guid>{'g' * 1_000_000}</guid></item>"), READ, "the id has"
    ),
    Case(
        "a link of 1 MB",
        lambda: rss(entry(f"<link>https://paper.example/{'l' * 1_000_000}</link>")),
        READ,
        "characters, more than 8,000",
    ),
    Case("a date of 1 MB", lambda: rss(entry(f"<pubDate>{'2026-' * 200_000}</pubDate>"))),
    Case("a date of blanks", lambda: rss(entry(f"<pubDate>{' ' * 200_000}x</pubDate>")), READ),
    Case("huge numbers", lambda: rss(f"<ttl>{'9' * 100_000}</ttl>"), READ),
    Case("blank lines before it", lambda: rss("", head="<?xml version='1.0'?>" + "\n" * 500_000), READ),
    Case("comments", lambda: rss("<!-- a -->" * 200_000), READ),
    Case("comments without end", lambda: rss("<!--" * 100_000)),
    Case("CDATA without end", lambda: rss("<![CDATA[" * 100_000)),
    Case("processing instructions", lambda: rss("<?a b?>" * 100_000), READ),
    Case("tags without end", lambda: rss("<a " * 60_000)),
    Case("quotes without end", lambda: rss("<a b='\"" * 60_000)),
    # entries
    Case("100,000 entries", lambda: rss(many(100_000)), READ, MANY),
    Case("100,000 entries of Atom", lambda: atom(f"</entry>{ENTRY * 100_000}<entry>"), READ, MANY),
    Case("1,000,000 empty entries", lambda: rss("<item/>" * 1_000_000), READ, MANY),
    Case("entries without end", lambda: rss("<item>" * 200_000), EITHER, MANY),
    Case("entries in a comment", lambda: rss(f"<!-- {'<item>' * 100_000} -->"), READ),
    Case("a JSON feed of 100,000 items", lambda: json_feed(',{"id":"2","title":"t"}' * 100_000), READ, MANY),
    Case("deep JSON", lambda: "[" * 1_000_000, REFUSED),
    Case("deep JSON in an item", lambda: json_feed(',{"a":' * 100_000), REFUSED),
    Case("a JSON number of 1 MB", lambda: json_feed(f',{{"id": {"9" * 1_000_000}}}')),
    Case("a sitemap of 50,000 addresses", lambda: sitemap(NEWS * 50_000), READ, MANY),
    Case("a nested sitemap", lambda: sitemap("<url><n:news>" * 50_000)),
    Case("an index of 100,000 sitemaps", lambda: f"<sitemapindex>{LOCATION * 100_000}</sitemapindex>", REFUSED),
    # bytes
    Case("gzip that unpacks to 40 MB", lambda: gzip.compress(rss(" " * 40_000_000).encode())),
    Case("UTF-16", lambda: rss(many(50_000), head="").encode("utf-16")),
    Case("UTF-32", lambda: rss(many(2_000), head="").encode("utf-32")),
    Case("NUL bytes", lambda: b"\0" * 5_000_000, REFUSED),
    Case("a page of 3 MB", lambda: "<html><body>" + "<p>a" * 700_000, REFUSED),
    Case("too many bytes", lambda: b" " * (MAX_BYTES + 1), REFUSED, "bytes; more than"),
]


def told(feed: ParsedFeed | NotAFeed) -> list[str]:
    if isinstance(feed, NotAFeed):
        return [feed.reason]
    return [*feed.problems, *(problem for one in feed.entries for problem in one.problems)]


def check(feed: ParsedFeed | NotAFeed, case: Case) -> None:
    refused = isinstance(feed, NotAFeed)
    assert refused is (case.outcome == REFUSED) or case.outcome == EITHER, told(feed)[:3]
    if isinstance(feed, ParsedFeed):
        assert case.outcome == EITHER or "Allies meet" in {one.title for one in feed.entries}
        assert len(feed.entries) <= MAX_ENTRIES
        for one in feed.entries:
            assert len(one.title) <= bounds.TITLE_CHARS
            assert len(one.summary) <= bounds.SUMMARY_CHARS
            assert len(one.content) <= bounds.TEXT_CHARS
            assert len(one.id) <= bounds.ID_CHARS
            assert len(one.authors) <= bounds.MAX_AUTHORS
    assert all(len(problem) <= PROBLEM_CHARS and "\n" not in problem for problem in told(feed))
    if not refused or case.outcome == REFUSED:
        assert any(case.told in problem for problem in told(feed)) or not case.told, told(feed)[:5]


def works_beside_it() -> None:
    """A small feed, and one that needs a worker, are read as ever."""
    assert len(parse(rss("").encode(), url=URL, now=NOW).entries) == 1  # type: ignore[union-attr]
    assert len(parse(rss(many(800)).encode(), url=URL, now=NOW).entries) == 801  # type: ignore[union-attr]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_feed_costs_no_more_than_its_bound(case: Case) -> None:
    made = case.make()
    body = made.encode() if isinstance(made, str) else made
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    feed = parse(body, url=URL, now=NOW)
    assert time.monotonic() - began < case.bound_s
    check(feed, case)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_000 < MEMORY_MB
    works_beside_it()


def dated(days: list[int]) -> bytes:
    items = "".join(
        f"<item><title>t{n}</title><guid>g{n}</guid><pubDate>{day:02d} Jan 2026 10:00:00 GMT</pubDate></item>"
        for n, day in enumerate(days)
    )
    return rss(items).replace(GOOD, "").encode()


@pytest.mark.parametrize("newest_at", [0, MAX_ENTRIES + 499])
def test_of_too_many_entries_the_newest_are_read_wherever_they_stand(newest_at: int) -> None:
    days = [10] * (MAX_ENTRIES + 500)
    days[newest_at] = 14
    feed = parse(dated(days), url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert len(feed.entries) == MAX_ENTRIES
    assert f"g{newest_at}" in {one.id for one in feed.entries}
    assert (
        feed.left_out
        == feed.problems
        == (f"the document has {MAX_ENTRIES + 500:,} entries: the newest {MAX_ENTRIES:,} were read, 500 left out",)
    )


def test_the_addresses_of_pictures_do_not_count() -> None:
    picture = "<image><url>https://paper.example/p.png</url></image>"
    items = many(MAX_ENTRIES + 99).replace("</item>", f"{picture}</item>")
    feed = parse(rss(picture + items).encode(), url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert len(feed.entries) == MAX_ENTRIES
    assert "the document has 1,100 entries" in feed.left_out[0]


def test_of_too_many_json_items_the_newest_are_read() -> None:
    items = [{"id": str(n), "title": "t", "date_published": "2026-01-10T00:00:00Z"} for n in range(MAX_ENTRIES + 1)]
    items[-1]["date_published"] = "2026-01-14T00:00:00Z"
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode()
    feed = parse(body, url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert str(MAX_ENTRIES) in {one.id for one in feed.entries}
    assert "the newest" in feed.problems[0]


def test_as_many_entries_as_are_read_are_read_whole() -> None:
    feed = parse(rss(many(MAX_ENTRIES - 1)).encode(), url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert (len(feed.entries), feed.problems) == (MAX_ENTRIES, ())


@pytest.mark.parametrize(
    "grow",
    [
        lambda n: rss(f"<item {attributes(n)}><title>x</title></item>"),
        lambda n: rss(nested(n)),
        lambda n: rss(entry(f"<author>{'a' * n}</author>")),
        lambda n: rss(entry("<category>c</category>" * n)),
        lambda n: rss(entry("<content:encoded>&lt;p>x</content:encoded>" * n)),
        lambda n: rss("", head="<?xml version='1.0'?>" + "\n" * n),
        lambda n: rss("<a " * n),
        lambda n: rss(entry(f"<pubDate>{'1:' * n}</pubDate>")),
        lambda n: rss("<item><link>http://a.b/c</link></item>" * n),
        lambda n: rss("".join(f"<!--{' ' * 3_900}-->" for _ in range(n))),
    ],
)
def test_what_is_read_without_a_worker_takes_no_second(grow: Callable[[int], str]) -> None:
    """The largest feed of each kind that passes for harmless."""
    size = bisect_left(range(20_000), True, key=lambda size: not is_harmless(grow(size).encode())) - 1
    assert size > 0
    read_feed(document(rss("")), FORMATS)  # imports what it needs
    heavy = document(grow(size))
    began = time.thread_time()
    read_feed(heavy, FORMATS)
    assert time.thread_time() - began < 1
