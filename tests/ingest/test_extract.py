"""Article pages to text and facts; what stands around an article, and what stands in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import bounds, workers
from ingest.pages.extract import MAX_BYTES, extract, extractor_version
from ingest.pages.extracted import Extracted

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://www.news.example/2026/allies"
PARAGRAPHS = [
    f"Paragraph {n}: the ministers spoke about the mission for a long while, and {n} of them asked for a vote on it."
    for n in range(8)
]
PROSE = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
HEAD = """<title>Allies agree on a mission - News Example</title>
<meta property="og:title" content="Allies agree on a mission"><meta property="og:site_name" content="News Example">
<meta property="og:image" content="/pictures/1.jpg"><link rel="canonical" href="/2026/allies-agree">
<meta property="article:published_time" content="2026-01-14T18:30:00+01:00">
<meta name="author" content="Ann Reporter">"""


def page(article: str = PROSE, head: str = HEAD, around: str = "", lang: str = "en") -> str:
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">{head}</head><body>'
        f'<nav><a href="/">Home</a></nav><article><h1>Allies agree on a mission</h1>{article}</article>{around}'
        "<footer>© News Example</footer></body></html>"
    )


def read(html: str | bytes) -> Extracted:
    return extract(html, url=URL, now=NOW)


def test_a_page_is_read_whole() -> None:
    found = read(page())
    assert found.text == "\n".join(PARAGRAPHS)
    assert (found.title, found.authors) == ("Allies agree on a mission", ("Ann Reporter",))
    assert found.published == datetime(2026, 1, 14, 17, 30, tzinfo=UTC)
    assert (found.language, found.status, found.problems) == ("en", "full", ())
    assert found.canonical_url == "https://www.news.example/2026/allies-agree"
    assert found.image == "https://www.news.example/pictures/1.jpg"


def test_json_ld_is_believed_first() -> None:
    ld = """<script type="application/ld+json">{"@graph": [{"@type": "Organization", "name": "X"}, {"@type":
    ["NewsArticle"], "headline": "Allies &amp; partners &lt;b&gt;agree&lt;/b&gt;",
    "datePublished": "2026-01-13T08:00:00Z",
    "author": [{"@type": "Person", "name": "Bo Writer"}, {"name": "https://news.example/bo"}],}]}</script>"""
    found = read(page(head=ld))
    assert (found.title, found.authors) == ("Allies & partners agree", ("Bo Writer",))
    assert found.published == datetime(2026, 1, 13, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "clutter",
    [
        '<ul><li><a href="/a">Another story that you may want to read</a></li><li><a href="/b">One more</a></li></ul>',
        '<p><a href="/a">Background: how the mission came about and who wanted it</a></p>',
        "<aside><p>Our correspondent has followed the alliance for many years from its headquarters.</p></aside>",
        '<div style="display:none"><p>Your session has expired, please sign in again.</p></div>',
        "<p>Read more: the history of the mission</p>",
        "<p>Lesen Sie auch: die Geschichte des Einsatzes</p>",
        "<p>Sign up for our newsletter and never miss a story.</p>",
    ],
)
def test_what_is_no_part_of_the_article_is_cut(clutter: str) -> None:
    middle = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS[:4])
    found = read(page(middle + clutter + PROSE.removeprefix(middle)))
    assert found.text == "\n".join(PARAGRAPHS)


def test_an_article_in_several_containers_is_put_together() -> None:
    parts = [PARAGRAPHS[:3], PARAGRAPHS[3:6], PARAGRAPHS[6:]]
    chunks = "".join(
        f"<div class='chunk'>{''.join(f'<p>{p}</p>' for p in part)}</div><div>Advertisement</div>" for part in parts
    )
    assert read(page(chunks)).text == "\n".join(PARAGRAPHS)


def test_the_standfirst_belongs_to_the_article() -> None:
    standfirst = "After two days of talks the allies have found a way that all of them can live with."
    head = f'{HEAD}<meta name="description" content="{standfirst}">'
    html = page(head=head).replace("<article>", f'<header><div class="lead">{standfirst}</div></header><article>')
    assert read(html).text.startswith(standfirst)


def test_the_article_of_a_page_that_scripts_build_is_found_in_them() -> None:
    state = "<p>" + "</p><p>".join(PARAGRAPHS).replace('"', '\\"') + "</p>"
    html = page("", around=f'<script>window.state = {{"id": 1, "content": "{state}"}}</script>')
    assert read(html).text == "\n".join(PARAGRAPHS)


def test_json_ld_stands_in_for_a_page_without_text() -> None:
    ld = f'<script type="application/ld+json">{{"@type": "Article", "articleBody": "{" ".join(PARAGRAPHS)}"}}</script>'
    assert read(page("", head=ld)).text == " ".join(PARAGRAPHS)


# ── in the article's place ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("html", "status"),
    [
        (
            "<html><head><title>Before you continue</title></head><body><div><p>We value your privacy. We and our "
            "partners use cookies to store data.</p><p>Manage your consent, or accept all cookies to continue. "
            "See our privacy policy.</p></div></body></html>",
            "consent",
        ),
        (
            page(f"<p>{PARAGRAPHS[0]}</p><div>To read the full story, subscribe. Already a subscriber?</div>"),
            "paywall",
        ),
        (
            page(
                f"<p>{PARAGRAPHS[0]}</p>",
                head='<script type="application/ld+json">{"@type": "Article", "isAccessibleForFree": "False"}</script>',
            ),
            "paywall",
        ),
        (
            "<html><head><title>Just a moment...</title></head><body><p>Checking your browser.</p></body></html>",
            "empty",
        ),
        ("<html><head><title>News</title></head><body><div id='root'></div></body></html>", "empty"),
        ("<html><body>" + "<div>" * 5_000 + "deep", "empty"),
    ],
    ids=["consent", "paywall", "paid", "robot check", "shell", "deep"],
)
def test_what_is_served_in_an_articles_place_is_told(html: str, status: str) -> None:
    found = read(html)
    assert found.status == status
    assert found.problems


def test_a_paid_article_that_is_there_in_full_is_full() -> None:
    head = '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'
    assert read(page(PROSE * 3, head=head)).status == "full"


def test_an_article_about_cookies_is_no_consent_wall() -> None:
    text = "".join(
        f"<p>{n}. The court ruled on cookies, consent and privacy policy; {p}</p>" for n, p in enumerate(PARAGRAPHS * 2)
    )
    assert read(page(text)).status == "full"


def test_an_implausible_date_is_dropped_with_a_note() -> None:
    found = read(page(head='<meta property="article:published_time" content="3247-01-01T00:00:00Z">'))
    assert found.published is None or found.published < NOW
    assert any("in the future" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("encoding", "content_type", "meta"),
    [
        ("utf-8", None, "utf-8"),
        ("windows-1251", "text/html; charset=windows-1251", "utf-8"),
        ("windows-1251", "text/html; charset=utf-8", "windows-1251"),
        ("utf-8", "text/html; charset=nonsense", "utf-8"),
    ],
)
def test_encodings(encoding: str, content_type: str | None, meta: str) -> None:
    text = "Министры союзников встретились сегодня в Брюсселе и говорили о новой миссии весь день. "
    html = page("".join(f"<p>{text}{n}.</p>" for n in range(9)), head=f'<meta charset="{meta}">', lang="ru")
    html = html.replace('<meta charset="utf-8">', "", 1) if meta != "utf-8" else html
    found = extract(html.encode(encoding), url=URL, content_type=content_type, now=NOW)
    assert text.strip() in found.text


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 50_000,
        "<b>" * 900 + "word " * 500,
        "<title>" + " - |" * 20_000 + "</title><p>x",
        "<meta property=og:title content='a - b - c | d'>" * 3_000,
        "<script type='application/ld+json'>" + "[" * 50_000 + "</script>",
        '<script>"' + "\\\\" * 100_000 + "</script>",
        "<aside>" * 200 + "hello",
        "<table>" * 200 + "<tr><td>x" * 2_000,
        "\x00" * 10_000,
    ],
    ids=["divs", "bold", "title", "metas", "ld", "quotes", "asides", "tables", "nul"],
)
def test_an_attack_costs_little(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read by a worker, whose time the kernel limits, or takes our own process few steps."""
    limits: list[float] = []
    confined = workers.confined

    def limited(seconds: float, work: Callable[..., Extracted], *args: Any) -> Extracted:
        limits.append(seconds)
        return confined(seconds, work, *args)

    with monkeypatch.context() as patched:
        patched.setattr(workers, "confined", limited)
        found, steps = counted(f"<!doctype html><html><body>{body}")
    assert not any("reading it failed" in problem for problem in found.problems), found.problems
    assert limits in ([], [bounds.PAGE_S])
    assert steps < MOST_STEPS


MOST_STEPS = 4_000_000
"""Calls: half a second. The worst of what is small enough to be read without a worker takes half of them."""


def counted(html: str) -> tuple[Extracted, int]:
    """What is read of a page, and the calls that it takes in this process, once all is imported."""
    read(page())
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        found = read(html)
    finally:
        sys.setprofile(None)
    return found, steps


def test_a_page_beyond_the_cap_is_refused_at_once() -> None:
    assert read(b"<html>" + b" " * MAX_BYTES).status == "failed"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_page_is_a_value(data: st.DataObject) -> None:
    body = bytearray(page().encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=12))
    found = read(bytes(body))
    assert isinstance(found, Extracted)
    assert not any("reading it failed" in problem for problem in found.problems), found.problems


def test_the_extractor_names_itself_with_its_version() -> None:
    assert extractor_version().startswith("trafilatura 2.")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    source = Path(extract.__code__.co_filename).read_text(encoding="utf-8")
    assert "\nimport trafilatura" not in source


# ── which JSON-LD is the page's ──────────────────────────────────────────────────────────────────────────────────────

OWN = (
    '{{"@type": "NewsArticle", "{name}": "Ministers meet in Ankara", "datePublished": "2026-01-12T08:00:00Z", {more} '
    '"author": {{"name": "Bo Writer"}}}}'
)
OTHER = (
    '{"@type": "NewsArticle", "headline": "Old story of a flood", "url": "https://news.example/2019/flood", '
    '"datePublished": "2019-02-03T10:00:00Z", "articleBody": "Water. ", "author": {"name": "Old Hand"}}'
)


def ld(*documents: str) -> str:
    return "".join(f'<script type="application/ld+json">{document}</script>' for document in documents)


@pytest.mark.parametrize(
    "documents",
    [
        ['{"@type": "ItemList", "itemListElement": [{"item": ' + OTHER + "}]}", OWN.format(name="headline", more="")],
        [f"[{OTHER}, {OWN.format(name='headline', more='')}]"],
        [OTHER, OWN.format(name="name", more=f'"mainEntityOfPage": {{"@id": "{URL}"}},')],
        [
            '{"@graph": [{"@type": "WebPage", "relatedLink": ['
            + OTHER
            + "]}, "
            + OWN.format(name="headline", more="")
            + "]}"
        ],
        [
            '{"@type": "Review", "name": "Kettles tested", "author": "Shop"}',
            OWN.format(name="name", more=f'"url": "{URL}?x=1#y",'),
        ],
    ],
    ids=["list", "array", "name alone", "graph", "review"],
)
def test_the_json_ld_of_the_page_is_taken_not_the_first(documents: list[str]) -> None:
    html = page(head=ld(*documents)).replace("Allies agree on a mission", "Ministers meet in Ankara")
    found = read(html)
    assert found.authors == ("Bo Writer",)
    assert found.published == datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert "flood" not in found.title
    assert "Kettles" not in found.title


def test_json_ld_of_other_stories_alone_says_nothing_of_the_page() -> None:
    found = read(page(head=ld('{"@type": "ItemList", "itemListElement": [{"item": ' + OTHER + "}]}")))
    assert "Old Hand" not in found.authors
    assert "flood" not in found.title
