"""What is read without a worker: only bytes that were counted, and unpacked within a bound."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime

import pytest

from ingest.bounds import HARMLESS_BYTES, harmless
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.repair import repaired

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
GOOD = b"<rss><channel><item><title>Allies meet</title></item></channel></rss>"
MANY_TAGS = GOOD.replace(b"</item>", b"<a/>" * 10_000 + b"</item>")
ENTITIES = b"<!DOCTYPE rss [<!ENTITY a 'ha'>]>" + GOOD


@pytest.mark.parametrize("body", [GOOD, gzip.compress(GOOD)])
def test_a_small_document_is_counted_and_read_unpacked(body: bytes) -> None:
    assert harmless(body) == GOOD


@pytest.mark.parametrize(
    "body",
    [
        MANY_TAGS,
        gzip.compress(MANY_TAGS),
        gzip.compress(gzip.compress(MANY_TAGS)),
        gzip.compress(gzip.compress(GOOD)),
        gzip.compress(GOOD + b"\n" * HARMLESS_BYTES),
        gzip.compress(GOOD)[:2] + b"\0" * 40,
        ENTITIES,
        gzip.compress(ENTITIES),
        ENTITIES.replace(b"<!ENTITY", b"<!ENT\x01ITY"),
        b"<?xml version='1.0'?><!-- " + b"\x1b" + b" -->" + GOOD,
        GOOD.decode().encode("utf-16"),
    ],
)
def test_what_is_more_than_it_seems_is_left_to_a_worker(body: bytes) -> None:
    assert harmless(body) is None


def test_a_bomb_costs_little_where_it_is_counted() -> None:
    bomb = gzip.compress(b" " * 40_000_000)
    assert len(bomb) < HARMLESS_BYTES
    tracemalloc.start()
    try:
        assert harmless(bomb) is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("hidden", [b"<!ENT&#1;ITY", b"<&#x8;!ENTITY", b"<&#1;&#2;!E&#1;NTITY"])
def test_no_declaration_of_entities_comes_about_by_repair(hidden: bytes) -> None:
    body = ENTITIES.replace(b"<!ENTITY", hidden)
    assert b"<!ENTITY" not in repaired(body).body


@pytest.mark.parametrize(("country", "hour"), [("IN", 12), ("IL", 16), ("IE", 17), (None, None)])
def test_the_outlets_country_tells_what_a_zone_means(country: str | None, hour: int | None) -> None:
    rss = GOOD.replace(b"</title>", b"</title><pubDate>Wed, 14 Jan 2026 18:00:00 IST</pubDate>")
    sitemap = (
        b"<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'><url><loc>https://paper.example/1</loc>"
        b"<n:news><n:title>Allies meet</n:title><n:publication_date>14 Jan 2026 18:00 IST</n:publication_date></n:news>"
        b"</url></urlset>"
    )
    json = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "Allies meet", '
    json += b'"date_published": "14 Jan 2026 18:00 IST"}]}'
    for body in (rss, sitemap, json):
        feed = parse(body, url="https://paper.example/feed.xml", country=country, now=NOW)
        assert isinstance(feed, ParsedFeed)
        published = feed.entries[0].published
        assert (published.hour if published else None) == hour
