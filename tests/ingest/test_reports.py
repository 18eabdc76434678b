"""Situations that bug reports of other readers tell of; the inputs are our own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingest.feed_list.opml import read_opml
from ingest.formats.registry import FORMATS
from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchResult, Request
from ingest.page_links import advertised
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.polling.schedule import WHOLE_EVERY, request_of
from newswatch.entry import Entry
from newswatch.feed import FeedState
from tests.ingest.server import Publisher, response
from tests.ingest.test_fetch import BODY, fetching

NOW = datetime(2026, 9, 1, tzinfo=UTC)
URL = "https://courier.example/feed.xml"
ATOM = "http://www.w3.org/2005/Atom"
MEDIA = "xmlns:media='http://search.yahoo.com/mrss/'"


def feed(document: str) -> ParsedFeed:
    parsed = parse(document.encode(), url=URL, now=NOW)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def rss(item: str, namespaces: str = MEDIA) -> Entry:
    [entry] = feed(
        f"<rss version='2.0' {namespaces}><channel><title>C</title><item>{item}</item></channel></rss>"
    ).entries
    return entry


def atom(entry: str, namespace: str = ATOM) -> Entry:
    [found] = feed(f"<feed xmlns='{namespace}'><title>C</title><id>urn:c</id><entry>{entry}</entry></feed>").entries
    return found


# ── which address ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("link", ["<link></link>", "<link/>", "<link> </link>", ""])
@pytest.mark.parametrize("guid_first", [True, False])
def test_a_guid_is_the_link_beside_an_empty_one(link: str, guid_first: bool) -> None:
    """feedbin/support#584."""
    guid = "<guid>https://courier.example/a%2Cb</guid>"
    entry = rss("<title>A</title>" + (guid + link if guid_first else link + guid))
    assert (entry.id, entry.url) == ("https://courier.example/a%2Cb", "https://courier.example/a%2Cb")
    assert rss("<title>A</title>" + link + guid.replace("<guid>", "<guid isPermaLink='false'>")).url is None


def test_an_empty_guid_takes_no_other_away() -> None:
    """jmoiron/speedparser#7."""
    assert (
        rss("<title>A</title><guid isPermaLink='false'>k1</guid><guid></guid><link>https://c.example/</link>").id
        == "k1"
    )
    assert rss("<title>A</title><link>https://c.example/1</link><link></link>").url == "https://c.example/1"


@pytest.mark.parametrize(
    "rel", ["alternate", "Alternate", "alternate nofollow", "http://www.iana.org/assignments/relation/alternate"]
)
def test_a_relation_has_several_spellings(rel: str) -> None:
    """danmactough/node-feedparser#219."""
    link = f"<link rel='{rel}' href='https://courier.example/1'/>"
    entry = atom(f"<title>A</title><id>urn:1</id>{link}<link rel='edit' href='https://courier.example/edit/1'/>")
    assert (entry.url, entry.problems) == ("https://courier.example/1", ())


@pytest.mark.parametrize("name", ["urn:uuid:1", "tag:courier.example,2026:1", "1"])
def test_an_id_that_is_no_address_is_no_broken_link(name: str) -> None:
    entry = atom(f"<title>A</title><id>{name}</id>")
    assert (entry.id, entry.url, entry.problems) == (name, None, ())


def test_content_that_stands_elsewhere_is_the_article() -> None:
    """readrops/Readrops#268."""
    there = "<content src='/media/1.html' type='text/html'/>"
    assert atom(f"<title>A</title><id>urn:1</id>{there}").url == "https://courier.example/media/1.html"
    assert atom(f"<title>A</title><id>urn:1</id>{there.replace('text/html', 'video/mp4')}").url is None
    link = "<link href='https://courier.example/1'/>"
    assert atom(f"<title>A</title><id>urn:1</id>{link}{there}").url == "https://courier.example/1"


@pytest.mark.parametrize(
    "home", ["https://courier.example", "https://courier.example/", "https://www.courier.example/#top"]
)
def test_a_link_to_the_home_page_is_not_the_article_where_the_id_is(home: str) -> None:
    """miniflux/v2#1587."""
    entry = atom(f"<title>A</title><link href='{home}'/><id>https://courier.example/blog/one</id>")
    assert entry.url == "https://courier.example/blog/one"
    assert "home" in entry.problems[0]
    for other in ("urn:1", "https://elsewhere.example/blog/one", "https://courier.example/"):
        assert atom(f"<title>A</title><link href='{home}'/><id>{other}</id>").url == home
    assert atom("<title>A</title><link href='https://courier.example/2'/><id>https://courier.example/1</id>").url == (
        "https://courier.example/2"
    )


# ── whose title ──────────────────────────────────────────────────────────────────────────────────────────────────────

PICTURE = (
    "<media:content url='https://c.example/p.jpg' medium='image'><media:title>A picture</media:title></media:content>"
)
SOURCE = "<source url='https://other.example/rss'>Other</source>"


@pytest.mark.parametrize(
    "rest", [PICTURE, SOURCE + PICTURE, PICTURE + SOURCE, SOURCE, "<media:group>" + PICTURE + "</media:group>"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_picture_and_a_source_give_an_entry_no_title(rest: str, first: bool) -> None:
    """miniflux/v2#714, gothfox/Tiny-Tiny-RSS#430."""
    title = "<title>Real</title><link>https://courier.example/1</link>"
    assert rss(title + rest if first else rest + title).title == "Real"


def test_a_source_of_atom_gives_none_either() -> None:
    source = "<source><title>Other</title><id>urn:o</id></source>"
    for parts in ((source, "<title>Real</title>"), ("<title>Real</title>", source)):
        assert atom("<id>urn:1</id>" + "".join(parts)).title == "Real"


# ── namespaces ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "namespace", ["https://www.w3.org/2005/Atom", "http://www.w3.org/2005/Atom/", "http://www.w3.org/2005/atom"]
)
def test_a_namespace_is_known_by_its_name(namespace: str) -> None:
    """miniflux/v2#1232: what is markup is said by Atom only."""
    entry = "<entry><id>1</id><title type='text'>Use &lt;b&gt;</title></entry>"
    document = f"<feed xmlns='{namespace}'><title>C</title>{entry}</feed>"
    assert (feed(document).format, feed(document).entries[0].title) == ("atom 1.0", "Use <b>")


@pytest.mark.parametrize("declared", ["", " xmlns:news='https://www.google.com/schemas/sitemap-news/0.9/'"])
def test_a_sitemap_may_forget_the_namespace_of_its_news(declared: str) -> None:
    """nuxt-modules/sitemap#134, kjvarga/sitemap_generator#84."""
    found = feed(
        f"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'{declared}><url>"
        "<loc>https://courier.example/1</loc><news:news><news:publication><news:name>Courier</news:name><news:language>pl"
        "</news:language></news:publication><news:publication_date>2026-08-30</news:publication_date><news:title>Szczyt"
        "</news:title></news:news></url></urlset>"
    )
    assert (found.title, found.language, found.entries[0].title) == ("Courier", "pl", "Szczyt")
    assert bool(found.problems) is (not declared)


@pytest.mark.parametrize(
    ("element", "field", "value"),
    [
        ("<dc:creator>Eva Mayer</dc:creator>", "authors", ("Eva Mayer",)),
        ("<content:encoded>&lt;p&gt;Long&lt;/p&gt;</content:encoded>", "content", "Long"),
        ("<media:thumbnail url='https://c.example/p.jpg'/>", "image", "https://c.example/p.jpg"),
    ],
)
def test_a_feed_may_forget_its_prefixes(element: str, field: str, value: object) -> None:
    entry = rss(f"<title>A &amp; B</title><link>https://courier.example/1</link>{element}", namespaces="")
    assert getattr(entry, field) == value


# ── JSON Feed ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_that_wraps_its_texts() -> None:
    """miniflux/v2#4035."""
    found = feed(
        '{"version": "https://jsonfeed.org/version/1.1", "title": {"rendered": "C"}, "items": [{"id": ["7"], "url": '
        '{"href": "https://courier.example/7"}, "title": {"rendered": "A &amp; B", "protected": false}, '
        '"content_html": {"rendered": "<p>Long</p>"}, "summary": {"a": "1", "b": "2"}, "date_published": true}]}'
    )
    [entry] = found.entries
    assert (found.title, entry.id, entry.url) == ("C", "7", "https://courier.example/7")
    assert (entry.title, entry.content, entry.summary) == ("A & B", "Long", "")
    assert entry.problems == ("summary is not text: dropped", "date_published is not text: dropped")


# ── subscription lists ───────────────────────────────────────────────────────────────────────────────────────────────


def test_lists_of_other_readers() -> None:
    """yang991178/fluent-reader#738, fossar/selfoss#1055, PressForward/pressforward#1158."""
    found = read_opml(
        b"<opml><body><outline title='Art'><outline title='Zone'><outline type='rss' title='Z' xmlUrl='https://z.example/rss'/>"
        b"</outline></outline><outline><outline xmlUrl='https://y.example/rss'/></outline>"
        b"<outline type='RSS' text='X' url='https://x.example/rss'/><outline type='include' url='https://list.example/o'/>"
        b"<outline text='tt-rss-prefs'><outline name='A' value='b'/></outline></body></opml>"
    )
    assert [(spec.url, spec.topics) for spec in found.feeds] == [
        ("https://z.example/rss", ("Art", "Zone")),
        ("https://y.example/rss", ()),
        ("https://x.example/rss", ()),
    ]
    assert found.problems == ("'https://list.example/o': the outline is not a feed",)


# ── conditional requests ─────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_in_answer_to_a_conditional_request_is_asked_for_whole() -> None:
    """passiomatic/coldsweat#99: 200, no body, and so at every poll."""

    async def use(fetcher: Fetcher, publisher: Publisher) -> tuple[FetchResult, list[str | None]]:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(response(b"" if "if-none-match" in publisher.asked[-1][1] else BODY))

        publisher.answers = {"/x": answer}
        outcome = await fetcher.fetch(Request(publisher.url("/x"), etag='"1"'))
        return outcome, [headers.get("if-none-match") for _, headers in publisher.asked]

    outcome, asked = fetching({}, use)
    assert isinstance(outcome, Fetched)
    assert (outcome.body, outcome.hops) == (BODY, ())
    assert asked == ['"1"', None]


def test_a_feed_that_always_answers_304_is_asked_for_whole_at_times() -> None:
    """Ranchero-Software/NetNewsWire#3191."""
    state = FeedState("courier", URL, etag='"1"', last_modified="Mon, 31 Aug 2026 10:00:00 GMT", body_hash="h")
    asked = [request_of(replace(state, last_status=304, polls=n)) for n in range(1, 2 * WHOLE_EVERY + 1)]
    whole = [request for request in asked if request.etag is None and request.last_modified is None]
    assert len(whole) == 2
    assert {request.body_hash for request in asked} == {"h"}
    assert request_of(replace(state, last_status=200, polls=WHOLE_EVERY)).etag == '"1"'


# ── what was right, and stays so ─────────────────────────────────────────────────────────────────────────────────────


def test_links_of_others_are_not_the_entrys_own() -> None:
    """kurtmckee/feedparser#154."""
    inner = "<p>See <a href='https://other.example/x'>there</a> and <link>https://other.example/y</link></p>"
    link = "<link>https://courier.example/1</link>"
    for text in (inner, f"<![CDATA[{inner}]]>"):
        assert rss(f"<title>A</title>{link}<description>{text}</description>").url == "https://courier.example/1"
    related = "<atom:link href='https://other.example/y' rel='related'/>"
    assert rss(f"<title>A</title>{related}{link}", f"xmlns:atom='{ATOM}'").url == "https://courier.example/1"


def test_odd_atom() -> None:
    """feed-rs/feed-rs#205, FreshRSS/FreshRSS#1892."""
    inline = "<content type='text/html'><a href='https://courier.example/1'>Long</a> text</content>"
    assert atom(f"<title>A</title><id>urn:1</id>{inline}").content == "Long text"
    prefixed = f"<link xmlns:ns='{ATOM}' ns:href='https://courier.example/1' ns:rel='alternate' ns:type='text/html'/>"
    assert atom(f"<title>A</title><id>urn:1</id>{prefixed}").url == "https://courier.example/1"


def test_an_enclosure_without_an_address_does_no_harm() -> None:
    """mmcdole/gofeed#36."""
    entry = rss("<title>A</title><link>https://c.example/1</link><enclosure>https://c.example/a.mp3</enclosure>")
    assert (entry.title, entry.url) == ("A", "https://c.example/1")


ITEM = "<item><title>A</title><link>https://c.example/{}</link></item>"


@pytest.mark.parametrize(
    ("before", "amid", "after"),
    [
        ("", "<script async src=//ads.example/x data-a</script>", ""),
        ("", "", "<br />\n<b>Warning</b>: mkdir() [<a href='x'>mkdir</a>]: denied in <b>/x.php</b> on line <b>1</b>"),
        ("", "", "\n<!-- cached --><script>x()</script>\x00"),
        ("<?xml \nversion='1.0' encoding='utf-8'?><?xml-stylesheet type='text/xsl' href='x'?>\n", "", ""),
    ],
)
def test_rubbish_around_items_costs_none_of_them(before: str, amid: str, after: str) -> None:
    """FreshRSS/FreshRSS#8776, #1352 and #7522, Ranchero-Software/NetNewsWire#4553."""
    items = ITEM.format(1) + amid + ITEM.format(2)
    document = f"{before}<rss version='2.0'><channel><title>C</title>{items}</channel></rss>{after}"
    assert [entry.url for entry in feed(document).entries] == ["https://c.example/1", "https://c.example/2"]


def test_sitemaps_without_a_namespace_and_in_cdata() -> None:
    """GateNLP/ultimate-sitemap-parser#87, flairNLP/fundus#789."""
    [entry] = feed(
        "<urlset xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><url><loc>"
        "<![CDATA[ https://c.example/1 ]]></loc><news:news><news:title><![CDATA[A & B]]></news:title>"
        "<news:publication_date><![CDATA[2026-08-30]]></news:publication_date></news:news></url></urlset>"
    ).entries
    assert (entry.url, entry.title, entry.published) == (
        "https://c.example/1",
        "A & B",
        datetime(2026, 8, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("Wed, Oct 09 2019 00:00:00 GMT", (2019, 10, 9)),
        ("Sunday, June 30, 2013 - 00:00", (2013, 6, 30)),
        ("Tue,", None),
        ("/Date(1788048000000+0200)/", (2026, 8, 30)),
    ],
)
def test_dates_of_other_readers(written: str, day: tuple[int, int, int] | None) -> None:
    """NixOS/nixos-homepage#675, lilyball/feedparser#18, miniflux/v2#617."""
    entry = rss(f"<title>A</title><link>https://c.example/1</link><pubDate>{written}</pubDate>")
    assert entry.published == (datetime(*day, tzinfo=UTC) if day else None)
    assert bool(entry.problems) is (day is None)


def test_discovery_goes_by_the_base_and_by_types_in_any_case() -> None:
    """lwindolf/liferea#87, snarfed/bridgy-fed#2255."""
    page = (
        b"<base href='/sub/'><link rel=alternate type='application/rdf+xml' href='https://q.example/rss.php'>"
        b"<link rel=ALTERNATE type='Application/RSS+XML; charset=utf-8' href='rss.xml'>"
        b"<link rel=alternate type='application/rss+xml' href='feed:https://c.example/feed'>"
    )
    assert advertised(page, "https://c.example/a/b", FORMATS) == (
        "https://q.example/rss.php",
        "https://c.example/sub/rss.xml",
        "https://c.example/feed",
    )
