"""Feeds that are packed, begin too late or hold what XML forbids are read as if they did not."""

from __future__ import annotations

import gzip
import io
import time
from datetime import UTC, datetime

import pytest

from ingest.authors import names_in
from ingest.parse import MAX_BYTES, parse
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import repaired
from ingest.unpack import GZIP, NotUnpackedError, unpacked
from newswatch.entry import Entry

NOW = datetime(2026, 9, 1, tzinfo=UTC)
URL = "https://courier.example/feed.xml"


def rss(items: str, encoding: str = "utf-8", namespaces: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0" {namespaces}><channel><title>Courier</title>'
        f"<link>https://courier.example/</link>{items}</channel></rss>"
    )


def read(document: bytes | str, content_type: str | None = None) -> ParsedFeed:
    body = document if isinstance(document, bytes) else document.encode()
    parsed = parse(body, url=URL, content_type=content_type, now=NOW)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def entry(item: str, namespaces: str = "") -> Entry:
    [found] = read(rss(f"<item>{item}</item>", namespaces=namespaces)).entries
    return found


# ── ampersands ───────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = "<item><title>One</title><link>https://courier.example/a?x=1&amp;copy=2</link><guid>https://courier.example/a?x=1&amp;copy=2</guid></item>"


@pytest.mark.parametrize(
    ("bad", "title"),
    [
        ("<title>H&M and M&S, B&B</title>", "H&M and M&S, B&B"),
        ("<title>AT&T: Q&A</title>", "AT&T: Q&A"),
        ("<title>Santé &eacute;tat &nbsp;&hellip;</title>", "Santé état …"),
        ("<title>Ham & Eggs &unheardof;</title>", "Ham & Eggs &unheardof;"),
        ("<title><![CDATA[R&D]]> & <![CDATA[S&P]]></title>", "R&D & S&P"),
        ("<title>Bell\x07 rings &#x1F; twice</title>", "Bell rings twice"),
        ("<title>5 < 6, x <= y <3</title>", "5 < 6, x <= y <3"),
        ("<title><![CDATA[5 < 6]]> < 7</title>", "5 < 6 < 7"),
        ("<title>Q&A &#99999999 &#xFFFFFFF;</title>", "Q&A \ufffd \ufffd"),
    ],
)
def test_one_fault_costs_no_entry_its_id_and_no_title_a_character(bad: str, title: str) -> None:
    before = read(rss(GOOD)).entries[0]
    feed = read(rss(f"{GOOD}<item>{bad}<link>https://courier.example/b?x=1&lang=en&reg=2</link></item>"))
    assert feed.entries[0] == before
    assert feed.entries[1].title == title
    assert feed.entries[1].url == "https://courier.example/b?x=1&lang=en&reg=2"
    assert any("ill-formed" in problem for problem in feed.problems)


def test_an_attribute_and_a_sitemap_with_raw_ampersands() -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>1</id><title>Q&A</title>'
        '<link href="https://courier.example/?a=1&para=2"/></entry></feed>'
    )
    assert read(atom).entries[0].url == "https://courier.example/?a=1&para=2"
    sitemap = (
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://courier.example/?a=1&sect=2</loc>'
        "<news:news><news:title>R&D</news:title></news:news></url></urlset>"
    )
    assert read(sitemap).entries[0].url == "https://courier.example/?a=1&sect=2"
    assert read(sitemap).entries[0].title == "R&D"


def test_a_document_that_declares_entities_is_left_alone() -> None:
    body = b'<!DOCTYPE rss [<!ENTITY own "x">]><rss>&own; & </rss>'
    assert repaired(body).body == body


# ── before the declaration ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "before", [b"\n", b"\r\n \t", b"\xef\xbb\xbf\n", b"<!-- cached -->\n", b"<b>Notice</b>: x on line 3\n"]
)
@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("windows-1251", "Саммит в Анкаре"),
        ("koi8-r", "Саммит в Анкаре"),
        ("iso-8859-2", "Szczyt: żołnierze Łotwy"),
        ("windows-1254", "İstanbul’da NATO’nun toplantısı"),
        ("iso-8859-7", "Σύνοδος στην Άγκυρα"),
        ("shift_jis", "首脳会議がアンカラで"),
        ("gb18030", "北约峰会在安卡拉"),
    ],
)
def test_what_stands_before_the_declaration_hides_no_encoding(before: bytes, encoding: str, title: str) -> None:
    item = f"<item><title>{title}</title><link>https://courier.example/1</link></item>"
    assert read(before + rss(item, encoding).encode(encoding)).entries[0].title == title


@pytest.mark.parametrize("before", ["", "\n", " \r\n\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_wide_feed_is_mended_as_all_others_are(encoding: str, mark: str, before: str) -> None:
    item = "<item><title>Саммит: R&D</title><link>https://courier.example/?a=1&lang=ru</link></item>"
    feed = read((mark + before + rss(item, encoding[:6])).encode(encoding))
    assert [(each.title, each.url) for each in feed.entries] == [
        ("Саммит: R&D", "https://courier.example/?a=1&lang=ru")
    ]
    assert feed.problems == ("the document is ill-formed: it has 2 raw ampersands: read as ampersands",)


def test_a_wide_sitemap_is_read() -> None:
    news = "<n:news><n:title>Саммит</n:title><n:publication_date>2026-07-06</n:publication_date></n:news>"
    sitemap = (
        '<?xml version="1.0" encoding="utf-16"?><urlset xmlns:n="http://www.google.com/schemas/sitemap-news/0.9">'
        f"<url><loc>https://courier.example/1</loc>{news}</url></urlset>"
    )
    assert [each.title for each in read(sitemap.encode("utf-16")).entries] == ["Саммит"]


@pytest.mark.parametrize("declared", ["windows-1251", "iso-8859-1", "koi8-r"])
@pytest.mark.parametrize("before", ["", "\n"])
def test_a_feed_that_is_utf8_is_read_as_that_whatever_it_declares(declared: str, before: str) -> None:
    feed = read(before + rss("<item><title>Саммит – в Анкаре</title></item>", declared))
    assert feed.entries[0].title == "Саммит – в Анкаре"
    assert any("is UTF-8" in problem for problem in feed.problems)


def test_a_page_with_an_xml_declaration_in_it_is_no_feed() -> None:
    assert isinstance(parse(b"<html><body><?xml version='1.0'?></body></html>", url=URL, now=NOW), NotAFeed)


# ── packed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_packed_feed_is_read_and_half_of_one_gives_what_it_has() -> None:
    items = "".join(
        f"<item><title>Title {n}</title><link>https://courier.example/{n}</link></item>" for n in range(200)
    )
    packed = gzip.compress(rss(items).encode())
    assert len(read(packed, "application/x-gzip").entries) == 200
    assert 0 < len(read(packed[: len(packed) // 2]).entries) < 200


def test_a_packed_feed_that_is_damaged_or_too_large_says_so() -> None:
    damaged = parse(GZIP + b"\x00" * 50, url=URL, now=NOW)
    assert isinstance(damaged, NotAFeed)
    assert "gzip" in damaged.reason
    bomb = io.BytesIO()
    with gzip.open(bomb, "wb") as file:
        for _ in range(MAX_BYTES // 1_000_000 + 1):
            file.write(b" " * 1_000_000)
    began = time.thread_time()
    with pytest.raises(NotUnpackedError, match="50,000,000"):
        unpacked(bomb.getvalue(), MAX_BYTES)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "body",
    [
        b"&" * 500_000,
        b"<![CDATA[" * 60_000,
        b"<!--" * 100_000,
        b"<?xml " * 90_000,
        b"<item><title><![CDATA[A</title></item>" * 50_000,
        b"<![CDATA[</item><item>" * 50_000,
        b"<!--</item><item>" * 50_000,
        b"\xff\xfe" * 500_000,
    ],
)
def test_a_document_of_faults_costs_little(body: bytes) -> None:
    began = time.thread_time()
    repaired(body if body.startswith(b"\xff") else b"<rss>" + body)
    assert time.thread_time() - began < 5


# ── titles: markup or not ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Kanzler: &lt;Wir zahlen nicht&gt;", "Kanzler: <Wir zahlen nicht>"),
        ("Anna &lt;anna@nato.example&gt; schreibt", "Anna <anna@nato.example> schreibt"),
        ("See &lt;https://nato.example/&gt; for more", "See <https://nato.example/> for more"),
        ("3 &lt; 5 and 7 &gt; 6", "3 < 5 and 7 > 6"),
        ("&lt;i&gt;Le Monde&lt;/i&gt; accuse", "Le Monde accuse"),
        ("One&lt;br&gt;two", "One two"),
        ('&lt;span class="x"&gt;Live&lt;/span&gt; now', "Live now"),
        ("The &lt;table&gt; turns &lt;b&gt;fast&lt;/b&gt;", "The turns fast"),
        ("Caf&amp;eacute; &amp;#8217;", "Café ’"),
    ],
)
def test_a_title_as_its_reader_sees_it(written: str, shown: str) -> None:
    assert entry(f"<title>{written}</title><link>https://courier.example/1</link>").title == shown


def test_atom_says_what_is_markup() -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>1</id><title type="{}">Use &lt;b&gt; and '
        "&lt;/b&gt;</title></entry></feed>"
    )
    assert read(atom.format("text")).entries[0].title == "Use <b> and </b>"
    assert read(atom.format("html")).entries[0].title == "Use and"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Use &lt;p&gt; or &lt;a&gt; here", "Use <p> or <a> here"),
        ("Minister: &lt;table&gt; nothing", "Minister: <table> nothing"),
        ("&lt;p&gt;One", "One"),
        ("One&lt;br/&gt;Two", "One\nTwo"),
        ("One &lt;a href='/2'&gt;two&lt;/a&gt;", "One two"),
    ],
)
def test_a_summary_of_atom_is_markup_only_where_it_is_written_as_such(written: str, shown: str) -> None:
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><summary>{written}</summary></entry></feed>'
    assert read(atom).entries[0].summary == shown


# ── authors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("eva@courier.media (Eva Mayer)", ("Eva Mayer",)),
        ("Eva Mayer <eva@courier.example>", ("Eva Mayer",)),
        ("Eva Mayer (eva@courier.example)", ("Eva Mayer",)),
        ("eva@courier.example", ("eva@courier.example",)),
        ("Von Eva Mayer und Jan de Vries", ("Eva Mayer", "Jan de Vries")),
        ("Par Ève Dupont", ("Ève Dupont",)),
        ("Иван Петров и Анна Ким", ("Иван Петров", "Анна Ким")),
        ("<a href='/eva'>Eva Mayer</a>", ("Eva Mayer",)),
        ("<![CDATA[Eva Mayer]]>", ("Eva Mayer",)),
        ("Mayer, Eva", ("Mayer, Eva",)),
        ("von der Leyen", ("von der Leyen",)),
        ("Reuters", ("Reuters",)),
        ("", ()),
    ],
)
def test_names_of_authors(written: str, names: tuple[str, ...]) -> None:
    assert names_in(written) == names
    escaped = written.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    item = "<title>x</title><link>https://courier.example/1</link>"
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    assert entry(f"{item}<author>{escaped}</author>").authors == names
    assert entry(f"{item}<dc:creator>{escaped}</dc:creator>", dc).authors == names


def test_authors_of_a_json_feed_are_names_too() -> None:
    item = '{"id": "1", "title": "x", "authors": [{"name": "Von Eva Mayer"}, {"name": "jan@a.example (Jan Kim)"}]}'
    feed = read(f'{{"version": "https://jsonfeed.org/version/1.1", "items": [{item}]}}')
    assert feed.entries[0].authors == ("Eva Mayer", "Jan Kim")


def test_an_author_without_end_is_dropped_at_once_with_a_note() -> None:
    began = time.thread_time()
    found = entry(f"<title>x</title><link>https://courier.example/1</link><author>a@{'a.' * 100_000}</author>")
    assert time.thread_time() - began < 5
    assert found.authors == ()
    assert "author" in found.problems[0]


# ── sitemaps: the news' own title, date and address ──────────────────────────────────────────────────────────────────

IMAGE = (
    '<image:image xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><image:loc>https://courier.example/i.jpg'
    "</image:loc><image:title>A picture</image:title><image:caption>Of a ship</image:caption></image:image>"
)
VIDEO = (
    '<video:video xmlns:video="http://www.google.com/schemas/sitemap-video/1.1"><video:title>A film</video:title>'
    "<video:publication_date>2025-01-02T10:00:00Z</video:publication_date></video:video>"
)


@pytest.mark.parametrize("before", [IMAGE, VIDEO, IMAGE + VIDEO])
@pytest.mark.parametrize("prefix", ["news", "n"])
@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("2026-08-30T10:00:00+02:00", datetime(2026, 8, 30, 8, tzinfo=UTC)),
        ("Sun, 30 Aug 2026 10:00:00 CEST", datetime(2026, 8, 30, 8, tzinfo=UTC)),
        ("30/08/2026", datetime(2026, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_picture_and_a_film_give_news_no_title_and_no_date(
    before: str, prefix: str, written: str, published: datetime
) -> None:
    document = (
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:{prefix}="http://www.google.com/schemas/sitemap-news/0.9"><url>{before}<loc>https://courier.example/a</loc>'
        f"<{prefix}:news><{prefix}:publication><{prefix}:name>Courier</{prefix}:name><{prefix}:language>de</{prefix}:language>"
        f"</{prefix}:publication><{prefix}:publication_date>{written}</{prefix}:publication_date>"
        f"<{prefix}:title>Gipfel &amp;amp; Folgen</{prefix}:title></{prefix}:news></url></urlset>"
    )
    [found] = read(document).entries
    assert (found.title, found.url, found.published) == ("Gipfel & Folgen", "https://courier.example/a", published)
    assert found.language == "de"


# ── encodings: what the bytes say goes before what is said of them ───────────────────────────────────────────────────


def undeclared(items: str) -> str:
    return rss(items).partition("?>")[2]


@pytest.mark.parametrize(
    "label", ["windows-1251", "iso-8859-1", "us-ascii", "utf-16", "uft-8", "utf8lias", "gb2312", "", "\x00"]
)
@pytest.mark.parametrize("declared", ["", ' encoding="utf-8"', ' encoding="iso-8859-2"'])
def test_utf8_is_read_as_utf8_whatever_is_said_of_it(label: str, declared: str) -> None:
    document = f"<?xml version='1.0'{declared}?>" + undeclared("<item><title>Łódź: саммит – 北约</title></item>")
    feed = read(document, f"text/xml; charset={label}")
    assert feed.entries[0].title == "Łódź: саммит – 北约"
    lies = (label not in ("", "\x00") or "8859" in declared) and "utf-8" not in declared
    assert any("is UTF-8: read as UTF-8" in problem for problem in feed.problems) is lies


@pytest.mark.parametrize("label", ["text/xml", "application/rss+xml", "text/html", "text/plain", None])
def test_no_media_type_is_a_fault_of_a_feed(label: str | None) -> None:
    assert read(undeclared("<item><title>Łódź</title></item>"), label).problems == ()
    polish = "<?xml version='1.0' encoding='iso-8859-2'?>" + undeclared("<item><title>Łódź</title></item>")
    feed = read(polish.encode("iso8859-2"), label)
    assert (feed.entries[0].title, feed.problems) == ("Łódź", ())


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        ("Саммит в Анкаре", "cp1251", "windows-1251"),
        ("北约秘书长周三在安卡拉表示", "gb18030", "gb2312"),
        ("북대서양조약기구 사무총장은", "cp949", "euc-kr"),
        ("北大西洋条約機構の事務総長は", "cp932", "shift_jis"),
        ("Türkiye'nin mesajı", "cp1254", "windows-1254"),
    ],
)
def test_what_is_no_utf8_is_read_by_its_label(text: str, codec: str, label: str) -> None:
    document = undeclared(f"<item><title>{text}</title></item>").encode(codec)
    assert read(document, f"text/xml; charset={label}").entries[0].title == text


@pytest.mark.parametrize("broken", [b"\xff", b"\xe2\x80", b"\xed\xa0\x80", b"\xc3"])
def test_a_broken_character_costs_only_itself(broken: bytes) -> None:
    document = undeclared("<item><title>Зеленський @ у Вашингтоні</title></item>").encode().replace(b"@", broken)
    feed = read(document, "text/xml; charset=utf-8")
    assert feed.entries[0].title.replace("\ufffd", "") == "Зеленський  у Вашингтоні"
    assert any("broken characters" in problem for problem in feed.problems)
