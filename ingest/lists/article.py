"""Whether a page is an article, whose links lead to others, and not a list of articles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Final

from lxml import etree

from ingest.lists.items import article_worth, weight
from ingest.lists.links import NAV, seen_text

LEAST_PROSE: Final = 60
"""Minimum characters of a paragraph that counts as prose."""
BOX_PROSE: Final = 600
"""Characters of prose up to which an item's box may hold more than others."""
LEAST_ROW: Final = 3
"""Minimum boxes below one element that make a row of items."""
FOLLOWS: Final = 4
"""Elements after a headline in a row that may still be its item's: an image, a summary, a date."""
ENOUGH: Final = 3.0
_ARTICLE_TYPE: Final = re.compile(
    r'"@type"\s*:\s*\[?\s*"(?:\w+:)?(?:News|Reportage|Opinion|Analysis|Background|Review|Tech|Scholarly)?(?:NewsArticle'
    r'|Article|BlogPosting|LiveBlogPosting)"'
)
_LIST_TYPE: Final = re.compile(r'"@type"\s*:\s*\[?\s*"(?:CollectionPage|ItemList|SearchResultsPage)"')


@dataclass(frozen=True, slots=True)
class Prose:
    """The running text of a page that belongs to no item of its list, without links, in characters."""

    whole: int
    body: int
    """The most that stands in one element: an article's text."""


def prose_outside(
    root: etree._Element, boxes: Collection[etree._Element], areas: Mapping[etree._Element, float]
) -> Prose:
    """The text of the page's paragraphs that stand in no item's box and in no menu.

    A box with much more text than most holds more than an item. Where the boxes are neighbours, headlines in a row with
    their summaries between them, what follows a box belongs to its item.
    """
    beside = Counter(box.getparent() for box in boxes)
    rows = {parent for parent, count in beside.items() if count >= LEAST_ROW}
    found = [(paragraph, chars, _box_of(paragraph, set(boxes), rows)) for paragraph, chars in _paragraphs(root, areas)]
    inside: Counter[etree._Element | None] = Counter()
    for _, chars, box in found:
        inside[box] += chars
    usual = median(inside[box] for box in boxes) if boxes else 0
    outside = [(p, chars) for p, chars, box in found if box is None or inside[box] > max(BOX_PROSE, 4 * usual)]
    bodies: Counter[etree._Element | None] = Counter()
    for paragraph, chars in outside:
        above = paragraph.getparent()
        bodies[above] += chars
        if above is not None and above.tag in ("div", "section"):  # each paragraph may have a wrapper
            bodies[above.getparent()] += chars
    return Prose(sum(chars for _, chars in outside), max(bodies.values(), default=0))


def _box_of(
    element: etree._Element, boxes: Collection[etree._Element], rows: Collection[etree._Element | None]
) -> etree._Element | None:
    """The box in which an element stands, or, in a row of boxes, the one that it follows closely."""
    around = (element, *element.iterancestors())
    inside = next((each for each in around if each in boxes), None)
    if inside is not None:
        return inside
    in_row = next((each for each in around if each.getparent() in rows), None)
    if in_row is None:
        return None
    before = islice(in_row.itersiblings(preceding=True), FOLLOWS)
    return next((each for each in before if each in boxes), None)


def _paragraphs(root: etree._Element, areas: Mapping[etree._Element, float]) -> Iterator[tuple[etree._Element, int]]:
    for element in root.iter("p", "div", "td", "section", "article", "blockquote"):
        if areas.get(element, 1.0) <= NAV:
            continue
        if element.tag == "p" or element.tag == "blockquote":
            text = seen_text(element)
            linked = sum(len(seen_text(link)) for link in element.iter("a"))
        else:  # text that stands in it directly, between line breaks
            own = [
                element.text,
                *(child.tail for child in element if child.tag in ("br", "b", "i", "em", "strong", "a")),
            ]
            text, linked = " ".join(" ".join(piece.split()) for piece in own if piece), 0
        chars = round(weight(text)) - linked
        if chars < LEAST_PROSE or linked > len(text) / 2:
            continue
        yield element, chars


def is_article(root: etree._Element, url: str, prose: Prose, listed: float, items: int) -> bool:
    """Whether the page at `url` is an article.

    `prose` is its text outside of the list, `listed` the length of the list's headlines, `items` their number.
    """
    return marks_of(root, url, prose, listed, items) >= ENOUGH


def marks_of(root: etree._Element, url: str, prose: Prose, listed: float, items: int) -> float:
    """What speaks for an article, less what speaks for a list."""
    marks = 0.0
    kinds = {
        (meta.get("content") or "").strip().lower() for meta in root.iter("meta") if meta.get("property") == "og:type"
    }
    marks += 1.0 * ("article" in kinds)
    marks += 1.5 * any(_is_published_time(meta) for meta in root.iter("meta"))
    data = " ".join(
        str(script.text or "")[:200_000] for script in root.iter("script") if "ld+json" in script.get("type", "")
    )
    marks += 1.5 * (1 <= len(_ARTICLE_TYPE.findall(data)) <= 2 and not _LIST_TYPE.search(data))
    home = url[: url.find("/", 8) + 1] or url
    marks += 0.7 * (article_worth(url, home) >= 0.8)
    marks += 1.0 * (prose.body >= 500) + 1.5 * (prose.body >= 1_500)
    if prose.body > listed:
        marks += 1.0 + (prose.body > 3 * listed)
    elif prose.body < 0.25 * listed:
        marks -= 1.0
    marks += 0.8 * (items < 5)
    if items >= 15 and prose.body < 500:
        marks -= 1.5
    return marks


def _is_published_time(meta: etree._Element) -> bool:
    return (meta.get("property") or meta.get("name") or "").lower() in (
        "article:published_time",
        "og:article:published_time",
    )
