"""The identity of an article: what is one address, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.addresses import absolute, domain_of, host_of, site_of, with_scheme
from ingest.urls import article_id, canonicalize, former_url, known_id, part_url, untracked

CANONICAL = [
    ("HTTP://Www.Example.COM:80/a/../b c?b=2&a=1#frag", "http://www.example.com/b%20c?a=1&b=2"),
    ("https://example.com", "https://example.com/"),
    ("https://example.com:443/", "https://example.com/"),
    ("https://example.com:8443/a", "https://example.com:8443/a"),
    ("https://user:secret@example.com/a", "https://example.com/a"),
    ("https://bücher.example/ü?q=ä", "https://xn--bcher-kva.example/%C3%BC?q=%C3%A4"),
    ("https://example.com/a?utm_source=rss&utm_medium=feed&id=7&fbclid=x", "https://example.com/a?id=7"),
    ("https://example.com/a;jsessionid=1F?x=1", "https://example.com/a?x=1"),
    ("https://example.com/a?srsltid=Af&gad_source=1&GAD_campaignid=2&_gl=1*x&id=7", "https://example.com/a?id=7"),
    ("https://example.com/?1234567", "https://example.com/?1234567"),
    ("https://example.com/a?x=&y", "https://example.com/a?x=&y"),
    ("https://example.com/%7Euser", "https://example.com/~user"),
    ("https://[2001:DB8::1]:8080/x", "https://[2001:db8::1]:8080/x"),
    ("  https://example.com/a\n", "https://example.com/a"),
    # Names that look like tracking elsewhere and are addresses here.
    ("https://example.com/a?cid=12&ref=7&source=x&gallery=3", "https://example.com/a?cid=12&gallery=3&ref=7&source=x"),
]


@pytest.mark.parametrize(("url", "canonical"), CANONICAL)
def test_canonicalize(url: str, canonical: str) -> None:
    assert canonicalize(url) == canonical


@pytest.mark.parametrize("url", [url for url, _ in CANONICAL])
def test_canonicalizing_twice_changes_nothing(url: str) -> None:
    assert canonicalize(canonicalize(url)) == canonicalize(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "//example.com/a",
        "ftp://example.com/",
        "javascript:alert(1)",
        "mailto:a@example.com",
        "http://",
        "http://example.com:99999/",
        "http://exa..mple.com/",
        "http://exa mple.com/",
        f"http://{'a' * 300}.com/",
        "http://[::1/",
        "http://example.com/\ud800",
    ],
)
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has no") as refused:
        canonicalize(url)
    assert repr(url)[1:-1] in str(refused.value)


def test_the_scheme_and_the_campaign_make_no_other_article() -> None:
    assert article_id("http://example.com/a") == article_id("https://example.com/a?utm_campaign=x")
    assert article_id("https://example.com/a") != article_id("https://example.com/A")
    assert len(article_id("https://example.com/")) == 32


def test_an_address_stored_with_what_was_later_known_to_track_stays_its_article_s() -> None:
    link = "https://example.com/a?b=2&srsltid=Af&utm_source=x"
    stored = "https://example.com/a?b=2&srsltid=Af"
    assert former_url(link) == former_url(stored) == stored
    assert (
        known_id(stored) != known_id(canonicalize(link)) == article_id(link) == article_id("http://example.com/a?b=2")
    )
    assert known_id(f"{stored}#part") == known_id(former_url(link, "part")) != known_id(part_url(link, "part"))
    for plain in ("https://example.com/a?id=7&utm_source=x", "https://example.com/a", "https://example.com/?1"):
        assert former_url(plain) == canonicalize(plain)
    assert untracked(link) == "https://example.com/a?b=2"


@given(st.text(max_size=80))
def test_any_text_is_canonicalized_or_refused(url: str) -> None:
    for candidate in (url, f"https://example.com/{url}", f"https://{url}/"):
        try:
            canonical = canonicalize(candidate)
        except ValueError:
            continue
        assert canonicalize(canonical) == canonical
        assert canonical.isascii()


@pytest.mark.parametrize(
    ("link", "base", "expected"),
    [
        ("/a", "https://example.com/feed", "https://example.com/a"),
        ("a b", "https://example.com/x/feed", "https://example.com/x/a%20b"),
        ("//example.org/a", "https://example.com/", "https://example.org/a"),
        ("javascript:void(0)", "https://example.com/", None),
        ("a", None, None),
        (None, "https://example.com/", None),
        ("", "https://example.com/", None),
    ],
)
def test_absolute(link: str | None, base: str | None, expected: str | None) -> None:
    assert absolute(link, base) == expected


def test_the_site_is_the_domain_that_was_registered() -> None:
    hosts = ("feeds.bbci.co.uk", "www.gov.uk", "a.b.nato.int", "one.github.io", "127.0.0.1:9", "newsroom", "h.example")
    assert [site_of(f"https://{host}/feed") for host in hosts] == [
        *("bbci.co.uk", "www.gov.uk", "nato.int", "one.github.io", "127.0.0.1", "newsroom", "h.example")
    ]


def test_host_and_domain() -> None:
    assert host_of("https://WWW.Example.com:8443/a") == "www.example.com"
    assert domain_of("https://www.example.com/") == "example.com"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("reuters.com/news/x", "https://reuters.com/news/x"),
        (" reuters.com ", "https://reuters.com"),
        ("127.0.0.1:8080/x?a.b", "https://127.0.0.1:8080/x?a.b"),
        ("localhost:8080/x", "https://localhost:8080/x"),
        ("http://reuters.com/x", "http://reuters.com/x"),
        ("nonsense", "nonsense"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("feed:https://reuters.com/x", "https://reuters.com/x"),
        (" FEED://reuters.com/x", "http://reuters.com/x"),
        ("", ""),
    ],
)
def test_an_address_as_it_is_typed_gets_the_scheme_that_it_lacks(typed: str, meant: str) -> None:
    assert with_scheme(typed) == meant
