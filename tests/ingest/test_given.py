"""Articles that others hand us: what is accepted, and each fault named."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from ingest import import_files
from ingest.archive import Archive
from ingest.given import GivenError, imported, pushed
from ingest.import_files import Item
from ingest.urls import known_id
from newswatch.article import Source
from newswatch.as_json import json_line
from tests.factories import NOW, TEXT, TITLE, a_source, stored_article
from tests.ingest.test_archive import an_answer

URL = "https://herald.example/flank"


def given(**changes: Any) -> dict[str, Any]:
    return {"url": URL, "title": TITLE, "text": TEXT} | changes


def test_our_own_export_comes_back_as_it_was() -> None:
    was = stored_article(authors=("Ann Lee",), image="https://herald.example/a.jpg", agency="Reuters")
    read = imported(json.loads(json_line(was)), now=NOW)
    for name in (
        "id",
        "url",
        "title",
        "summary",
        "text",
        "text_status",
        "source",
        "first_seen",
        "published",
        "authors",
    ):
        assert getattr(read, name) == getattr(was, name), name
    assert (read.image, read.agency, read.feeds, read.versions) == (was.image, was.agency, was.feeds, was.versions)
    assert read.provenance.extractor == "import test 1"
    assert read.provenance.fetched_at == was.provenance.fetched_at
    assert (read.story_id, read.tags, read.placed_at) == ("", (), None), "these are made anew"


def test_an_export_keeps_the_address_by_which_an_article_was_known() -> None:
    former = f"{URL}?srsltid=7"
    was = replace(stored_article(), id=known_id(former), url=former)
    read = imported(json.loads(json_line(was)), now=NOW)
    assert (read.id, read.url) == (was.id, former)
    assert imported(given(url=former), now=NOW).url == URL, "of what nobody has known yet"


def test_the_least_is_an_address_and_a_title() -> None:
    read = imported({"url": URL + "?utm_source=x", "title": "<b>Ice</b> &amp; snow"}, now=NOW)
    assert (read.url, read.title, read.text_status, read.first_seen) == (URL, "Ice & snow", "empty", NOW)
    assert read.source == Source("import", "herald.example", "herald.example")
    old = imported(given(published="2025-01-02T03:04:05+02:00"), now=NOW)
    assert old.first_seen == old.published == datetime(2025, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert imported(given(text="", html="<p>One<script>x()</script><p>Two"), now=NOW).text == "One\nTwo"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": "file:///etc/passwd"}, "url: "),
        ({"url": "https://user:pw@[::1"}, "url: "),
        ({"url": 7}, "url: "),
        ({"title": " \u200b "}, "title: it is empty"),
        ({"title": "x" * 1_001}, "title: "),
        ({"published": "2026-03-04"}, "published: it must be a time with its zone"),
        ({"published": "2026-03-04T05:06:07"}, "published: it must be a time with its zone"),
        ({"published": 1_700_000_000}, "published: it must be a time with its zone"),
        ({"published": "3026-03-04T05:06:07Z"}, "published: 3026-03-04T05:06:07+00:00 lies in the future"),
        ({"published": "1026-03-04T05:06:07Z"}, "lies before 1900"),
        ({"published": "2026-02-31T05:06:07Z"}, "published: "),
        ({"language": "Klingon!"}, "language: 'Klingon!' is no language tag"),
        ({"authors": "Ann"}, "authors: "),
        ({"authors": ["x" * 300]}, "authors.0: "),
        ({"source": {"name": "Herald", "kind": "blog"}}, "source.kind: 'blog' is none of"),
        ({"source": {"name": "Herald", "reliability": "Z"}}, "source.reliability: 'Z' is none of"),
        ({"html": "<p>x"}, "html: give `text` or `html`, not both"),
        ({"image": "javascript:alert(1)"}, "image: "),
        ({"link": "ftp://x"}, "link: "),
        ({"subtitle": "x"}, "subtitle: "),
        ({"versions": [{"seen_at": "2026-01-01T00:00:00", "title": "", "text_hash": "", "changed": []}]}, "versions.0"),
    ],
)
def test_each_fault_names_its_field(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(GivenError) as error:
        imported(given(**wrong), now=NOW)
    assert told in str(error.value)
    assert "pydantic" not in str(error.value)


def test_who_pushes_does_not_say_who_he_is_or_when_it_was() -> None:
    read = pushed(given(published="2026-03-04T05:00:00Z"), a_source(feed_id="push-1"), now=NOW)
    assert (read.source.feed_id, read.feeds, read.first_seen) == ("push-1", ("push-1",), NOW)
    for name in ("source", "first_seen", "versions", "provenance", "feeds", "id"):
        with pytest.raises(GivenError, match=name):
            pushed(given(**{name: None}), a_source(), now=NOW)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path, place: int = 0, number: int = 0) -> list[Item]:
    reader = import_files.pages if import_files.is_warc(path) else import_files.lines
    return list(reader(path, place, number, NOW + timedelta(days=1)))


HOSTILE = [
    (b"\xef\xbb\xbf" + json.dumps(given(url=f"{URL}/0")).encode(), ""),
    (b"", ""),
    (b"{", "it is no JSON"),
    (b"[1, 2]", "an article is a JSON object"),
    (b"[" * 100_000, ""),
    (b'{"url": "\xff"}', "it is not UTF-8 from its byte 10 on"),
    (b'{"url": "a", "url": "b"}', "'url' is given twice"),
    (b'{"n": ' + b"9" * 5_000 + b"}", ""),
    (json.dumps(given(url=f"{URL}/1", text="a null \x00, ctrl \x1b[2J")).encode(), ""),
    (json.dumps(given(text="half \ud800 a pair")).encode(), "text: "),
    (b'"' + b"x" * (import_files.LINE_BYTES + 9) + b'"', "it has more than 10,000,000 bytes"),
    (json.dumps(given(url=f"{URL}/2")).encode(), ""),
]


@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_costs_itself_and_reading_goes_on_anywhere(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    whole = b"\n".join(line for line, _ in HOSTILE)
    path.write_bytes(gzip.compress(whole) if packed else whole)
    items = read(path)
    assert [item.number for item in items] == [*range(1, len(HOSTILE) + 1)]
    assert [item.article.url for item in items if item.article] == [f"{URL}/{n}" for n in range(3)]
    assert [bool(item.fault) for item in items] == [n in (2, 3, 4, 5, 6, 7, 9, 10) for n in range(len(HOSTILE))]
    for item, (_, told) in zip(items, HOSTILE, strict=True):
        assert told in item.fault
    assert read(path, items[6].place, items[6].number) == items[7:]


def test_a_packed_file_that_breaks_off_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = [json.dumps(given(url=f"{URL}/{n}", text=str(n) * 4_000)) for n in range(50)]
    whole = gzip.compress("\n".join(rows).encode())
    path.write_bytes(whole[: len(whole) * 2 // 3])
    *before, last = read(path)
    assert before
    assert all(item.article for item in before)
    assert "breaks off" in last.fault
    assert last.place == before[-1].place, "a whole file goes on there"


def a_page(n: int) -> bytes:
    said = (
        f"<p>Ministers of the Alliance met in room {n} and agreed on {k} things more than before.</p>"
        for k in range(30)
    )
    meta, title = '<meta property="article:published_time" content="2026-03-01T10:00:00Z">', f"Meeting {n} of ministers"
    body = f"<h1>{title}</h1><article>{''.join(said)}</article>"
    return f"<html><head><title>{title}</title>{meta}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize("name", ["crawl.warc.gz", "crawl.warc"])
def test_a_crawl_gives_its_articles_and_a_damaged_record_costs_itself(tmp_path: Path, name: str) -> None:
    ends, buffer = [], io.BytesIO()
    writer = WARCWriter(buffer, gzip=name.endswith("gz"))
    for n in range(4):
        headers = [("Content-Type", "text/html"), ("Content-Encoding", "gzip")]
        http = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
        date = {"WARC-Date": "2026-03-01T12:00:00Z"}
        url, body = f"https://crawl.example/meeting-{n}", io.BytesIO(gzip.compress(a_page(n)))
        writer.write_record(writer.create_warc_record(url, "response", body, http_headers=http, warc_headers_dict=date))
        ends.append(buffer.tell())
    writer.write_record(writer.create_warc_record("https://crawl.example/robots.txt", "request"))
    path, whole = tmp_path / name, bytearray(buffer.getvalue())
    path.write_bytes(whole)
    items = read(path)
    assert [item.article.title if item.article else "" for item in items] == [
        *(f"Meeting {n} of ministers" for n in range(4)),
        "",
    ]
    assert items[0].article
    assert items[0].article.first_seen == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert items[0].url == "https://crawl.example/meeting-0"
    assert [item.place for item in items[:4]] == ends
    assert read(path, items[1].place, 2) == items[2:]
    middle = ends[1] - 60
    whole[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(whole)
    harmed = read(path)
    assert [item.article.title for item in harmed if item.article] == [f"Meeting {n} of ministers" for n in (0, 2, 3)]
    assert sum(bool(item.fault) for item in harmed) >= 1


@pytest.mark.parametrize(("coding", "pack"), [("br", brotli.compress), ("gzip", gzip.compress), ("br, gzip", None)])
def test_a_record_is_unpacked_as_a_page_is_and_half_of_one_is_none(
    tmp_path: Path, coding: str, pack: Callable[[bytes], bytes] | None
) -> None:
    """Each record in Brotli was lost; the last one of a file that breaks off was an article with half its text."""
    body = pack(a_page(1)) if pack else gzip.compress(brotli.compress(a_page(1)))
    buffer = io.BytesIO()
    http = StatusAndHeaders(
        "200 OK", [("Content-Type", "text/html"), ("Content-Encoding", coding)], protocol="HTTP/1.1"
    )
    writer = WARCWriter(buffer, gzip=False)
    date = {"WARC-Date": "2026-03-01T12:00:00Z"}
    url = "https://crawl.example/meeting"
    writer.write_record(
        writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=http, warc_headers_dict=date)
    )
    path = tmp_path / "crawl.warc"
    path.write_bytes(buffer.getvalue())
    [item] = read(path)
    assert item.article
    assert item.article.title == "Meeting 1 of ministers"
    path.write_bytes(buffer.getvalue()[:-20])
    [half] = read(path)
    assert (half.article, "missing" in half.fault) == (None, True)


def test_our_own_archive_gives_its_pages_and_no_feeds(tmp_path: Path) -> None:
    writing = Archive(tmp_path, now=NOW)
    writing.keep(an_answer(b"<rss/>", "https://a.example/rss"), feed_id="a")
    writing.keep(an_answer(a_page(1), "https://a.example/meeting", headers={"content-type": "text/html"}))
    writing.close()
    (path,) = tmp_path.rglob("*.warc.gz")
    assert [item.article.url if item.article else item.fault for item in read(path)] == [
        "",
        "https://a.example/meeting",
    ]


def test_a_page_that_its_crawler_has_cut_is_no_article(tmp_path: Path) -> None:
    """WARC 1.1, 5.13: Common Crawl cuts what is longer than its limit, and says so."""
    buffer, path = io.BytesIO(), tmp_path / "a.warc"
    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
    writer = WARCWriter(buffer, gzip=False)
    for n, more in enumerate(({}, {"WARC-Truncated": "length"})):
        date, page = {"WARC-Date": "2026-03-01T12:00:00Z", **more}, io.BytesIO(a_page(n))
        writer.write_record(
            writer.create_warc_record(f"{URL}/{n}", "response", page, http_headers=http, warc_headers_dict=date)
        )
    path.write_bytes(buffer.getvalue())
    whole, cut = read(path)
    assert (whole.fault, cut.article, cut.fault) == ("", None, "it breaks off: its crawler has cut it (length)")
