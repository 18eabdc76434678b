"""Feeds of every format, well and ill, to entries."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.drafts import link_of
from ingest.parse import MAX_BYTES, parse
from ingest.parsed import NotAFeed, ParsedFeed
from newswatch.entry import Entry
from tests.conftest import SHARED_DATA

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://news.example/feeds/all.xml"

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
     xmlns:media="http://search.yahoo.com/mrss/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"
     xmlns:atom="http://www.w3.org/2005/Atom">
<channel><title>The Example &amp;amp; Gazette</title><link>https://news.example/</link><language>en-GB</language>
<ttl>30</ttl><sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>1</sy:updateFrequency>
<skipHours><hour>2</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>
<atom:link rel="self" href="https://news.example/feeds/all.xml"/><atom:link rel="hub" href="https://hub.example/"/>
<item><title>Allies meet &amp;lt;in&amp;gt; Brussels</title><link>/2026/allies?utm_source=rss</link>
<guid isPermaLink="false">a-1</guid><pubDate>Thu, 15 Jan 2026 10:30:00 +0100</pubDate>
<dc:creator>Ann Reporter</dc:creator>
<description>&lt;p&gt;Ministers &lt;b&gt;met&lt;/b&gt;.&lt;/p&gt;
&lt;script&gt;x()&lt;/script&gt;&lt;p&gt;They left.&lt;/p&gt;</description>
<content:encoded><![CDATA[<p>Ministers met at the headquarters.</p><p>They left.</p>]]></content:encoded>
<media:content url="/pictures/1.jpg" medium="image"/></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr" xml:base="https://news.example/fr/">
<title>L'Exemple</title><link href="https://news.example/fr/"/><id>urn:feed</id>
<entry xml:lang="nl"><id>urn:1</id><title type="html">De &lt;i&gt;top&lt;/i&gt;</title>
<link rel="alternate" href="1.html"/>
<published>2026-01-14T08:00:00Z</published><updated>2026-01-15T09:00:00+01:00</updated>
<author><name>Jan</name></author><author><name>Piet</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Een</p><p>twee</p></div></content></entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://news.example/"><title>RDF</title>
<link>https://news.example/</link></channel><item rdf:about="https://news.example/9"><title>Neun</title>
<link>https://news.example/9</link><dc:date>2026-01-10T00:00:00Z</dc:date></item></rdf:RDF>"""

JSON = """{"version": "https://jsonfeed.org/version/1.1", "title": "JSON", "home_page_url": "https://news.example/",
"language": "de-DE", "items": [{"id": 7, "url": "/sieben", "title": "Sieben &amp; acht",
"content_html": "<p>Eins</p><p>zwei</p>",
"date_published": "2026-01-14T08:00:00+02:00", "authors": [{"name": "Eva"}], "image": "/7.png"}, "junk"]}"""

SITEMAP = """<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://news.example/a</loc><news:news>
<news:publication><news:name>Example</news:name><news:language>pl</news:language></news:publication>
<news:publication_date>2026-01-15</news:publication_date><news:title>Szczyt</news:title></news:news></url></urlset>"""


def feed(document: str | bytes, url: str | None = URL) -> ParsedFeed:
    body = document.encode() if isinstance(document, str) else document
    parsed = parse(body, url=url, now=NOW)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def refused(document: bytes) -> NotAFeed:
    parsed = parse(document, url=URL, now=NOW)
    assert isinstance(parsed, NotAFeed)
    return parsed


def rss(*items: str) -> str:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0'><channel><title>T</title><link>https://news.example/</link>{inner}</channel></rss>"


def test_rss() -> None:
    parsed = feed(RSS)
    assert (parsed.format, parsed.title, parsed.site, parsed.language) == (
        "rss 2.0",
        "The Example & Gazette",
        "https://news.example/",
        "en",
    )
    assert (parsed.ttl_s, set(parsed.skip_hours), set(parsed.skip_days)) == (3_600, {2, 0}, {6})
    assert parsed.entries == (
        Entry(
            id="a-1",
            url="https://news.example/2026/allies?utm_source=rss",
            title="Allies meet <in> Brussels",
            summary="Ministers met.\nThey left.",
            content="Ministers met at the headquarters.\nThey left.",
            authors=("Ann Reporter",),
            published=datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
            language="en",
            image="https://news.example/pictures/1.jpg",
        ),
    )


def test_atom() -> None:
    parsed = feed(ATOM)
    [entry] = parsed.entries
    assert (parsed.format, parsed.language) == ("atom 1.0", "fr")
    assert (entry.id, entry.url, entry.title, entry.language) == (
        "urn:1",
        "https://news.example/fr/1.html",
        "De top",
        "nl",
    )
    assert (entry.content, entry.authors) == ("Een\ntwee", ("Jan", "Piet"))
    assert entry.updated == datetime(2026, 1, 15, 8, tzinfo=UTC)


def test_rss_1_0() -> None:
    [entry] = feed(RDF).entries
    assert (entry.id, entry.published) == ("https://news.example/9", datetime(2026, 1, 10, tzinfo=UTC))
    assert feed(RDF).format == "rss 1.0"


def test_json_feed() -> None:
    parsed = feed(JSON)
    [entry] = parsed.entries
    assert (parsed.format, parsed.language) == ("json feed 1.1", "de")
    assert (entry.id, entry.url, entry.title) == ("7", "https://news.example/sieben", "Sieben & acht")
    assert (entry.content, entry.authors, entry.image) == ("Eins\nzwei", ("Eva",), "https://news.example/7.png")
    assert entry.published == datetime(2026, 1, 14, 6, tzinfo=UTC)
    assert parsed.problems == ("1 items are not objects: dropped",)


def test_news_sitemap() -> None:
    parsed = feed(SITEMAP)
    [entry] = parsed.entries
    assert (parsed.format, parsed.title, parsed.language) == ("news sitemap", "Example", "pl")
    assert (entry.id, entry.title, entry.published) == (
        "https://news.example/a",
        "Szczyt",
        datetime(2026, 1, 15, tzinfo=UTC),
    )


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edited_title_is_the_same_entry() -> None:
    before, after = feed(RSS).entries[0], feed(RSS.replace("Allies meet", "Allies met")).entries[0]
    assert before.title != after.title
    assert replace(before, title="") == replace(after, title="")


@pytest.mark.parametrize(
    "item", ["<title>A</title><link>https://x.example/a</link>", "<title>A</title><guid>17</guid>", "<title>A</title>"]
)
def test_ids_do_not_hang_on_where_the_feed_is_served(item: str) -> None:
    ids = {feed(rss(item), url).entries[0].id for url in (URL, "http://mirror.example/feed", None)}
    assert len(ids) == 1


def test_an_id_that_all_entries_share_says_nothing() -> None:
    parsed = feed(rss(*(f"<title>{n}</title><link>https://x.example/{n}</link><guid>same</guid>" for n in range(3))))
    assert [entry.id for entry in parsed.entries] == [f"https://x.example/{n}" for n in range(3)]


def test_an_entry_that_stands_twice_counts_once() -> None:
    item = "<title>A</title><link>https://x.example/a</link><guid>1</guid>"
    parsed = feed(rss(item, item))
    assert len(parsed.entries) == 1
    assert "more than once" in parsed.problems[0]


# ── what is wrong with it ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("date", "problem"),
    [
        ("Mon, 01 Jan 0200 00:00:00 GMT", "before 1990"),
        ("Sun, 01 Jan 3247 00:00:00 GMT", "in the future"),
        ((NOW + timedelta(days=30)).strftime("%a, %d %b %Y %H:%M:%S GMT"), "in the future"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "before 1990"),
        ("yesterday", "can't be read as a date"),
    ],
)
def test_an_implausible_date_is_dropped_with_a_note(date: str, problem: str) -> None:
    [entry] = feed(rss(f"<title>A</title><pubDate>{date}</pubDate>")).entries
    assert entry.published is None
    assert problem in entry.problems[0]


def test_a_date_a_few_hours_ahead_is_a_time_zone() -> None:
    when = NOW + timedelta(hours=9)
    [entry] = feed(rss(f"<title>A</title><pubDate>{when:%a, %d %b %Y %H:%M:%S} GMT</pubDate>")).entries
    assert entry.published == when


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "http://", "mailto:a@b.example"])
def test_a_link_that_is_no_web_address_is_dropped_with_a_note(link: str) -> None:
    [entry] = feed(rss(f"<title>A</title><link>{link}</link>")).entries
    assert entry.url is None
    assert "not an http(s) URL" in entry.problems[0]


def test_an_entry_without_a_title_takes_the_beginning_of_its_text() -> None:
    [entry] = feed(rss(f"<link>https://x.example/</link><description>{'word ' * 100}</description>")).entries
    assert entry.title.startswith("word word")
    assert len(entry.title) <= 121
    assert "no title" in entry.problems[0]


def test_an_entry_with_nothing_in_it_is_dropped_with_a_note() -> None:
    parsed = feed(rss("", "<title>A</title>"))
    assert [entry.title for entry in parsed.entries] == ["A"]
    assert parsed.problems == ("entry 1 has no title, link or text: dropped",)


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        ("utf-8", "utf-8"),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1251", "windows-1251"),
        ("utf-16", "utf-16"),
        ("nonsense", "utf-8"),
    ],
)
def test_encodings(declared: str, actual: str) -> None:
    title = "Новости" if actual in ("utf-8", "utf-16", "windows-1251") else "Café"
    document = f'<?xml version="1.0" encoding="{declared}"?>' + rss(f"<title>{title}</title>")
    assert feed(document.encode(actual)).entries[0].title == title


def test_a_feed_cut_off_gives_what_it_had() -> None:
    parsed = feed(rss("<title>A</title>", "<title>B</title>")[:-40])
    assert parsed.entries[0].title == "A"
    assert "ill-formed" in parsed.problems[0]


# ── what is no feed ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_yields_the_feeds_it_advertises() -> None:
    page = b"""<!doctype html><html><head><base href="https://news.example/base/">
    <link rel="alternate" type="application/rss+xml" href="rss.xml">
    <link rel=alternate type=application/atom+xml href=/atom>
    <link rel="alternate" type="application/json" href="/feed.json"><link rel="alternate" hreflang="fr" href="/fr">
    <link rel="stylesheet" type="text/css" href="/x.css"></head><body><p>Hello</body></html>"""
    assert refused(page).feeds == (
        "https://news.example/base/rss.xml",
        "https://news.example/atom",
        "https://news.example/feed.json",
    )
    assert "a page, not a feed" in refused(page).reason


@pytest.mark.parametrize(
    "body",
    [b"", b"  \n", b"\x00" * 100, b"%PDF-1.4", b"{}", b"[1]", b'{"items": 1}', b"hello", b"<a/>", bytes(range(256))],
)
def test_what_is_no_feed_says_so(body: bytes) -> None:
    assert refused(body).reason


def test_a_body_beyond_the_cap_is_refused_at_once() -> None:
    began = time.thread_time()
    assert "more than" in refused(b"<rss>" + b" " * MAX_BYTES).reason
    assert time.thread_time() - began < 2


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

BOMB = (
    "<!DOCTYPE r [<!ENTITY a '"
    + "x" * 1000
    + "'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    "document",
    [
        BOMB + rss("<title>&j;</title>"),
        "<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + rss("<title>&x;</title>"),
        "<rss><channel><item><title>" + "<b>" * 20_000,
        "<rss version='2.0'><channel>" + "<item>" * 5_000,
        "<rss><channel><item><title>" + "<![CDATA[" * 50_000,
        "<rss><channel><item><title>" + "&" * 50_000,
        "<rss><channel><item><title>" + "<" * 50_000,
        rss("<title>" + "A" * 2_000_000 + "</title>"),
        '{"items": ' + "[" * 100_000,
        "<urlset>" + "<url>" * 100_000,
        "<urlset xmlns:news='x'>" + BOMB + "<url><news:news/></url>",
    ],
    ids=[
        "bomb",
        "external",
        "deep",
        "items",
        "cdata",
        "ampersands",
        "angles",
        "long",
        "json",
        "sitemap",
        "sitemap-bomb",
    ],
)
def test_an_attack_costs_little_and_reveals_nothing(document: str) -> None:
    began = time.monotonic()
    parsed = parse(document.encode(), url=URL, now=NOW)
    assert time.monotonic() - began < 10
    assert "root:" not in str(parsed)
    assert len(str(parsed)) < 10_000_000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_feed_is_a_value(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([RSS, ATOM, RDF, JSON, SITEMAP])).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=8))
    check(parse(bytes(body), url=URL, now=NOW))


# ── feeds of others ──────────────────────────────────────────────────────────────────────────────────────────────────


def check(parsed: ParsedFeed | NotAFeed) -> None:
    """What holds of every document, whatever it is."""
    if isinstance(parsed, NotAFeed):
        assert parsed.reason
        return
    ids = [entry.id for entry in parsed.entries]
    assert len(ids) == len(set(ids))
    for entry in parsed.entries:
        assert entry.id
        assert entry.title or entry.url
        assert "\n" not in entry.title
        assert entry.url is None or entry.url.startswith(("http://", "https://"))
        assert not {"\x00", "\ufffe"} & set(entry.title + entry.summary + entry.content)
        assert entry.published is None or entry.published.tzinfo is UTC


def documents(folder: str) -> list[Path]:
    root = SHARED_DATA / "feeds" / folder
    if not root.is_dir():
        pytest.skip(f"shared/data/feeds/{folder} is not here")
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.mark.slow
def test_captured_feeds_are_read_without_an_error() -> None:
    for path in documents("captured"):
        parsed = parse(path.read_bytes(), url=URL, now=NOW)
        check(parsed)
        again = parse(path.read_bytes(), url=URL, now=NOW)
        assert parsed == again, path
        assert "failed" not in getattr(parsed, "reason", ""), path


@pytest.mark.slow
def test_captured_feeds_lose_no_distinct_entry() -> None:
    """Counted in the bytes as they are: an entry is what stands between its tags, a copy has the same bytes."""
    for path in documents("captured"):
        body = path.read_bytes()
        parsed = parse(body, url=URL, now=NOW)
        if not isinstance(parsed, ParsedFeed) or parsed.format.startswith("json"):
            continue
        given = re.findall(rb"<(item|entry)(?=[\s>]).*?</\1>", body, re.DOTALL)
        distinct = {found.group() for found in re.finditer(rb"<(item|entry)(?=[\s>]).*?</\1>", body, re.DOTALL)}
        assert len(distinct) <= len(parsed.entries) <= len(given), path
        assert len({entry.id for entry in parsed.entries}) == len(parsed.entries), path


@pytest.mark.slow
def test_the_corpora_of_other_parsers_are_read_without_an_error() -> None:
    for path in documents("corpora"):
        began = time.monotonic()
        parsed = parse(path.read_bytes(), url=URL, now=NOW)
        check(parsed)
        assert "failed" not in getattr(parsed, "reason", ""), path
        assert time.monotonic() - began < 10, path


# ── links that lead elsewhere ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "given", ["courier.example/8", "www.courier.example", "News.Courier.co.uk/a?b=1", " a-b.de/x "]
)
def test_a_host_without_a_scheme_is_no_path(given: str) -> None:
    problems: list[str] = []
    assert link_of(given, "https://paper.example/", "link", problems) is None
    assert "not a scheme" in problems[0]


@pytest.mark.parametrize(
    "given", ["index.php/8", "story.html", "2026.07/x", "a/b.example/8", "Start.aspx/x", "?u=a.de/"]
)
def test_a_path_with_dots_is_one(given: str) -> None:
    problems: list[str] = []
    assert link_of(given, "https://paper.example/", "link", problems) == f"https://paper.example/{given}"
    assert not problems


ITS_OWN = "<link>https://paper.example/10</link>"
FRENCH = '<a:link rel="alternate" hreflang="fr" href="https://paper.example/fr/10"/>'
ATOMS_OWN = '<a:link rel="alternate" type="text/html" href="https://paper.example/10"/>'


@pytest.mark.parametrize(
    ("links", "url"),
    [
        (ITS_OWN + FRENCH, "https://paper.example/10"),
        (FRENCH + ITS_OWN, "https://paper.example/10"),
        (ATOMS_OWN + FRENCH, "https://paper.example/10"),
        (FRENCH, "https://paper.example/fr/10"),
    ],
)
def test_a_translation_is_not_the_entrys_link(links: str, url: str) -> None:
    document = (
        f'<rss version="2.0" xmlns:a="http://www.w3.org/2005/Atom"><channel><title>P</title><item><title>x</title>{links}'
        "</item></channel></rss>"
    )
    feed = parse(document.encode(), url="https://paper.example/feed.xml", now=datetime(2026, 7, 6, tzinfo=UTC))
    assert isinstance(feed, ParsedFeed)
    assert feed.entries[0].url == url


@pytest.mark.parametrize("link", ["https//paper.example/x", " HTTP//paper.example", "https///paper.example/x"])
def test_a_scheme_without_its_colon_is_no_path(link: str) -> None:
    problems: list[str] = []
    assert link_of(link, "https://paper.example/feed.xml", "the link", problems) is None
    assert "lacks the colon" in problems[0]
