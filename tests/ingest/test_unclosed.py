"""An entry that leaves something open costs itself at most: the entries beside it keep their ids and words."""

from __future__ import annotations

import pytest

from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.unclosed import closed
from newswatch.entry import Entry
from tests.ingest.test_reports import NOW, URL, feed

RSS = "<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>C</title>{}</channel></rss>"
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'><title>C</title><id>urn:c</id>{}</feed>"
ITEM = (
    "<item><title>Title {n}</title><link>https://courier.example/{n}</link><guid isPermaLink='false'>g{n}</guid>"
    "<dc:creator>Eva Mayer</dc:creator><description>Text {n}</description></item>"
)
ENTRY = (
    "<entry><id>g{n}</id><title>Title {n}</title><link href='https://courier.example/{n}'/>"
    "<summary>Text {n}</summary></entry>"
)


def said(entry: Entry) -> tuple[str, str | None, str, str]:
    return entry.id, entry.url, entry.title, entry.summary


WHOLE = [(f"g{n}", f"https://courier.example/{n}", f"Title {n}", f"Text {n}") for n in (1, 2, 3)]


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("</title>", ""),
        ("</link>", ""),
        ("</guid>", ""),
        ("</description>", ""),
        ("</dc:creator>", ""),
        ("<title>", "<title><![CDATA["),
        ("<description>", "<description><![CDATA[<p>"),
        ("</description>", "</description><!-- a note"),
        ("</item>", "</b></item>"),
        ("</item>", "<</item>"),
    ],
)
def test_what_an_item_leaves_open_costs_no_other(part: str, broken: str, place: int) -> None:
    """Without an end of the first title, all entries were lost, and the feed was called by what they said."""
    items = "".join(ITEM.format(n=n).replace(part, broken if n == place else part, 1) for n in (1, 2, 3))
    found = feed(RSS.format(items))
    assert found.title == "C"
    assert [said(entry) for entry in found.entries] == WHOLE
    assert any("ill-formed" in problem for problem in found.problems)


@pytest.mark.parametrize(("label", "declared"), [("windows-1251", ""), ("", "windows-1251"), ("", "koi8-r")])
def test_so_it_is_in_other_encodings(label: str, declared: str) -> None:
    items = "".join(ITEM.format(n=n).replace("Title", "Саммит") for n in (1, 2, 3)).replace("</title>", "", 1)
    document = f"<?xml version='1.0'{f' encoding={declared!r}' if declared else ''}?>{RSS.format(items)}"
    found = parse(document.encode(label or declared), url=URL, content_type=f"text/xml; charset={label}", now=NOW)
    assert isinstance(found, ParsedFeed)
    assert [entry.title for entry in found.entries] == ["Саммит 1", "Саммит 2", "Саммит 3"]


@pytest.mark.parametrize(("label", "declared"), [("windows-1251", ""), ("", "windows-1251"), ("", "koi8-r")])
def test_so_it_is_in_sitemaps_in_other_encodings(label: str, declared: str) -> None:
    """One address without an end, and no title of the sitemap could be read."""
    url = "<url><loc>https://courier.example/{n}</loc><n:news><n:title>Саммит {n}</n:title></n:news></url>"
    urls = "".join(url.format(n=n) for n in (1, 2, 3)).replace("</loc>", "", 1)
    head = f"<?xml version='1.0'{f' encoding={declared!r}' if declared else ''}?>"
    document = f"{head}<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'>{urls}</urlset>"
    found = parse(document.encode(label or declared), url=URL, content_type=f"text/xml; charset={label}", now=NOW)
    assert isinstance(found, ParsedFeed)
    assert [entry.title for entry in found.entries] == ["Саммит 1", "Саммит 2", "Саммит 3"]


@pytest.mark.parametrize("end", ["</link>", "</guid>"])
def test_the_address_of_a_picture_is_no_entry(end: str) -> None:
    picture = "<image><url>https://courier.example/p.png</url><title>P</title></image>"
    items = [ITEM.format(n=n).replace("<link>", f"{picture}<link>") for n in (1, 2, 3)]
    items[1] = items[1].replace(end, "")
    assert [said(entry) for entry in feed(RSS.format(picture + "".join(items))).entries] == WHOLE


@pytest.mark.parametrize("end", ["</title>", "</id>", "</summary>"])
def test_what_an_entry_of_atom_leaves_open_costs_no_other(end: str) -> None:
    entries = "".join(ENTRY.format(n=n).replace(end, "" if n == 2 else end, 1) for n in (1, 2, 3))
    assert [said(entry) for entry in feed(ATOM.format(entries)).entries] == WHOLE


@pytest.mark.parametrize("part", ["<title>", "<summary>", "</summary>", "<author>"])
def test_nor_does_it_cost_the_texts_of_others(part: str) -> None:
    """A text in XHTML within a summary that has no end took those of all entries behind it."""
    text = "<published>2026-01-0{n}T10:00:00Z</published><author><name>Eva</name></author>"
    text += "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>Long {n}</p></div></content></entry>"
    entries = [ENTRY.replace("</entry>", text).format(n=n) for n in (1, 2, 3)]
    whole = feed(ATOM.format("".join(entries))).entries
    entries[1] = entries[1].replace(part, "")
    found = feed(ATOM.format("".join(entries))).entries
    assert (found[0], found[2]) == (whole[0], whole[2])
    assert (found[1].id, found[1].content) == ("g2", "Long 2")


@pytest.mark.parametrize("broken", ["", "</b><url>", "url>", "</url><url>"])
def test_what_stands_between_the_entries_of_a_sitemap_costs_none_behind_it(broken: str) -> None:
    url = "<url><loc>https://courier.example/{n}</loc><n:news><n:title>Title {n}</n:title></n:news></url>"
    urls = "".join(url.format(n=n).replace("<url>", broken if n == 2 else "<url>", 1) for n in (1, 2, 3))
    found = feed(f"<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'>{urls}</urlset>").entries
    assert {f"https://courier.example/{n}" for n in (1, 3)} <= {entry.url for entry in found}


@pytest.mark.parametrize(
    ("part", "broken"), [("</loc>", ""), ("</n:title>", ""), ("<n:title>", "<n:title><![CDATA["), ("Title", "5 < 6")]
)
def test_what_a_sitemap_leaves_open_costs_no_other(part: str, broken: str) -> None:
    url = "<url><loc>https://courier.example/{n}</loc><n:news><n:title>Title {n}</n:title></n:news></url>"
    urls = "".join(url.format(n=n).replace(part, broken if n == 2 else part, 1) for n in (1, 2, 3))
    found = feed(f"<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'>{urls}</urlset>").entries
    assert [entry.url for entry in found] == [url for _, url, _, _ in WHOLE]
    assert [entry.title for entry in found] == ["Title 1", f"{'5 < 6' if part == 'Title' else 'Title'} 2", "Title 3"]


def test_what_is_closed_stays_as_it_is() -> None:
    for body in (
        RSS.format(f"<!-- {ITEM}{ITEM} -->{ITEM}"),
        RSS.format(ITEM.replace("Text", "<![CDATA[a <!-- b]]>")),
        RSS.format(ITEM.replace("Text", "<![CDATA[use </item> to end it]]>")),
        RSS.format(ITEM.replace("Text", "<![CDATA[<item>a</item> <item>b</item>]]>") + ITEM),
    ):
        problems: list[str] = []
        assert (closed(body.encode(), problems), problems) == (body.encode(), [])
