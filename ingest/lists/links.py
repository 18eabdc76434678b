"""The links of a page: where they lead, what they say, and in which part of the page they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from ingest.addresses import absolute, domain_of
from ingest.lists.items import headline_worth
from newswatch.plain_text import one_line

MOST_LINKS: Final = 4_000
"""Maximum number of links of a page that are looked at, the first; front pages of papers have 1,000."""
NAV: Final = 0.15
"""What a link in a menu counts."""
SIDE: Final = 0.35
"""What a link beside the main content counts."""
_NAV_TAGS: Final = frozenset({"nav", "footer", "dialog", "select"})
_NAV_ROLES: Final = frozenset({"navigation", "contentinfo", "search", "dialog", "menu", "menubar", "tablist"})
_NAV_CLASS: Final = re.compile(
    r"(?:^|[\s_-])(?:nav|navi|navbar|navigation|menus?|submenu|topmenu|breadcrumbs?|footer|pagination|paging|pager"
    r"|paginator|cookies?|consent|social|socials|share|sharing|sitemap|skip-?links?|lang(?:uage)?s?(?:-?switch\w*)?"
    r"|toolbar|tagcloud|rubricator)(?=$|[\s_-])|(?:^|\s)(?:nav|menu|footer)(?=[A-Z])|[a-z](?:Nav|Menu|Footer)(?![a-z])"
)
_SIDE_CLASS: Final = re.compile(
    r"(?:^|[\s_-])(?:sidebar\w*|side-?col\w*|aside|related|most-?(?:read|viewed|popular|shared|commented)\w*|popular"
    r"|trending|ranking|recommend\w*|adverts?|advertisement|sponsored|banners?|widget-area|recent-?posts"
    r"|widget_\w+|mostread|bestof)(?=$|[\s_-])"
)
_OWN_PARTS: Final = frozenset({"article", "main", "section", "li", "td"})
_UNSEEN: Final = frozenset({"script", "style", "template", "noscript", "title", "svg", "iframe", "object"})
_HIDDEN: Final = re.compile(r"(?:^|\s)(?:visually-?hidden|sr-only|screen-reader\S*|hide-accessible)(?=$|\s)")
_HEADING: Final = re.compile(r"h[1-6]")
_STATE: Final = re.compile(
    r"(?:^|[_-])(?:odd|even|first|last|active|current|selected|featured?|sticky|even|alt)(?=$|[_-])"
)
_DIGITS: Final = re.compile(r"\d+")
_ELSEWHERE: Final = frozenset(
    {"facebook.com", "twitter.com", "x.com", "linkedin.com", "instagram.com", "whatsapp.com", "t.me", "wa.me",
     "youtube.com", "pinterest.com", "reddit.com", "telegram.me", "vk.com", "ok.ru", "weibo.com", "line.me",
     "google.com", "apple.com", "bsky.app", "threads.net", "tiktok.com", "addtoany.com", "flickr.com", "mailto.com"}
)  # fmt: skip
"""Sites to which pages link for other reasons than news."""


@dataclass(slots=True, eq=False)
class Link:
    """A link of a page."""

    element: etree._Element
    url: str
    text: str
    place: int
    """Its number among the elements of the page."""
    area: float
    """What its part of the page counts: 1 for the main content, less for what surrounds it."""
    is_heading: bool
    """Whether it stands in a heading or contains one."""
    labels: tuple[str, ...]
    """The elements around it, from the root to itself, each with the class that it shares with most others."""


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a page."""

    links: tuple[Link, ...]
    left_out: int
    """Links beyond `MOST_LINKS`."""
    areas: Mapping[etree._Element, float]
    """What each element's part of the page counts."""


def seen_text(element: etree._Element) -> str:
    """The text of `element` that a reader sees, on one line, with blanks between elements."""
    return one_line(" ".join(_texts(element)))


def _texts(element: etree._Element) -> Iterator[str]:
    stack: list[etree._Element | str] = [element]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
            continue
        if not isinstance(node.tag, str) or node.tag in _UNSEEN or is_hidden(node):
            continue
        for child in reversed(node):
            if child.tail:
                stack.append(child.tail)
            stack.append(child)
        if node.text:
            yield node.text


def is_hidden(element: etree._Element) -> bool:
    """Whether only screen readers read it: it repeats or explains what is seen."""
    return bool(_HIDDEN.search(element.get("class", "")))


def is_heading(element: etree._Element) -> bool:
    """Whether the element is a heading."""
    return isinstance(element.tag, str) and bool(_HEADING.fullmatch(element.tag))


def links_of(root: etree._Element, url: str) -> Links:
    """The links in `root`, a page that was served from `url`, in the page's order, without those to the page itself."""
    base = next((absolute(each.get("href"), url) for each in root.iter("base") if each.get("href")), None) or url
    frequent, misleading = _shared_classes(root), _misleading(root)
    areas: dict[etree._Element, float] = {}
    labels: dict[etree._Element, tuple[str, ...]] = {}
    links: list[Link] = []
    left_out = 0
    for place, element in enumerate(root.iter(etree.Element)):
        parent = element.getparent()
        above = areas.get(parent, 1.0) if parent is not None else 1.0
        areas[element] = above if element in misleading else min(above, _area(element))
        labels[element] = (*(labels.get(parent, ()) if parent is not None else ()), _label(element, frequent))
        if element.tag != "a" or not areas[element] or not (target := _target(element, base, url)):
            continue
        if len(links) >= MOST_LINKS:
            left_out += 1
            continue
        text = seen_text(element)
        links.append(Link(element, target, text, place, areas[element], _near_heading(element), labels[element]))
    return Links(tuple(_reconsidered(links)), left_out, areas)


def _area(element: etree._Element) -> float:
    tag = str(element.tag)
    if tag in _UNSEEN:
        return 0.0
    if tag in _NAV_TAGS or element.get("role", "") in _NAV_ROLES:
        return NAV
    if tag == "header":
        return 1.0 if any(str(each.tag) in _OWN_PARTS for each in element.iterancestors()) else SIDE
    if tag in ("body", "html", "a", "main", "h1", "h2", "h3", "h4"):
        return 1.0
    names = f"{element.get('class', '')} {element.get('id', '')}".strip()
    if names and _NAV_CLASS.search(names):
        return NAV
    if tag == "aside" or (names and _SIDE_CLASS.search(names.lower())):
        return SIDE
    return 1.0


def _misleading(root: etree._Element) -> set[etree._Element]:
    """Elements whose classes speak of a menu or a side, although they hold the page's heading or most headlines."""
    named = {
        each
        for each in root.iter("div", "section", "article", "form", "table", "td", "ul", "ol", "aside")
        if 0 < _area(each) < 1
    }
    if not named:
        return set()
    headlines: Counter[etree._Element] = Counter()
    every = 0
    for link in islice(root.iter("a"), MOST_LINKS):
        if headline_worth(" ".join(map(str, link.itertext())).strip()) > 0.6:
            every += 1
            headlines.update(above for above in link.iterancestors() if above in named)
    titled = {above for heading in root.iter("h1") for above in heading.iterancestors() if above in named}
    return {each for each in named if each in titled or headlines[each] > max(5, 0.6 * every)}


def _reconsidered(links: list[Link]) -> list[Link]:
    """The links; if hardly a headline stands in the main content, the sides count like it: classes may mislead."""
    worth = dict.fromkeys((NAV, SIDE, 1.0), 0.0)
    for link in links:
        worth[link.area] += headline_worth(link.text) > 0.5
    if worth[SIDE] >= 5 and worth[1.0] < worth[SIDE] / 4:
        for link in links:
            link.area = 1.0 if link.area == SIDE else link.area
    return links


def _target(element: etree._Element, base: str, url: str) -> str | None:
    href = (element.get("href") or "").strip()
    if not href or href.startswith("#") or element.get("rel", "") in ("tag", "category tag", "author"):
        return None
    target = absolute(href, base)
    if target is None:
        return None
    if "#!" not in target and "#/" not in target:  # in some sites it is the address of a page
        target = target.partition("#")[0]
    split = urlsplit(target)
    if target == url.partition("#")[0] or (split.path in ("", "/") and not split.query):
        return None
    return None if domain_of(target) in _ELSEWHERE and domain_of(target) != domain_of(url) else target


def _near_heading(element: etree._Element) -> bool:
    above = element.getparent()
    for _ in range(3):
        if above is None:
            break
        if is_heading(above):
            return True
        above = above.getparent()
    return any(is_heading(each) for each in element.iterdescendants(etree.Element))


def _classes(element: etree._Element) -> list[str]:
    """The element's classes without numbers and states, which differ between items of one list."""
    given = (_STATE.sub("", _DIGITS.sub("", name)) for name in element.get("class", "").split()[:20])
    return [name for name in given if name]


def _shared_classes(root: etree._Element) -> Counter[tuple[str, str]]:
    return Counter((str(each.tag), name) for each in root.iter(etree.Element) for name in set(_classes(each)))


def _label(element: etree._Element, frequent: Counter[tuple[str, str]]) -> str:
    tag = str(element.tag)
    names = [(frequent[tag, name], name) for name in _classes(element)]
    count, name = max(names, default=(0, ""))
    return f"{tag}.{name}" if count > 1 else tag
