"""Finds the list of a page: groups of links that are made alike, weighed by what lists of articles have in common.

A group's links stand at the same place of the page's structure (`Link.labels`). What counts is how many there are,
whether their texts are headlines, whether they stand in headings and with dates, and what their addresses look like.
The group that weighs most is the list; other groups that look like parts of it (a lead story, a second column) join.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

from lxml import etree

from ingest.lists.items import article_worth, headline_worth, shape_of, weight
from ingest.lists.links import SIDE, Link, seen_text
from ingest.lists.moments import Reader
from ingest.lists.titles import title_of

MOST_GROUPS: Final = 14
"""Maximum number of groups that are weighed, those with most headlines."""
GENERIC_FROM: Final = 3
"""Number of addresses from which on their links' common text ("Read more") is not a headline."""
CATEGORY_FROM: Final = 3
"""Number of links to one address, all at one place of the structure, from which on it is the items' category."""
LEAST_ITEMS: Final = 3
LEAST_WORTH: Final = 0.36
"""Minimum mean worth of a list's items."""
PROSE_BEFORE: Final = 45
"""Characters before a link in its paragraph; more than a date and a place are a sentence."""
ELSEWHERE: Final = 0.8
"""What a headline counts that stands beside the link: a link to a file or to print has the same beside it."""
JOINS_AT: Final = 0.72
"""Minimum worth of a group, relative to the list's, that joins it."""


@dataclass(slots=True, eq=False)
class Member:
    """An item of a group while it is weighed."""

    links: list[Link]
    """All links to its address, the one that stands for it first."""
    box: etree._Element
    title: str = ""
    published: datetime | None = None
    worth: float = 0.0

    @property
    def main(self) -> Link:
        return self.links[0]


@dataclass(slots=True, eq=False)
class Group:
    """Links that are made alike."""

    members: list[Member] = field(default_factory=list)
    worth: float = 0.0
    """Mean worth of its members, from 0 to 1."""

    @property
    def weight(self) -> float:
        """How much speaks for it being the page's list."""
        count = len(self.members)
        few = {0: 0.0, 1: 0.2, 2: 0.5}.get(count, 1.0)
        return float(few * (0.75 + 0.5 * self.dated) * self.worth**1.6 * min(count, 40) ** 0.6)

    @property
    def dated(self) -> float:
        """The share of its members with a date of their own."""
        return sum(member.published is not None for member in self.members) / max(1, len(self.members))


def find(links: Sequence[Link], page: str, reader: Reader) -> list[Member]:
    """The items of the list on a page, in the page's order; none if it has no list."""
    by_url: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_url[link.url].append(link)
    generic = _generic(links)
    leading = {url: _ranked(of_url, generic) for url, of_url in by_url.items()}
    drafts = _grouped(leading.values(), page, generic)
    groups = [_weighed(Group(members), page, generic, reader) for members in drafts]
    groups = [group for group in groups if group.members]
    if not groups:
        return []
    best = max(groups, key=lambda group: group.weight)
    if best.worth < LEAST_WORTH:
        return []
    joined = [m for group in groups if group is not best and _joins(group, best) for m in group.members]
    members = best.members + _beside(joined, best.members)
    if len(members) < LEAST_ITEMS and not (len(members) == 2 and best.dated == 1 and best.worth > 0.7):
        return []
    return sorted(members, key=lambda member: min(link.place for link in member.links))


def _beside(members: Sequence[Member], listed: Sequence[Member]) -> list[Member]:
    """The members that are items of their own, and not further links of a listed item, or around one."""
    boxes = {member.box for member in listed}
    around = {above for member in listed for above in member.main.element.iterancestors()}
    return [
        member
        for member in members
        if member.box not in around and boxes.isdisjoint((member.box, *member.main.element.iterancestors()))
    ]


def _generic(links: Iterable[Link]) -> frozenset[str]:
    """Texts that links to several addresses share, in lower case."""
    said: dict[str, set[str]] = defaultdict(set)
    for link in links:
        for text in (link.text, link.element.get("title") or "", link.element.get("aria-label") or ""):
            if text:
                said[text.casefold()].add(link.url)
    return frozenset(text for text, urls in said.items() if len(urls) >= GENERIC_FROM)


def _ranked(links: list[Link], generic: frozenset[str]) -> list[Link]:
    """Links to one address, the one that shows its headline first."""

    def rank(link: Link) -> tuple[float, bool, float, int]:
        told = 0.0 if link.text.casefold() in generic else headline_worth(link.text)
        return (-link.area, not link.is_heading, -round(told, 1), link.place)

    first = min(links, key=rank)
    return [first, *(link for link in links if link is not first and link.area >= first.area)]


def _grouped(items: Iterable[list[Link]], page: str, generic: frozenset[str]) -> list[list[Member]]:
    """The links by their places in the structure, the groups with most headlines first."""
    groups: dict[tuple[str, ...], list[Member]] = defaultdict(list)
    for links in items:
        groups[links[0].labels].append(Member(links, links[0].element))

    def promise(members: list[Member]) -> float:
        return sum(
            (0.1 + (0.5 if m.main.text.casefold() in generic else headline_worth(m.main.text)))
            * (0.2 + article_worth(m.main.url, page))
            * m.main.area
            for m in members
        )

    return sorted(map(_without_labels, groups.values()), key=promise, reverse=True)[:MOST_GROUPS]


def _without_labels(members: list[Member]) -> list[Member]:
    """The members without those that stand at this place of the structure again and again, as a category's name does.

    Every slide of a carousel may stand there three times.
    """
    times = [sum(link.labels == member.main.labels for link in member.links) for member in members]
    usual = median(times)
    return [member for member, count in zip(members, times, strict=True) if count < CATEGORY_FROM or count <= 2 * usual]


def _weighed(group: Group, page: str, generic: frozenset[str], reader: Reader) -> Group:
    """The group with boxes, titles, dates and worth; without members that are much less worth than most."""
    set_boxes(group.members)
    for member in group.members:
        member.title = title_of(member.links, member.box, generic, reader.is_date)
    labels = {title for title, count in Counter(m.title.casefold() for m in group.members).items() if count > 2}
    for member in group.members:
        if member.title.casefold() in labels:  # the section's name in a heading, the headline below it
            member.title = title_of(member.links, member.box, generic | labels, reader.is_date) or member.title
        member.published = reader.in_box(member.box, member.title)
    titles = Counter(member.title for member in group.members)
    for member in group.members:
        member.worth = _worth(member, page, titles)
    usual = median(member.worth for member in group.members)
    group.members = [member for member in group.members if member.worth >= 0.5 * usual and member.title]
    group.worth = sum(member.worth for member in group.members) / max(1, len(group.members))
    return group


def _worth(member: Member, page: str, titles: Counter[str]) -> float:
    repeated = 0.5 if titles[member.title] > 2 else 1.0
    own = " ".join(link.text for link in member.links)
    repeated *= 1.0 if member.title[:20] in own else ELSEWHERE
    told = headline_worth(member.title) * repeated
    worth = 0.45 * told + 0.3 * article_worth(member.main.url, page)
    worth += 0.1 * member.main.is_heading + 0.15 * (member.published is not None)
    return worth * member.main.area * (0.3 if _is_in_prose(member.main) else 1.0)


def _is_in_prose(link: Link) -> bool:
    """Whether the link is a part of a sentence: text stands before it in its paragraph."""
    paragraph = next(link.element.iterancestors("p"), None)
    if paragraph is None or link.is_heading:
        return False
    before = seen_text(paragraph).partition(link.text)[0] if link.text else ""
    return weight(before) > PROSE_BEFORE


def set_boxes(members: Sequence[Member]) -> None:
    """Give each member its box: the largest element around it that holds no other member's link.

    No box is higher above its link than most are: the last item of a list would get all that follows.
    """
    holds: dict[etree._Element, int] = defaultdict(int)
    for member in members:
        above = {element for link in member.links for element in (link.element, *link.element.iterancestors())}
        for element in above:
            holds[element] += 1
    heights = []
    for member in members:
        height = 0
        for element in member.main.element.iterancestors():
            if holds[element] > 1 or element.tag in ("body", "main", "html", "table", "tbody", "ul", "ol"):
                break
            height += 1
        heights.append(height)
    most = sorted(heights)[len(heights) // 2] if heights else 0
    for member, height in zip(members, heights, strict=True):
        box = member.main.element
        for _ in range(min(height, most)):
            parent = box.getparent()
            if parent is None:
                break
            box = parent
        member.box = box


def _joins(group: Group, best: Group) -> bool:
    """Whether a group looks like a part of the list: as good, of the same kind of address, not beside it."""
    areas = {member.main.area for member in group.members}
    if group.worth < JOINS_AT * best.worth or max(areas) <= SIDE:
        return False
    shapes = Counter(shape_of(member.main.url) for member in best.members)
    alike = sum(shapes[shape_of(member.main.url)] > 0 for member in group.members)
    if alike < 0.7 * len(group.members):
        return False
    return not (best.dated >= 0.7 and group.dated <= 0.2 and len(group.members) >= 2)
