"""Removes what is not the article from the tree of a page, before extraction.

Every rule describes the web, not one publisher: lists of links, hidden elements, asides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lxml import etree

from ingest.pages.prose import BLOCKS, ENDS, LINES, is_sentence, visible_text
from newswatch.scripts import EAST_ASIAN

HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_SILENT: Final = frozenset({"script", "style", "noscript", "template", "svg"})
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_UNSEEN: Final = re.compile(
    r"(?:^|\s)(?:[\w-]+-)?(?:sr-only|visually-?hidden|screen-?reader(?:-text|-only)?|element-invisible|vh)(?:\s|$)",
    re.IGNORECASE,
)
"""Classes by which style libraries hide text that is only read aloud, such as `opens in a new window`."""
_OF_COMMENTS: Final = re.compile(r"comments?-(?:enabled|disabled|open|closed|on|off|allowed)", re.IGNORECASE)
"""Classes that say whether a page may be commented on; the extractor takes what begins so for comments."""
_CAPTIONED: Final = re.compile(r"(?:^|[\s_-])(?:image|img|photo|picture|figure|caption)s?(?=$|[\s_-])", re.IGNORECASE)
"""Classes of containers of a picture and its caption."""
PROSE_CHARS: Final = 100
"""A longer paragraph that ends like a sentence is prose, whatever its class."""
CAPTION_CHARS: Final = 400
CARD_CHARS: Final = 500
"""Maximum characters, without blanks, of a link around a heading that counts as a card for another story."""
_CJK: Final = re.compile(f"[{EAST_ASIAN}]")
HIDDEN_PROSE: Final = 300
"""Characters of paragraphs. A hidden element with more may be the article itself, which a script shows."""
ASIDE_SHARE: Final = 0.3
"""Share of the page's text. A larger aside is the article in the wrong element."""
LINKED_CHARS: Final = 45
"""Minimum characters, without blanks and counting CJK characters three times, of a paragraph that is one link but still
prose, if it is a sentence."""


@dataclass(slots=True)
class _Size:
    """The amount of text in an element, in characters without white space."""

    text: int = 0
    links: int = 0
    prose: int = 0
    """Characters in paragraphs."""
    has_block: bool = False


def prune(tree: etree._Element) -> None:
    """Remove hidden elements, asides and lists of links from `tree`, in place, and unlink prose that is linked."""
    _flatten_ruby(tree)
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    sizes = _measure(elements)
    total = max((sizes[element].text for element in elements if element.tag in ("body", "html")), default=0)
    doomed = [e for e in elements if e.tag not in ("html", "body", "head") and _is_boilerplate(e, sizes, total)]
    linked = [element for element in elements if _is_linked_paragraph(element, sizes[element])]
    for element in doomed:
        _drop(element)
    _straighten(tree)
    for element in linked:
        etree.strip_tags(element, "a")  # otherwise the extractor takes it for a list of links


def _straighten(tree: etree._Element) -> None:
    """Remove what an extractor would misread.

    That is an aside that holds the article, tables used for layout, classes of paragraphs of prose (some editors call
    each of them `comment-text`), and classes that say that a page has comments.
    """
    for paragraph in tree.iter("p"):
        if paragraph.get("class") or paragraph.get("id"):
            line = visible_text(paragraph)
            if len(line) >= PROSE_CHARS and is_sentence(line) and not _is_of_picture(paragraph.get("class") or ""):
                etree.strip_attributes(paragraph, "class", "id")
    for element in tree.iter("div", "section", "article", "main"):
        if (names := (element.get("class") or "").split()) and any(map(_OF_COMMENTS.fullmatch, names)):
            element.set("class", " ".join(name for name in names if not _OF_COMMENTS.fullmatch(name)))
    for aside in list(tree.iter("aside")):
        aside.tag = "div"  # real asides have been removed by now
    for table in list(tree.iter("table")):
        if any(sum(1 for _ in cell.iter("p", "h1")) > 1 for cell in table.iter("td")):
            for part in table.iter("table", "tbody", "tr", "td"):
                part.tag = "div"


def _flatten_ruby(tree: etree._Element) -> None:
    """Turn Japanese ruby into plain text: with the reading in the brackets that `rp` gives, else without the reading.

    An extractor would take each `ruby` for the end of a paragraph.
    """
    rubies = list(tree.iter("ruby"))
    for ruby in rubies:
        if ruby.find(".//rp") is None:
            for reading in list(ruby.iter("rt", "rtc")):
                _drop(reading)
    if rubies:
        etree.strip_tags(tree, "ruby", "rb", "rt", "rp", "rtc")


def _measure(elements: Sequence[etree._Element]) -> dict[etree._Element, _Size]:
    """The size of each element, children before their parents."""
    sizes: dict[etree._Element, _Size] = {}
    for element in reversed(elements):
        size = sizes[element] = _Size()
        if element.tag in _SILENT:
            continue
        own = _solid(element.text)
        for child in element:
            own += _solid(child.tail)
            inner = sizes.get(child)
            if inner:
                size.text += inner.text
                size.links += inner.links
                size.prose += inner.prose
                size.has_block = size.has_block or inner.has_block or child.tag in BLOCKS
        size.text += own
        href = element.get("href") if element.tag == "a" else None
        if href and not href.startswith("#"):
            size.links = size.text
        if element.tag == "p":
            size.prose = size.text
    return sizes


def _solid(text: str | None) -> int:
    return sum(map(len, text.split())) if text else 0


def _is_boilerplate(element: etree._Element, sizes: dict[etree._Element, _Size], total: int) -> bool:
    size = sizes[element]
    if not size.text:
        return False
    if _is_hidden(element) and size.prose < HIDDEN_PROSE:
        return True
    if element.tag in ("aside", "figcaption"):
        return size.text < ASIDE_SHARE * total
    if size.text < ASIDE_SHARE * total and (_is_card(element, size) or _is_captioned(element, size)):
        return True
    if element.tag in ("ul", "ol"):
        return _is_link_list(element, size, sizes)
    return element.tag in LINES and not size.has_block and _is_link_line(element, size)


def _is_hidden(element: etree._Element) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _is_unseen(element.get("class") or "")
        or _HIDDEN.search(element.get("style") or "") is not None
    )


@lru_cache(maxsize=2_048)
def _is_unseen(names: str) -> bool:
    """Whether the classes hide an element. Cached: the same few classes are on hundreds of elements of a page."""
    return _UNSEEN.search(names) is not None


@lru_cache(maxsize=2_048)
def _is_of_picture(names: str) -> bool:
    return _CAPTIONED.search(names) is not None


def _is_card(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a link around a heading, which leads to another story."""
    holds = element.tag == "a" and size.has_block and size.text < CARD_CHARS
    return holds and any(heading.tag != "h1" for heading in element.iter(*HEADINGS))


def _is_captioned(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a picture with its caption, and nothing else."""
    named = size.text < CAPTION_CHARS and element.tag != "a" and _is_of_picture(element.get("class") or "")
    if not named or not any(True for _ in element.iter("img", "picture", "video")):
        return False
    return sum(2 if line.tag[0] == "h" else 1 for line in element.iter("p", "li", *HEADINGS) if visible_text(line)) < 2


def _is_link_list(element: etree._Element, size: _Size, sizes: dict[etree._Element, _Size]) -> bool:
    if size.links >= 0.8 * size.text:
        return True
    items = [child for child in element if child.tag == "li" and sizes[child].text]
    links = [i for i in items if sizes[i].links >= 0.5 * sizes[i].text and not visible_text(i).endswith(".")]
    return bool(items) and len(links) >= 0.8 * len(items)


def _is_link_line(element: etree._Element, size: _Size) -> bool:
    """Whether the line is a link, or a label with a link, and not a sentence."""
    if size.links < 0.5 * size.text:
        return False
    if size.links >= 0.9 * size.text and size.text >= 13:
        return not _is_linked_paragraph(element, size)
    return size.text < 140 and not visible_text(element).endswith(ENDS)


def _is_linked_paragraph(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a paragraph that is mostly a link but prose; headlines lack the full stop."""
    if element.tag != "p" or size.links < 0.5 * size.text:
        return False
    line = visible_text(element)
    is_long = size.text + 2 * len(_CJK.findall(line)) >= LINKED_CHARS
    return is_long and is_sentence(line)


def _drop(element: etree._Element) -> None:
    """Remove `element` and keep the text behind it."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)
