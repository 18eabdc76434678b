"""Slips of publishing programs that other readers' bug reports tell of: nothing is lost, nothing is taken for another.

The inputs are our own.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.encodings import decoded
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from newswatch.plain_text import one_line
from tests.ingest.test_reports import NOW, URL, feed, rss

LINK = "<link>https://courier.example/1</link>"


def test_a_caption_is_not_the_text_of_an_entry() -> None:
    """nmdias/FeedKit#125 wants it for YouTube; newspapers put the picture's caption there."""
    caption = "<media:content url='https://c.example/p.jpg' medium='image'><media:description>Longer than the text"
    caption += "</media:description></media:content>"
    description = "<title>A</title><description>Text</description>"
    for item in (caption + description, description + caption):
        assert (rss(item).summary, rss(item).content) == ("Text", "")
    assert rss(f"<title>A</title><media:group>{caption}</media:group>").summary == "Longer than the text"


@pytest.mark.parametrize(
    ("item", "field", "value"),
    [
        (f"<title>A</title><image><title>P</title></image>{LINK}", "title", "A"),
        (f"<image><title>P</title></image><title>A</title>{LINK}", "title", "A"),
        ("<title>A</title><pubDate>2026-08-30</pubDate><pubDate/>", "published", datetime(2026, 8, 30, tzinfo=UTC)),
        ("<title>A</title><description>&amp;lt;p&amp;gt;B&amp;lt;/p&amp;gt;</description>", "summary", "B"),
        ("<title>A &#xD83D;&#xDE00; &#55357;&#56832;</title>", "title", "A 😀 😀"),
        ("<title>A &#xDE00;&#xD83D;</title>", "title", "A \ufffd\ufffd"),
        ("<title>A</title><description>&lt;![CDATA[&lt;p&gt;B&lt;/p&gt;]]&gt;</description>", "summary", "B"),
        (
            "<title>A</title><description><![CDATA[<b>&lt;![CDATA[B]]&gt;</b>]]></description>",
            "summary",
            "<![CDATA[B]]>",
        ),
        ("<title>Ankaraâ€™da TÃ¼rkiye</title>", "title", "Ankara’da Türkiye"),
        ("<title>São Paulo – Ñandú × 2</title>", "title", "São Paulo – Ñandú × 2"),
        ("<title>AMANHÃ…, 5×Œ</title>", "title", "AMANHÃ…, 5×Œ"),
        ("<title>CAFÃ‰</title>", "title", "CAFÉ"),
    ],
)
def test_what_an_entry_says_is_found(item: str, field: str, value: object) -> None:
    """Ranchero-Software/NetNewsWire#4527, kurtmckee/feedparser#440; a picture's title, an empty date, UTF-16."""
    assert getattr(rss(item), field) == value


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\x00\x00"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_wrong_byte_order_mark_costs_nothing(mark: bytes, encoding: str) -> None:
    document = f"<rss version='2.0'><channel><item><title>Łódź</title>{LINK}</item></channel></rss>"
    found = parse(mark + document.encode(encoding), url=URL, now=NOW)
    assert isinstance(found, ParsedFeed)
    assert [entry.title for entry in found.entries] == ["Łódź"]


def test_a_character_in_two_halves_is_one() -> None:
    """CESU-8, which Oracle and Java write: one emoji, and the whole feed was read as windows-1252."""
    document = f"<rss version='2.0'><channel><item><title>A @</title>{LINK}</item></channel></rss>"
    halves = document.replace("@", "\ud83d\ude00").encode("utf-8", "surrogatepass")
    found = parse(halves, url=URL, now=NOW)
    assert isinstance(found, ParsedFeed)
    assert (found.entries[0].title, found.problems) == ("A 😀", ())
    assert decoded(halves, None) == document.replace("@", "😀")


ITEM = '{"id": "1", "url": "https://courier.example/?a=1&#038;b=2", "title": "<b>A</b>, B", "authors": ["Eva Mayer"]'


@pytest.mark.parametrize(
    ("items", "after"),
    [
        (f"[{ITEM}}}]", ""),
        (f'[{ITEM}, "x": ",]",}},]', ""),
        (f'[{ITEM}, "summary": "One\n\ttwo"}}]', ""),
        (f"[{ITEM}}}]", "\n<!-- cached -->"),
        (f'{{"0": {ITEM}}}, "2": null}}', ""),
    ],
)
def test_json_with_slips(items: str, after: str) -> None:
    """NSHipster/nshipster.com#38, FreshRSS/FreshRSS#7170, kurtmckee/feedparser#439; PHP's list that lost an item."""
    document = f'{{"version": "https://jsonfeed.org/version/1.1", "items": {items}}}{after}'
    [entry] = feed(document).entries
    assert (entry.id, entry.url, entry.title) == ("1", "https://courier.example/?a=1&b=2", "A, B")
    assert entry.authors == ("Eva Mayer",)


def test_a_title_of_json_is_plain_text_that_may_name_tags() -> None:
    [entry] = feed('{"items": [{"id": "1", "title": "From <i> to <b> &amp; back"}]}').entries
    assert entry.title == "From <i> to <b> & back"


def test_half_of_a_json_feed_is_none_and_odd_numbers_are_no_ids() -> None:
    half = parse(b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "1", "ti', url=URL, now=NOW)
    assert isinstance(half, NotAFeed)
    assert "not JSON" in half.reason
    ids = ("NaN", "1e999", "9" * 5_000, "-Infinity")
    items = ", ".join(f'{{"id": {name}, "title": "{number}"}}' for number, name in enumerate(ids))
    assert [entry.id[:7] for entry in feed(f'{{"items": [{items}]}}').entries] == ["sha256:"] * 4


@pytest.mark.parametrize("after", ["", "\n<!-- cached in 0.1 s -->\x00", "<script>x()</script>"])
def test_a_document_that_breaks_off_says_so(after: str) -> None:
    """Its first entries are read; see `test_schedule` for the rest."""
    whole = f"<rss version='2.0'><channel><title>C</title><item><title>A</title>{LINK}</item></channel></rss>"
    news = "<n:news xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'><n:title>A</n:title></n:news>"
    sitemap = f"<urlset><url><loc>https://courier.example/1</loc>{news}</url></urlset>"
    for document in (whole, sitemap):
        assert not feed(document + after).is_cut_off
        half = feed(document[: document.rindex("</")] + after)
        assert (half.is_cut_off, half.entries[0].title) == (True, "A")
        assert any("ends before its last tag" in problem for problem in half.problems)


def test_the_entry_in_which_a_document_breaks_off_waits_for_the_next_poll() -> None:
    """Half of one had the address `https://courier.exam`, or another id: an article beside the whole one."""
    item = "<item><title>Title {n}</title><link>https://courier.example/{n}</link><guid>urn:{n}</guid></item>"
    news = "<n:news xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'><n:title>Title {n}</n:title></n:news>"
    url = f"<url><loc>https://courier.example/{{n}}</loc>{news}</url>"
    for root, one in (("rss", item), ("urlset", url)):
        whole = f"<{root}>{one.format(n=1)}{one.format(n=2)}</{root}>"
        [first, _] = feed(whole).entries
        for place in range(whole.index(one.format(n=2)), whole.rindex("</")):
            half = feed(whole[:place])
            assert (half.entries, half.is_cut_off) == ((first,), True), whole[:place]


def test_an_index_of_sitemaps_that_breaks_off_names_whole_addresses() -> None:
    named = [f"https://courier.example/{name}.xml" for name in ("a", "b")]
    index = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in named)
    index = f"<sitemapindex>{index}</sitemapindex>"
    for place in range(index.index("/sitemap>"), len(index) + 1):
        found = parse(index[:place].encode(), url=URL, now=NOW)
        assert isinstance(found, NotAFeed)
        assert found.feeds == tuple(named[: index[:place].count("</loc>")]), index[:place]


CYRILLIC = "Саммит НАТО в Анкаре завершился без решения, сообщил генеральный секретарь"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (CYRILLIC, "cp1251"),
        (CYRILLIC, "koi8-r"),
        ("Η σύνοδος του ΝΑΤΟ στην Άγκυρα ολοκληρώθηκε χωρίς απόφαση", "cp1253"),
        ("انتهت قمة الناتو في أنقرة دون قرار وقال الأمين العام إن الحلفاء اتفقوا", "cp1256"),
        ("アンカラの首脳会議は決定なしに終了した。事務総長は加盟国が合意したと述べた。", "cp932"),
        ("北约安卡拉峰会在没有作出决定的情况下结束。秘书长表示盟国已同意增加开支。", "gb18030"),
    ],
)
@pytest.mark.parametrize(
    ("label", "declared"), [("", "utf-8"), ("iso-8859-1", ""), ("", "windows-1252"), ("utf-8", "")]
)
def test_a_script_that_its_encoding_does_not_have_is_found(text: str, codec: str, label: str, declared: str) -> None:
    """jawah/charset_normalizer#731: servers and editors state UTF-8 or Latin-1 for what is neither."""
    head = f"<?xml version='1.0' encoding='{declared}'?>" if declared else ""
    document = f"{head}<rss version='2.0'><channel><item><title>{text}</title>{LINK}</item></channel></rss>"
    kind = f"text/xml; charset={label}" if label else "text/xml"
    found = parse(document.encode(codec), url=URL, content_type=kind, now=NOW)
    assert isinstance(found, ParsedFeed)
    assert found.entries[0].title == text
    assert any("read as that" in problem for problem in found.problems)
    if "utf-8" in (label, declared):  # such a page is left to the parser
        return
    page = f"<html><head><title>{text}</title></head><body><p>{text}</p></body></html>".encode(codec)
    assert text in str(decoded(page, f"text/html; charset={label or declared}"))


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "utf-8", ""])
def test_latin_letters_are_taken_for_no_other_script(label: str) -> None:
    title = "L’État-major à Évreux : « créé » à Noël, dès février, où l’armée s’était préparée"
    document = f"<rss version='2.0'><channel><item><title>{title}</title>{LINK}</item></channel></rss>"
    found = parse(document.encode("cp1252"), url=URL, content_type=f"text/xml; charset={label}", now=NOW)
    assert isinstance(found, ParsedFeed)
    assert found.entries[0].title == title


@pytest.mark.parametrize("label", ["iso-8859-1", ""])
@pytest.mark.parametrize(
    "title",
    ["\N{NO-BREAK SPACE}" * 60 + "Déclaration de l'été", "—" * 40 + " NATO", "•" * 30 + " Évreux", "é" * 60],
    ids=["blanks", "dashes", "bullets", "a letter"],
)
def test_nor_are_rows_of_signs(title: str, label: str) -> None:
    """An indentation by blanks that don't break made Mac Cyrillic of French, and a line of dashes Korean."""
    document = f"<rss version='2.0'><channel><item><title>-{title}</title>{LINK}</item></channel></rss>"
    found = parse(document.encode("cp1252"), url=URL, content_type=f"text/xml; charset={label}", now=NOW)
    assert isinstance(found, ParsedFeed)
    assert found.entries[0].title == one_line(f"-{title}")
