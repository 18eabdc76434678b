"""Golden pairs: which of its addresses an article is known by."""

from __future__ import annotations

import pytest

from ingest.pages.identity import agreed_url

SLUG = "allies-agree-on-flank"

BELIEVED = {
    "AMP by path": (f"https://a.example/2026/03/04/{SLUG}/amp/", None, f"https://a.example/2026/03/04/{SLUG}/"),
    "AMP by host": (f"https://amp.a.example/{SLUG}.html", None, f"https://www.a.example/{SLUG}.html"),
    "AMP by suffix": (f"https://a.example/{SLUG}.amp.html", None, f"https://a.example/{SLUG}.html"),
    "AMP by parameter": (f"https://a.example/{SLUG}?amp=1", None, f"https://a.example/{SLUG}"),
    "mobile": (f"http://m.a.example/n/{SLUG}", None, f"https://a.example/n/{SLUG}"),
    "a redirector of feeds": (
        "https://feeds.proxy.example/~r/a/~3/xyz/",
        f"https://www.a.example/{SLUG}?source=feed",
        f"https://www.a.example/{SLUG}",
    ),
    "a tracking parameter that nobody lists": (
        f"https://a.example/news/2026/3/4/{SLUG}?traffic_source=rss",
        None,
        f"https://a.example/news/2026/3/4/{SLUG}",
    ),
    "a tracking path": (f"https://a.example/rss/{SLUG}-123456", None, f"https://a.example/world/{SLUG}-123456"),
    "an id in the query": ("https://m.a.example/article?id=12345", None, "https://a.example/article?id=12345"),
    "relative": (f"https://a.example/x/{SLUG}?ref=feed", None, f"/x/{SLUG}"),
    "in another script": (
        "https://a.example/2026/حلف-شمال-الأطلسي-يجتمع?from=rss",
        None,
        "https://a.example/2026/%D8%AD%D9%84%D9%81-%D8%B4%D9%85%D8%A7%D9%84-%D8%A7%D9%84%D8%A3%D8%B7%D9%84%D8%B3%D9%8A-"
        "%D9%8A%D8%AC%D8%AA%D9%85%D8%B9",
    ),
}

NOT_BELIEVED = {
    "the home page": (f"https://a.example/{SLUG}", "https://a.example/"),
    "the section": (f"https://a.example/world/{SLUG}", "https://a.example/world"),
    "another site": (f"https://a.example/{SLUG}", f"https://agency.example/{SLUG}"),
    "another article": (f"https://a.example/{SLUG}-1234", f"https://a.example/{SLUG}-1235"),
    "another day's of one name": (
        "https://a.example/2026/03/04/the-daily-briefing",
        "https://a.example/2026/03/05/the-daily-briefing",
    ),
    "the live-blog of a post": (f"https://a.example/live/{SLUG}/post-77", f"https://a.example/live/{SLUG}"),
    "the live-blog of a post in the query": (f"https://a.example/{SLUG}?post=77", f"https://a.example/{SLUG}"),
    "the first of several pages": (f"https://a.example/{SLUG}/2", f"https://a.example/{SLUG}"),
    "the script without the id": ("https://a.example/article.php?id=abc", "https://a.example/article.php"),
    "a name that says nothing": ("https://a.example/a/news", "https://a.example/b/news"),
    "a sub-site of another name": (f"https://blog.a.example/{SLUG}", f"https://press.a.example/{SLUG}"),
    "no URL": (f"https://a.example/{SLUG}", "http://["),
    "no canonical": (f"https://a.example/{SLUG}", None),
}


@pytest.mark.parametrize(("link", "final", "stated"), BELIEVED.values(), ids=BELIEVED)
def test_a_canonical_url_of_the_same_name_is_believed(link: str, final: str | None, stated: str) -> None:
    known = agreed_url(link, final or link, stated)
    assert known.split("/", 3)[2] in ("a.example", "www.a.example")
    assert known == agreed_url(known, known, None), "it is no canonical form"
    assert known != agreed_url(link, link, None)


@pytest.mark.parametrize(("link", "stated"), NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_one_that_could_join_two_articles_is_not(link: str, stated: str | None) -> None:
    assert agreed_url(link, link, stated) == link


def test_a_link_that_is_no_url_is_an_error() -> None:
    with pytest.raises(ValueError, match="not an absolute"):
        agreed_url("mailto:a@b", None, None)
