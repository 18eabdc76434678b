"""Subscription lists in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.feed_list.feeds import load_feeds
from ingest.feed_list.opml import read_opml, write_opml
from newswatch.feed import Feed
from newswatch.settings import default_config_dir

NESTED = b"""<?xml version="1.0" encoding="ISO-8859-1"?><opml version="2.0"><head><title>x</title></head><body>
<outline text="News"><outline text="Europe"><outline type="rss" text="Caf\xe9 &amp; Co" xmlUrl="https://a.example/rss?x=1&amp;y=2"
htmlUrl="https://a.example/" language="fr-FR"/></outline></outline>
<outline title="B" xmlUrl="https://b.example/"/><outline text="A again" xmlUrl="http://a.example/rss?x=1&amp;y=2"/></body></opml>"""

ILL_FORMED = b"""<opml><body><outline text="News & More"><outline text='A' xmlUrl="https://a.example/rss?x=1&y=2">
<outline text=B xmlurl=https://b.example/></body>"""


def test_a_nested_list() -> None:
    found = read_opml(NESTED)
    assert [(spec.title, spec.url, spec.topics) for spec in found.feeds] == [
        ("Café & Co", "https://a.example/rss?x=1&y=2", ("News", "Europe")),
        ("B", "https://b.example/", ()),
    ]
    assert (found.feeds[0].site, found.feeds[0].language) == ("https://a.example/", "fr")


def test_an_ill_formed_list() -> None:
    found = read_opml(ILL_FORMED)
    assert [spec.url for spec in found.feeds] == ["https://a.example/rss?x=1&y=2", "https://b.example/"]
    assert found.feeds[0].topics == ("News & More",)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "rss", "http://a..b.example/rss", "http://xn--localhost-/"]
)
def test_what_can_not_be_polled_is_told(url: str) -> None:
    found = read_opml(f"<opml><body><outline text='A' xmlUrl='{url}'/></body></opml>".encode())
    assert not found.feeds
    assert url in found.problems[0]


@pytest.mark.parametrize("break_", ["&#10;", "\n", "&#13;", "&#9;", "&#x2028;", "&#x202e;"])
def test_an_address_with_a_line_break_in_it_is_told_and_left_out(break_: str) -> None:
    found = read_opml(
        f"<opml><body><outline text='A' xmlUrl='https://a.example/r{break_}ss'/>"
        "<outline text='B' xmlUrl=' https://b.example/ '/></body></opml>".encode()
    )
    assert [spec.url for spec in found.feeds] == ["https://b.example/"]
    assert "invisible" in found.problems[0]
    assert "\n" not in found.problems[0]


@pytest.mark.parametrize("encoding", ["undefined", "idna", "punycode", "rot13", "base64", "unicode_escape", "utf-7"])
def test_an_encoding_that_is_none_costs_no_list(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    found = read_opml(
        head.encode() + b"<opml><body><outline text='\xc3\xa4' xmlUrl='https://b.example/'/></body></opml>"
    )
    assert [spec.url for spec in found.feeds] == ["https://b.example/"]


@pytest.mark.parametrize(
    ("titles", "encoding"),
    [
        ("Новости, Известия, Коммерсант, Ведомости", "cp1251"),
        ("Τα Νέα, Καθημερινή, Ελευθεροτυπία, Το Βήμα", "cp1253"),
        ("Zeitung\x81A, Übersicht", "latin-1"),
    ],
)
@pytest.mark.parametrize("declared", ["", '<?xml version="1.0" encoding="utf-8"?>'])
def test_a_list_that_does_not_say_its_encoding_is_read_by_its_bytes(titles: str, encoding: str, declared: str) -> None:
    named = titles.split(", ")
    outline = "".join(f"<outline text='{title}' xmlUrl='https://a.example/{n}'/>" for n, title in enumerate(named))
    found = read_opml(f"{declared}<opml><body>{outline}</body></opml>".encode(encoding))
    assert [spec.title for spec in found.feeds] == named


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize(
    "declared", ["", '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="UTF-16"?>']
)
def test_a_list_in_latin_1_is_not_taken_for_utf16(declared: str, length: int) -> None:
    """Half of such files, those of an even length, were said to list no feed."""
    outline = "<outline text='Zeitung für München' xmlUrl='https://a.example/rss'/>"
    found = read_opml(f"{declared}<opml><body>{outline}{' ' * length}</body></opml>".encode("latin-1"))
    assert [(spec.title, spec.url) for spec in found.feeds] == [("Zeitung für München", "https://a.example/rss")]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("feed:https://a.example/rss", "https://a.example/rss"),
        ("feed://a.example/rss", "http://a.example/rss"),
        ("FEED://https://a.example/rss", "https://a.example/rss"),
        ("https://a.example/?u=feed://b.example", "https://a.example/?u=feed://b.example"),
    ],
)
def test_an_address_that_was_meant_for_a_reader_is_one(given: str, url: str) -> None:
    found = read_opml(f"<opml><body><outline text='A' xmlUrl='{given}'/></body></opml>".encode())
    assert [spec.url for spec in found.feeds] == [url]


def test_what_is_left_out_of_a_list_is_told() -> None:
    outline = (
        "<outline text='{}' nw:id='one' nw:enabled='perhaps' htmlUrl='ftp://a.example' xmlUrl='https://a.example/{}'/>"
    )
    found = read_opml(f"<opml><body>{outline.format('A', 1)}{outline.format('B', 2)}".encode())
    assert [spec.title for spec in found.feeds] == ["A"]
    told = "\n".join(found.problems)
    assert all(word in told for word in ("</opml>", "enabled", "site", "'https://a.example/2': its id one is already"))


@pytest.mark.parametrize("document", [b"", b"junk", b"\xff\xfe\x00", b"<opml/>"])
def test_a_list_without_feeds_says_so(document: bytes) -> None:
    assert read_opml(document).problems == ("the document lists no feed",)


def test_what_is_written_is_read_again_the_same() -> None:
    feeds = (*load_feeds(default_config_dir() / "feeds.yaml"), Feed("x", "https://x.example/rss", "No topic"))
    again = {spec.url: spec.feed() for spec in read_opml(write_opml(feeds)).feeds}
    assert again == {feed.url: feed for feed in feeds}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value(document: bytes) -> None:
    read_opml(document)
    read_opml(b"<opml><body><outline xmlUrl='" + document)
