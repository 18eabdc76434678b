"""Whether a page is an article, whose links lead to others, and not a list of articles."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from lxml import etree

from ingest.lists.items import article_worth
from ingest.lists.links import NAV, seen_text

LEAST_PROSE: Final = 60
"""Minimum characters of a paragraph that counts as prose."""
_ARTICLE_TYPE: Final = re.compile(
    r'"@type"\s*:\s*\[?\s*"(?:\w+:)?(?:News|Reportage|Opinion|Analysis|Background|Review|Tech|Scholarly)?(?:NewsArticle'
    r'|Article|BlogPosting|LiveBlogPosting)"'
)
_LIST_TYPE: Final = re.compile(r'"@type"\s*:\s*\[?\s*"(?:CollectionPage|ItemList|Blog|SearchResultsPage|WebSite)"')


def prose_outside(root: etree._Element, boxes: Collection[etree._Element], areas: Mapping[etree._Element, float]) -> int:
    """The characters of the page's paragraphs that stand in none of the boxes and in no menu, without their links."""
    inside = set(boxes)
    return sum(len(text) for text in _paragraphs(root, inside, areas))


def _paragraphs(
    root: etree._Element, boxes: Collection[etree._Element], areas: Mapping[etree._Element, float]
) -> Iterator[str]:
    for element in root.iter("p", "div", "td", "section", "article", "blockquote", "li", "span"):
        if areas.get(element, 1.0) <= NAV:
            continue
        if element.tag == "p" or element.tag == "blockquote":
            text = seen_text(element)
            linked = sum(len(seen_text(link)) for link in element.iter("a"))
        else:  # text that stands in it directly, between line breaks
            own = [element.text, *(child.tail for child in element if child.tag in ("br", "b", "i", "em", "strong", "a"))]
            text, linked = " ".join(" ".join(piece.split()) for piece in own if piece), 0
        if len(text) - linked < LEAST_PROSE or linked > len(text) / 2:
            continue
        if element in boxes or any(above in boxes for above in element.iterancestors()):
            continue
        yield text


def is_article(root: etree._Element, url: str, prose: int, listed: int, items: int) -> bool:
    """Whether the page at `url` is an article.

    `prose` is the length of its text outside of the list, `listed` of the list's headlines, `items` their number.
    """
    marks = 0.0
    kinds = {(meta.get("content") or "").strip().lower() for meta in root.iter("meta") if meta.get("property") == "og:type"}
    marks += "article" in kinds
    marks += 1.5 * any(_is_published_time(meta) for meta in root.iter("meta"))
    data = " ".join(str(script.text or "")[:200_000] for script in root.iter("script") if "ld+json" in script.get("type", ""))
    marks += 1.5 * (bool(_ARTICLE_TYPE.search(data)) and not _LIST_TYPE.search(data.partition('"@type"')[0]))
    marks += 0.7 * (article_worth(url, url[: url.find("/", 8) + 1] or url) >= 0.8)
    if prose >= 700:
        marks += 1.5
    if prose >= 1_500:
        marks += 1
    if prose > listed:
        marks += 1.5
    elif prose < 0.4 * listed:
        marks -= 1.5
    if items >= 15 and prose < 700:
        marks -= 1.5
    return marks >= 3


def _is_published_time(meta: etree._Element) -> bool:
    return (meta.get("property") or meta.get("name") or "").lower() in ("article:published_time", "og:article:published_time")
