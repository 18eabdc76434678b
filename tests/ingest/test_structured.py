"""What a page says of itself, in JSON-LD as publishers write it: in parts, by reference, with slips."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import html

from ingest.pages.structured import PageFacts, read_facts

URL = "https://www.courier.example/2026/08/30/frigate"
ARTICLE = {"@type": "NewsArticle", "headline": "Frigate leaves port", "datePublished": "2026-08-30T10:00:00+03:00"}
OTHER = {
    "@type": "NewsArticle",
    "headline": "Floods in the valley",
    "url": "https://www.courier.example/2019/floods",
    "datePublished": "2019-02-03",
    "author": "Old Hand",
}
SOURCE = json.dumps({**ARTICLE, "author": "Eva Mayer"}, indent=1)


def facts(*scripts: Any, title: str = "Frigate leaves port") -> PageFacts:
    sources = (each if isinstance(each, str) else json.dumps(each) for each in scripts)
    head = "".join(f'<script type="application/ld+json">{each}</script>' for each in sources)
    return read_facts(html.document_fromstring(f"<html><head>{head}</head><body><h1>{title}</h1></body></html>"), URL)


@pytest.mark.parametrize(
    "scripts",
    [
        [{"@graph": [{**ARTICLE, "author": [{"@id": "#e"}]}, {"@id": "#e", "@type": "Person", "name": "Eva Mayer"}]}],
        [{**ARTICLE, "author": {"@id": "#eva"}}, {"@id": "#eva", "@type": "Person", "name": "Eva Mayer"}],
        [{**ARTICLE, "author": {"name": {"@type": "Person", "name": "Eva Mayer"}}}],
        [{**ARTICLE, "author": {"givenName": "Eva", "familyName": "Mayer"}}],
        [{"@type": "WebSite", "author": {"name": "Web Master"}}, {**ARTICLE, "author": "By Eva Mayer"}],
        [{f"schema:{name}": value for name, value in {**ARTICLE, "author": "Eva Mayer"}.items() if name[0] != "@"}
         | {"@type": "schema:NewsArticle"}],
        [{**ARTICLE, "datePublished": {"@type": "Date", "@value": ARTICLE["datePublished"]}, "author": "Eva Mayer"}],
        [[OTHER, {**ARTICLE, "url": "/2026/08/30/frigate", "author": "Eva Mayer"}]],
        ["/*<![CDATA[*/" + SOURCE + "/*]]>*/"],
        ["// <![CDATA[\n" + SOURCE + "\n// ]]&gt;"],
        ["// by a plugin\n" + SOURCE + ";"],
        ["\ufeff" + SOURCE],
        [json.dumps({"@type": "WebSite"}) + ",\n" + SOURCE],
        [SOURCE[:-2] + ",\n}"],
        [SOURCE.replace("leaves", "leaves\\'")],
        [SOURCE.replace('"', "&quot;")],
        [SOURCE.rstrip("}\n")],
        [SOURCE[:-2] + ',\n "description": "He said "no" to it"\n}'],
    ],
)  # fmt: skip
def test_author_and_date_are_found(scripts: list[Any]) -> None:
    found = facts(*scripts)
    assert found.authors == ["Eva Mayer"]
    assert found.published == [ARTICLE["datePublished"]]


def test_broken_json_of_two_stories_says_nothing() -> None:
    broken = f"[{json.dumps(OTHER)}, {SOURCE}"[:-2]
    found = facts(broken.replace('"@type"', '"x": "a" b", "@type"', 1))
    assert (found.authors, found.published, found.headline) == ([], [], "")


@pytest.mark.parametrize("scripts", [[OTHER], [[OTHER, {**OTHER, "url": "https://www.courier.example/2018/x"}]]])
def test_articles_of_other_addresses_and_titles_are_not_the_page(scripts: list[Any]) -> None:
    found = facts(*scripts)
    assert (found.authors, found.published, found.headline) == ([], [], "")


@pytest.mark.parametrize(
    "thing",
    [
        {"@type": "Review", "name": "Waschmaschinen im Vergleich", "author": "Shop", "datePublished": "2020-01-01"},
        {"@type": "NewsArticle", "headline": "Quarterly results are out", "datePublished": "2020-01-01"},
        {"@type": "Article", "headline": "北约峰会在安卡拉举行", "datePublished": "2020-01-01"},
    ],
)
def test_what_has_no_address_and_no_word_of_the_pages_titles_is_not_the_page(thing: dict[str, str]) -> None:
    found = facts(thing)
    assert (found.authors, found.published, found.headline) == ([], [], "")


def test_an_article_with_a_headline_for_search_engines_is_the_page() -> None:
    assert facts({**ARTICLE, "headline": "Frigates: what we know so far", "author": "Eva Mayer"}).authors == [
        "Eva Mayer"
    ]


def test_an_article_of_another_address_is_the_page_by_its_title() -> None:
    moved = {**ARTICLE, "url": "https://m.courier.example/old-name", "author": "Eva Mayer"}
    assert facts(moved).authors == ["Eva Mayer"]
