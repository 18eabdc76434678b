"""Entry and page to an article."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingest.assemble import assemble, wants_page
from ingest.pages.extracted import Extracted
from ingest.urls import article_id
from newswatch.article import Source
from newswatch.entry import Entry
from newswatch.feed import Feed

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
FEED = Feed(
    "f", "https://www.news.example/rss", "Example", site="https://www.news.example/", country="BE", owner="Owner"
)
LONG = "A sentence of the article that says something of substance. " * 40
ENTRY = Entry("1", "https://www.news.example/a?utm_source=rss", "Title", "The teaser.", "")
PAGE = Extracted("Page title", LONG, authors=("Ann",), published=datetime(2026, 1, 14, tzinfo=UTC), language="fr")


@pytest.mark.parametrize(
    ("entry", "feed", "wanted"),
    [
        (ENTRY, FEED, True),
        (replace(ENTRY, content=LONG), FEED, False),
        (replace(ENTRY, content=LONG), replace(FEED, full_text="page"), True),
        (ENTRY, replace(FEED, full_text="feed"), False),
        (replace(ENTRY, url=None), replace(FEED, full_text="page"), False),
        (replace(ENTRY, content="句" * 500, language="zh"), FEED, False),
        (replace(ENTRY, content="x" * 500), FEED, True),
    ],
)
def test_the_page_is_wanted_where_the_feed_is_short(entry: Entry, feed: Feed, wanted: bool) -> None:
    assert wants_page(entry, feed) is wanted


def test_an_article_knows_where_it_is_from() -> None:
    article = assemble(ENTRY, PAGE, FEED, now=NOW, extractor="x 1")
    assert article.url == "https://www.news.example/a"
    assert article.id == article_id(article.url)
    assert article.source == Source("f", "Example", "news.example", "BE", "press", "Owner")
    assert (article.title, article.summary, article.text, article.text_status) == ("Title", "The teaser.", LONG, "full")
    assert (article.authors, article.published, article.language) == (("Ann",), PAGE.published, "fr")
    assert (article.first_seen, article.provenance.page_fetched, article.provenance.extractor) == (NOW, True, "x 1")


@pytest.mark.parametrize(
    ("entry", "page", "text", "status"),
    [
        (ENTRY, None, "The teaser.", "summary"),
        (replace(ENTRY, content=LONG), None, LONG, "full"),
        (ENTRY, replace(PAGE, text="", status="consent"), "The teaser.", "consent"),
        (ENTRY, replace(PAGE, text="The teaser. Subscribe!", status="paywall"), "The teaser.", "paywall"),
        (replace(ENTRY, content=LONG), replace(PAGE, text="Short.", status="paywall"), LONG, "full"),
        (replace(ENTRY, content=LONG), replace(PAGE, text="Cut off."), LONG, "full"),
        (replace(ENTRY, summary=""), replace(PAGE, text="", status="empty"), "", "empty"),
        (ENTRY, replace(PAGE, text="", status="failed"), "The teaser.", "failed"),
    ],
)
def test_feed_and_page_are_weighed(entry: Entry, page: Extracted | None, text: str, status: str) -> None:
    article = assemble(entry, page, FEED, now=NOW)
    assert (article.text, article.text_status) == (text, status)


def test_an_entry_without_a_link_is_known_by_its_id() -> None:
    one, same, other = (
        assemble(replace(ENTRY, id=i, url=None), None, FEED, now=NOW) for i in ("a&b#c", "a&b#c", "a&b#d")
    )
    assert one.id == same.id != other.id
    assert one.url.startswith("https://www.news.example/rss?")


def test_what_was_wrong_stays_with_the_article() -> None:
    entry = replace(ENTRY, problems=("published 3247-01-01 is in the future: dropped",))
    article = assemble(entry, replace(PAGE, problems=("paid",)), FEED, now=NOW)
    assert article.problems == (*entry.problems, "paid")


def test_the_page_may_say_what_an_article_is_known_by() -> None:
    page = replace(PAGE, canonical_url="https://news.example/allies-agree-on-flank")
    entry = replace(ENTRY, url="https://m.news.example/allies-agree-on-flank?from=rss")
    assert assemble(entry, page, FEED, now=NOW).url == "https://news.example/allies-agree-on-flank"
    assert assemble(entry, replace(page, canonical_url="https://news.example/"), FEED, now=NOW).url == entry.url


def test_an_article_keeps_its_first_identity() -> None:
    page = replace(PAGE, canonical_url="https://news.example/allies-agree-on-flank")
    entry = replace(ENTRY, url="https://m.news.example/allies-agree-on-flank?from=rss")
    article = assemble(entry, page, FEED, now=NOW, known_url=entry.url)
    assert (article.url, article.id) == (entry.url, article_id(entry.url or ""))


@pytest.mark.parametrize(
    ("link", "stated", "sent_to"),
    [
        ("https://www.news.example/a", None, "https://www.news.example/a"),
        ("https://www.news.example/a?utm_source=rss&utm_medium=feed", None, "https://www.news.example/a"),
        ("https://www.news.example/a%2Cb?z=1&a=%2F&utm_id=3", None, "https://www.news.example/a%2Cb?z=1&a=%2F"),
        ("https://www.news.example/l%27otan", None, "https://www.news.example/l%27otan"),
        (
            "https://go.news.example/?to=7",
            "https://www.news.example/summit-in-ankara,1?b=1&a=2",
            "https://go.news.example/?to=7",
        ),
        (
            "https://www.news.example/amp/summit-in-ankara%2C12",
            "https://www.news.example/summit-in-ankara%2C12",
            "https://www.news.example/summit-in-ankara%2C12",
        ),
    ],
)
def test_readers_are_sent_to_the_address_as_it_was_written(link: str, stated: str | None, sent_to: str) -> None:
    """A server may know its pages by one spelling alone; what only follows readers around is left out."""
    page = replace(PAGE, canonical_url=stated) if stated else None
    assert assemble(replace(ENTRY, url=link), page, FEED, now=NOW).address == sent_to


def test_one_of_several_entries_of_a_page_leads_to_the_page() -> None:
    entry = replace(ENTRY, url="https://www.news.example/alerts?b=1&a=2#post-3", part="post-3")
    assert assemble(entry, None, FEED, now=NOW).address == "https://www.news.example/alerts?b=1&a=2#post-3"
