"""The one rule for addresses: what it lets through, everything that works with addresses takes."""

from __future__ import annotations

import urllib.request
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protego import Protego
from w3lib.url import canonicalize_url
from yarl import URL

from ingest import addresses
from ingest.addresses import (
    MAX_CHARS,
    SHOWN_CHARS,
    AddressError,
    absolute,
    domain_of,
    host_of,
    is_address,
    read_address,
    resolve,
    site_of,
)
from ingest.http.guard import refusal
from ingest.pages.identity import agreed_url, may_be_renamed
from ingest.urls import article_id, canonicalize

ROBOTS = Protego.parse("User-agent: *\nDisallow: /*a*b$\nDisallow: /%7E\nAllow: /ä")
AGENT = "newswatch/0.1"

CHARS = st.one_of(
    st.sampled_from(list("ab019.-_~%:/?#[]@!$&'()*+,;=|\\^`{}<>\" \t\n\r\x00\x01\x7f\x85\xa0\xad")),
    st.sampled_from(list("äßςöИ中ノ。．ａ／％：＠℀ﬀⅠ²٣\u200b\u200c\u200d\u202e\u2028\ufeff\ud800\udfff☃💩İıŀ׃ा́")),
    st.characters(),
)
PIECES = st.sampled_from(
    [
        *(
            "http://",
            "https://",
            "HTTP:",
            "//",
            "feed:",
            "xn--",
            "xn--localhost-",
            "xn--a-ecp",
            "xn--a",
            "xn--99999999",
        ),
        *(
            "a..b.example",
            "a*b.example",
            "a b.example",
            ".example",
            "example.",
            "-a.example",
            "a-.example",
            "_a.example",
        ),
        *(
            "[::1]",
            "[::",
            "[v1.x]",
            "[fe80::1%25eth0]",
            "[::ffff:127.0.0.1]",
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "017.0.0.1",
        ),
        *("user:pw@", "a@b@", "@", ":", ":0", ":80", ":443", ":0080", ":65536", ":٣", ":-1", ":8 0"),
        *("%", "%zz", "%2", "%00", "%ff", "%2F", "%25", "%2e%2e", "%75tm_source=x", "%3Bjsessionid=1", ";jsessionid=1"),
        *(
            "/..",
            "/./",
            "//",
            "?",
            "&",
            "#",
            "utm_source=1&",
            "\\",
            "\\@",
            "é",
            "a" * 64,
            "a." * 130,
            "ü" * 60,
            "/robots.txt",
        ),
    ]
)
PARTS = st.one_of(CHARS, PIECES)
TEXTS = st.one_of(
    st.lists(PARTS, max_size=12).map("".join),
    st.lists(PARTS, max_size=8).map(lambda found: "http://" + "".join(found)),
    st.lists(PARTS, max_size=6).map(lambda found: "https://paper.example/" + "".join(found)),
    st.lists(PARTS, max_size=4).map(lambda found: "http://" + "".join(found) + ".example/a?b#c"),
    st.integers(0, 3).flatmap(lambda n: st.text("aä%b/", max_size=40).map(lambda t: f"https://h.example/{t * 10**n}")),
)


def taken_everywhere(text: str) -> None:
    """All that newswatch does with an address; whatever raises fails the test."""
    address = read_address(text)
    canonical = canonicalize(text)
    for url in (address.url, canonical):
        assert url.isascii()
        assert len(url) <= MAX_CHARS
        assert is_address(url)
        assert canonicalize(absolute(url, None) or "") == canonical
        assert host_of(url) == address.host
        assert canonicalize(url) == canonical
        assert article_id(url) == article_id(text)
        asked = URL(url)
        refusal(asked, ())
        _ = asked.host, asked.origin(), asked.join(URL("/robots.txt"))
        assert asked.scheme == address.scheme
        assert same_host(asked.raw_host, address.host)
        assert same_host(urlsplit(url).hostname, address.host)
        urllib.request.Request(url)
        ROBOTS.can_fetch(url, AGENT)
        assert site_of(url)
        assert domain_of(url)
    assert agreed_url(address.url, address.url, canonical) == canonical
    assert may_be_renamed(canonical, canonical)
    assert read_address(address.url).url == address.url, "what is stored is stored as it is when it is read again"


def same_host(one: str | None, other: str) -> bool:
    return one == other or (one is not None and ":" in one and ip_address(one) == ip_address(other))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("http://xn--localhost-/a")
@example("http://a..b.example/x")
@example("https://h.example/?%75tm_source=x")
@example("https://h.example/a/..;jsessionid=1")
@example("https://h.example/%3Bjsessionid=1;jsessionid=2%2F..")
@example("http://faß.example/")
@example("http://☃.example/")
@example("http://ex。ample.example/")
@example("http://a\\@b.example/")
@example("http://[::ffff:127.0.0.1]:0080/")
@example("http://" + "a." * 126 + "b/")
@example("https://h.example/" + "é" * 1_300)
def test_what_the_rule_lets_through_everything_takes(text: str) -> None:
    if not is_address(text):
        with pytest.raises(AddressError) as refused:
            canonicalize(text)
        assert len(str(refused.value)) < SHOWN_CHARS + 1_000
        assert str(refused.value).isprintable() or "\n" not in str(refused.value)
        assert absolute(text, None) is None
        return
    taken_everywhere(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_a_link_and_a_base_give_an_address_or_nothing(link: str, base: str) -> None:
    found = absolute(link, base)
    if found is not None:
        taken_everywhere(found)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["http", "https"]),
    st.lists(st.text("ab09-", min_size=1, max_size=5), min_size=1, max_size=4),
    st.lists(st.text("aZ0/._~,=:@&+-", max_size=12), max_size=4),
    st.none() | st.text("aZ0/._~,=:@&+-", min_size=1, max_size=20),
)
def test_the_short_way_reads_as_the_long_one(
    scheme: str, labels: list[str], path: list[str], query: str | None
) -> None:
    text = f"{scheme}://{'.'.join(labels)}.ex{''.join('/' + part for part in path)}"
    whole_text = text if query is None else f"{text}?{query}"
    points_elsewhere = addresses._DOTS.search("".join("/" + part for part in path))
    assert bool(addresses._PLAIN.fullmatch(whole_text)) is not bool(points_elsewhere)
    whole = addresses._read_any(whole_text)
    assert addresses._read(whole_text) == whole
    assert canonicalize(text) == canonicalize_url(text)
    addresses._refuse_what_yarl_refuses(whole, whole_text)


REFUSED = {
    "an empty label": "http://a..b.example/x",
    "an empty label at the end": "http://a.example../x",
    "a blank in the host": "http://a b.example/x",
    "a star in the host": "http://a*b.example/feed",
    "rubbish behind xn--": "http://xn--localhost-/a",
    "rubbish behind xn-- in a label amid others": "http://www.xn--localhost-.ru/a",
    "an open bracket": "http://[",
    "a name in brackets": "http://[paper.example]/",
    "an address with a zone": "http://[fe80::1%25eth0]/",
    "a future address": "http://[v1.fe80]/",
    "a port beyond 65,535": "http://h.example:65536/",
    "port 0": "http://h.example:0/",
    "a port of words": "http://h.example:http/",
    "a port of foreign digits": "http://h.example:٣/",
    "a percent sign in the host": "http://h%2e.example/",
    "a slash by compatibility": "http://h.example／x.example/",
    "half a character": "http://h.example/\ud800",
    "half a character in the host": "http://\udc80.example/",
    "a label of 64": f"http://{'a' * 64}.example/",
    "a label of 64 once it is ASCII": f"http://{'ü' * 60}.example/",
    "a host of 260": f"http://{'a.' * 130}example/",
    "a host of a megabyte": f"http://{'ü' * 1_000_000}.example/",
    "an address of 9,000": f"https://h.example/{'a' * 9_000}",
    "an address that is 9,000 once it is ASCII": f"https://h.example/{'é' * 1_500}",
    "an address whose canonical form is too long": f"https://h.example/?{',' * 3_000}",
    "a backslash in the authority": "http://good.example\\@bad.example/",
    "an IPv4 address of other writing": "http://127.1/",
    "an IPv4 address in octal": "http://0177.0.0.1/",
    "an IPv4 address in hex": "http://0x7f000001/",
    "an IPv4 address as a number": "http://2130706433/",
    "an IPv4 address out of range": "http://256.1.1.1/",
    "no host": "http:///x",
    "only a user": "http://user@/",
    "another scheme": "gopher://h.example/",
    "no scheme": "//h.example/x",
    "a path": "/x",
    "a word": "x",
    "nothing": "",
    "blanks": " \n\t ",
    "a dot": "http://./",
    "dots": "http://../",
    "a control character in the host": "http://h\x85.example/",
    "a direction mark in the host": "http://\u202ehcet.example/",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refused(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(AddressError, match=r"is no|has no"):
        read_address(text)


TAKEN = {
    "https://paper.example": "paper.example",
    "HTTPS://Paper.Example./a": "paper.example",
    "https://user:pw@paper.example:8443/a": "paper.example",
    "https://bücher.example/ü": "xn--bcher-kva.example",
    "https://xn--bcher-kva.example/": "xn--bcher-kva.example",
    "http://faß.example/": "xn--fa-hia.example",
    "http://☃.example/": "xn--n3h.example",
    "http://Правда.example/": "xn--80aafi6cg.example",
    "http://ex。ample.example/": "ex.ample.example",
    "http://my_paper.example/": "my_paper.example",
    "http://-a-.example/": "-a-.example",
    "http://newsroom:8090/feed": "newsroom",
    "http://127.0.0.1:8090/feed": "127.0.0.1",
    "http://[2001:DB8:0:0::1]/": "2001:db8::1",
    "http://h.example/%zz%": "h.example",
    "http://h.example/a\tb\nc": "h.example",
    "http://h.example/\x00\x01": "h.example",
    "http://h.example/a b?c d#e f": "h.example",
    "http://h.example:/": "h.example",
}


@pytest.mark.parametrize(("text", "host"), TAKEN.items())
def test_taken(text: str, host: str) -> None:
    taken_everywhere(text)
    assert host_of(text) == host


def test_a_host_is_asked_for_by_the_name_that_it_is_known_by() -> None:
    """The older standard makes another host of ß: the page would be asked of somebody else."""
    assert absolute("http://faß.example/a", None) == "http://xn--fa-hia.example/a"
    assert host_of("http://faß.example/a") == "xn--fa-hia.example"


@pytest.mark.parametrize("base", ["http://[", "http://a..b.example/", "nonsense", "", None, "\ud800"])
def test_a_base_that_is_none_costs_no_link_that_is_whole(base: str | None) -> None:
    assert absolute("https://paper.example/a", base) == "https://paper.example/a"
    assert absolute("HTTPS://paper.example/ä", base) == "https://paper.example/%C3%A4"
    assert absolute("a", base) is None


def test_a_refusal_names_the_address_and_is_short() -> None:
    with pytest.raises(AddressError, match=r"8,\d\d\d characters, more than 8,000") as refused:
        resolve("https://paper.example/" + "x" * 8_000, None)
    assert len(str(refused.value)) < SHOWN_CHARS + 200
    assert "https://paper.example/xxx" in str(refused.value)


def test_what_is_no_text_is_no_address() -> None:
    for nothing in (None, 7, b"https://paper.example/", ["https://paper.example/"]):
        with pytest.raises(AddressError):
            read_address(nothing)  # type: ignore[arg-type]


def test_a_quoted_address_is_the_address_it_quotes() -> None:
    assert canonicalize(f"https://paper.example/{quote('ü/é')}") == canonicalize("https://paper.example/ü/é")
