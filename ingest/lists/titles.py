"""The headline of an item: in its heading, its link, its box."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from lxml import etree

from ingest.lists.items import headline_worth, weight
from ingest.lists.links import Link, is_heading, is_hidden, seen_text

MOST_CHARS: Final = 400
"""A longer text is not a headline."""
_NAMED: Final = re.compile(
    r"(?:^|[\s_-])(?:\w*titles?|\w*title\d|head(?:line|ing)?s?|ttl|tit|subject|titolo|titre|titel|tytul|titulo|baslik"
    r"|zagolovok|name|topic)(?=$|[\s_-])|[a-z](?:Title|Headline)(?![a-z])",
    re.IGNORECASE,
)
_NOT_IT: Final = re.compile(
    r"(?:^|[\s_-])(?:kicker|eyebrow|overline|category|tags?|label|badge|dachzeile|section-?name|rubric\w*|icon|ressort)"
    r"(?=$|[\s_-])",
    re.IGNORECASE,
)
_CUT: Final = re.compile(r"\s*(?:…|\.\.\.)$")
_BLOCKS: Final = frozenset(
    {"p", "div", "span", "time", "small", "strong", "b", "em", "i", "td", "dt", "dd", "li", "figcaption"}
)
IsDate = Callable[[str], bool]
"""Whether a text is a date, and so not a headline."""


def title_of(links: Sequence[Link], box: etree._Element, generic: frozenset[str], is_date: IsDate) -> str:
    """The headline of the item in `box`, whose links all lead to its article; empty if it has none.

    `generic` are texts that many links share ("Read more").
    """
    for text in _candidates(links, box, generic, is_date):
        title = text.strip(" \t-–—|:·•")
        if title and len(title) <= MOST_CHARS and title.casefold() not in generic and not is_date(title):
            return _whole(title, links)
    return ""


def _candidates(links: Sequence[Link], box: etree._Element, generic: frozenset[str], is_date: IsDate) -> Iterator[str]:
    for link in links:
        yield from (_own(each, is_date) for each in link.element.iterdescendants(etree.Element) if is_heading(each))
        if link.is_heading:
            yield _inside(link.element, is_date)
    texts = [link.text for link in links]
    for each in box.iter(etree.Element):  # "Read more about …" repeats the heading
        if is_heading(each) and (own := _own(each, is_date)) and any(own in text and own != text for text in texts):
            yield own
    told = [text for link in links if (text := _inside(link.element, is_date)) and text.casefold() not in generic]
    good = [text for text in told if headline_worth(text) > 0.15]
    if good:
        yield max(good, key=lambda text: min(weight(text), 120))
    yield from (_own(each, is_date) for each in box.iter(etree.Element) if is_heading(each))
    yield from told
    for link in links:
        if (label := link.element.get("aria-label") or link.element.get("title") or "").casefold() not in generic:
            yield label
    for each in box.iter(etree.Element):
        if _NAMED.search(each.get("class", "")) and len(seen_text(each)) <= MOST_CHARS:
            yield _own(each, is_date)
    yield from (seen_text(each) for each in box.iter("strong", "b"))
    pieces = [text for text in _pieces(box) if text.casefold() not in generic and not is_date(text)]
    yield from (text for text in pieces if headline_worth(text) > 0.4)
    yield from (image.get("alt") or "" for link in links for image in link.element.iter("img"))
    yield from pieces


def _inside(element: etree._Element, is_date: IsDate) -> str:
    """The headline in a link, which may hold the item's date, section and summary as well."""
    whole = seen_text(element)
    children = [each for each in element.iterdescendants(etree.Element) if each.tag in _BLOCKS and not is_hidden(each)]
    if not children:
        return whole
    for each in children:
        if _NAMED.search(each.get("class", "")) and not _NOT_IT.search(each.get("class", "")):
            text = seen_text(each)
            if text and text != whole and not is_date(text):
                return text
    pieces = [piece for piece in _pieces(element) if not is_date(piece)]
    if len(pieces) > 1:
        return next((piece for piece in pieces if headline_worth(piece) > 0.3), max(pieces, key=weight))
    return pieces[0] if pieces else whole


def _own(element: etree._Element, is_date: IsDate) -> str:
    """The text of a heading without the kicker, date or label in it."""
    whole = seen_text(element)
    for each in element.iterdescendants(etree.Element):
        text = seen_text(each)
        is_extra = bool(text) and (bool(_NOT_IT.search(each.get("class", ""))) or each.tag == "time" or is_date(text))
        if is_extra and text != whole and whole.startswith(text):
            whole = whole[len(text) :].lstrip(" :|·-–")
        elif is_extra and text != whole and whole.endswith(text):
            whole = whole[: -len(text)].rstrip(" :|·-–(")
    return whole


def _pieces(element: etree._Element) -> list[str]:
    """The texts of an element's blocks, in order; inline elements belong to the text around them."""
    pieces: list[list[str]] = [[]]
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if not isinstance(node.tag, str) or node.tag in ("script", "style"):
            continue
        is_block = node.tag in _BLOCKS or node.tag == "br" or is_heading(node)
        is_inline = node.tag in ("strong", "b", "em", "i", "span") and not node.get("class")
        if is_block and not is_inline:
            pieces.append([])
        if event == "start" and node.text and not is_hidden(node):
            pieces[-1].append(node.text)
        elif event == "end" and node is not element and node.tail:
            pieces[-1].append(node.tail)
    joined = (" ".join("".join(piece).split()) for piece in pieces)
    return [piece for piece in joined if piece]


def _whole(title: str, links: Sequence[Link]) -> str:
    """The whole of a headline that the page cuts short, if a link's `title` attribute has it."""
    if not _CUT.search(title):
        return title
    begin = _CUT.sub("", title)
    given = (link.element.get(name) or "" for link in links for name in ("title", "aria-label"))
    return next((text for text in given if text.startswith(begin) and len(text) > len(begin)), title)
