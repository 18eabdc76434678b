"""Lists that are not feeds: pages of headlines, JSON and sitemaps."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.challenges import challenge
from ingest.discovery.preview import Preview, preview
from ingest.formats.format import Document
from ingest.formats.registry import formats_of
from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchFailed, FetchResult, NotModified, Request
from ingest.listings import FOLLOWED, bring_list
from ingest.parse import read_feed
from ingest.parsed import ParsedFeed
from newswatch.feed import Rule
from tests.ingest.list_pages import NOW, ListPage, pages
from tests.ingest.server import Publisher, response
from tests.ingest.test_fetch import fetching

URL = "https://ministry.example/news"
CAPTURED = Path(__file__).parents[3] / "shared" / "data" / "extraction" / "aeb" / "html"
CARD = "<p class=c><a class=t href='/n/{0}-a-long-story'>Ministers of defence meet ({0})</a> <i>0{0}.11.2026</i></p>"
CARDS = "<html lang=de><title>Presse</title>" + "".join(CARD.format(n) for n in range(1, 7))


def read(body: str | bytes, url: str = URL, rule: Rule | None = None) -> Preview:
    return preview(body.encode() if isinstance(body, str) else body, url=url, now=NOW, rule=rule)


# ── found unaided ────────────────────────────────────────────────────────────────────────────────────────────────────


def in_this_process(page: ListPage) -> ParsedFeed:
    """Without a worker, whose start takes longer than all pages."""
    parsed = read_feed(Document(page.body, page.url, None, None, NOW), formats_of("page"))
    assert isinstance(parsed, ParsedFeed), (page.name, parsed.reason)
    return parsed


def f1(page: ListPage, found: ParsedFeed) -> float:
    got, wanted = {entry.url for entry in found.entries}, {item.url for item in page.items}
    return 2 * len(got & wanted) / (len(got) + len(wanted))


def rightly(page: ListPage, found: ParsedFeed) -> tuple[int, int, int]:
    """How many of the page's items were found, with how many right titles and days."""
    items = {item.url: item for item in page.items}
    hits = [(entry, items[entry.url]) for entry in found.entries if entry.url in items]
    days = sum((entry.published.date().isoformat() if entry.published else None) == item.date for entry, item in hits)
    return len(hits), sum(entry.title == item.title for entry, item in hits), days


@pytest.mark.parametrize("half", ["seen", "unseen"])
def test_lists_of_all_makes_are_found_without_a_rule(half: str) -> None:
    chosen = [page for page in pages() if page.is_unseen == (half == "unseen")]
    found = [in_this_process(page) for page in chosen]
    scores = {page.name: f1(page, result) for page, result in zip(chosen, found, strict=True)}
    assert min(scores.values()) >= 0.9, {name: score for name, score in scores.items() if score < 0.9}
    hits, titles, days = map(sum, zip(*map(rightly, chosen, found), strict=True))
    assert titles / hits >= 0.99
    assert days / hits >= 0.99
    for page, result in zip(chosen, found, strict=True):
        order = [entry.url for entry in result.entries]
        assert [url for url in order if url in {item.url for item in page.items}] == [item.url for item in page.items]


ARTICLE = (
    "<html><meta property=og:type content=article><title>Court rules</title><main><h1>Court rules</h1>"
    + "<p>The court of appeal has ruled on Tuesday that the ban stands, after a long hearing of both sides.</p>" * 12
    + "</main><section><h2>More</h2>{}</section></html>"
)


def test_an_article_is_not_a_list_of_the_stories_beside_it() -> None:
    others = "".join(
        f"<article><h3><a href='/2026/11/2{n}/another-story-{n}'>Another story of this week, {n}</a></h3></article>"
        for n in range(8)
    )
    found = read(ARTICLE.format(others), "https://paper.example/2026/11/27/court-rules-on-the-ban")
    assert (found.entries, found.why_not and found.why_not.partition(":")[0]) == ((), "it is an article")


@pytest.mark.parametrize("clones", [0, 2], ids=["list", "carousel"])
def test_a_category_that_every_item_names_is_none_of_them(clones: int) -> None:
    """Its link looks like theirs. Slides of a carousel stand on the page several times, too."""
    row = '<div><p><a href="/actions/202607{n:02}">Designations of {n} networks that finance attacks</a></p>'
    row += '<p>July {n:02}, 2026 - <a href="/actions/list-updates">Sanctions list updates</a></p></div>'
    slide = row.partition("</p>")[0] + "</p></div>"
    rows = "".join((row + slide * clones).format(n=n) for n in range(20, 10, -1))
    found = read(f"<main>{rows}</main>", "https://sanctions.example/actions")
    assert [entry.url for entry in found.entries] == [
        f"https://sanctions.example/actions/202607{n}" for n in range(20, 10, -1)
    ]


@pytest.mark.slow
@pytest.mark.skipif(not CAPTURED.is_dir(), reason="without the captured article pages of ../shared")
def test_captured_articles_are_not_read_as_lists() -> None:
    files = sorted(CAPTURED.glob("*.gz"))[::3]
    url = "https://paper.example/world/a-story-with-a-long-name-1234567.html"
    wrong = [file.name for file in files if read(gzip.decompress(file.read_bytes()), url).entries]
    assert len(wrong) <= 0.05 * len(files), wrong


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rule_of_css_finds_what_it_names() -> None:
    found = read(CARDS, rule=Rule(items=".c", link="a.t", title=".t", date="i"))
    assert [entry.url for entry in found.entries] == [
        f"https://ministry.example/n/{n}-a-long-story" for n in range(1, 7)
    ]
    assert found.entries[4].published == datetime(2026, 11, 5, tzinfo=UTC)
    broken = read(CARDS, rule=Rule(items=".gone"))
    assert broken.why_not == "the rule finds nothing: 6 links on the page; it is titled 'Presse'"
    assert "is not a CSS selector" in (read(CARDS, rule=Rule(items="a[[")).why_not or "")


SEARCH = {
    "count": 2,
    "menu": [{"title": "About the ministry", "url": "/about"}],
    "pages": [
        {
            "title": "Ministers &amp; chiefs meet in <em>Oslo</em>",
            "link": "/en/2026/11/20/meet?x=1",
            "day": "20 November 2026",
        },
        {"title": "Exercise ends in Poland", "link": "/en/2026/11/19/end", "day": "19 November 2026", "slug": "end"},
    ],
}


def titles(found: Preview) -> list[str]:
    return [entry.title for entry in found.entries]


@pytest.mark.parametrize("around", ["{}", ")]}}',\n{}", "callback({});"], ids=["plain", "guarded", "JSONP"])
def test_the_list_in_json_is_found(around: str) -> None:
    found = (
        read(around.format(json.dumps(SEARCH)), "https://ministry.example/search.json")
        if around == "{}"
        else preview(
            around.format(json.dumps(SEARCH)).encode(), url="https://ministry.example/search.json", now=NOW, read="json"
        )
    )
    assert titles(found) == ["Ministers & chiefs meet in Oslo", "Exercise ends in Poland"]
    assert found.entries[0].url == "https://ministry.example/en/2026/11/20/meet?x=1"
    assert found.newest == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_rule_of_paths_finds_what_it_names_and_may_build_addresses() -> None:
    found = read(json.dumps(SEARCH), rule=Rule(items="pages", link="/story/{slug}", date="day"))
    assert [(entry.title, entry.url) for entry in found.entries] == [
        ("Exercise ends in Poland", "https://ministry.example/story/end")
    ]
    gone = read(json.dumps(SEARCH), rule=Rule(items="results"))
    assert gone.why_not == "the rule finds no list at 'results'; the document has the fields 'count', 'menu', 'pages'"


@pytest.mark.parametrize(
    "data",
    [
        [{"id": 1, "date": "2026-11-20T10:00:00", "link": "/a-1", "title": {"rendered": "Council agrees on it"}}],
        {"results": [{"title": "Council agrees on it", "url": "/a-1", "created": 1763632800}]},
        {
            "data": {
                "nodes": [
                    {"node": {"headline": "Council agrees on it", "path": "/a-1", "date": {"value": "2026-11-20"}}}
                ]
            }
        },
        {
            "results": [
                {
                    "title": "Council agrees on it",
                    "url": "/a-1",
                    "date": "<time datetime='2026-11-20T10:00:00Z'>x</time>",
                }
            ]
        },
    ],
)
def test_json_of_common_systems(data: object) -> None:
    (entry,) = read(json.dumps(data), "https://a.example/api/posts").entries
    assert (entry.title, entry.url) == ("Council agrees on it", "https://a.example/a-1")
    assert entry.published
    assert f"{entry.published:%m}" == "11"


# ── sitemaps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def sitemap(paths: Sequence[str], host: str = "https://ministry.example", more: str = "") -> bytes:
    urls = "".join(f"<url><loc>{host}{path}</loc>{more}</url>" for path in paths)
    return f"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{urls}</urlset>".encode()


DATED = [f"/news/2026/11/{day:02}/story" for day in range(1, 28)]


def test_a_sitemap_gives_the_addresses_with_a_day_in_them_or_those_that_fit_the_rule() -> None:
    body = gzip.compress(sitemap([*DATED, "/about", "/speech/2026-11-02-minister"]))
    found = read(body)
    assert (found.read, len(found.entries)) == ("sitemap", 28)
    assert found.newest == datetime(2026, 11, 27, tzinfo=UTC)
    ruled = preview(body, url=URL, now=NOW, read="sitemap", rule=Rule(items="/news/*/*/*/"))
    assert len(ruled.entries) == 27
    assert "2 of 29 addresses don't have '/news/*/*/*/' in their path" in ruled.problems[0]


def test_the_newest_of_a_large_sitemap_are_read_and_a_pages_last_change_is_no_publication() -> None:
    body = sitemap([f"/page-{n}" for n in range(1_500)] + DATED)
    assert len(read(body).entries) == len(DATED)
    (entry,) = read(sitemap(["/about-us"], more="<lastmod>2026-11-20</lastmod>")).entries
    assert (entry.published, entry.updated) == (None, datetime(2026, 11, 20, tzinfo=UTC))


def test_an_index_of_sitemaps_is_followed_to_its_likeliest_ones() -> None:
    names = ("images.xml", "pages-2025-01.xml", "posts-2026-10.xml", "posts-2026-11.xml", "posts-2026-09.xml")

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, FetchResult, list[str]]:
        locs = "".join(f"<sitemap><loc>{publisher.url('/' + name)}</loc></sitemap>" for name in names)
        publisher.answers["/index.xml"] = response(f"<sitemapindex>{locs}</sitemapindex>".encode())
        publisher.answers |= {
            f"/{name}": response(sitemap([f"/news/2026/11/0{n}/{name}"])) for n, name in enumerate(names, 1)
        }
        request = Request(publisher.url("/index.xml"))
        first = await bring_list(fetcher, request, "sitemap")
        asked = [path for path, _ in publisher.asked]
        digest = first.body_hash if isinstance(first, Fetched) else None
        return first, await bring_list(fetcher, Request(request.url, body_hash=digest), "sitemap"), asked

    first, second, asked = fetching({}, use)
    assert asked == ["/robots.txt", "/index.xml", "/posts-2026-11.xml", "/posts-2026-10.xml", "/posts-2026-09.xml"]
    assert len(asked) == 2 + FOLLOWED
    assert isinstance(first, Fetched)
    assert [entry.url and entry.url.rpartition("/")[2] for entry in read(first.body).entries] == [
        "posts-2026-11.xml", "posts-2026-10.xml", "posts-2026-09.xml",
    ]  # fmt: skip
    assert isinstance(second, NotModified), "the same addresses as before"


def test_a_list_obeys_robots_txt() -> None:
    answers = {"/robots.txt": response(b"User-agent: *\nDisallow: /news"), "/news": response(CARDS.encode())}
    outcome = fetching(answers, lambda fetcher, p: bring_list(fetcher, Request(p.url("/news")), "page"))
    assert isinstance(outcome, FetchFailed)
    assert "robots.txt of 127.0.0.1 forbids" in outcome.reason


# ── hostile pages, refusals, what misleads ───────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>" + b"<a href=/x>y</a>" * 100_000, "tags; more than 60,000 are not read"),
        (b"<html>" + b"x" * 6_000_000, "bytes; more than 5,000,000 are not read"),
        (b"<html>" + b"<div>" * 50_000, "it has no list"),
        (b"[" * 200_000, "it is not JSON"),
        (b"", "empty"),
    ],
    ids=["links", "bytes", "depth", "nested JSON", "nothing"],
)
def test_a_hostile_page_costs_itself(body: bytes, why: str) -> None:
    found = read(body)
    assert not found.entries
    assert why in (found.why_not or "")


@pytest.mark.slow
def test_links_beyond_the_limit_are_reported() -> None:
    found = read(
        "<html>" + "".join(f"<p><a href='/n/{n}-a-long-story'>Ministers of defence meet {n}</a>" for n in range(5_000))
    )
    assert len(found.entries) == 1_000
    assert any("links more than are looked at" in problem for problem in found.problems)


def test_a_list_that_misleads_is_shown_as_that() -> None:
    (old,) = read(CARDS.replace("11.2026", "01.2025")).warnings
    assert old == "the newest item is of 06 January 2025: it may no longer be updated"
    undated = CARDS.replace(".11.2026", "")
    assert read(undated).warnings[0].startswith("none of the items has a date")


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (403, {"cf-mitigated": "challenge"}, b"", "challenge for browsers (Cloudflare)"),
        (403, {"server": "AkamaiGHost"}, b"", "refuses plain clients (by Akamai)"),
        (200, {}, b"<html><script src='/_Incapsula_Resource?x'></script>", "(Imperva)"),
        (404, {"server": "cloudflare"}, b"", None),
        (200, {"server": "cloudflare"}, b"<html><h1>News</h1>", None),
    ],
)
def test_refusals_of_plain_clients(status: int, headers: dict[str, str], body: bytes, told: str | None) -> None:
    found = challenge(status, headers, body)
    assert (found is None) if told is None else told in (found or "")


@pytest.mark.parametrize("count", [5, 12, 40])
def test_headlines_in_a_row_with_long_summaries_are_a_list(count: int) -> None:
    """Nothing holds an item together but its place; the longer the summaries, the more it looks like one text."""
    summary = (
        "The council met on Tuesday and spoke for four hours about the harbour wall, which is to be raised again. " * 2
    )
    items = "".join(
        f'<h2><a href="/news/{n}-harbour-wall-is-raised">The harbour wall is raised, part {n}</a></h2><p>{summary}</p>'
        for n in range(count)
    )
    found = read(f"<html><body><h1>The Paper</h1><p>A motto</p>{items}</body></html>")
    assert len(found.entries) == count, found.why_not
